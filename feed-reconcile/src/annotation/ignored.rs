//! Annotations that look as if they were meant for us, and do nothing.

use std::collections::BTreeMap;

use super::KNOWN;
use crate::diagnostic::{Code, Field};
use crate::nearest::nearest;
use crate::report::{Quoted, Report};

/// What our annotations begin with.
const PREFIX: &str = "sky.uk/";

/// What the annotations of other Ingress controllers begin with.
const FOREIGN: [(&str, &str); 6] = [
    (INGRESS_NGINX, "ingress-nginx"),
    ("nginx.org/", "F5's NGINX Ingress Controller"),
    ("nginx.com/", "F5's NGINX Ingress Controller"),
    ("haproxy.org/", "HAProxy's Ingress controller"),
    ("haproxy-ingress.github.io/", "HAProxy Ingress"),
    ("traefik.ingress.kubernetes.io/", "Traefik"),
];

const INGRESS_NGINX: &str = "nginx.ingress.kubernetes.io/";

/// Longer keys than the Kubernetes API allows are told of without being shown.
const LONGEST_KEY: usize = 317;

/// What cert-manager writes to the Ingresses that it makes for itself: everybody.
const EVERYBODY: &str = "0.0.0.0/0,::/0";

/// Reports what is ignored.
pub(super) fn report_ignored(annotations: &BTreeMap<String, String>, report: &mut Report) {
    for (key, value) in annotations {
        if let Some(name) = strip_prefix(key, PREFIX) {
            if !KNOWN.contains(&key.as_str()) {
                report_unknown(key, name, report);
            }
            continue;
        }
        let foreign = FOREIGN.iter().find_map(|(prefix, owner)| Some((strip_prefix(key, prefix)?, *owner)));
        if let Some((name, owner)) = foreign {
            report_foreign(key, name, value, owner, report);
        }
    }
}

/// What follows the prefix, in whatever case that is written.
fn strip_prefix<'a>(key: &'a str, prefix: &str) -> Option<&'a str> {
    let (start, rest) = key.split_at_checked(prefix.len())?;
    start.eq_ignore_ascii_case(prefix).then_some(rest)
}

/// The annotation; all of them where its key would spoil what shows it.
fn field(key: &str) -> Field {
    if key.len() > LONGEST_KEY || key.chars().any(char::is_control) {
        return Field::of(&["metadata", "annotations"]);
    }
    Field::annotation(key)
}

fn report_unknown(key: &str, name: &str, report: &mut Report) {
    let names = KNOWN.iter().filter_map(|key| key.strip_prefix(PREFIX));
    let help = match nearest(name, names) {
        Some(nearest) => format!("Write `{PREFIX}{nearest}` if that is meant, else remove it."),
        None => "Remove it, or write one that the README lists.".to_owned(),
    };
    let message = format!("There is no annotation {}, so it does nothing.", Quoted(key));
    report.add(Code::UnknownAnnotation, field(key), message, help);
}

fn report_foreign(key: &str, name: &str, value: &str, owner: &str, report: &mut Report) {
    let what = What::of(name);
    if what == What::Allow && value.replace(' ', "") == EVERYBODY {
        return;
    }
    let consequence =
        if what.is_restriction() { "nothing is restricted by it here" } else { "it does nothing here" };
    let message = format!("{} is an annotation of {owner}, so {consequence}.", Quoted(key));
    report.add(Code::ForeignAnnotation, field(key), message, what.help());
}

/// What an annotation of another controller is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    Allow,
    Deny,
    Authentication,
    RequestLimit,
    Timeout,
    ConnectTimeout,
    BufferSize,
    Buffers,
    Rewrite,
    Pattern,
    Protocol,
    Redirect,
    DefaultBackend,
    Alias,
    KeepAlive,
    KeepAliveRequests,
    /// What is so here without being asked for.
    Given,
    Other,
}

