//! The `sky.uk/…` annotations of an Ingress, and what applies without them.

mod ignored;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::num::IntErrorKind;
use std::ops::RangeInclusive;
use std::sync::Arc;

use ipnet::IpNet;
use jiff::SignedDuration;

use crate::desired::{Backend, DEFAULT_MAX_REQUESTS_PER_CONNECTION, RouteSettings, Scheme};
use crate::diagnostic::{Code, Field};
use crate::options::{AllowList, RouteDefaults};
use crate::report::{Quoted, Report};

pub(crate) const FRONTEND_SCHEME: &str = "sky.uk/frontend-scheme";
const FRONTEND_SCHEME_OLDER: &str = "sky.uk/frontend-elb-scheme";
const ALLOW: &str = "sky.uk/allow";
const STRIP_PATH: &str = "sky.uk/strip-path";
const EXACT_PATH: &str = "sky.uk/exact-path";
const BACKEND_TIMEOUT: &str = "sky.uk/backend-timeout-seconds";
const BACKEND_TIMEOUT_OLDER: &str = "sky.uk/backend-keepalive-seconds";
const BACKEND_MAX_CONNECTIONS: &str = "sky.uk/backend-max-connections";
const BACKEND_CONNECTION_KEEPALIVE: &str = "sky.uk/backend-connection-keepalive";
const BACKEND_MAX_REQUESTS: &str = "sky.uk/backend-max-requests-per-connection";
const PROXY_BUFFER_SIZE: &str = "sky.uk/proxy-buffer-size-in-kb";
const PROXY_BUFFER_BLOCKS: &str = "sky.uk/proxy-buffer-blocks";

/// Every annotation that there is.
const KNOWN: [&str; 12] = [
    FRONTEND_SCHEME,
    FRONTEND_SCHEME_OLDER,
    ALLOW,
    STRIP_PATH,
    EXACT_PATH,
    BACKEND_TIMEOUT,
    BACKEND_TIMEOUT_OLDER,
    BACKEND_MAX_CONNECTIONS,
    BACKEND_CONNECTION_KEEPALIVE,
    BACKEND_MAX_REQUESTS,
    PROXY_BUFFER_SIZE,
    PROXY_BUFFER_BLOCKS,
];

/// The longest idle timeout that is accepted: a year, well within what nginx can count.
const LONGEST_KEEPALIVE: SignedDuration = SignedDuration::from_hours(365 * 24);

/// The largest number where the meaning sets no limit: nginx holds it on every machine.
const LARGEST_NUMBER: u32 = i32::MAX.unsigned_abs();

/// What an Ingress's annotations say, completed by the defaults.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Annotations {
    /// Which load balancer the Ingress is served from.
    pub(crate) scheme: Option<Scheme>,
    /// Whether a path matches only itself.
    pub(crate) exact_path: bool,
    /// Whether the route's path is stripped before proxying.
    pub(crate) strip_path: bool,
    /// Where a restriction cannot be read, so that no route may be served: what all of them answer instead.
    pub(crate) rejection: Option<Backend>,
    /// What all routes of the Ingress share.
    pub(crate) route: Arc<RouteSettings>,
    /// What nginx keeps per upstream.
    pub(crate) upstream: UpstreamSettings,
}

/// The settings that nginx keeps per upstream, with the units of [`Upstream`](crate::desired::Upstream).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct UpstreamSettings {
    pub(crate) max_connections: u32,
    pub(crate) keepalive_timeout_milliseconds: Option<u64>,
    pub(crate) max_requests_per_connection: u32,
}

