//! Host names.

use std::fmt;
use std::sync::Arc;

/// A host that an Ingress may declare: a DNS-1123 subdomain, or `*.` and one, in lower case.
///
/// At most 253 bytes, labels of 1 to 63 (RFC 1123 section 2.1, RFC 1035 section 2.3.4). Ordered as text.
/// Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Host(Arc<str>);

/// Why a text is no host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidHost {
    /// It is an IP address.
    #[error("is an IP address, and a host must be a name")]
    IpAddress,
    /// It has more than 253 bytes.
    #[error("is longer than 253 bytes")]
    TooLong,
    /// A label is empty, too long, or has a character that is not allowed.
    #[error(
        "is no DNS name: labels of 1 to 63 letters, digits or `-`, which begin and end with a letter or digit, \
         separated by dots, after `*.` at most"
    )]
    NotDns,
}

impl Host {
    /// Checks a host; upper case is accepted and lowered.
    pub fn new(text: &str) -> Result<Self, InvalidHost> {
        let name = text.strip_prefix("*.").unwrap_or(text);
        if name.parse::<std::net::IpAddr>().is_ok() || name.starts_with('[') {
            return Err(InvalidHost::IpAddress);
        }
        if text.len() > 253 {
            return Err(InvalidHost::TooLong);
        }
        if !name.split('.').all(is_label) {
            return Err(InvalidHost::NotDns);
        }
        Ok(Self(text.to_ascii_lowercase().into()))
    }

    /// The host in lower case.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// For `*.example.com`, the part after `*.`.
    pub fn wildcard_suffix(&self) -> Option<&str> {
        self.0.strip_prefix("*.")
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn is_label(label: &str) -> bool {
    let inner = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'-';
    let edge = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    let bytes = label.as_bytes();
    bytes.len() <= 63 && bytes.iter().all(inner) && edge(bytes.first()) && edge(bytes.last())
}
