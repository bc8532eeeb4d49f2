//! Which certificate an Ingress gives which of its hosts: `spec.tls`.
//!
//! Only hosts that the Ingress's own rules declare are given one, so that nobody chooses for hosts of others. An entry counts
//! for the hosts that it names, for those below a wildcard that it names, and where it names none for all that the
//! Ingress declares, in this order. An entry without a Secret leaves its hosts to the default certificate, as the API allows.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::api::networking::v1::IngressTLS;

use crate::adopt::is_adopted;
use crate::certificate::{Certificate, Chain, Fault, KeyPair};
use crate::diagnostic::{Code, Field};
use crate::host::Host;
use crate::key::{ObjectKey, ObjectKind, ObjectName};
use crate::options::Adoption;
use crate::report::{Quoted, Report};
use crate::snapshot::ClusterSnapshot;

/// The type of Secrets that hold a certificate.
const TLS_SECRET: &str = "kubernetes.io/tls";

/// The Secrets that adopted Ingresses name in `spec.tls`, be they there or not.
pub fn named_secrets(snapshot: &ClusterSnapshot, adoption: &Adoption) -> BTreeSet<ObjectName> {
    let mut names = BTreeSet::new();
    for (ingress, object) in snapshot.ingresses.iter() {
        let Some(entries) = object.spec.as_ref().and_then(|spec| spec.tls.as_ref()) else { continue };
        if is_adopted(object, snapshot, adoption) {
            names.extend(entries.iter().filter_map(|entry| secret_name(ingress, entry)));
        }
    }
    names
}

/// The Secret that an Ingress gives a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TlsClaim {
    /// The entry of `spec.tls`.
    pub(crate) entry: usize,
    /// The Secret.
    pub(crate) secret: ObjectName,
    /// What it holds; `None` where that cannot be served.
    pub(crate) pair: Option<KeyPair>,
}

impl TlsClaim {
    /// The field that names the Secret.
    pub(crate) fn field(&self) -> Field {
        secret_field(self.entry)
    }
}

/// What `spec.tls` comes to.
#[derive(Debug, Default)]
pub(crate) struct Tls {
    /// The hosts that are given a Secret.
    pub(crate) claims: BTreeMap<Host, TlsClaim>,
    /// The Secrets that were looked up.
    pub(crate) secrets: BTreeSet<ObjectName>,
}

/// Reads `spec.tls` of an Ingress whose rules declare these hosts.
pub(crate) fn read(
    ingress: &ObjectName,
    entries: &[IngressTLS],
    hosts: &[&Host],
    snapshot: &ClusterSnapshot,
    report: &mut Report,
) -> Tls {
    let mut tls = Tls::default();
    let mut claimants = Names::default();
    let mut parsed = Vec::with_capacity(entries.len());
    let declared = Declared::of(hosts);
    for (index, entry) in entries.iter().enumerate() {
        let secret = secret_name(ingress, entry);
        let certificate = secret.as_ref().and_then(|secret| look_up(index, secret, snapshot, report));
        let named: Vec<&str> = entry.hosts.iter().flatten().map(String::as_str).collect();
        if secret.is_some() {
            report_unused(index, &named, &declared, report);
        }
        tls.secrets.extend(secret.clone());
        claimants.add(index, &named);
        parsed.push(Entry { secret, certificate });
    }
    for host in hosts {
        let Some((index, entry)) = entry_of(host, &mut claimants, &parsed, report) else { continue };
        let Some(secret) = entry.secret.clone() else { continue };
        let certificate = entry.certificate;
        if let Some(certificate) = certificate.filter(|certificate| !certificate.covers(host)) {
            report_not_covered(index, host, certificate, report);
        }
        let pair = certificate.map(|certificate| certificate.pair.clone());
        tls.claims.insert((*host).clone(), TlsClaim { entry: index, secret, pair });
    }
    tls
}

/// Looks for the Secrets of `spec.tls` where nobody serves them: TLS ends before nginx, perhaps with the same ones.
pub(crate) fn look_for(
    ingress: &ObjectName,
    entries: &[IngressTLS],
    snapshot: &ClusterSnapshot,
    report: &mut Report,
) -> Tls {
    let mut tls = Tls::default();
    for (index, entry) in entries.iter().enumerate() {
        let Some(secret) = secret_name(ingress, entry) else { continue };
        if !is_there(&secret, snapshot) {
            report_missing(index, &secret, snapshot, "", report);
        }
        tls.secrets.insert(secret);
    }
    tls
}

