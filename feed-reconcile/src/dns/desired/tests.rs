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
    .unwrap()
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
    let result = desired(named.iter().map(|(name, i)| (name, i)), &zones(), endpoints);
    assert_eq!(desired(named.iter().rev().map(|(name, i)| (name, i)), &zones(), endpoints), result);

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
    - Ingress ns/c MissingFrontendScheme: `c.example.com` gets no DNS record, since the Ingress does not say which load balancer serves it.
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
    assert!(!desired([], &zones(), &both()).0.any_ingress);
}

#[test]
fn the_first_endpoint_of_a_scheme_is_used_and_all_are_ours() {
    let endpoints =
        Endpoints::new([(Scheme::Internal, endpoint("b.lb")), (Scheme::Internal, endpoint("a.lb"))]);
    assert_eq!(endpoints.of(Scheme::Internal).unwrap().dns_name.as_str(), "a.lb");
    assert_eq!(endpoints.unused(), [(Scheme::Internal, endpoint("b.lb"))]);
    for own in ["a.lb", "dualstack.B.lb."] {
        assert!(endpoints.own(&endpoint(own).records(&RecordName::new("x"))[0]), "{own}");
    }
    assert!(!endpoints.own(&endpoint("c.lb").records(&RecordName::new("x"))[0]));
}
