//! DER, the binary form of certificates and keys (ITU-T X.690), read strictly.
//!
//! Parsers differ in what they let pass. What this lets pass, all do.

/// How deep values may lie in one another; certificates have about eight levels.
const DEPTH: usize = 16;

/// Tags, as they are written.
pub(super) mod tag {
    pub(in super::super) const BOOLEAN: u8 = 0x01;
    pub(in super::super) const INTEGER: u8 = 0x02;
    pub(in super::super) const BIT_STRING: u8 = 0x03;
    pub(in super::super) const OCTET_STRING: u8 = 0x04;
    pub(in super::super) const NULL: u8 = 0x05;
    pub(in super::super) const OBJECT_IDENTIFIER: u8 = 0x06;
    pub(in super::super) const UTF8_STRING: u8 = 0x0c;
    pub(in super::super) const NUMERIC_STRING: u8 = 0x12;
    pub(in super::super) const PRINTABLE_STRING: u8 = 0x13;
    pub(in super::super) const TELETEX_STRING: u8 = 0x14;
    pub(in super::super) const IA5_STRING: u8 = 0x16;
    pub(in super::super) const UTC_TIME: u8 = 0x17;
    pub(in super::super) const GENERALIZED_TIME: u8 = 0x18;
    pub(in super::super) const BMP_STRING: u8 = 0x1e;
    pub(in super::super) const SEQUENCE: u8 = 0x30;
    pub(in super::super) const SET: u8 = 0x31;
    /// The first of those whose meaning depends on where they stand, with values inside.
    pub(in super::super) const CONTEXT: u8 = 0xa0;
}

/// One value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Value<'a> {
    pub(super) tag: u8,
    pub(super) contents: &'a [u8],
    /// Its tag, its length and its contents.
    pub(super) whole: &'a [u8],
}

impl<'a> Value<'a> {
    /// The values inside of it, if it is of that kind.
    pub(super) fn inside(self, tag: u8) -> Option<Reader<'a>> {
        (self.tag == tag).then_some(Reader(self.contents))
    }
}

/// Values that follow one another.
#[derive(Clone, Debug)]
pub(super) struct Reader<'a>(pub(super) &'a [u8]);

impl<'a> Reader<'a> {
    /// The next value; `None` at the end, and where there is none in DER.
    pub(super) fn next(&mut self) -> Option<Value<'a>> {
        let (tag, rest) = self.0.split_first()?;
        // Tags of several bytes are in no certificate.
        if tag & 0x1f == 0x1f {
            return None;
        }
        let (length, rest) = length(rest)?;
        let (contents, after) = rest.split_at_checked(length)?;
        let whole = self.0.get(..self.0.len() - after.len())?;
        self.0 = after;
        Some(Value { tag: *tag, contents, whole })
    }

    /// The contents of the next value, if that is of this kind.
    pub(super) fn contents(&mut self, tag: u8) -> Option<&'a [u8]> {
        self.next().filter(|value| value.tag == tag).map(|value| value.contents)
    }

    /// Whether nothing follows.
    pub(super) fn is_at_end(&self) -> bool {
        self.0.is_empty()
    }
}

/// A length of the fewest bytes that hold it.
fn length(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let (first, rest) = bytes.split_first()?;
    if *first < 0x80 {
        return Some((usize::from(*first), rest));
    }
    let (digits, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
    if digits.is_empty() || digits.len() > 3 || digits.first() == Some(&0) {
        return None;
    }
    let length = digits.iter().fold(0, |length, digit| length << 8 | usize::from(*digit));
    (length >= 0x80).then_some((length, rest))
}

/// Whether the bytes are one value in DER, in which every other is of a kind that certificates are made of.
pub(super) fn is_strict(bytes: &[u8]) -> bool {
    let mut reader = Reader(bytes);
    let value = reader.next();
    reader.is_at_end() && value.is_some_and(|value| is_valid(value, DEPTH))
}

fn is_valid(value: Value<'_>, depth: usize) -> bool {
    let contents = value.contents;
    match value.tag {
        tag::BOOLEAN => matches!(contents, [0 | 0xff]),
        tag::INTEGER => is_integer(contents),
        tag::BIT_STRING => is_bit_string(contents),
        tag::OCTET_STRING | tag::TELETEX_STRING => true,
        tag::NULL => contents.is_empty(),
        tag::OBJECT_IDENTIFIER => is_identifier(contents),
        tag::UTF8_STRING => std::str::from_utf8(contents).is_ok(),
        tag::NUMERIC_STRING | tag::PRINTABLE_STRING | tag::IA5_STRING => contents.is_ascii(),
        tag::UTC_TIME => is_time(contents, 12),
        tag::GENERALIZED_TIME => is_time(contents, 14),
        tag::BMP_STRING => is_bmp(contents),
        tag::SEQUENCE | tag::SET => are_valid(contents, depth),
        tag if tag & 0xe0 == tag::CONTEXT => are_valid(contents, depth),
        _ => false,
    }
}

fn are_valid(contents: &[u8], depth: usize) -> bool {
    let Some(depth) = depth.checked_sub(1) else { return false };
    let mut reader = Reader(contents);
    while !reader.is_at_end() {
        if !reader.next().is_some_and(|value| is_valid(value, depth)) {
            return false;
        }
    }
    true
}

fn is_integer(contents: &[u8]) -> bool {
    match contents {
        [] => false,
        [_] => true,
        // Nine equal bits at the front are one byte too many.
        [first, second, ..] => !matches!((first, second & 0x80), (0, 0) | (0xff, 0x80)),
    }
}

fn is_bit_string(contents: &[u8]) -> bool {
    match contents {
        [] => false,
        [unused] => *unused == 0,
        [unused, .., last] => *unused < 8 && last & ((1 << unused) - 1) == 0,
    }
}

fn is_identifier(contents: &[u8]) -> bool {
    let ends = |byte: &u8| byte & 0x80 == 0;
    // The longest in use have some twenty bytes.
    let fits = !contents.is_empty() && contents.len() <= 64;
    let starts_padded = |part: &[u8]| part.first() == Some(&0x80);
    fits && contents.last().is_some_and(ends) && !contents.split_inclusive(ends).any(starts_padded)
}

fn is_time(contents: &[u8], digits: usize) -> bool {
    let number = contents.strip_suffix(b"Z").unwrap_or_default();
    number.len() == digits && number.iter().all(u8::is_ascii_digit)
}

/// Characters of two bytes each, none of them half of a larger one.
fn is_bmp(contents: &[u8]) -> bool {
    contents.len().is_multiple_of(2)
        && contents.chunks(2).all(|pair| !matches!(pair.first(), Some(0xd8..=0xdf)))
}

/// Appends a value.
pub(super) fn write(to: &mut Vec<u8>, tag: u8, contents: &[u8]) {
    to.push(tag);
    match u8::try_from(contents.len()) {
        Ok(length) if length < 0x80 => to.push(length),
        _ => {
            let bytes = contents.len().to_be_bytes();
            let digits: Vec<u8> = bytes.into_iter().skip_while(|byte| *byte == 0).collect();
            to.push(0x80 | u8::try_from(digits.len()).unwrap_or(0));
            to.extend(digits);
        }
    }
    to.extend_from_slice(contents);
}

/// A value made of these others.
pub(super) fn made_of(tag: u8, values: &[&[u8]]) -> Vec<u8> {
    let mut made = Vec::new();
    write(&mut made, tag, &values.concat());
    made
}

#[cfg(test)]
mod tests;
