use std::sync::Arc;

use feed_reconcile::desired::Scheme;
use feed_reconcile::dns::keeper::{Event, Found, Settings};
use feed_reconcile::dns::{Endpoint, RecordName, Rules, Target};
use feed_reconcile::options::Adoption;
use feed_reconcile::snapshot::ClusterSnapshot;
use feed_reconcile::summary::summaries;
use k8s_openapi::api::networking::v1::{Ingress, IngressRule, IngressSpec};

use super::*;

fn endpoint(dns_name: &str) -> Endpoint {
    let target = Target::LoadBalancer { zone_id: "ZLB".into(), dual_stack: true };
    Endpoint { dns_name: RecordName::new(dns_name), target }
}

fn ingress(name: &str, scheme: Option<&str>, host: &str) -> Arc<Ingress> {
    let mut ingress = Ingress::default();
    ingress.metadata.name = Some(name.to_owned());
    ingress.metadata.namespace = Some("shop".to_owned());
    ingress.metadata.annotations =
        scheme.map(|scheme| [("sky.uk/frontend-scheme".to_owned(), scheme.to_owned())].into());
    let rule = IngressRule { host: Some(host.to_owned()), http: None };
    ingress.spec = Some(IngressSpec { rules: Some(vec![rule]), ..IngressSpec::default() });
    Arc::new(ingress)
}

/// The plan for a zone with these records, printed both ways, and whether it has changes.
fn printed(targets: &[(&str, &str)], ingresses: Vec<Arc<Ingress>>) -> (String, String, bool) {
    let hostname = |name: &str| {
        let target = Target::Hostname { ttl_seconds: 60 };
        let endpoint = Endpoint { dns_name: RecordName::new("web.example.net"), target };
        endpoint.records(&RecordName::new(name))
    };
    let records = targets.iter().flat_map(|(name, target)| match *target {
        "cname" => hostname(name),
        target => endpoint(target).records(&RecordName::new(name)),
    });
    let zone = HostedZone {
        id: ZoneId::new("Z1"),
        name: RecordName::new("example.com"),
        visibility: Visibility::Private,
    };
    let endpoints = vec![(Scheme::Internal, endpoint("lb.aws"))];
    let missing = vec!["There is no load balancer named x.".to_owned()];
    let snapshot =
        ClusterSnapshot { ingresses: ingresses.into_iter().collect(), ..ClusterSnapshot::default() };
    let (ingresses, none) = summaries(&snapshot, &Adoption::default());
    let rules = Rules { max_deletion_percent: 50, owner: None };
    let settings = Settings { resync_period: Duration::from_mins(15), rules };
    let (now, id) = (Duration::ZERO, ZoneId::new("Z1"));
    let mut keeper = Keeper::new(settings, [id.clone()], None);
    for event in [
        Event::Ingresses(ingresses.into()),
        Event::Found(Ok(Found { endpoints, missing, ..Found::default() })),
        Event::Opened(id.clone(), Ok(zone)),
        Event::Listed(id, Ok(records.collect())),
    ] {
        let _not_carried_out = keeper.step(now, event);
    }
    assert!(keeper.has_looked());
    let source = Diagnostics::new();
    let report = Report::new(&keeper, now, &source, &none);
    let text = |output| {
        let mut text = Vec::new();
        report.print(output, &mut text).unwrap();
        String::from_utf8(text).unwrap()
    };
    (text(PlanOutput::Table), text(PlanOutput::Json), report.has_changes())
}

#[test]
fn changes_and_problems_are_listed() {
    let (table, json, has_changes) = printed(
        &[("old.example.com", "lb.aws"), ("moved.example.com", "other.aws"), ("cname.example.com", "cname")],
        vec![
            ingress("a", Some("internal"), "new.example.com"),
            ingress("b", Some("internal"), "moved.example.com"),
            ingress("c", Some("internal"), "cname.example.com"),
            ingress("d", None, "none.example.com"),
        ],
    );
    assert!(has_changes);
    insta::assert_snapshot!(table);
    insta::assert_snapshot!(json);
}

#[test]
fn what_the_guard_holds_back_is_shown_with_what_to_do() {
    let names: Vec<String> = (0..8).map(|index| format!("{index}.example.com")).collect();
    let owned: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "lb.aws")).collect();
    let (table, json, has_changes) = printed(&owned, vec![ingress("a", Some("internal"), "0.example.com")]);
    assert!(has_changes);
    insta::assert_snapshot!(table);
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["held_back"]["reason"], "too-many");
    assert_eq!(json["held_back"]["changes"].as_array().unwrap().len(), 14);

    let (table, json, has_changes) = printed(&owned[..1], Vec::new());
    assert!(has_changes);
    insta::assert_snapshot!(table);
    assert_eq!(serde_json::from_str::<Value>(&json).unwrap()["held_back"]["reason"], "no-ingress");
}

#[test]
fn no_changes_are_said_to_be_none() {
    let (table, json, has_changes) =
        printed(&[("a.example.com", "lb.aws")], vec![ingress("a", Some("internal"), "a.example.com")]);
    assert!(!has_changes);
    insta::assert_snapshot!(table, @r"
    warning: There is no load balancer named x.
    No changes.
    ");
    assert_eq!(serde_json::from_str::<Value>(&json).unwrap()["changes"], json!([]));
}
