//! What is wrong with the input: one value for everything that was rejected, clamped or ignored.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Serialize, Serializer};

use crate::key::ObjectKey;

/// How much a diagnostic matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Something that was asked for is not served.
    Error,
    /// It is served, but not quite as it was asked for.
    Warning,
}

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $severity:ident,)*) => {
        /// What kind of problem this is: a stable name, the same in logs, `/status`, metrics and `check`.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        pub enum Code { $($(#[$doc])* $name,)* }

        impl Code {
            /// Every code there is.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The stable name.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)* }
            }

            /// The severity of every diagnostic with this code.
            pub fn severity(self) -> Severity {
                match self { $(Self::$name => Severity::$severity,)* }
            }
        }
    };
}

codes! {
    /// Another Ingress, older or first by name, has the same host, path and match kind.
    DuplicateRoute = Error,
    /// The `defaultBackend` is not used for a host, since `/` of that host is declared.
    ShadowedDefaultBackend = Warning,
    /// The host is neither a DNS-1123 name nor `*.` and one.
    InvalidHost = Error,
    /// The path holds what no request could match, or what nginx cannot hold.
    InvalidPath = Error,
    /// The path holds `*`, which stands for itself.
    WildcardInPath = Warning,
    /// `pathType` is none of `Exact`, `Prefix`, `ImplementationSpecific`: the path answers 503.
    InvalidPathType = Error,
    /// `pathType` is absent: `ImplementationSpecific` is assumed.
    MissingPathType = Warning,
    /// The annotation's value does not parse or is out of range: the default applies.
    InvalidAnnotation = Warning,
    /// The annotation's value is over its limit: the limit applies.
    ClampedAnnotation = Warning,
    /// The annotation is an older name of one that is there too and says something else, which applies.
    SupersededAnnotation = Warning,
    /// The annotation is below `sky.uk/`, and there is none of that name: it does nothing.
    UnknownAnnotation = Warning,
    /// The annotation is another Ingress controller's: it does nothing here.
    ForeignAnnotation = Warning,
    /// An entry of `sky.uk/allow` is no IP address or CIDR: the Ingress's routes answer 403.
    InvalidAllowList = Error,
    /// No Service of that name in the Ingress's namespace.
    ServiceNotFound = Error,
    /// The Service has no such port.
    ServicePortNotFound = Error,
    /// The Service has no address, or one that is not an IP address.
    InvalidServiceAddress = Error,
    /// `ExternalName` Services are not allowed, or the name is not a DNS-1123 name.
    ExternalNameRefused = Error,
    /// None of the Service's endpoints is ready: 503 is answered.
    NoReadyEndpoints = Warning,
    /// The port's `appProtocol` is not known: HTTP/1.1 is spoken.
    UnknownAppProtocol = Warning,
    /// `backend.resource` is not supported.
    ResourceBackend = Error,
    /// A backend names no Service.
    EmptyBackend = Error,
    /// A rule or a whole Ingress has neither paths nor a default backend.
    EmptyRule = Warning,
    /// A Secret of `spec.tls` does not exist, or is not of type `kubernetes.io/tls`.
    SecretNotFound = Warning,
    /// `tls.crt` of a Secret is missing, no certificate, or one that cannot be served.
    InvalidCertificate = Error,
    /// `tls.key` of a Secret is missing, no private key, encrypted, or of a kind that is not supported.
    InvalidPrivateKey = Error,
    /// The private key of a Secret is not that of its certificate.
    CertificateKeyMismatch = Error,
    /// The certificate of a Secret has expired.
    CertificateExpired = Error,
    /// The certificate of a Secret is not valid yet.
    CertificateNotYetValid = Error,
    /// The certificates of a Secret had to be put in order, or some do not belong to the chain.
    CertificateChainMended = Warning,
    /// The certificate is served, but clients will not accept it for the host.
    CertificateNotForHost = Warning,
    /// Another Ingress, older or first by name, or another entry gives the host another Secret.
    ConflictingCertificate = Error,
    /// A host of `spec.tls` is in none of the Ingress's rules.
    UnusedTlsHost = Warning,
    /// nginx refuses what comes of the Ingress: its last version that nginx took is served, or none.
    Quarantined = Error,
    /// The Ingress is held back while the one that nginx refuses is searched for.
    HeldBack = Warning,
    /// The host gets no DNS record: the Ingress has no `sky.uk/frontend-scheme`, or one that cannot be understood.
    MissingFrontendScheme = Warning,
    /// The host gets no DNS record: it lies in none of the hosted zones that are for its scheme.
    HostInNoZone = Warning,
    /// Another Ingress, older or first by name, gives the host another `sky.uk/frontend-scheme`.
    ConflictingFrontendScheme = Error,
    /// There is no load balancer of the Ingress's scheme.
    NoLoadBalancer = Error,
    /// The name is held by a record with a routing policy, which is left alone.
    RoutingPolicyInTheWay = Error,
    /// A CNAME cannot stand at the zone's own name, nor beside a record of another type.
    CnameNotPossible = Error,
    /// The host is a load balancer's own name, or one that it is reached through: left alone.
    ReservedHost = Error,
    /// The host lies below a delegation to other name servers, so that a record would never be seen.
    DelegatedHost = Error,
    /// The name is held by a record of another owner, or of none: `--owner-id`.
    RecordOfAnother = Error,
    /// Another writer changes the record back each time: it is left alone.
    ContestedRecord = Error,
    /// Route 53 refused the change of the host's records.
    RecordRefused = Error,
    /// A manifest does not parse: its last good version is used.
    InvalidManifest = Error,
    /// The same object is in two manifests: the first is used.
    DuplicateObject = Error,
    /// A key stands more than once in a mapping of a manifest: the last counts.
    DuplicateKey = Warning,
    /// A manifest has a field that the object's kind does not have: it does nothing.
    UnknownField = Warning,
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One step of the way to a field.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FieldStep {
    /// A field of a fixed name.
    Name(&'static str),
    /// An entry of a map, such as an annotation.
    Key(String),
    /// An element of a list, from 0.
    Index(usize),
    /// A field of a name that the object's kind does not know.
    Unknown(String),
}

/// Where in the object the problem lies, as `kubectl explain` would spell it: `spec.rules[0].host`.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Field(pub Vec<FieldStep>);

impl Field {
    /// The field reached by these names, one inside the other.
    pub fn of(names: &[&'static str]) -> Self {
        Self(names.iter().map(|name| FieldStep::Name(name)).collect())
    }

    /// An annotation.
    pub fn annotation(key: &str) -> Self {
        let mut field = Self::of(&["metadata", "annotations"]);
        field.0.push(FieldStep::Key(key.to_owned()));
        field
    }

    /// The field of that name inside this one.
    #[must_use]
    pub fn name(mut self, name: &'static str) -> Self {
        self.0.push(FieldStep::Name(name));
        self
    }

    /// The element at that index, from 0.
    #[must_use]
    pub fn index(mut self, index: usize) -> Self {
        self.0.push(FieldStep::Index(index));
        self
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, step) in self.0.iter().enumerate() {
            match step {
                FieldStep::Name(name) if position == 0 => f.write_str(name)?,
                FieldStep::Name(name) => write!(f, ".{name}")?,
                FieldStep::Key(key) => write!(f, "[{key}]")?,
                FieldStep::Index(index) => write!(f, "[{index}]")?,
                FieldStep::Unknown(name) if position == 0 => write!(f, "{}", name.escape_debug())?,
                FieldStep::Unknown(name) => write!(f, ".{}", name.escape_debug())?,
            }
        }
        Ok(())
    }
}

impl Serialize for Field {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// One problem with one field of one object, said so that its author can mend it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Diagnostic {
    /// The object to mend.
    pub object: ObjectKey,
    /// The field to mend; empty when it is the whole object.
    pub field: Field,
    /// The kind of problem; its severity is [`Code::severity`].
    pub code: Code,
    /// One sentence: what is wrong and what follows from it.
    pub message: String,
    /// One sentence: what to do.
    pub help: Option<String>,
    /// The other object that has a part in it, such as the winner of a conflict.
    pub related: Option<ObjectKey>,
}

/// Diagnostics in order, each once.
pub type Diagnostics = BTreeSet<Diagnostic>;
