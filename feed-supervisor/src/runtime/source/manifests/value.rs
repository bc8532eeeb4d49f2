//! From text to a value, with the keys that stand more than once.

use std::fmt;

use serde::de::{Deserialize, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// A value of which, as for kubectl, the last of equal keys counts.
#[derive(Debug)]
pub(super) struct Read {
    pub(super) value: Value,
    /// The ways to the keys that stand more than once in their mapping.
    pub(super) doubled: Vec<Vec<WayStep>>,
}

/// A step on the way to a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum WayStep {
    Key(String),
    Index(usize),
}

impl<'de> Deserialize<'de> for Read {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut doubled = Vec::new();
        let value = Reading { doubled: &mut doubled }.deserialize(deserializer)?;
        for way in &mut doubled {
            way.reverse();
        }
        Ok(Self { value, doubled })
    }
}

/// A value under way. The ways are built from their ends, when the call returns: most values cost nothing then.
struct Reading<'a> {
    doubled: &'a mut Vec<Vec<WayStep>>,
}

impl Reading<'_> {
    /// Notes that all ways from the one of that index on lead through a step.
    fn lead_through(&mut self, first: usize, step: &WayStep) {
        for way in self.doubled.iter_mut().skip(first) {
            way.push(step.clone());
        }
    }
}

impl<'de> DeserializeSeed<'de> for Reading<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Reading<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        self.deserialize(deserializer)
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut sequence: A) -> Result<Value, A::Error> {
        let mut elements = Vec::new();
        loop {
            let first = self.doubled.len();
            let Some(element) = sequence.next_element_seed(Reading { doubled: self.doubled })? else { break };
            self.lead_through(first, &WayStep::Index(elements.len()));
            elements.push(element);
        }
        Ok(Value::Array(elements))
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<Value, A::Error> {
        let mut fields = Map::new();
        while let Some(key) = map.next_key::<String>()? {
            let first = self.doubled.len();
            let value = map.next_value_seed(Reading { doubled: self.doubled })?;
            if self.doubled.len() > first {
                self.lead_through(first, &WayStep::Key(key.clone()));
            }
            if fields.contains_key(&key) {
                self.doubled.push(vec![WayStep::Key(key.clone())]);
            }
            fields.insert(key, value);
        }
        Ok(Value::Object(fields))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_of_equal_keys_counts_and_is_noted() {
        let read: Read = serde_json::from_str(
            r#"{"a": 1, "b": [{"c": {"d": 1, "d": [2], "d": 3}}, -1, 0.5, null, true], "a": "x"}"#,
        )
        .unwrap();
        assert_eq!(read.value, serde_json::json!({"a": "x", "b": [{"c": {"d": 3}}, -1, 0.5, null, true]}));
        let key = |key: &str| WayStep::Key(key.to_owned());
        let inner = vec![key("b"), WayStep::Index(0), key("c"), key("d")];
        assert_eq!(read.doubled, [inner.clone(), inner, vec![key("a")]]);
    }
}
