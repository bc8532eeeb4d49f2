use std::fmt::Write as _;
use std::sync::Arc;

use super::*;
use crate::certificate::tests::{certificate, pair};
use crate::fixture::snapshot;
use crate::options::Options;
use crate::reconcile::{Reconciled, Reconciler, reconcile};

const SERVICE: &str = "
kind: Service
metadata: {name: web, namespace: ns}
spec: {clusterIP: 10.0.0.1, ports: [{port: 80}]}
";

fn options() -> Options {
    Options { tls: true, ..Options::default() }
}

/// An Ingress of the namespace `ns` with a rule for each host.
fn ingress(name: &str, created: &str, hosts: &str, tls: &str) -> String {
    let rule = |host: &str| {
        let path = "{path: /NAME, pathType: Prefix, backend: {service: {name: web, port: {number: 80}}}}";
        format!("{{host: '{host}', http: {{paths: [{}]}}}}", path.replace("NAME", name))
    };
    let rules: Vec<_> = hosts.split_whitespace().map(rule).collect();
    format!(
        "---\nkind: Ingress\nmetadata: {{name: {name}, namespace: ns, creationTimestamp: {created}}}\n\
         spec: {{tls: {tls}, rules: [{}]}}\n",
        rules.join(", ")
    )
}

/// The objects, and the Secrets `ns/a`, `ns/b` and `ns/copy-of-a` with certificates for `*.example.com`, `ns/broken`
/// with an encrypted key, `ns/mended` whose chain was, and `ns/unknown` at which nobody has looked.
fn world(ingresses: &str) -> ClusterSnapshot {
    let names = ["a", "b", "copy-of-a", "broken", "mended", "unknown"];
    let secret = |name: &str| {
        format!("---\nkind: Secret\nmetadata: {{name: {name}, namespace: ns}}\ntype: kubernetes.io/tls\n")
    };
    let opaque = "---\nkind: Secret\nmetadata: {name: opaque, namespace: ns}\ntype: Opaque\n";
    let elsewhere = secret("elsewhere").replace("namespace: ns", "namespace: other");
    let secrets: String = names.map(secret).concat() + opaque + &elsewhere;
    let mut snapshot = snapshot(&format!("{SERVICE}{secrets}{ingresses}"));
    let mut set = |name: &str, examined: Result<Certificate, Fault>| {
        snapshot.certificates.set(ObjectName::new("ns", name), Arc::new(examined));
    };
    set("a", Ok(certificate(1, &["*.example.com"])));
    set("b", Ok(certificate(2, &["*.example.com"])));
    set("copy-of-a", Ok(certificate(1, &["*.example.com"])));
    set("broken", Err(Fault::EncryptedKey));
    set("mended", Ok(Certificate { chain: Chain::Mended, ..certificate(3, &["*.example.com"]) }));
    snapshot
}

/// The certificate of each host by its first digits, then the diagnostics.
fn show(ingresses: &str) -> String {
    let Reconciled { state, diagnostics } = reconcile(&world(ingresses), &options());
    let mut text = String::new();
    for (host, server) in &state.servers {
        let digest = server.certificate.as_ref().map(|pair| format!("{:02x}", pair.digest().0[0]));
        writeln!(text, "{host} {}", digest.as_deref().unwrap_or("default")).unwrap();
    }
    for it in diagnostics {
        let related = it.related.map(|object| format!(" ({object})")).unwrap_or_default();
        writeln!(text, "{}{related}: {} {}: {}", it.code, it.object.name, it.field, it.message).unwrap();
    }
    text
}

const T1: &str = "2024-01-01T00:00:00Z";
const T2: &str = "2024-01-02T00:00:00Z";

#[test]
fn an_entry_counts_for_its_hosts_then_for_those_below_then_for_all() {
    let tls = "[{secretName: mended}, {hosts: ['*.example.com'], secretName: b}, {hosts: [A.example.com], secretName: a}, \
               {hosts: [plain.example.com]}]";
    let hosts = "a.example.com b.example.com plain.example.com '*.example.com' example.com".replace('\'', "");
    insta::assert_snapshot!(show(&ingress("it", T1, &hosts, tls)));
}

#[test]
fn the_older_ingress_gives_the_certificate() {
    let yaml = ingress("new", T2, "a.example.com new.example.com", "[{secretName: a}]")
        + &ingress("old", T1, "a.example.com", "[{secretName: b}]")
        + &ingress("oldest", "null", "a.example.com", "[]");
    insta::assert_snapshot!(show(&yaml));
    // The same Secret, or a copy of it, is no conflict.
    let yaml = ingress("x", T1, "a.example.com", "[{secretName: a}]")
        + &ingress("y", T2, "a.example.com", "[{secretName: a}]")
        + &ingress("z", T2, "a.example.com", "[{secretName: copy-of-a}]");
    insta::assert_snapshot!(show(&yaml), @"a.example.com 01");
    // Nor does one that is younger get its way because the older one's Secret is of no use.
    let yaml = ingress("x", T1, "a.example.com", "[{secretName: broken}]")
        + &ingress("y", T2, "a.example.com", "[{secretName: a}]");
    insta::assert_snapshot!(show(&yaml));
}

