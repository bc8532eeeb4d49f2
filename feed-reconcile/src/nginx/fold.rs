//! Hosts with equal routes share one `server{}`.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hasher as _};
use std::sync::Arc;

use minijinja::Value;

use super::location::{Surroundings, body_context};
use super::rendered::{Chunk, Origin};
use super::template::{TemplateError, Templates};
use super::token;
use crate::certificate::KeyPair;
use crate::desired::{PathMatch, VirtualServer};
use crate::difference::changed_keys;
use crate::host::Host;
use crate::options::{NginxOptions, RouteDefaults};

/// The `server{}` blocks of all declared hosts, kept from one configuration to the next.
#[derive(Debug, Default)]
pub(super) struct Fold {
    servers: BTreeMap<Host, Arc<VirtualServer>>,
    bodies: BTreeMap<Host, Body>,
    /// The hosts that share a body.
    hosts: BTreeMap<Body, BTreeSet<Host>>,
    /// The block of every such group, by the first of its hosts.
    chunks: BTreeMap<Host, Arc<Chunk>>,
    /// How many routes strip so many segments.
    depths: BTreeMap<usize, usize>,
}

/// What is inside of a block. Long texts that begin alike are slow to compare: their hashes are compared first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Body {
    hash: u64,
    text: Arc<str>,
}

impl Body {
    fn of(server: &VirtualServer, rendering: &Rendering<'_>) -> Result<Self, TemplateError> {
        let text = body(server, server.certificate.as_ref(), true, rendering)?;
        let mut hasher = DefaultHasher::new();
        hasher.write(text.as_bytes());
        Ok(Self { hash: hasher.finish(), text: text.into() })
    }
}

/// What a block needs to be rendered.
pub(super) struct Rendering<'a> {
    pub(super) templates: &'a Templates,
    pub(super) options: &'a NginxOptions,
    pub(super) defaults: &'a RouteDefaults,
}

impl Fold {
    /// Renders again what is not the same as the last time.
    pub(super) fn update(
        &mut self,
        servers: &BTreeMap<Host, Arc<VirtualServer>>,
        rendering: &Rendering<'_>,
    ) -> Result<(), TemplateError> {
        let mut touched = BTreeSet::new();
        for host in changed_keys(&self.servers, servers) {
            self.take_out(&host, &mut touched);
            if let Some(server) = servers.get(&host) {
                self.put_in(host, server, rendering, &mut touched)?;
            }
        }
        for body in touched {
            let Some(hosts) = self.hosts.get(&body) else { continue };
            let chunk = Arc::new(self.group(&body.text, hosts, rendering)?);
            self.chunks.extend(hosts.first().map(|leader| (leader.clone(), chunk)));
        }
        Ok(())
    }

    /// The blocks, ordered by their first hosts.
    pub(super) fn chunks(&self) -> impl Iterator<Item = &Arc<Chunk>> {
        self.chunks.values()
    }

    /// The numbers of segments that some route strips, in order.
    pub(super) fn depths(&self) -> impl Iterator<Item = usize> {
        self.depths.keys().copied()
    }

    fn take_out(&mut self, host: &Host, touched: &mut BTreeSet<Body>) {
        for depth in self.servers.remove(host).iter().flat_map(|server| strip_depths(server)) {
            if let Some(routes) = self.depths.get_mut(&depth) {
                *routes -= 1;
            }
        }
        self.depths.retain(|_, routes| *routes > 0);
        let Some(body) = self.bodies.remove(host) else { return };
        let Some(hosts) = self.hosts.get_mut(&body) else { return };
        if let Some(leader) = hosts.first() {
            self.chunks.remove(leader);
        }
        hosts.remove(host);
        if hosts.is_empty() {
            self.hosts.remove(&body);
        }
        touched.insert(body);
    }

    fn put_in(
        &mut self,
        host: Host,
        server: &Arc<VirtualServer>,
        rendering: &Rendering<'_>,
        touched: &mut BTreeSet<Body>,
    ) -> Result<(), TemplateError> {
        let body = Body::of(server, rendering)?;
        for depth in strip_depths(server) {
            *self.depths.entry(depth).or_default() += 1;
        }
        let body = self.hosts.get_key_value(&body).map_or(body, |(body, _)| body.clone());
        let hosts = self.hosts.entry(body.clone()).or_default();
        if let Some(leader) = hosts.first() {
            self.chunks.remove(leader);
        }
        hosts.insert(host.clone());
        self.servers.insert(host.clone(), Arc::clone(server));
        self.bodies.insert(host, body.clone());
        touched.insert(body);
        Ok(())
    }