/// An entry of `spec.tls`.
struct Entry<'a> {
    secret: Option<ObjectName>,
    certificate: Option<&'a Certificate>,
}

/// Which entries name which hosts. Whoever writes an Ingress chooses how many there are of either, so no host is compared
/// with every entry.
#[derive(Default)]
struct Names {
    exact: BTreeMap<String, Claimants>,
    /// By what follows `*.`.
    wildcard: BTreeMap<String, Claimants>,
    all: Claimants,
}

/// Entries that name the same hosts, the first one first.
#[derive(Default)]
struct Claimants {
    entries: Vec<usize>,
    /// Whether those after the first were told that they do not count.
    told: bool,
}

impl Names {
    fn add(&mut self, entry: usize, named: &[&str]) {
        if named.is_empty() {
            self.all.add(entry);
        }
        for name in named {
            let name = name.to_ascii_lowercase();
            if let Some(suffix) = name.strip_prefix("*.") {
                self.wildcard.entry(suffix.to_owned()).or_default().add(entry);
            }
            self.exact.entry(name).or_default().add(entry);
        }
    }

    /// The entries that name the host most closely.
    fn closest(&mut self, host: &Host) -> &mut Claimants {
        if let Some(claimants) = self.exact.get_mut(host.as_str()) {
            return claimants;
        }
        match parent(host).and_then(|parent| self.wildcard.get_mut(parent)) {
            Some(claimants) => claimants,
            None => &mut self.all,
        }
    }
}

impl Claimants {
    fn add(&mut self, entry: usize) {
        if self.entries.last() != Some(&entry) {
            self.entries.push(entry);
        }
    }
}

fn parent(host: &Host) -> Option<&str> {
    host.as_str().split_once('.').map(|(_, parent)| parent)
}

/// The entry that counts for a host; others that name it as closely, with another Secret, are told once that they do not.
fn entry_of<'a>(
    host: &Host,
    names: &mut Names,
    entries: &'a [Entry<'a>],
    report: &mut Report,
) -> Option<(usize, &'a Entry<'a>)> {
    let claimants = names.closest(host);
    let first = *claimants.entries.first()?;
    let winner = entries.get(first)?;
    if !std::mem::replace(&mut claimants.told, true) {
        for loser in claimants.entries.iter().skip(1) {
            let secret = entries.get(*loser).and_then(|entry| entry.secret.as_ref());
            if secret.is_some() && secret != winner.secret.as_ref() {
                report.add(
                    Code::ConflictingCertificate,
                    secret_field(*loser),
                    format!(
                        "The certificate of host {host} is that of `spec.tls[{first}]`, which names it first."
                    ),
                    "Name the host in one entry.",
                );
            }
        }
    }
    Some((first, winner))
}

/// What a Secret's certificate is, unless it cannot be served.
fn look_up<'a>(
    entry: usize,
    name: &ObjectName,
    snapshot: &'a ClusterSnapshot,
    report: &mut Report,
) -> Option<&'a Certificate> {
    if !is_there(name, snapshot) {
        report_missing(entry, name, snapshot, ", so the default certificate is served", report);
        return None;
    }
    let examined: Result<&Certificate, &Fault> = match snapshot.certificates.get(name).map(AsRef::as_ref) {
        Some(Ok(certificate)) => Ok(certificate),
        Some(Err(fault)) => Err(fault),
        None => Err(&Fault::NotExamined),
    };
    match examined {
        Ok(certificate) => {
            report_chain(entry, name, certificate.chain, report);
            Some(certificate)
        }
        Err(fault) => {
            let message = format!(
                "The Secret {} cannot be used, so the default certificate is served: {fault}.",
                Quoted(&name.name)
            );
            report.add(fault.code(), secret_field(entry), message, fault.help());
            report.relate(secret_key(name));
            None
        }
    }
}

fn is_there(name: &ObjectName, snapshot: &ClusterSnapshot) -> bool {
    let has_type = |secret: &Secret| secret.type_.as_deref() == Some(TLS_SECRET);
    snapshot.secrets.get(name).is_some_and(|secret| has_type(secret))
}

