//! Renders configurations, each from what changed since the one before.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;

use minijinja::Value;

use super::capacity::{Capacity, zone_size};
use super::fold::{Fold, Rendering, strip_depths, undeclared};
use super::main_context::{GENERATION, MainInput, SERVERS, UPSTREAMS, main_context};
use super::rendered::{Chunk, Origin, Part, Rendered};
use super::template::{TemplateError, Templates};
use super::token;
use crate::certificate::{Digest, KeyPair};
use crate::desired::{DesiredState, Upstream, UpstreamName, VirtualServer};
use crate::difference::changed_keys;
use crate::host::Host;
use crate::options::{NginxOptions, RouteDefaults};

/// The blocks for hosts that nobody declared, and what they were made from.
struct Undeclared {
    server: Arc<VirtualServer>,
    certificate: Option<KeyPair>,
    chunks: Vec<Arc<Chunk>>,
}

impl Undeclared {
    fn is_of(&self, state: &DesiredState) -> bool {
        Arc::ptr_eq(&self.server, &state.undeclared) && self.certificate == state.default_certificate
    }
}

/// Renders the desired state, and keeps the blocks of what did not change.
///
/// The result depends on the last state alone: equal states give equal bytes, whatever came before.
pub struct Renderer {
    templates: Templates,
    options: NginxOptions,
    defaults: RouteDefaults,
    fold: Fold,
    undeclared: Option<Undeclared>,
    /// The certificates of the last configuration.
    certificates: Arc<BTreeMap<Digest, KeyPair>>,
    upstreams: BTreeMap<UpstreamName, Arc<Upstream>>,
    upstream_chunks: BTreeMap<UpstreamName, Arc<Chunk>>,
    /// The idle connections that the upstreams' blocks were rendered with.
    keepalive: u32,
}

impl Renderer {
    /// A renderer with the shipped templates.
    ///
    /// `defaults` must be those the state is computed with: what equals them is said once for all.
    pub fn new(options: NginxOptions, defaults: RouteDefaults) -> Result<Self, TemplateError> {
        Self::build(None, options, defaults)
    }

    /// A renderer with the user's own main template.
    pub fn with_template(
        template: &str,
        options: NginxOptions,
        defaults: RouteDefaults,
    ) -> Result<Self, TemplateError> {
        Self::build(Some(template), options, defaults)
    }

    fn build(
        template: Option<&str>,
        options: NginxOptions,
        defaults: RouteDefaults,
    ) -> Result<Self, TemplateError> {
        Ok(Self {
            templates: Templates::new(template)?,
            options,
            defaults,
            fold: Fold::default(),
            undeclared: None,
            certificates: Arc::default(),
            upstreams: BTreeMap::new(),
            upstream_chunks: BTreeMap::new(),
            keepalive: 0,
        })
    }

    /// The configuration for this state. Only a user's own template can make it fail.
    pub fn update(&mut self, state: &DesiredState) -> Result<Rendered, TemplateError> {
        let capacity = Capacity::of(state, &self.options);
        self.update_upstreams(&state.upstreams, capacity.keepalive)?;
        let rendering =
            Rendering { templates: &self.templates, options: &self.options, defaults: &self.defaults };
        self.fold.update(&state.servers, &rendering)?;
        let undeclared_chunks = match &self.undeclared {
            Some(known) if known.is_of(state) => known.chunks.clone(),
            _ => undeclared(&state.undeclared, state.default_certificate.as_ref(), &rendering)?,
        };
        self.undeclared = Some(Undeclared {
            server: Arc::clone(&state.undeclared),
            certificate: state.default_certificate.clone(),
            chunks: undeclared_chunks.clone(),
        });
        let mut depths: Vec<usize> = self.fold.depths().chain(strip_depths(&state.undeclared)).collect();
        depths.sort_unstable();
        depths.dedup();
        let routes =
            state.servers.values().chain([&state.undeclared]).map(|server| server.routes.len()).sum();
        let (metadata_hosts, ordinary_hosts) = hosts_of_handshakes(state);
        let main = self.templates.main(main_context(
            &MainInput { routes, capacity, depths, metadata_hosts, ordinary_hosts },
            &self.options,
            &self.defaults,
        ))?;
        let servers = || undeclared_chunks.iter().chain(self.fold.chunks());
        let parts = assemble(&main, self.upstream_chunks.values(), servers())?;
        self.update_certificates(state);
        let certificates = Arc::clone(&self.certificates);
        let follows_endpoints = self.options.endpoint_resolver.is_some();
        let endpoints = self.endpoints().into();
        Ok(Rendered { parts: parts.into(), routes, certificates, follows_endpoints, endpoints })
    }

    /// What nginx is told of endpoints: an upstream's name where it follows them, else their addresses.
    fn endpoints(&self) -> BTreeMap<UpstreamName, Vec<SocketAddr>> {
        let follows = self.options.endpoint_resolver.is_some();
        let known = self.upstreams.iter().filter(|(_, upstream)| upstream.endpoints);
        let told = |upstream: &Upstream| if follows { Vec::new() } else { upstream.addresses.clone() };
        known.map(|(name, upstream)| (name.clone(), told(upstream))).collect()
    }

