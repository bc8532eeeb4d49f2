//! The shape of a certificate (RFC 5280 section 4.1), field by field: parsers differ about what is missing or too much.

use super::der::{Reader, Value, tag};

/// Kinds of text that OpenSSL takes as a part of a name.
const TEXTS: [u8; 6] = [
    tag::UTF8_STRING,
    tag::NUMERIC_STRING,
    tag::PRINTABLE_STRING,
    tag::TELETEX_STRING,
    tag::IA5_STRING,
    tag::BMP_STRING,
];

/// Whether a value in strict DER has every field of a certificate of version 3, and none beside.
pub(super) fn is_certificate(der: &[u8]) -> bool {
    certificate(Reader(der)).is_some()
}

/// `None` where something is not as it should be.
type Checked = Option<()>;

fn certificate(mut reader: Reader<'_>) -> Checked {
    let mut fields = reader.next()?.inside(tag::SEQUENCE)?;
    to_be_signed(fields.next()?.inside(tag::SEQUENCE)?)?;
    algorithm(fields.next()?)?;
    fields.contents(tag::BIT_STRING)?;
    ends(&fields)
}

fn to_be_signed(mut fields: Reader<'_>) -> Checked {
    let mut version = fields.next()?.inside(tag::CONTEXT)?;
    if version.contents(tag::INTEGER)? != [2] || !version.is_at_end() {
        return None;
    }
    fields.contents(tag::INTEGER)?;
    algorithm(fields.next()?)?;
    name(fields.next()?)?;
    validity(fields.next()?.inside(tag::SEQUENCE)?)?;
    name(fields.next()?)?;
    let mut public_key = fields.next()?.inside(tag::SEQUENCE)?;
    algorithm(public_key.next()?)?;
    public_key.contents(tag::BIT_STRING)?;
    ends(&public_key)?;
    if !fields.is_at_end() {
        let mut explicit = fields.next()?.inside(tag::CONTEXT | 3)?;
        each(explicit.next()?.inside(tag::SEQUENCE)?, extension)?;
        ends(&explicit)?;
    }
    ends(&fields)
}

/// Parameters are of any kind; what they mean is looked at elsewhere.
fn algorithm(value: Value<'_>) -> Checked {
    let mut fields = value.inside(tag::SEQUENCE)?;
    fields.contents(tag::OBJECT_IDENTIFIER)?;
    if !fields.is_at_end() {
        fields.next()?;
    }
    ends(&fields)
}

fn name(value: Value<'_>) -> Checked {
    each(value.inside(tag::SEQUENCE)?, |relative| {
        let parts = relative.inside(tag::SET)?;
        if parts.is_at_end() {
            return None;
        }
        each(parts, |part| {
            let mut fields = part.inside(tag::SEQUENCE)?;
            fields.contents(tag::OBJECT_IDENTIFIER)?;
            TEXTS.contains(&fields.next()?.tag).then_some(())?;
            ends(&fields)
        })
    })
}

fn validity(mut fields: Reader<'_>) -> Checked {
    for _ in 0..2 {
        matches!(fields.next()?.tag, tag::UTC_TIME | tag::GENERALIZED_TIME).then_some(())?;
    }
    ends(&fields)
}

fn extension(value: Value<'_>) -> Checked {
    let mut fields = value.inside(tag::SEQUENCE)?;
    fields.contents(tag::OBJECT_IDENTIFIER)?;
    let mut contents = fields.next()?;
    if contents.tag == tag::BOOLEAN {
        contents = fields.next()?;
    }
    (contents.tag == tag::OCTET_STRING).then_some(())?;
    ends(&fields)
}

fn each(mut values: Reader<'_>, check: impl Fn(Value<'_>) -> Checked) -> Checked {
    while !values.is_at_end() {
        check(values.next()?)?;
    }
    Some(())
}

fn ends(fields: &Reader<'_>) -> Checked {
    fields.is_at_end().then_some(())
}