impl Annotations {
    /// Reads the annotations; what does not parse is reported, and the default applies. So is what nobody reads.
    pub(crate) fn read(
        annotations: Option<&BTreeMap<String, String>>,
        defaults: &RouteDefaults,
        report: &mut Report,
    ) -> Self {
        let none = BTreeMap::new();
        ignored::report_ignored(annotations.unwrap_or(&none), report);
        let mut reader = Reader { annotations: annotations.unwrap_or(&none), report };
        let timeout = reader.newer_or_older(BACKEND_TIMEOUT, BACKEND_TIMEOUT_OLDER);
        let allow = reader.allow_list(&defaults.allow);
        Self {
            scheme: reader.scheme(),
            exact_path: reader.boolean(EXACT_PATH, defaults.exact_path),
            strip_path: reader.boolean(STRIP_PATH, defaults.strip_path),
            rejection: allow.is_none().then_some(Backend::Forbidden),
            route: Arc::new(RouteSettings {
                allow: allow.unwrap_or_default(),
                backend_timeout_seconds: reader.number(timeout, 1..=86_400, defaults.backend_timeout_seconds),
                proxy_buffer_size_in_kb: reader.clamped(
                    PROXY_BUFFER_SIZE,
                    32,
                    defaults.proxy_buffer_size_in_kb,
                ),
                proxy_buffer_blocks: reader.clamped(PROXY_BUFFER_BLOCKS, 8, defaults.proxy_buffer_blocks),
            }),
            upstream: UpstreamSettings {
                max_connections: reader.number(
                    BACKEND_MAX_CONNECTIONS,
                    0..=LARGEST_NUMBER,
                    defaults.backend_max_connections,
                ),
                keepalive_timeout_milliseconds: reader.keepalive(),
                max_requests_per_connection: reader.number(
                    BACKEND_MAX_REQUESTS,
                    1..=LARGEST_NUMBER,
                    DEFAULT_MAX_REQUESTS_PER_CONNECTION,
                ),
            },
        }
    }
}

impl Annotations {
    /// Of an Ingress that is not served: which paths it has, and nothing that nginx would have to do with them.
    pub(crate) fn closed(self, defaults: &RouteDefaults) -> Self {
        let route = RouteSettings {
            allow: defaults.allow.clone(),
            backend_timeout_seconds: defaults.backend_timeout_seconds,
            proxy_buffer_size_in_kb: defaults.proxy_buffer_size_in_kb,
            proxy_buffer_blocks: defaults.proxy_buffer_blocks,
        };
        let rejection = self.rejection.or(Some(Backend::Unavailable));
        Self { rejection, strip_path: false, route: Arc::new(route), ..self }
    }
}

/// Which load balancer the Ingress is served from; what does not parse is reported.
pub(crate) fn frontend_scheme(
    annotations: Option<&BTreeMap<String, String>>,
    report: &mut Report,
) -> Option<Scheme> {
    let none = BTreeMap::new();
    Reader { annotations: annotations.unwrap_or(&none), report }.scheme()
}

struct Reader<'a> {
    annotations: &'a BTreeMap<String, String>,
    report: &'a mut Report,
}

