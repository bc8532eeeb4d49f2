//! Why a backend cannot be served.

use super::service::ServiceProblem;
use crate::diagnostic::{Code, Field};
use crate::key::{ObjectKey, ObjectKind, ObjectName};
use crate::place::Place;
use crate::report::Report;

/// Why a backend cannot be served.
#[derive(Debug, thiserror::Error)]
pub(super) enum Problem {
    #[error("A backend that is a resource is not supported")]
    Resource,
    #[error("The backend names no Service")]
    NoService,
    #[error("No Service can be named {name} in a namespace {namespace}")]
    InvalidName { name: String, namespace: String },
    #[error("There is no Service {0}")]
    ServiceNotFound(ObjectName),
    #[error("Service {0} is there, but cannot be read")]
    Unreadable(ObjectName),
    #[error("Service {0} {1}")]
    Service(ObjectName, ServiceProblem),
}

impl Problem {
    /// Says what is wrong with the backend at that place, and what follows.
    pub(super) fn report(&self, place: Place, consequence: &str, report: &mut Report) {
        let message = format!("{self}, so {consequence}.");
        report.add(self.code(), self.field(place), message, self.help());
        if let Self::Service(name, _) = self {
            report.relate(ObjectKey { kind: ObjectKind::Service, name: name.clone() });
        }
    }

    fn code(&self) -> Code {
        match self {
            Self::Resource => Code::ResourceBackend,
            Self::NoService => Code::EmptyBackend,
            Self::InvalidName { .. } | Self::ServiceNotFound(_) | Self::Unreadable(_) => {
                Code::ServiceNotFound
            }
            Self::Service(_, problem) => match problem {
                ServiceProblem::NoPortNamed
                | ServiceProblem::AmbiguousPort
                | ServiceProblem::PortNotFound { .. } => Code::ServicePortNotFound,
                ServiceProblem::NoAddress => Code::InvalidServiceAddress,
                ServiceProblem::ExternalNameNotAllowed | ServiceProblem::InvalidExternalName { .. } => {
                    Code::ExternalNameRefused
                }
            },
        }
    }

    fn field(&self, place: Place) -> Field {
        let backend = place.backend();
        match self {
            Self::Resource => backend.name("resource"),
            Self::NoService => backend,
            Self::InvalidName { .. } | Self::ServiceNotFound(_) | Self::Unreadable(_) => {
                backend.name("service").name("name")
            }
            Self::Service(..) if self.code() == Code::ServicePortNotFound => {
                backend.name("service").name("port")
            }
            Self::Service(..) => backend.name("service"),
        }
    }

    fn help(&self) -> &'static str {
        match self {
            Self::Resource => "Name a Service in `service` instead.",
            Self::NoService => "Name a Service and one of its ports in `service`.",
            Self::InvalidName { .. } => {
                "Names of Services and namespaces have 1 to 63 lower-case letters, digits or `-`, and begin and end \
                 with a letter or digit."
            }
            Self::ServiceNotFound(_) => "Create the Service in the Ingress's namespace, or correct the name.",
            Self::Unreadable(_) => "See the diagnostic about the Service itself, or about its manifest.",
            Self::Service(_, problem) => match problem {
                ServiceProblem::NoPortNamed | ServiceProblem::AmbiguousPort => {
                    "Name one port of the Service, by `name` or by `number`."
                }
                ServiceProblem::PortNotFound { .. } => {
                    "Name a TCP port of the Service's `spec.ports`, by `name` or by `number` (not its target port)."
                }
                ServiceProblem::NoAddress => {
                    "Give the Service a `clusterIP`, or `None` and ready endpoints in an EndpointSlice."
                }
                ServiceProblem::ExternalNameNotAllowed => {
                    "Use a Service with a cluster IP or endpoints, or have the operator set --allow-external-name."
                }
                ServiceProblem::InvalidExternalName { .. } => "Correct `spec.externalName` of the Service.",
            },
        }
    }
}