    fn update_certificates(&mut self, state: &DesiredState) {
        if self.options.https_port.is_none() {
            return;
        }
        let own = state.servers.values().filter_map(|server| server.certificate.as_ref());
        let pairs = own.chain(&state.default_certificate);
        let certificates: BTreeMap<_, _> = pairs.map(|pair| (pair.digest(), pair.clone())).collect();
        if *self.certificates != certificates {
            self.certificates = Arc::new(certificates);
        }
    }

    fn update_upstreams(
        &mut self,
        upstreams: &BTreeMap<UpstreamName, Arc<Upstream>>,
        keepalive: u32,
    ) -> Result<(), TemplateError> {
        if self.keepalive != keepalive {
            self.keepalive = keepalive;
            self.upstreams.clear();
            self.upstream_chunks.clear();
        }
        let follows = self.options.endpoint_resolver.is_some();
        for name in changed_keys(&self.upstreams, upstreams) {
            self.upstream_chunks.remove(&name);
            self.upstreams.remove(&name);
            let Some(upstream) = upstreams.get(&name) else { continue };
            if follows && upstream.endpoints || !upstream.addresses.is_empty() {
                let text = self.templates.upstream(upstream_context(upstream, keepalive, follows))?;
                let chunk = Chunk { text, origin: Origin::Upstream(name.clone()) };
                self.upstream_chunks.insert(name.clone(), Arc::new(chunk));
            }
            self.upstreams.insert(name, Arc::clone(upstream));
        }
        Ok(())
    }
}

/// The hosts that take names of gRPC's metadata, and those that do not although they are below a wildcard that does.
fn hosts_of_handshakes(state: &DesiredState) -> (Vec<Host>, Vec<Host>) {
    let (metadata, others): (Vec<_>, Vec<_>) =
        state.servers.iter().partition(|(_, server)| server.speaks_http2_alone());
    let wildcards: BTreeSet<&str> = metadata.iter().filter_map(|(host, _)| host.wildcard_suffix()).collect();
    let is_below = |host: &Host| {
        let parent = host.as_str().split_once('.').map(|(_, parent)| parent);
        host.wildcard_suffix().is_none() && parent.is_some_and(|parent| wildcards.contains(parent))
    };
    let ordinary = others.into_iter().map(|(host, _)| host).filter(|host| is_below(host)).cloned().collect();
    (metadata.into_iter().map(|(host, _)| host.clone()).collect(), ordinary)
}

fn upstream_context(upstream: &Upstream, keepalive: u32, follows: bool) -> Value {
    let is_followed = follows && upstream.endpoints;
    let addresses: Vec<Value> =
        upstream.addresses.iter().filter(|_| !is_followed).map(token::socket_address).collect();
    let limit = upstream.max_connections;
    Value::from_pairs([
        ("name", token::upstream(&upstream.name)),
        ("followed", if is_followed { token::endpoints(&upstream.name) } else { Value::from(()) }),
        ("zone_size", Value::from(zone_size(upstream.addresses.len()))),
        ("addresses", Value::from(addresses)),
        ("max_connections", Value::from((limit > 0).then_some(limit))),
        ("keepalive", Value::from(keepalive)),
        ("max_requests", Value::from(upstream.max_requests_per_connection)),
        ("keepalive_timeout", Value::from(upstream.keepalive_timeout_milliseconds)),
    ])
}

/// Puts the blocks in the places that the main template left for them.
fn assemble<'a>(
    main: &str,
    upstreams: impl Iterator<Item = &'a Arc<Chunk>>,
    servers: impl Iterator<Item = &'a Arc<Chunk>>,
) -> Result<Vec<Part>, TemplateError> {
    for (placeholder, name) in [(UPSTREAMS, "upstreams"), (SERVERS, "servers")] {
        if main.matches(placeholder).count() != 1 {
            return Err(TemplateError::Placeholder(name));
        }
    }
    let (mut upstreams, mut servers) = (Some(upstreams), Some(servers));
    let mut parts = Vec::new();
    for piece in main.split_inclusive([GENERATION, UPSTREAMS, SERVERS]) {
        let text = piece.trim_end_matches([GENERATION, UPSTREAMS, SERVERS]);
        if !text.is_empty() {
            parts.push(Part::Text(text.into()));
        }
        match piece.chars().next_back() {
            Some(GENERATION) => parts.push(Part::Generation),
            Some(UPSTREAMS) => parts.extend(upstreams.take().into_iter().flatten().cloned().map(Part::Chunk)),
            Some(SERVERS) => parts.extend(servers.take().into_iter().flatten().cloned().map(Part::Chunk)),
            _ => {}
        }
    }
    Ok(parts)
}

/// A configuration that serves only the status port, so that nginx can start before the cluster is known.
pub fn bootstrap(options: &NginxOptions) -> Result<Rendered, TemplateError> {
    let capacity = Capacity::of(&DesiredState::default(), options);
    let (metadata_hosts, ordinary_hosts) = (Vec::new(), Vec::new());
    let input = MainInput { routes: 0, capacity, depths: Vec::new(), metadata_hosts, ordinary_hosts };
    let main = Templates::new(None)?.main(main_context(&input, options, &RouteDefaults::default()))?;
    let no_blocks = || std::iter::empty();
    let parts = assemble(&main, no_blocks(), no_blocks())?;
    Ok(Rendered {
        parts: parts.into(),
        routes: 0,
        certificates: Arc::default(),
        follows_endpoints: false,
        endpoints: Arc::default(),
    })
}