fn report_missing(
    entry: usize,
    name: &ObjectName,
    snapshot: &ClusterSnapshot,
    consequence: &str,
    report: &mut Report,
) {
    let key = ObjectKey { kind: ObjectKind::Secret, name: name.clone() };
    if snapshot.unreadable.contains(&key) {
        report.add(
            Code::SecretNotFound,
            secret_field(entry),
            format!("The Secret {} is there, but cannot be read{consequence}.", Quoted(&name.name)),
            "See the diagnostic about the Secret itself, or about its manifest.",
        );
        return;
    }
    report.add(
        Code::SecretNotFound,
        secret_field(entry),
        format!(
            "There is no Secret {} of type {TLS_SECRET} in the Ingress's namespace{consequence}.",
            Quoted(&name.name)
        ),
        "Create the Secret with `kubectl create secret tls`, or correct the name.",
    );
}

fn report_chain(entry: usize, name: &ObjectName, chain: Chain, report: &mut Report) {
    if chain == Chain::InOrder {
        return;
    }
    let message = format!(
        "The certificates in Secret {} are not the server's, its issuer's and so on: they were put in order, and what does \
         not belong to the chain was left out.",
        Quoted(&name.name)
    );
    let help = "Put the server's certificate first, then its issuer's and so on, and nothing else.";
    report.add(Code::CertificateChainMended, secret_field(entry), message, help);
    report.relate(secret_key(name));
}

/// The hosts of an Ingress's rules, to be looked up.
struct Declared<'a> {
    hosts: BTreeSet<&'a str>,
    parents: BTreeSet<&'a str>,
}

impl<'a> Declared<'a> {
    fn of(hosts: &[&'a Host]) -> Self {
        Self {
            hosts: hosts.iter().map(|host| host.as_str()).collect(),
            parents: hosts.iter().filter_map(|host| parent(host)).collect(),
        }
    }

    /// Whether that name of `spec.tls` is one of them, or is a wildcard above one.
    fn is_named(&self, name: &str) -> bool {
        let name = name.to_ascii_lowercase();
        let is_above = |suffix| self.parents.contains(suffix);
        self.hosts.contains(name.as_str()) || name.strip_prefix("*.").is_some_and(is_above)
    }
}

fn report_unused(entry: usize, named: &[&str], declared: &Declared<'_>, report: &mut Report) {
    const HELP: &str = "Name the host in a rule too, or remove it here.";
    let field = Field::of(&["spec", "tls"]).index(entry);
    if named.is_empty() && declared.hosts.is_empty() {
        let message = "No rule of this Ingress has a host, so the Secret is not used: other hosts get the default certificate.";
        report.add(Code::UnusedTlsHost, field.clone(), message, HELP);
    }
    for (index, name) in named.iter().enumerate() {
        if !declared.is_named(name) {
            let message = format!(
                "No rule of this Ingress has the host {}, so it is given no certificate.",
                Quoted(name)
            );
            report.add(Code::UnusedTlsHost, field.clone().name("hosts").index(index), message, HELP);
        }
    }
}

fn report_not_covered(entry: usize, host: &Host, certificate: &Certificate, report: &mut Report) {
    const SHOWN: usize = 5;
    let mut names: Vec<&str> = certificate.names.iter().map(String::as_str).take(SHOWN).collect();
    if certificate.names.len() > SHOWN {
        names.push("…");
    }
    let names = if names.is_empty() { "no DNS name at all".to_owned() } else { names.join(", ") };
    let message = format!("Clients will not accept this certificate for host {host}: it is for {names}.");
    let help =
        "Have a certificate issued whose subject alternative names hold the host; it is served as it is.";
    report.add(Code::CertificateNotForHost, secret_field(entry), message, help);
}

fn secret_name(ingress: &ObjectName, entry: &IngressTLS) -> Option<ObjectName> {
    let name = entry.secret_name.as_deref().filter(|name| !name.is_empty())?;
    Some(ObjectName { namespace: ingress.namespace.clone(), name: name.into() })
}

fn secret_field(entry: usize) -> Field {
    Field::of(&["spec", "tls"]).index(entry).name("secretName")
}

fn secret_key(name: &ObjectName) -> ObjectKey {
    ObjectKey { kind: ObjectKind::Secret, name: name.clone() }
}

#[cfg(test)]
mod tests;