#[test]
fn a_secret_that_is_of_no_use_leaves_the_default_certificate() {
    let tls = "[{hosts: [a.example.com], secretName: broken}, {hosts: [b.example.com], secretName: nothing}, \
               {hosts: [c.example.com], secretName: opaque}, {hosts: [d.example.com], secretName: elsewhere}, \
               {hosts: [e.example.com], secretName: unknown}, {hosts: [f.example.com], secretName: mended}]";
    let hosts = "a.example.com b.example.com c.example.com d.example.com e.example.com f.example.com";
    insta::assert_snapshot!(show(&ingress("it", T1, hosts, tls)));
}

#[test]
fn hosts_that_are_not_the_ingresss_own_are_told() {
    let tls = "[{hosts: [b.example.com, '*.example.org', 'no host', a.example.com], secretName: a}, \
               {hosts: [nobody.example.com]}]";
    let yaml = ingress("it", T1, "a.example.com a.example.net", tls)
        + &ingress("other", T1, "b.example.com", "[]")
        + &ingress("hostless", T1, "", "[{secretName: b}]");
    insta::assert_snapshot!(show(&yaml));
}

#[test]
fn a_certificate_for_another_host_is_served_with_a_warning() {
    insta::assert_snapshot!(show(&ingress("it", T1, "www.example.org", "[{secretName: a}]")));
}

#[test]
fn one_ingress_may_not_give_a_host_two_secrets() {
    let tls = "[{hosts: [a.example.com], secretName: a}, {hosts: [a.example.com], secretName: b}, \
               {hosts: [a.example.com], secretName: a}]";
    insta::assert_snapshot!(show(&ingress("it", T1, "a.example.com", tls)));
}

#[test]
fn without_tls_a_secret_is_only_looked_for() {
    let yaml = ingress("it", T1, "a.example.com", "[{secretName: a}, {secretName: nothing}]");
    let Reconciled { state, diagnostics } = reconcile(&world(&yaml), &Options::default());
    assert!(state.servers.values().all(|server| server.certificate.is_none()));
    let said: Vec<_> = diagnostics.into_iter().map(|it| (it.code, it.message)).collect();
    let missing = r#"There is no Secret "nothing" of type kubernetes.io/tls in the Ingress's namespace."#;
    assert_eq!(said, [(Code::SecretNotFound, missing.to_owned())]);
}

#[test]
fn secrets_are_named_by_adopted_ingresses_alone() {
    let yaml = ingress("it", T1, "a.example.com", "[{secretName: a}, {}, {secretName: nothing}]");
    let names = |adoption: &Adoption| -> Vec<String> {
        named_secrets(&world(&yaml), adoption).iter().map(ToString::to_string).collect()
    };
    assert_eq!(names(&Adoption::default()), ["ns/a", "ns/nothing"]);
    assert_eq!(names(&Adoption { class: Some("other".into()), ..Adoption::default() }), [] as [&str; 0]);
}

#[test]
fn a_change_of_a_certificate_is_a_change_of_its_hosts_alone() {
    let yaml = ingress("x", T1, "a.example.com", "[{secretName: a}]")
        + &ingress("y", T1, "b.example.com", "[{secretName: b}]");
    let mut snapshot = world(&yaml);
    let mut reconciler = Reconciler::new(options());
    let before = reconciler.update(&snapshot).clone();
    snapshot.certificates.set(ObjectName::new("ns", "a"), Arc::new(Ok(certificate(9, &["*.example.com"]))));
    snapshot.default_certificate = Some(pair(7));
    let after = reconciler.update(&snapshot).clone();
    assert_eq!(after, reconcile(&snapshot, &options()));
    let server =
        |reconciled: &Reconciled, host: &str| reconciled.state.servers[&Host::new(host).unwrap()].clone();
    assert_eq!(server(&after, "a.example.com").certificate, Some(pair(9)));
    assert!(Arc::ptr_eq(&server(&before, "b.example.com"), &server(&after, "b.example.com")));
    assert_eq!(after.state.default_certificate, Some(pair(7)));
    // A certificate that ends is a fault, and then one that is back.
    snapshot.certificates.set(ObjectName::new("ns", "a"), Arc::new(Err(Fault::KeyMismatch)));
    let ended = reconciler.update(&snapshot).clone();
    assert_eq!(ended, reconcile(&snapshot, &options()));
    assert_eq!(server(&ended, "a.example.com").certificate, None);
    assert!(ended.diagnostics.iter().any(|it| it.code == Code::CertificateKeyMismatch));
}

#[test]
fn many_entries_for_many_hosts_are_told_of_once_each() {
    const MANY: usize = 300;
    let hosts: Vec<String> = (0..MANY).map(|number| format!("h{number}.example.com")).collect();
    for names in ["", ", hosts: ['*.example.com']"] {
        let entries: Vec<String> =
            (0..MANY).map(|number| format!("{{secretName: s{number}{names}}}")).collect();
        let object =
            ingress("i", "2026-01-01T00:00:00Z", &hosts.join(" "), &format!("[{}]", entries.join(", ")));
        let reconciled = reconcile(&world(&object), &options());
        let conflicts = reconciled.diagnostics.iter().filter(|it| it.code == Code::ConflictingCertificate);
        assert_eq!(conflicts.count(), MANY - 1);
    }
}
