use std::fmt::Write as _;

use super::*;
use crate::dns::{HostedZone, Target, Visibility};

fn zones() -> Zones {
    let zone =
        |id, name, visibility| HostedZone { id: ZoneId::new(id), name: RecordName::new(name), visibility };
    Zones::new([
        zone("PUB", "example.com", Visibility::Public),
        zone("PRI", "example.com", Visibility::Private),
        zone("ORG", "example.org", Visibility::Public),
    ])
}

fn endpoint(dns_name: &str) -> Endpoint {
    Endpoint { dns_name: RecordName::new(dns_name), target: Target::Hostname { ttl_seconds: 300 } }
}

fn ingress(scheme: Option<Scheme>, created: i128, hosts: &[&str]) -> IngressSummary {
    IngressSummary {
        scheme,
        hosts: hosts.iter().map(|host| Host::new(host).unwrap()).collect(),
        routes: hosts.len(),
        created: Some(created),
    }
}

const INTERNAL: Option<Scheme> = Some(Scheme::Internal);
const EXTERNAL: Option<Scheme> = Some(Scheme::InternetFacing);

/// The records as lines `ZONE name -> endpoint (ingress)`, then the problems; the same in either order.
fn check(ingresses: &[(&str, IngressSummary)], endpoints: &Endpoints) -> String {
    let named: Vec<_> = ingresses.iter().map(|(name, i)| (ObjectName::new("ns", name), i.clone())).collect();
    let result = desired(named.iter().map(|(name, i)| (name, i)), &zones(), endpoints, Unopened::None);
    let backwards = named.iter().rev().map(|(name, i)| (name, i));
    assert_eq!(desired(backwards, &zones(), endpoints, Unopened::None), result);

    let mut text = String::new();
    for (zone, names) in &result.0.zones {
        for (name, wanted) in names {
            let target = wanted.endpoint.as_ref().map_or("nothing", |endpoint| endpoint.dns_name.as_str());
            writeln!(text, "{zone} {name} -> {target} ({})", wanted.ingress).unwrap();
        }
    }
    for Problem { zone, diagnostic } in &result.1 {
        let zone = zone.as_ref().map_or("-", ZoneId::as_str);
        writeln!(text, "{zone} {} {}: {}", diagnostic.object, diagnostic.code, diagnostic.message).unwrap();
    }
    text
}

fn both() -> Endpoints {
    Endpoints::new([(Scheme::Internal, endpoint("in.lb")), (Scheme::InternetFacing, endpoint("out.lb"))])
}

