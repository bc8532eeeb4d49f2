//! From a value to an object, with the fields that the object's kind does not have.

use std::fmt;

use serde::Deserializer;
use serde::de::value::StrDeserializer;
use serde::de::{DeserializeOwned, DeserializeSeed, IntoDeserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Error, Map, Value};

/// A step on the way to a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum FieldWay {
    /// A field that there is.
    Known(&'static str),
    /// A field that there is not, or a key of a map.
    Key(String),
    Index(usize),
}

/// A field that there is not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Unknown {
    /// The way to the value that holds it.
    pub(super) way: Vec<FieldWay>,
    pub(super) name: String,
    /// The fields that there are in its place.
    pub(super) known: &'static [&'static str],
}

/// A value that is not of the type that its field has.
#[derive(Debug)]
pub(super) struct Mistyped {
    pub(super) way: Vec<FieldWay>,
    pub(super) error: Error,
}

/// Reads an object.
pub(super) fn read<T: DeserializeOwned>(value: Value) -> Result<(T, Vec<Unknown>), Mistyped> {
    let mut notes = Notes::default();
    match T::deserialize(Typed { value, notes: &mut notes }) {
        Ok(object) => Ok((object, notes.unknown)),
        Err(error) => Err(Mistyped { way: notes.way, error }),
    }
}

/// `spec.rules[0].host`, as `kubectl explain` would spell it.
pub(super) struct Spelled<'a>(pub(super) &'a [FieldWay]);

impl fmt::Display for Spelled<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, step) in self.0.iter().enumerate() {
            let dot = if position == 0 { "" } else { "." };
            match step {
                FieldWay::Known(name) => write!(f, "{dot}{name}")?,
                FieldWay::Key(key) => write!(f, "{dot}{}", key.escape_debug())?,
                FieldWay::Index(index) => write!(f, "[{index}]")?,
            }
        }
        Ok(())
    }
}

#[derive(Debug, Default)]
struct Notes {
    /// Where reading is; after an error, where that was.
    way: Vec<FieldWay>,
    unknown: Vec<Unknown>,
}

/// A value that is read as whatever type is asked for. The structs that ask say which fields they know.
struct Typed<'a> {
    value: Value,
    notes: &'a mut Notes,
}

impl Typed<'_> {
    fn visit<'de, V: Visitor<'de>>(
        self,
        known: Option<&'static [&'static str]>,
        visitor: V,
    ) -> Result<V::Value, Error> {
        match self.value {
            Value::Array(elements) => {
                visitor.visit_seq(Elements { elements: elements.into_iter().enumerate(), notes: self.notes })
            }
            Value::Object(fields) => visitor.visit_map(Entries::new(fields, known, self.notes)),
            scalar => scalar.deserialize_any(visitor),
        }
    }
}

macro_rules! scalars {
    ($($method:ident)*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            self.value.$method(visitor)
        })*
    };
}

impl<'de> Deserializer<'de> for Typed<'_> {
    type Error = Error;

    scalars! {
        deserialize_bool deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_u8 deserialize_u16
        deserialize_u32 deserialize_u64 deserialize_f32 deserialize_f64 deserialize_char deserialize_str
        deserialize_string deserialize_bytes deserialize_byte_buf deserialize_unit deserialize_identifier
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.visit(None, visitor)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.visit(None, visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.visit(None, visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.visit(Some(fields), visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if self.value.is_null() { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_unit()
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.value.deserialize_unit_struct(name, visitor)
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Error> {
        self.visit(None, visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.visit(None, visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.value.deserialize_enum(name, variants, visitor)
    }
}

struct Elements<'a> {
    elements: std::iter::Enumerate<std::vec::IntoIter<Value>>,
    notes: &'a mut Notes,
}

impl<'de> SeqAccess<'de> for Elements<'_> {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Error> {
        let Some((index, value)) = self.elements.next() else { return Ok(None) };
        self.notes.way.push(FieldWay::Index(index));
        let element = seed.deserialize(Typed { value, notes: self.notes })?;
        self.notes.way.pop();
        Ok(Some(element))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.elements.len())
    }
}

struct Entries<'a> {
    fields: serde_json::map::IntoIter,
    known: Option<&'static [&'static str]>,
    /// The value of the key that was read last, and the step to it.
    next: Option<(FieldWay, Value)>,
    notes: &'a mut Notes,
}

impl<'a> Entries<'a> {
    fn new(fields: Map<String, Value>, known: Option<&'static [&'static str]>, notes: &'a mut Notes) -> Self {
        Self { fields: fields.into_iter(), known, next: None, notes }
    }
}

impl<'de> MapAccess<'de> for Entries<'_> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Error> {
        let Some((name, value)) = self.fields.next() else { return Ok(None) };
        let deserializer: StrDeserializer<'_, Error> = name.as_str().into_deserializer();
        let key = seed.deserialize(deserializer)?;
        let known = self.known.map(|known| (known, known.iter().find(|known| **known == name)));
        let step = match known {
            Some((_, Some(field))) => FieldWay::Known(field),
            Some((known, None)) => {
                let (way, name) = (self.notes.way.clone(), name.clone());
                self.notes.unknown.push(Unknown { way, name: name.clone(), known });
                FieldWay::Key(name)
            }
            None => FieldWay::Key(name),
        };
        self.next = Some((step, value));
        Ok(Some(key))
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Error> {
        let (step, value) = self.next.take().unwrap_or((FieldWay::Index(0), Value::Null));
        self.notes.way.push(step);
        let value = seed.deserialize(Typed { value, notes: self.notes })?;
        self.notes.way.pop();
        Ok(value)
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.fields.len())
    }
}

#[cfg(test)]
mod tests;
