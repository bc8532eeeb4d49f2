//! Values of flags: text to types. The errors say what a right value looks like.

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use feed_reconcile::host::Host;
use feed_reconcile::options::{
    AllowList, Endpoint, HeaderName, LabelSelector, LogLevel, Resolver, ResolverAddress,
};
use ipnet::IpNet;

/// The longest workdir: a Unix socket's address holds 107 bytes, and nginx's log socket lies in the workdir.
const MAX_WORKDIR_LENGTH: usize = 107 - "/errors.sock".len();

pub(super) fn boolean(text: &str) -> Result<bool, &'static str> {
    match text {
        "true" | "TRUE" | "True" | "t" | "T" | "1" => Ok(true),
        "false" | "FALSE" | "False" | "f" | "F" | "0" => Ok(false),
        _ => Err("must be true or false"),
    }
}

pub(super) fn number(
    least: u32,
    most: u32,
) -> impl Fn(&str) -> Result<u32, String> + Clone + Send + Sync + 'static {
    move |text| match text.parse() {
        Ok(number) if (least..=most).contains(&number) => Ok(number),
        _ => Err(format!("must be a whole number from {least} to {most}")),
    }
}

pub(super) fn count(text: &str) -> Result<NonZeroU32, &'static str> {
    text.parse().map_err(|_| "must be a whole number, 1 or more")
}

pub(super) fn port(text: &str) -> Result<u16, &'static str> {
    let port = text.parse::<u16>().ok().filter(|port| *port > 0);
    port.ok_or("must be a port, from 1 to 65535")
}

pub(super) fn duration(text: &str) -> Result<Duration, &'static str> {
    let duration = text.parse::<jiff::SignedDuration>().ok();
    let duration = duration.and_then(|duration| Duration::try_from(duration).ok());
    duration
        .filter(|duration| !duration.is_zero())
        .ok_or("must be a duration such as 500ms, 30s, 5m or 1h30m")
}

/// A Lease holds its duration in whole seconds, and it is renewed three times in it.
pub(super) fn lease_duration(text: &str) -> Result<Duration, &'static str> {
    let valid =
        |duration: &Duration| duration.subsec_nanos() == 0 && (3..=86_400).contains(&duration.as_secs());
    duration(text).ok().filter(valid).ok_or("must be whole seconds, from 3s to 24h")
}

pub(super) fn class(text: &str) -> Result<String, &'static str> {
    let valid = !text.is_empty() && !text.contains(char::is_whitespace);
    valid.then(|| text.to_owned()).ok_or("must be the name of an IngressClass")
}

/// A name of a Kubernetes object: a DNS-1123 subdomain.
pub(super) fn object_name(text: &str) -> Result<String, &'static str> {
    let valid = Host::new(text).is_ok_and(|host| host.as_str() == text && host.wildcard_suffix().is_none());
    valid.then(|| text.to_owned()).ok_or("must be a name of lower case letters, digits, `-` and `.`")
}

pub(super) fn selector(text: &str) -> Result<LabelSelector, &'static str> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() && !value.contains('=') => {
            Ok(LabelSelector { name: name.to_owned(), value: value.to_owned() })
        }
        _ => Err("must be a label and its value: NAME=VALUE"),
    }
}

pub(super) fn network(text: &str) -> Result<IpNet, &'static str> {
    let address = text.parse::<IpAddr>().map(IpNet::from);
    address.or_else(|_| text.parse()).map_err(|_| "must be an IP address or a CIDR such as 10.0.0.0/8")
}

pub(super) fn allow_list(text: &str) -> Result<AllowList, &'static str> {
    if text.trim().is_empty() {
        return Ok(AllowList::default());
    }
    let networks: Result<Vec<_>, _> = text.split(',').map(|entry| network(entry.trim())).collect();
    networks.map(AllowList::new).map_err(|_| "must be IP addresses and CIDRs separated by commas")
}

pub(super) fn endpoint(text: &str) -> Result<Endpoint, &'static str> {
    if let Ok(address) = text.parse() {
        return Ok(Endpoint::Ip(address));
    }
    let host = Host::new(text).ok().filter(|host| host.wildcard_suffix().is_none());
    host.map(Endpoint::Name).ok_or("must be a DNS name or an IP address")
}

pub(super) fn resolver(text: &str) -> Result<Resolver, &'static str> {
    const EXPECTED: &str =
        "must be an IP address or a name, with a port where it is not 53: 10.96.0.10, [fd00::a]:5353";
    if let Ok(address) = text.parse::<IpAddr>() {
        return Ok(Resolver { address: ResolverAddress::Ip(address), port: None });
    }
    let (address, port) = match text.rsplit_once(':') {
        Some((address, number)) if !number.ends_with(']') => {
            (address, Some(port(number).map_err(|_| EXPECTED)?))
        }
        _ => (text, None),
    };
    let bare = address.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let address = match (bare.unwrap_or(address).parse::<IpAddr>(), bare) {
        (Ok(ip), Some(_)) if ip.is_ipv6() => ResolverAddress::Ip(ip),
        (Ok(ip), None) if ip.is_ipv4() => ResolverAddress::Ip(ip),
        (Err(_), None) => ResolverAddress::Name(
            Host::new(address).ok().filter(|host| host.wildcard_suffix().is_none()).ok_or(EXPECTED)?,
        ),
        _ => return Err(EXPECTED),
    };
    Ok(Resolver { address, port })
}

pub(super) fn header_name(text: &str) -> Result<HeaderName, &'static str> {
    HeaderName::new(text).ok_or("must be the name of a header: letters, digits and `-`")
}

pub(super) fn log_level(text: &str) -> Result<LogLevel, String> {
    LogLevel::ALL
        .into_iter()
        .find(|level| level.as_str() == text)
        .ok_or_else(|| format!("must be one of {}", LogLevel::ALL.map(LogLevel::as_str).join(", ")))
}

/// A path that nginx's configuration can hold, made absolute.
pub(super) fn nginx_path(text: &str) -> Result<PathBuf, &'static str> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._/-".contains(&byte);
    let path = std::path::absolute(text).map_err(|_| "must be a path")?;
    let valid = path.to_str().is_some_and(|path| path.bytes().all(allowed));
    let climbs = path.components().any(|component| component == Component::ParentDir);
    (valid && !climbs)
        .then(|| path.components().collect())
        .ok_or("must be a path of letters, digits, `.`, `_`, `-` and `/`, without `..`")
}

pub(super) fn workdir(text: &str) -> Result<PathBuf, String> {
    let path = nginx_path(text)?;
    let fits = |path: &Path| path.as_os_str().len() <= MAX_WORKDIR_LENGTH;
    Some(path)
        .filter(|path| fits(path))
        .ok_or_else(|| format!("must not be longer than {MAX_WORKDIR_LENGTH} bytes: it holds a Unix socket"))
}

#[cfg(test)]
mod tests;
