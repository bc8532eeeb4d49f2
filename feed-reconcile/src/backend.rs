//! From an Ingress's backend, through its Service, to addresses.

mod endpoints;
mod problem;
mod service;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;

use k8s_openapi::api::networking::v1::{IngressBackend, IngressServiceBackend};

use crate::annotation::UpstreamSettings;
use crate::desired::{Backend, Protocol, Upstream, UpstreamName};
use crate::diagnostic::Code;
use crate::key::{ObjectKey, ObjectKind, ObjectName};
use crate::options::Options;
use crate::place::Place;
use crate::report::{Quoted, Report};
use crate::snapshot::ClusterSnapshot;
use problem::Problem;
use service::{ASSUMED_ADDRESS, Location, Target};

pub(crate) use endpoints::{SliceIndex, service_of_slice};

/// Resolves the backends of one Ingress.
pub(crate) struct Backends<'a> {
    /// The Ingress's namespace, in which its Services are.
    pub(crate) namespace: &'a Arc<str>,
    pub(crate) snapshot: &'a ClusterSnapshot,
    pub(crate) slices: &'a SliceIndex,
    pub(crate) options: &'a Options,
    pub(crate) settings: UpstreamSettings,
    /// Whether the Ingress's annotations let no route be served, whatever its backend.
    pub(crate) rejected: bool,
}

impl Backends<'_> {
    /// Where requests for the backend go; `None`, and a diagnostic, when that cannot be known.
    ///
    /// Adds the Service that was looked up, found or not, to `services`.
    pub(crate) fn resolve(
        &self,
        backend: &IngressBackend,
        place: Place,
        services: &mut BTreeSet<ObjectName>,
        report: &mut Report,
    ) -> Option<Backend> {
        let resolved = self.service_name(backend).and_then(|(reference, name)| {
            if !services.contains(&name) {
                services.insert(name.clone());
            }
            self.of_service(reference, name, place, report)
        });
        resolved.inspect_err(|problem| problem.report(place, self.consequence(), report)).ok()
    }

    /// What follows for a route that cannot be served.
    pub(crate) fn consequence(&self) -> &'static str {
        if self.rejected {
            "the route is not served"
        } else {
            "the route is not served: its path answers 503"
        }
    }

    fn service_name<'b>(
        &self,
        backend: &'b IngressBackend,
    ) -> Result<(&'b IngressServiceBackend, ObjectName), Problem> {
        if backend.resource.is_some() {
            return Err(Problem::Resource);
        }
        let reference = backend.service.as_ref().ok_or(Problem::NoService)?;
        if !is_dns_label(&reference.name) || !is_dns_label(self.namespace) {
            let (name, namespace) = (Quoted(&reference.name), Quoted(self.namespace));
            return Err(Problem::InvalidName { name: name.to_string(), namespace: namespace.to_string() });
        }
        Ok((
            reference,
            ObjectName { namespace: Arc::clone(self.namespace), name: reference.name.as_str().into() },
        ))
    }

    fn of_service(
        &self,
        reference: &IngressServiceBackend,
        name: ObjectName,
        place: Place,
        report: &mut Report,
    ) -> Result<Backend, Problem> {
        let Some(service) = self.snapshot.services.get(&name) else {
            let key = ObjectKey { kind: ObjectKind::Service, name };
            let is_there = self.snapshot.unreadable.contains(&key);
            return Err(if is_there {
                Problem::Unreadable(key.name)
            } else {
                Problem::ServiceNotFound(key.name)
            });
        };
        let target = service::target(service, reference.port.as_ref(), self.options)
            .map_err(|problem| Problem::Service(name.clone(), problem))?;
        let protocol = protocol(&target, &name, place, report);
        let (addresses, endpoints) = match target.location {
            Location::External(host) => return Ok(Backend::External { host, port: target.port, protocol }),
            Location::Address(address) => (vec![SocketAddr::new(address, target.port)], false),
            Location::Endpoints if self.options.assume_assigned && !self.slices.contains_key(&name) => {
                (vec![SocketAddr::new(ASSUMED_ADDRESS, target.port)], true)
            }
            Location::Endpoints => {
                let slices = &self.snapshot.endpoint_slices;
                (endpoints::ready(&name, target.port_name, slices, self.slices), true)
            }
        };
        if addresses.is_empty() {
            warn_of_no_endpoint(&name, target.port, place, report);
        }
        let upstream = self.upstream(&name, target.port, addresses, protocol);
        Ok(Backend::Upstream(Arc::new(Upstream { endpoints, ..upstream })))
    }

    fn upstream(
        &self,
        service: &ObjectName,
        port: u16,
        addresses: Vec<SocketAddr>,
        protocol: Protocol,
    ) -> Upstream {
        let UpstreamSettings { max_connections, keepalive_timeout_milliseconds, max_requests_per_connection } =
            self.settings;
        Upstream {
            name: UpstreamName::new(
                service,
                port,
                max_connections,
                keepalive_timeout_milliseconds,
                max_requests_per_connection,
            ),
            addresses,
            endpoints: false,
            protocol,
            max_connections,
            keepalive_timeout_milliseconds,
            max_requests_per_connection,
        }
    }
}

fn warn_of_no_endpoint(service: &ObjectName, port: u16, place: Place, report: &mut Report) {
    report.add(
        Code::NoReadyEndpoints,
        place.backend(),
        format!("No endpoint of port {port} of Service {service} is ready, so 503 is answered."),
        "See why its pods are not ready, and whether its selector and target port are right.",
    );
    report.relate(ObjectKey { kind: ObjectKind::Service, name: service.clone() });
}

/// What `appProtocol` says, with a warning when that is not known.
fn protocol(target: &Target<'_>, service: &ObjectName, place: Place, report: &mut Report) -> Protocol {
    match target.app_protocol {
        "" | "http" | "kubernetes.io/ws" => Protocol::Http,
        "https" | "kubernetes.io/wss" => Protocol::Https,
        "grpc" | "kubernetes.io/h2c" => Protocol::Http2,
        unknown => {
            let (port, unknown) = (target.port, Quoted(unknown));
            report.add(
                Code::UnknownAppProtocol,
                place.backend().name("service").name("port"),
                format!("The appProtocol {unknown} of port {port} of Service {service} is not known, so HTTP/1.1 is spoken."),
                "Give the Service's port one of `http`, `https`, `grpc`, `kubernetes.io/h2c`, `kubernetes.io/ws`, \
                 `kubernetes.io/wss`.",
            );
            report.relate(ObjectKey { kind: ObjectKind::Service, name: service.clone() });
            Protocol::Http
        }
    }
}

/// Whether the name is a DNS-1123 label, as names of Services and namespaces are: no dot, nothing to escape.
fn is_dns_label(name: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=63).contains(&name.len())
        && name.bytes().all(inner)
        && !name.starts_with('-')
        && !name.ends_with('-')
}

#[cfg(test)]
mod tests;