#[test]
fn every_host_has_a_record_in_its_zone() {
    let text = check(
        &[
            ("a", ingress(INTERNAL, 1, &["a.example.com", "a.example.org", "*.example.org"])),
            ("b", ingress(EXTERNAL, 2, &["b.example.com", "example.com", "x.example.net"])),
            ("c", ingress(None, 3, &["c.example.com"])),
            ("d", ingress(None, 3, &[])),
        ],
        &both(),
    );
    insta::assert_snapshot!(text, @r"
    ORG *.example.org -> in.lb (ns/a)
    ORG a.example.org -> in.lb (ns/a)
    PRI a.example.com -> in.lb (ns/a)
    PUB b.example.com -> out.lb (ns/b)
    PUB example.com -> out.lb (ns/b)
    - Ingress ns/b HostInNoZone: `x.example.net` gets no DNS record, since it lies in none of the zones (example.com, example.org).
    - Ingress ns/c MissingFrontendScheme: `c.example.com` gets no DNS record, and one that it has stays as it is, since the Ingress does not say which load balancer serves it.
    ");
}

#[test]
fn of_two_schemes_for_one_record_the_older_ingress_wins() {
    let text = check(
        &[
            ("younger", ingress(EXTERNAL, 2, &["a.example.org"])),
            ("older", ingress(INTERNAL, 1, &["a.example.org"])),
            ("agrees", ingress(INTERNAL, 0, &["b.example.org"])),
            ("agrees-too", ingress(INTERNAL, 9, &["b.example.org"])),
            ("tie-b", ingress(INTERNAL, 5, &["c.example.org"])),
            ("tie-a", ingress(EXTERNAL, 5, &["c.example.org"])),
        ],
        &both(),
    );
    insta::assert_snapshot!(text, @r"
    ORG a.example.org -> in.lb (ns/older)
    ORG b.example.org -> in.lb (ns/agrees)
    ORG c.example.org -> out.lb (ns/tie-a)
    ORG Ingress ns/tie-b ConflictingFrontendScheme: `c.example.org` does not lead to the internal load balancer, since Ingress ns/tie-a, which is older or first by name, says `internet-facing`.
    ORG Ingress ns/younger ConflictingFrontendScheme: `a.example.org` does not lead to the internet-facing load balancer, since Ingress ns/older, which is older or first by name, says `internal`.
    ");
}

#[test]
fn a_public_and_a_private_zone_hold_one_record_each_for_one_host() {
    let text = check(
        &[
            ("inside", ingress(INTERNAL, 1, &["a.example.com"])),
            ("outside", ingress(EXTERNAL, 2, &["a.example.com"])),
        ],
        &both(),
    );
    insta::assert_snapshot!(text, @r"
    PRI a.example.com -> in.lb (ns/inside)
    PUB a.example.com -> out.lb (ns/outside)
    ");
}

#[test]
fn a_missing_endpoint_does_not_give_the_host_to_another_scheme() {
    let endpoints = Endpoints::new([(Scheme::Internal, endpoint("in.lb"))]);
    let text = check(
        &[
            ("older", ingress(EXTERNAL, 1, &["a.example.org"])),
            ("younger", ingress(INTERNAL, 2, &["a.example.org"])),
        ],
        &endpoints,
    );
    insta::assert_snapshot!(text, @r"
    ORG a.example.org -> nothing (ns/older)
    ORG Ingress ns/older NoLoadBalancer: The DNS record of `a.example.org` is left as it is, since there is no internet-facing load balancer.
    ORG Ingress ns/younger ConflictingFrontendScheme: `a.example.org` does not lead to the internal load balancer, since Ingress ns/older, which is older or first by name, says `internet-facing`.
    ");
}

#[test]
fn without_ingresses_the_records_say_so() {
    assert!(!desired([], &zones(), &both(), Unopened::None).0.any_ingress);
}

#[test]
fn the_first_endpoint_of_a_scheme_is_used_and_all_are_ours() {
    let endpoints =
        Endpoints::new([(Scheme::Internal, endpoint("b.lb")), (Scheme::Internal, endpoint("a.lb"))]);
    assert_eq!(endpoints.of(Scheme::Internal).unwrap().dns_name.as_str(), "a.lb");
    assert_eq!(endpoints.unused().collect::<Vec<_>>(), [(Scheme::Internal, &endpoint("b.lb"))]);
    for own in ["a.lb", "dualstack.B.lb."] {
        assert!(endpoints.own(&endpoint(own).records(&RecordName::new("x"))[0]), "{own}");
    }
    assert!(!endpoints.own(&endpoint("c.lb").records(&RecordName::new("x"))[0]));
}

#[test]
fn the_endpoint_that_records_point_to_is_chosen_and_stays() {
    let record = |name: &str, target: &str| endpoint(target).records(&RecordName::new(name)).remove(0);
    let new = || Endpoints::new(["a.lb", "b.lb", "c.lb"].map(|name| (Scheme::Internal, endpoint(name))));
    let chosen = |endpoints: &Endpoints| endpoints.of(Scheme::Internal).map(|it| it.dns_name.to_string());
    let used =
        [record("x", "c.lb"), record("y", "dualstack.C.lb."), record("z", "b.lb"), record("q", "other")];

    let mut undecided = new();
    undecided.choose(&Endpoints::default(), [], false);
    assert_eq!((chosen(&undecided), undecided.is_undecided(Scheme::Internal)), (None, true));
    let mut first = new();
    first.choose(&Endpoints::default(), [], true);
    assert_eq!(chosen(&first).as_deref(), Some("a.lb"), "nothing tells them apart: the first by name");
    let mut by_use = new();
    by_use.choose(&Endpoints::default(), &used, false);
    assert_eq!(chosen(&by_use).as_deref(), Some("c.lb"));
    let unused: Vec<_> = by_use.unused().map(|(_, it)| it.dns_name.as_str()).collect();
    assert_eq!(unused, ["a.lb", "b.lb"]);
    let mut later = new();
    later.choose(&first, &used, true);
    assert_eq!(
        chosen(&later).as_deref(),
        Some("a.lb"),
        "what was chosen stays, whatever the records say later"
    );
    let mut gone = Endpoints::new(["b.lb", "c.lb"].map(|name| (Scheme::Internal, endpoint(name))));
    gone.choose(&first, &used, true);
    assert_eq!(chosen(&gone).as_deref(), Some("c.lb"));

    let in_use = |target: &str| {
        by_use.in_use(Scheme::Internal, &[record("x", target)]).map(|it| it.dns_name.to_string())
    };
    assert_eq!(in_use("B.lb.").as_deref(), Some("b.lb"));
    assert_eq!(in_use("other"), None);
    assert_eq!(by_use.in_use(Scheme::InternetFacing, &[record("x", "b.lb")]), None);
}

#[test]
fn what_cannot_be_understood_keeps_its_name_and_does_not_give_it_to_the_younger() {
    let named = [
        (ObjectName::new("ns", "older"), ingress(None, 1, &["a.example.org"])),
        (ObjectName::new("ns", "younger"), ingress(INTERNAL, 2, &["a.example.org", "b.example.org"])),
        (ObjectName::new("ns", "youngest"), ingress(None, 3, &["b.example.org"])),
    ];
    let ingresses = named.iter().map(|(name, ingress)| (name, ingress));
    let (records, _) = desired(ingresses, &zones(), &both(), Unopened::None);
    let kept: Vec<_> = records.kept.iter().map(RecordName::as_str).collect();
    assert_eq!(kept, ["a.example.org", "b.example.org"]);
    let caution = |name: &str| records.zones[&ZoneId::new("ORG")][name].caution;
    assert_eq!((caution("a.example.org"), caution("b.example.org")), (Some(Caution::Unreadable), None));
}

#[test]
fn a_host_that_may_belong_to_a_zone_without_a_name_yet_waits_or_is_only_created() {
    let ingresses = [
        (ObjectName::new("ns", "in"), ingress(INTERNAL, 1, &["a.example.com", "a.example.org"])),
        (
            ObjectName::new("ns", "out"),
            ingress(EXTERNAL, 1, &["b.example.org", "b.sub.example.org", "x.net"]),
        ),
    ];
    let all = |unopened| {
        let all = ingresses.iter().map(|(name, ingress)| (name, ingress));
        let (records, problems) = desired(all, &zones(), &both(), unopened);
        let names = records.zones.values().flatten();
        let text: Vec<_> = names.map(|(name, it)| format!("{name} {:?}", it.caution)).collect();
        (text.join(", "), problems.len())
    };
    assert_eq!(all(Unopened::Soon), ("b.example.org None, a.example.com None".to_owned(), 0));
    let later = "a.example.org Some(Unopened), b.example.org None, b.sub.example.org Some(Unopened), a.example.com None";
    assert_eq!(all(Unopened::Later), (later.to_owned(), 1));
}