    fn group(
        &self,
        body: &str,
        hosts: &BTreeSet<Host>,
        rendering: &Rendering<'_>,
    ) -> Result<Chunk, TemplateError> {
        let names: Vec<Value> = hosts.iter().map(token::server_name).collect();
        let frame = Frame { ports: Ports::of(rendering.options), names, has_certificate: true };
        let text = rendering.templates.server(frame.context(rendering.options, body))?;
        let servers = hosts.iter().filter_map(|host| self.servers.get(host)).cloned().collect();
        Ok(Chunk { text, origin: Origin::Servers(servers) })
    }
}

/// The blocks for hosts that nobody declared: one for each port, since only one of them speaks HTTP/2.
pub(super) fn undeclared(
    server: &Arc<VirtualServer>,
    certificate: Option<&KeyPair>,
    rendering: &Rendering<'_>,
) -> Result<Vec<Arc<Chunk>>, TemplateError> {
    let chunk = |server: &Arc<VirtualServer>, ports: Ports, certificate: Option<&KeyPair>| {
        let body = body(server, certificate, false, rendering)?;
        let frame = Frame { ports, names: Vec::new(), has_certificate: certificate.is_some() };
        let text = rendering.templates.server(frame.context(rendering.options, &body))?;
        Ok(Arc::new(Chunk { text, origin: Origin::Servers(vec![Arc::clone(server)]) }))
    };
    let Ports { http, https } = Ports::of(rendering.options);
    let without_tls = http.map(|_| chunk(server, Ports { http, https: None }, None));
    let with_tls = https.map(|_| chunk(server, Ports { http: None, https }, certificate));
    without_tls.into_iter().chain(with_tls).collect()
}

/// How many segments each route of a server strips from a path of which something is left.
pub(super) fn strip_depths(server: &VirtualServer) -> impl Iterator<Item = usize> {
    let strips = server.routes.iter().filter(|route| route.strip && route.path_match != PathMatch::Exact);
    strips.map(|route| route.path.depth())
}

fn body(
    server: &VirtualServer,
    certificate: Option<&KeyPair>,
    is_declared: bool,
    rendering: &Rendering<'_>,
) -> Result<String, TemplateError> {
    let options = rendering.options;
    let certificate = certificate.filter(|_| options.https_port.is_some());
    let file = certificate.map(|pair| token::certificate(&options.workdir, pair.digest()));
    rendering.templates.body(body_context(
        server,
        &Surroundings {
            certificate: file.unwrap_or_else(|| Value::from(())),
            // The server for undeclared hosts reads the headers before a Host header of everybody.
            takes_metadata: is_declared && server.speaks_http2_alone(),
            options,
        },
        rendering.defaults,
    ))
}

/// The ports that a block listens on.
#[derive(Clone, Copy)]
struct Ports {
    http: Option<u16>,
    https: Option<u16>,
}

impl Ports {
    fn of(options: &NginxOptions) -> Self {
        Self { http: options.http_port, https: options.https_port }
    }
}

/// What stands around a body.
struct Frame {
    ports: Ports,
    names: Vec<Value>,
    /// Its own, or that of the block for undeclared hosts.
    has_certificate: bool,
}

impl Frame {
    fn context(self, options: &NginxOptions, body: &str) -> Value {
        let Self { ports, names, has_certificate } = self;
        // Whether a port speaks HTTP/2 without TLS is decided by the block for undeclared hosts.
        let http2_off = options.http2_directive && options.https_port.is_some() && ports.https.is_none();
        Value::from_pairs([
            ("http_port", Value::from(ports.http)),
            ("https_port", Value::from(ports.https)),
            ("http2_parameter", Value::from(!options.http2_directive)),
            ("http2_off", Value::from(http2_off)),
            ("reject_handshake", Value::from(ports.https.is_some() && !has_certificate)),
            ("ipv6", Value::from(options.ipv6)),
            ("proxy_protocol", Value::from(options.proxy_protocol)),
            ("undeclared", Value::from(names.is_empty())),
            ("names", Value::from(names)),
            ("body", token::assembled(body.to_owned())),
        ])
    }
}