impl<'a> Reader<'a> {
    fn get(&self, key: &str) -> Option<&'a str> {
        self.annotations.get(key).map(|value| value.trim())
    }

    /// The key to read: the older one only where the newer is absent.
    fn newer_or_older(&mut self, newer: &'static str, older: &'static str) -> &'static str {
        match (self.get(newer), self.get(older)) {
            (None, Some(_)) => return older,
            (Some(kept), Some(ignored)) if kept != ignored => self.report.add(
                Code::SupersededAnnotation,
                Field::annotation(older),
                format!(
                    "{} is ignored, since {newer} is there too and says {}.",
                    Quoted(ignored),
                    Quoted(kept)
                ),
                format!("Remove {older}, the older name of {newer}."),
            ),
            _ => {}
        }
        newer
    }

    fn invalid(&mut self, key: &str, value: &str, problem: &str, help: String) {
        let message = format!("{} {problem}, so the default applies.", Quoted(value));
        self.report.add(Code::InvalidAnnotation, Field::annotation(key), message, help);
    }

    fn scheme(&mut self) -> Option<Scheme> {
        let key = self.newer_or_older(FRONTEND_SCHEME, FRONTEND_SCHEME_OLDER);
        let value = self.get(key)?;
        let scheme = [Scheme::Internal, Scheme::InternetFacing].into_iter().find(|it| it.as_str() == value);
        if scheme.is_none() {
            let help = "Write `internal` or `internet-facing`.".to_owned();
            self.invalid(key, value, "is no scheme of a load balancer", help);
        }
        scheme
    }

    fn boolean(&mut self, key: &str, default: bool) -> bool {
        match self.get(key) {
            None => default,
            Some("true") => true,
            Some("false") => false,
            Some(value) => {
                let help = "Write \"true\" or \"false\", with the quotes, which YAML needs here.".to_owned();
                self.invalid(key, value, "is neither true nor false", help);
                default
            }
        }
    }

    fn number(&mut self, key: &str, range: RangeInclusive<u32>, default: u32) -> u32 {
        let Some(value) = self.get(key) else { return default };
        match parse_number(value).filter(|number| range.contains(number)) {
            Some(number) => number,
            None => self.invalid_number(key, value, &range, default),
        }
    }

    fn clamped(&mut self, key: &str, limit: u32, default: u32) -> u32 {
        let Some(value) = self.get(key) else { return default };
        match parse_number(value) {
            Some(number) if (1..=limit).contains(&number) => number,
            Some(number) if number > limit => {
                self.report.add(
                    Code::ClampedAnnotation,
                    Field::annotation(key),
                    format!("{} is over the limit, so {limit} applies.", Quoted(value)),
                    format!("Write a number from 1 to {limit}, in quotes."),
                );
                limit
            }
            _ => self.invalid_number(key, value, &(1..=limit), default),
        }
    }

    fn invalid_number(&mut self, key: &str, value: &str, range: &RangeInclusive<u32>, default: u32) -> u32 {
        let (start, end) = (range.start(), range.end());
        let problem = format!("is no number from {start} to {end}");
        self.invalid(key, value, &problem, format!("Write a number from {start} to {end}, in quotes."));
        default
    }

    fn keepalive(&mut self) -> Option<u64> {
        let value = self.get(BACKEND_CONNECTION_KEEPALIVE)?;
        let duration = value.parse::<SignedDuration>().ok().filter(|it| *it <= LONGEST_KEEPALIVE);
        let milliseconds = duration.and_then(|it| u64::try_from(it.as_millis()).ok());
        if milliseconds.is_none() {
            let help = "Write a duration such as `30s` or `1m30s`, of a year at most.".to_owned();
            self.invalid(BACKEND_CONNECTION_KEEPALIVE, value, "is no such duration", help);
        }
        milliseconds
    }

    /// The allow list; `None` when an entry is not valid, so that a typing error opens nothing.
    fn allow_list(&mut self, default: &AllowList) -> Option<AllowList> {
        let Some(value) = self.get(ALLOW) else { return Some(default.clone()) };
        if value.is_empty() {
            return Some(AllowList::default());
        }
        let parse = |entry: &str| entry.parse().or_else(|_| entry.parse::<IpAddr>().map(IpNet::from));
        let entries = || value.split(',').map(str::trim).map(|entry| (entry, parse(entry)));
        let mut invalid = entries().filter(|(_, parsed)| parsed.is_err()).map(|(entry, _)| entry);
        let Some(first) = invalid.next() else {
            return Some(AllowList::new(entries().filter_map(|(_, parsed)| parsed.ok())));
        };
        let others = match invalid.count() {
            0 => String::new(),
            count => format!(" (and {count} more)"),
        };
        self.report.add(
            Code::InvalidAllowList,
            Field::annotation(ALLOW),
            format!(
                "{}{others} is no IP address or CIDR, so all routes of this Ingress answer 403.",
                Quoted(first)
            ),
            "Write addresses and CIDRs such as `10.0.0.0/8,192.0.2.7,2001:db8::/32`, separated by commas.",
        );
        None
    }
}

/// A number without a sign; one that is too large for `u32` counts as the largest.
fn parse_number(value: &str) -> Option<u32> {
    if !value.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    match value.parse() {
        Ok(number) => Some(number),
        Err(error) if *error.kind() == IntErrorKind::PosOverflow => Some(u32::MAX),
        Err(_) => None,
    }
}

#[cfg(test)]
mod tests;
