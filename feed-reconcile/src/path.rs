//! Paths of routes.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use crate::desired::PathMatch;

/// A path that nginx can match: the decoded form of an Ingress's path, which begins with `/`.
///
/// Ordered as text. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RoutePath(Arc<str>);

/// Why a text is no path of a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPath {
    /// It does not begin with a slash.
    #[error("does not begin with `/`")]
    NotAbsolute,
    /// It holds a character that RFC 3986 does not allow in a path.
    #[error("holds {0:?}, which RFC 3986 allows in a path only percent-encoded")]
    Character(char),
    /// A `%` is not followed by two hexadecimal digits.
    #[error("holds a `%` that is not followed by two hexadecimal digits")]
    Percent,
    /// It holds `%2F`, which nginx decodes before it matches.
    #[error("holds an encoded slash (`%2F`), which nginx can never match")]
    EncodedSlash,
    /// It holds `//`, which nginx merges before it matches.
    #[error("holds `//`, which nginx can never match")]
    EmptySegment,
    /// A segment is `.` or `..`, which nginx resolves before it matches.
    #[error("holds a segment `.` or `..`, which nginx can never match")]
    DotSegment,
    /// It holds an encoded control character.
    #[error("holds an encoded control character")]
    Control,
    /// Its decoded form is not UTF-8.
    #[error("is not UTF-8 once decoded")]
    NotUtf8,
    /// It is longer than [`RoutePath::MAX_BYTES`].
    #[error("is longer than {} bytes once decoded", RoutePath::MAX_BYTES)]
    TooLong,
}

impl InvalidPath {
    /// What to do about it.
    pub(crate) fn help(self) -> &'static str {
        match self {
            Self::NotAbsolute => "Begin the path with `/`.",
            Self::Character(_) => "Percent-encode it, or use another path.",
            Self::Percent => "Write a literal percent sign as `%25`.",
            Self::EncodedSlash => "Use a plain `/`, or another path.",
            Self::EmptySegment => "Write a single `/`.",
            Self::DotSegment => "Write the path that it resolves to.",
            Self::Control | Self::NotUtf8 => "Use another path.",
            Self::TooLong => "Use a shorter path, such as a prefix of this one.",
        }
    }
}

impl RoutePath {
    /// How long a decoded path may be: nginx compares `location` names of more than 255 bytes wrongly.
    pub const MAX_BYTES: usize = 250;

    /// The path `/`.
    pub fn root() -> Self {
        Self("/".into())
    }

    /// Checks an absolute path of RFC 3986 and decodes it, once.
    pub fn decode(path: &str) -> Result<Self, InvalidPath> {
        let decoded = percent_decode(path)?;
        if !decoded.starts_with('/') {
            return Err(InvalidPath::NotAbsolute);
        }
        if decoded.contains("//") {
            return Err(InvalidPath::EmptySegment);
        }
        if decoded.split('/').any(|segment| segment == "." || segment == "..") {
            return Err(InvalidPath::DotSegment);
        }
        if decoded.bytes().any(|byte| byte.is_ascii_control()) {
            return Err(InvalidPath::Control);
        }
        if decoded.len() > Self::MAX_BYTES {
            return Err(InvalidPath::TooLong);
        }
        Ok(Self(decoded.into()))
    }

    /// The decoded path, as nginx compares it with a request's.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether this is `/`.
    pub fn is_root(&self) -> bool {
        &*self.0 == "/"
    }

    /// The number of segments between slashes: 0 for `/`, 2 for `/foo/bar` and `/foo/bar/`.
    pub fn depth(&self) -> usize {
        self.0.split('/').filter(|segment| !segment.is_empty()).count()
    }
}

impl fmt::Display for RoutePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// `pathType` of an Ingress's path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PathType {
    Exact,
    Prefix,
    ImplementationSpecific,
}

impl PathType {
    /// The type of that name.
    pub(crate) fn new(name: &str) -> Option<Self> {
        match name {
            "Exact" => Some(Self::Exact),
            "Prefix" => Some(Self::Prefix),
            "ImplementationSpecific" => Some(Self::ImplementationSpecific),
            _ => None,
        }
    }
}

/// What nginx matches for a path of an Ingress; `exact` is what `sky.uk/exact-path` says.
pub(crate) fn normalise(
    path: &str,
    path_type: PathType,
    exact: bool,
) -> Result<(RoutePath, PathMatch), InvalidPath> {
    let (path, path_match) = match path_type {
        PathType::Exact => (absolute(path, false), PathMatch::Exact),
        PathType::Prefix if exact => (absolute(path, false), PathMatch::Exact),
        PathType::ImplementationSpecific if exact => (absolute(path, true), PathMatch::Exact),
        PathType::Prefix => (without_last_slash(path), PathMatch::Prefix),
        PathType::ImplementationSpecific => (with_last_slash(absolute(path, true)), PathMatch::Directory),
    };
    let path = RoutePath::decode(&path)?;
    let path_match = match path_match {
        PathMatch::Directory if path.is_root() => PathMatch::Prefix,
        other => other,
    };
    Ok((path, path_match))
}

/// The path, `/` for an empty one; with `repair` a missing first slash is added.
fn absolute(path: &str, repair: bool) -> Cow<'_, str> {
    match path {
        "" => "/".into(),
        _ if repair && !path.starts_with('/') => format!("/{path}").into(),
        _ => path.into(),
    }
}

fn without_last_slash(path: &str) -> Cow<'_, str> {
    match path.strip_suffix('/') {
        // Another slash before the last one is a mistake to report, not one to hide.
        Some(rest) if !rest.is_empty() && !rest.ends_with('/') => rest.into(),
        _ => absolute(path, false),
    }
}

fn with_last_slash(path: Cow<'_, str>) -> Cow<'_, str> {
    if path.ends_with('/') { path } else { (path.into_owned() + "/").into() }
}

/// Checks that a text holds only `/`, the `pchar` of RFC 3986, and no encoded slash; decodes it.
fn percent_decode(path: &str) -> Result<Cow<'_, str>, InvalidPath> {
    let is_pchar = |byte: u8| byte.is_ascii_alphanumeric() || b"/-._~!$&'()*+,;=:@%".contains(&byte);
    if !path.bytes().all(is_pchar) {
        let is_allowed = |&char: &char| u8::try_from(char).is_ok_and(is_pchar);
        let refused = path.chars().find(|char| !is_allowed(char));
        return Err(InvalidPath::Character(refused.unwrap_or(char::REPLACEMENT_CHARACTER)));
    }
    if !path.contains('%') {
        return Ok(path.into());
    }
    let mut decoded = Vec::with_capacity(path.len());
    let mut bytes = path.bytes();
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'%' => match decode_digits(bytes.next(), bytes.next())? {
                b'/' => return Err(InvalidPath::EncodedSlash),
                byte => byte,
            },
            _ => byte,
        });
    }
    String::from_utf8(decoded).map(Cow::Owned).map_err(|_| InvalidPath::NotUtf8)
}

fn decode_digits(high: Option<u8>, low: Option<u8>) -> Result<u8, InvalidPath> {
    let digit = |byte: Option<u8>| byte.and_then(|byte| char::from(byte).to_digit(16));
    let value = digit(high).zip(digit(low)).map(|(high, low)| high * 16 + low);
    value.and_then(|value| u8::try_from(value).ok()).ok_or(InvalidPath::Percent)
}

#[cfg(test)]
mod tests;
