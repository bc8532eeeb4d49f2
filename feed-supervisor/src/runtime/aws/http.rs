//! HTTP to AWS, through the proxies that the environment names.

use std::net::IpAddr;
use std::sync::Arc;

use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::{Builder, Connector};
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;

/// A client that reaches everything by itself: for what no proxy knows, as the metadata service.
pub(super) fn direct() -> SharedHttpClient {
    client(ProxyConfig::disabled())
}

/// A client that goes by the environment's proxies: `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY`, also in lower case.
/// Addresses that are this machine's alone, as those of its metadata and credentials services, are reached without.
pub(super) fn by_proxy() -> SharedHttpClient {
    let (by_proxy, direct) = (client(ProxyConfig::from_env()), direct());
    let exceptions = Arc::new(Exceptions::from_env());
    http_client_fn(move |settings: &HttpConnectorSettings, components: &RuntimeComponents| {
        SharedHttpConnector::new(Choice {
            by_proxy: by_proxy.http_connector(settings, components),
            direct: direct.http_connector(settings, components),
            exceptions: Arc::clone(&exceptions),
        })
    })
}

fn client(proxy: ProxyConfig) -> SharedHttpClient {
    Builder::new().build_with_connector_fn(move |settings, components| {
        let mut connector = Connector::builder().proxy_config(proxy.clone());
        connector.set_connector_settings(settings.cloned());
        if let Some(components) = components {
            connector.set_sleep_impl(components.sleep_impl());
        }
        connector.tls_provider(Provider::Rustls(CryptoMode::Ring)).build()
    })
}

#[derive(Debug)]
struct Choice {
    by_proxy: SharedHttpConnector,
    direct: SharedHttpConnector,
    exceptions: Arc<Exceptions>,
}

impl HttpConnector for Choice {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let (host, port) = host_and_port(request.uri());
        if is_link_local(host) || self.exceptions.have(host, port) {
            self.direct.call(request)
        } else {
            self.by_proxy.call(request)
        }
    }
}

/// Those of `NO_PROXY` that the SDK does not know: `*` for addresses too, `*.example.com`, and a host with a port.
#[derive(Debug)]
struct Exceptions(Vec<String>);

impl Exceptions {
    fn from_env() -> Self {
        let list = ["NO_PROXY", "no_proxy"].into_iter().find_map(|name| std::env::var(name).ok());
        Self::new(&list.unwrap_or_default())
    }

    fn new(list: &str) -> Self {
        let entries = list.split(',').map(|entry| entry.trim().to_ascii_lowercase());
        Self(entries.filter(|entry| !entry.is_empty()).collect())
    }

    fn have(&self, host: &str, port: u16) -> bool {
        let host = host.to_ascii_lowercase();
        self.0.iter().any(|entry| {
            let of_port = entry.rsplit_once(':').filter(|(_, of)| of.parse() == Ok(port));
            let name = of_port.map(|(name, _)| name.trim_start_matches('[').trim_end_matches(']'));
            let suffix = entry.strip_prefix('*').filter(|suffix| suffix.starts_with('.'));
            entry == "*"
                || suffix.is_some_and(|suffix| host.ends_with(suffix))
                || name.is_some_and(|name| {
                    host == name
                        || host.strip_suffix(name.trim_start_matches('.')).is_some_and(|it| it.ends_with('.'))
                })
        })
    }
}

/// The host of a URI, an IPv6 address without its brackets, and its port.
fn host_and_port(uri: &str) -> (&str, u16) {
    let (scheme, rest) = uri.split_once("://").unwrap_or(("http", uri));
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    let authority = authority.rsplit('@').next().unwrap_or_default();
    let (host, port) = match authority.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, port)) => (host, port.strip_prefix(':')),
        None => authority.split_once(':').map_or((authority, None), |(host, port)| (host, Some(port))),
    };
    let usual = if scheme.eq_ignore_ascii_case("https") { 443 } else { 80 };
    (host, port.and_then(|port| port.parse().ok()).unwrap_or(usual))
}

/// Whether that is a link-local address, or that of the metadata service over IPv6.
fn is_link_local(host: &str) -> bool {
    match host.parse() {
        Ok(IpAddr::V4(address)) => address.is_link_local(),
        Ok(IpAddr::V6(address)) => {
            address.is_unicast_link_local() || address.segments().starts_with(&[0xfd00, 0x0ec2])
        }
        Err(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn services_of_this_machine_are_known() {
        for (uri, expected) in [
            ("http://169.254.169.254/latest/api/token", true),
            ("http://169.254.170.2:80/v2/credentials", true),
            ("http://169.254.170.23/v1/credentials", true),
            ("http://[fd00:ec2::254]/latest", true),
            ("http://[fe80::1]:80/", true),
            ("https://route53.amazonaws.com/", false),
            ("http://127.0.0.1:4566/", false),
            ("http://10.0.0.1?x=http://169.254.169.254", false),
            ("nonsense", false),
        ] {
            assert_eq!(is_link_local(host_and_port(uri).0), expected, "{uri}");
        }
    }

    #[test]
    fn exceptions_are_as_in_other_tools() {
        for (list, uri, expected) in [
            ("*", "http://10.0.0.1/", true),
            (" x, * ", "https://elb.test", true),
            ("*.elb.test", "https://a.ELB.test/", true),
            ("*.elb.test", "https://elb.test/", false),
            ("elb.test:443", "https://elb.test/", true),
            ("elb.test:443", "https://a.elb.test/", true),
            ("elb.test:80", "https://elb.test/", false),
            ("127.0.0.1:4566", "http://127.0.0.1:4566/", true),
            ("[::1]:4566", "http://[::1]:4566/", true),
            ("127.0.0.1:4566", "http://127.0.0.1:4567/", false),
            ("", "http://elb.test/", false),
        ] {
            let (host, port) = host_and_port(uri);
            assert_eq!(Exceptions::new(list).have(host, port), expected, "{list}: {uri}");
        }
    }
}
