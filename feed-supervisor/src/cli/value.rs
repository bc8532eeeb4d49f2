//! Values of flags: text to types. The errors say what a right value looks like.

use std::net::IpAddr;
use std::path::{Component, Path, PathBuf};

use feed_reconcile::host::Host;
use feed_reconcile::options::{
    AllowList, Collector, Endpoint, HeaderName, LogLevel, Resolver, ResolverAddress,
};
use ipnet::IpNet;

pub(super) use crate::runtime::flags::value::{
    boolean, count, delay, duration, endpoint, number, port, region,
};

/// The longest workdir: a Unix socket's address holds 107 bytes, and nginx's log socket lies in the workdir.
const MAX_WORKDIR_LENGTH: usize = 107 - "/errors.sock".len();

pub(super) fn network(text: &str) -> Result<IpNet, &'static str> {
    let address = text.parse::<IpAddr>().map(IpNet::from);
    address.or_else(|_| text.parse()).map_err(|_| "must be an IP address or a CIDR such as 10.0.0.0/8")
}

pub(super) fn address(text: &str) -> Result<IpAddr, &'static str> {
    text.parse().map_err(|_| "must be an IP address")
}

/// The id of an EC2 instance.
pub(super) fn instance_id(text: &str) -> Result<String, &'static str> {
    let digits = text.strip_prefix("i-").unwrap_or_default();
    let valid = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    valid.then(|| text.to_owned()).ok_or("must be the id of an EC2 instance, such as i-0123456789abcdef0")
}

/// The name of a target group: at most 32 letters, digits and hyphens, as `CreateTargetGroup` has it.
pub(super) fn target_group(text: &str) -> Result<String, &'static str> {
    let valid = (1..=32).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    valid.then(|| text.to_owned()).ok_or("must be names of target groups: letters, digits and `-`, not ARNs")
}

pub(super) fn allow_list(text: &str) -> Result<AllowList, &'static str> {
    if text.trim().is_empty() {
        return Ok(AllowList::default());
    }
    let networks: Result<Vec<_>, _> = text.split(',').map(|entry| network(entry.trim())).collect();
    networks.map(AllowList::new).map_err(|_| "must be IP addresses and CIDRs separated by commas")
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

/// A collector of spans that nginx sends them to.
pub(super) fn collector(text: &str) -> Result<Collector, &'static str> {
    const EXPECTED: &str = "must be a host and a port, such as otel-collector.monitoring:4317, and may begin with \
                            http:// or https://";
    let (tls, place) = match (text.strip_prefix("http://"), text.strip_prefix("https://")) {
        (Some(place), _) => (false, place),
        (None, Some(place)) => (true, place),
        (None, None) => (false, text),
    };
    let (host, number) = place.trim_end_matches('/').rsplit_once(':').ok_or(EXPECTED)?;
    let bare = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let host = match (bare, endpoint(bare.unwrap_or(host)).map_err(|_| EXPECTED)?) {
        (Some(_), Endpoint::Ip(IpAddr::V6(address))) => Endpoint::Ip(address.into()),
        (None, host @ (Endpoint::Name(_) | Endpoint::Ip(IpAddr::V4(_)))) => host,
        _ => return Err(EXPECTED),
    };
    Ok(Collector { tls, host, port: port(number).map_err(|_| EXPECTED)? })
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

/// A path to which endings are appended.
pub(super) fn file_stem(text: &str) -> Result<PathBuf, &'static str> {
    let path = Path::new(text);
    let named = path.file_name().is_some() && !text.ends_with('/');
    named.then(|| path.to_owned()).ok_or("must be the path of two files without their endings .crt and .key")
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