impl What {
    fn of(name: &str) -> Self {
        let name = name.to_ascii_lowercase();
        let is = |names: &[&str]| names.contains(&name.as_str());
        let begins = |starts: &[&str]| starts.iter().any(|start| name.starts_with(start));
        if ["whitelist", "allowlist", "allow-list", "white-list"].iter().any(|part| name.contains(part)) {
            return Self::Allow;
        }
        if ["blacklist", "denylist", "deny-list"].iter().any(|part| name.contains(part)) {
            return Self::Deny;
        }
        if begins(&["auth-", "basic-auth", "jwt-"])
            || is(&["satisfy", "enable-global-auth", "enable-modsecurity", "policies"])
        {
            return Self::Authentication;
        }
        if begins(&["limit-", "rate-limit", "global-rate-limit"]) {
            return Self::RequestLimit;
        }
        if begins(&["canary", "cors-", "session-cookie-", "affinity"]) {
            return Self::Other;
        }
        match name.as_str() {
            "proxy-read-timeout" | "proxy-send-timeout" | "timeout-server" => Self::Timeout,
            "proxy-connect-timeout" | "timeout-connect" => Self::ConnectTimeout,
            "proxy-buffer-size" => Self::BufferSize,
            "proxy-buffers-number" | "proxy-buffers" => Self::Buffers,
            "rewrite-target" | "rewrites" | "path-rewrite" => Self::Rewrite,
            "use-regex" | "path-regex" => Self::Pattern,
            "backend-protocol" | "grpc-backend" | "secure-backends" | "grpc-services" | "ssl-services" => {
                Self::Protocol
            }
            "ssl-redirect" | "force-ssl-redirect" | "redirect-to-https" => Self::Redirect,
            "default-backend" => Self::DefaultBackend,
            "server-alias" => Self::Alias,
            "upstream-keepalive-timeout" => Self::KeepAlive,
            "upstream-keepalive-requests" => Self::KeepAliveRequests,
            "proxy-body-size"
            | "client-max-body-size"
            | "proxy-buffering"
            | "websocket-services"
            | "service-upstream"
            | "proxy-http-version"
            | "proxy-redirect-from" => Self::Given,
            _ => Self::Other,
        }
    }

    fn is_restriction(self) -> bool {
        matches!(self, Self::Allow | Self::Deny | Self::Authentication | Self::RequestLimit)
    }

    /// What does the same here.
    fn help(self) -> &'static str {
        match self {
            Self::Allow => "Write `sky.uk/allow`, which takes the same addresses and CIDRs.",
            Self::Deny => {
                "List the clients that are allowed in `sky.uk/allow`: there is no list of denied ones here."
            }
            Self::Authentication => {
                "There is no authentication here: leave it to the backend, or restrict the clients with `sky.uk/allow`."
            }
            Self::RequestLimit => {
                "There is no limit of requests here; `sky.uk/backend-max-connections` limits connections to the backend."
            }
            Self::Timeout => "Write `sky.uk/backend-timeout-seconds`.",
            Self::ConnectTimeout => {
                "It is one for all Ingresses: the operator's flag `--nginx-backend-connect-timeout-seconds`."
            }
            Self::BufferSize => "Write `sky.uk/proxy-buffer-size-in-kb`.",
            Self::Buffers => "Write `sky.uk/proxy-buffer-blocks`.",
            Self::Rewrite => {
                "`sky.uk/strip-path: \"true\"`, the default, strips the route's path; nothing here rewrites it otherwise."
            }
            Self::Pattern => {
                "Paths are literal here: write them out, with `pathType: Prefix` for what lies below."
            }
            Self::Protocol => {
                "Set `appProtocol` of the Service's port: `https`, `grpc` or `kubernetes.io/h2c`."
            }
            Self::Redirect => {
                "There is no redirect to HTTPS here: leave it to the load balancer or the backend."
            }
            Self::DefaultBackend => "Write `spec.defaultBackend`.",
            Self::Alias => "Add a rule with that host.",
            Self::KeepAlive => "Write `sky.uk/backend-connection-keepalive`.",
            Self::KeepAliveRequests => "Write `sky.uk/backend-max-requests-per-connection`.",
            Self::Given => "Remove it: this is always so here, or has no limit.",
            Self::Other => {
                "Remove it: the annotations that count here begin with `sky.uk/`; the README lists them."
            }
        }
    }
}

#[cfg(test)]
mod tests;
