use feed_reconcile::options::Options;
use k8s_openapi::ByteString;
use k8s_openapi::api::networking::v1::{Ingress, IngressSpec, IngressTLS};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::super::fixture::{Pair, self_signed};
use super::*;

fn options() -> Options {
    Options { tls: true, ..Options::default() }
}

fn metadata(name: &str) -> ObjectMeta {
    ObjectMeta { namespace: Some("ns".into()), name: Some(name.into()), ..ObjectMeta::default() }
}

fn secret(name: &str, pair: &Pair) -> Arc<Secret> {
    let data = [("tls.crt", &pair.crt), ("tls.key", &pair.key)];
    let data = data.map(|(name, text)| (name.to_owned(), ByteString(text.clone().into_bytes())));
    Arc::new(Secret { metadata: metadata(name), data: Some(data.into()), ..Secret::default() })
}

/// An Ingress that names these Secrets.
fn snapshot(names: &[&str]) -> ClusterSnapshot {
    let entry = |name: &&str| IngressTLS { secret_name: Some((*name).to_owned()), hosts: None };
    let spec = IngressSpec { tls: Some(names.iter().map(entry).collect()), ..IngressSpec::default() };
    let mut snapshot = ClusterSnapshot::default();
    snapshot.ingresses.insert(Arc::new(Ingress {
        metadata: metadata("it"),
        spec: Some(spec),
        ..Ingress::default()
    }));
    snapshot
}

fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

#[test]
fn secrets_that_are_named_are_looked_at_and_no_others() {
    let pair = self_signed(&["www.example.com"], 2024, 2025);
    let mut snapshot = snapshot(&["named", "absent"]);
    snapshot.secrets.insert(secret("named", &pair));
    snapshot.secrets.insert(secret("other", &pair));
    let mut examiner = Examiner::default();
    let now = time("2024-06-01T00:00:00Z");
    let next = examiner.examine(&mut snapshot, &options(), now);
    assert_eq!(next, Some(time("2025-01-01T00:00:00Z")));
    let names: Vec<_> = snapshot.certificates.iter().map(|(name, _)| name.to_string()).collect();
    assert_eq!(names, ["ns/named"]);
    assert_eq!(examiner.examine(&mut snapshot, &Options::default(), now), None);
}

#[test]
fn time_alone_changes_what_is_known() {
    let mut snapshot = snapshot(&["a"]);
    snapshot.secrets.insert(secret("a", &self_signed(&["www.example.com"], 2024, 2025)));
    let mut examiner = Examiner::default();
    let mut at = |now: &str| {
        let next = examiner.examine(&mut snapshot, &options(), time(now));
        let known = snapshot.certificates.get(&ObjectName::new("ns", "a")).unwrap();
        let entry = examiner.entries().next().unwrap();
        assert_eq!(entry.not_after, Some(time("2025-01-01T00:00:00Z")));
        assert_eq!(entry.problem, known.as_ref().as_ref().err().map(ToString::to_string));
        (known.as_ref().as_ref().err().cloned(), next)
    };
    let (begin, end) = (time("2024-01-01T00:00:00Z"), time("2025-01-01T00:00:00Z"));
    assert_eq!(at("2023-01-01T00:00:00Z"), (Some(Fault::NotYetValid(begin)), Some(begin)));
    assert_eq!(at("2024-01-01T00:00:01Z"), (None, Some(end)));
    assert_eq!(at("2025-01-01T00:00:01Z"), (Some(Fault::Expired(end)), None));
    // The clock was set back.
    assert_eq!(at("2024-01-01T00:00:01Z"), (None, Some(end)));
}

#[test]
fn what_is_equal_stays_the_very_same() {
    let pair = self_signed(&["www.example.com"], 2024, 2034);
    let mut snapshot = snapshot(&["a", "b"]);
    snapshot.secrets.insert(secret("a", &pair));
    snapshot.secrets.insert(secret("b", &Pair { key: "rubbish".into(), ..pair.clone() }));
    let mut examiner = Examiner::default();
    let mut known = |snapshot: &mut ClusterSnapshot| {
        examiner.examine(snapshot, &options(), time("2024-06-01T00:00:00Z"));
        snapshot.certificates.clone()
    };
    let before = known(&mut snapshot);
    // Another object with the same content, and one that is written otherwise.
    snapshot.secrets.insert(secret("a", &Pair { crt: format!("\n{}", pair.crt), ..pair.clone() }));
    snapshot.secrets.insert(secret("b", &Pair { key: "other rubbish".into(), ..pair }));
    assert_eq!(before.changed(&known(&mut snapshot)), []);
    snapshot.secrets.insert(secret("a", &self_signed(&["www.example.com"], 2024, 2034)));
    assert_eq!(before.changed(&known(&mut snapshot)), [ObjectName::new("ns", "a")]);
}

#[test]
fn keys_are_shown_to_nobody() {
    let pair = self_signed(&["www.example.com"], 2024, 2034);
    let mut snapshot = snapshot(&["a"]);
    snapshot.secrets.insert(secret("a", &pair));
    let mut examiner = Examiner::default();
    examiner.examine(&mut snapshot, &options(), time("2024-06-01T00:00:00Z"));
    let entries: Vec<_> = examiner.entries().collect();
    let shown = format!("{snapshot:?} {entries:?} {}", serde_json::to_string(&entries).unwrap());
    let secret = pair.key.lines().nth(1).unwrap();
    assert!(!shown.contains(secret) && !shown.contains("45, 45, 45"), "{shown}");
}

#[test]
fn what_nginx_refuses_is_not_served_under_any_name() {
    let (refused, other) =
        (self_signed(&["www.example.com"], 2024, 2050), self_signed(&["www.example.com"], 2024, 2050));
    let mut snapshot = snapshot(&["a", "b", "c"]);
    for (name, pair) in [("a", &refused), ("b", &refused), ("c", &other)] {
        snapshot.secrets.insert(secret(name, pair));
    }
    let mut examiner = Examiner::default();
    let now = time("2024-06-01T00:00:00Z");
    let faults = |examiner: &mut Examiner, snapshot: &mut ClusterSnapshot| {
        examiner.examine(snapshot, &options(), now);
        snapshot
            .certificates
            .iter()
            .map(|(_, known)| known.as_ref().as_ref().err().map(ToString::to_string))
            .collect::<Vec<_>>()
    };
    assert_eq!(faults(&mut examiner, &mut snapshot), [None, None, None]);
    let digest = examine(refused.crt.as_bytes(), refused.key.as_bytes()).unwrap().pair.digest();
    assert!(!examiner.refuse(Digest([7; 32]), "no"), "no Secret holds it");
    assert!(examiner.refuse(digest, "ee key too small"));
    let fault = Some("nginx refuses it: ee key too small".to_owned());
    assert_eq!(faults(&mut examiner, &mut snapshot), [fault.clone(), fault, None]);
    snapshot.secrets.insert(secret("a", &other));
    assert_eq!(faults(&mut examiner, &mut snapshot)[0], None);
}
