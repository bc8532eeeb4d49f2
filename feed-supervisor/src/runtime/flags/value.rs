//! Values of flags: text to types. The errors say what a right value looks like.

use std::num::NonZeroU32;
use std::time::Duration;

use feed_reconcile::host::Host;
use feed_reconcile::options::{Endpoint, LabelSelector};
use reqwest::Url;

use crate::runtime::push;

/// A truth value, as Go's flags spell it.
pub fn boolean(text: &str) -> Result<bool, &'static str> {
    match text {
        "true" | "TRUE" | "True" | "t" | "T" | "1" => Ok(true),
        "false" | "FALSE" | "False" | "f" | "F" | "0" => Ok(false),
        _ => Err("must be true or false"),
    }
}

/// A whole number between two, both included.
pub fn number(least: u32, most: u32) -> impl Fn(&str) -> Result<u32, String> + Clone + Send + Sync + 'static {
    move |text| match text.parse() {
        Ok(number) if (least..=most).contains(&number) => Ok(number),
        _ => Err(format!("must be a whole number from {least} to {most}")),
    }
}

/// A whole number, 1 or more.
pub fn count(text: &str) -> Result<NonZeroU32, &'static str> {
    text.parse().map_err(|_| "must be a whole number, 1 or more")
}

/// A port.
pub fn port(text: &str) -> Result<u16, &'static str> {
    let port = text.parse::<u16>().ok().filter(|port| *port > 0);
    port.ok_or("must be a port, from 1 to 65535")
}

const DURATION: &str = "must be a duration such as 500ms, 30s, 5m or 1h30m";

/// A duration, longer than nothing.
pub fn duration(text: &str) -> Result<Duration, &'static str> {
    delay(text).ok().filter(|duration| !duration.is_zero()).ok_or(DURATION)
}

/// A duration, which may be nothing.
pub fn delay(text: &str) -> Result<Duration, &'static str> {
    let duration = text.parse::<jiff::SignedDuration>().ok();
    duration.and_then(|duration| Duration::try_from(duration).ok()).ok_or(DURATION)
}

/// A Lease holds its duration in whole seconds, and it is renewed three times in it.
pub fn lease_duration(text: &str) -> Result<Duration, &'static str> {
    let valid =
        |duration: &Duration| duration.subsec_nanos() == 0 && (3..=86_400).contains(&duration.as_secs());
    duration(text).ok().filter(valid).ok_or("must be whole seconds, from 3s to 24h")
}

/// The name of an ingress class.
pub fn class(text: &str) -> Result<String, &'static str> {
    let valid = !text.is_empty() && !text.contains(char::is_whitespace);
    valid.then(|| text.to_owned()).ok_or("must be the name of an IngressClass")
}

/// A name of a Kubernetes object: a DNS-1123 subdomain.
pub fn object_name(text: &str) -> Result<String, &'static str> {
    let valid = Host::new(text).is_ok_and(|host| host.as_str() == text && host.wildcard_suffix().is_none());
    valid.then(|| text.to_owned()).ok_or("must be a name of lower case letters, digits, `-` and `.`")
}

/// The URL of a push gateway; a path that stands before its own is allowed.
pub fn gateway(text: &str) -> Result<Url, &'static str> {
    let url = Url::parse(text).ok().filter(|url| {
        matches!(url.scheme(), "http" | "https")
            && url.has_host()
            && url.query().is_none()
            && url.fragment().is_none()
    });
    url.ok_or("must be a URL such as http://pushgateway.monitoring:9091")
}

/// How often is pushed: whole seconds, as the older feed took them, or a duration.
pub fn push_interval(text: &str) -> Result<Duration, &'static str> {
    let seconds = text.parse::<u32>().ok().filter(|seconds| *seconds > 0);
    seconds
        .map_or_else(|| duration(text), |seconds| Ok(Duration::from_secs(seconds.into())))
        .map_err(|_| "must be whole seconds such as 60, 1 or more, or a duration such as 30s or 5m")
}

/// A label for what is pushed, and its value.
pub fn push_label(text: &str) -> Result<(String, String), &'static str> {
    let label = text.split_once('=').filter(|(name, _)| push::may_be_label(name));
    let label = label.map(|(name, value)| (name.to_owned(), value.to_owned()));
    label.ok_or(
        "must be a label and its value, NAME=VALUE, with a name of letters, digits and `_` that no metric of this program \
         has for a label of its own",
    )
}

/// A collector of spans, as a URL, or as a host and a port.
pub fn span_collector(text: &str) -> Result<String, &'static str> {
    const EXPECTED: &str = "must be a URL such as http://otel-collector.monitoring:4317, without TLS";
    let (with_scheme, has_scheme) =
        if text.contains("://") { (text.to_owned(), true) } else { (format!("http://{text}"), false) };
    let url = Url::parse(&with_scheme).map_err(|_| EXPECTED)?;
    let is_place = url.scheme() == "http"
        && matches!(url.path(), "" | "/")
        && url.username().is_empty()
        && url.password().is_none()
        && url.query().is_none()
        && url.fragment().is_none();
    // That of the scheme is not told.
    let port = url.port().or_else(|| text.trim_end_matches('/').ends_with(":80").then_some(80));
    match (url.host_str(), port) {
        (Some(host), Some(port)) if is_place => Ok(format!("http://{host}:{port}")),
        // A mere word is more likely a mistake than a host.
        (Some(host), None) if is_place && has_scheme => Ok(format!("http://{host}:4317")),
        _ => Err(EXPECTED),
    }
}

/// A label and its value.
pub fn selector(text: &str) -> Result<LabelSelector, &'static str> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() && !value.contains('=') => {
            Ok(LabelSelector { name: name.to_owned(), value: value.to_owned() })
        }
        _ => Err("must be a label and its value: NAME=VALUE"),
    }
}

/// A DNS name or an IP address.
pub fn endpoint(text: &str) -> Result<Endpoint, &'static str> {
    if let Ok(address) = text.parse() {
        return Ok(Endpoint::Ip(address));
    }
    let host = Host::new(text).ok().filter(|host| host.wildcard_suffix().is_none());
    host.map(Endpoint::Name).ok_or("must be a DNS name or an IP address")
}

/// A region of AWS.
pub fn region(text: &str) -> Result<String, &'static str> {
    let valid = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    valid.then(|| text.to_owned()).ok_or("must be a region, such as eu-west-1")
}

#[cfg(test)]
mod tests;
