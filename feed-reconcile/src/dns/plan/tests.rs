use std::fmt::Write as _;
use std::sync::Arc;

use super::*;
use crate::desired::Scheme;
use crate::dns::{
    DesiredName, Endpoint, HostedZone, RecordData, RecordType, RoutingPolicy, Target, Visibility,
};

const ZONE: &str = "example.com";

const RULES: Rules = Rules { max_deletion_percent: 50, owner: None };

fn zones() -> Zones {
    let zone =
        HostedZone { id: ZoneId::new("Z"), name: RecordName::new(ZONE), visibility: Visibility::Public };
    Zones::new([zone])
}

fn balancer(dns_name: &str, dual_stack: bool) -> Endpoint {
    let target = Target::LoadBalancer { zone_id: "ZLB".into(), dual_stack };
    Endpoint { dns_name: RecordName::new(dns_name), target }
}

fn hostname(dns_name: &str) -> Endpoint {
    Endpoint { dns_name: RecordName::new(dns_name), target: Target::Hostname { ttl_seconds: 300 } }
}

/// `NAME TYPE alias TARGET`, `NAME TYPE VALUE...` or `NAME TYPE weighted VALUE...`; the TTL is 300.
fn record(line: &str) -> RecordSet {
    let words: Vec<&str> = line.split_whitespace().collect();
    let (routing, values) = match &words[2..] {
        ["weighted", values @ ..] => (Some(RoutingPolicy::Weighted), values),
        values => (None, values),
    };
    let data = match values {
        ["alias", target] => RecordData::Alias {
            dns_name: (*target).to_owned(),
            zone_id: "ZLB".to_owned(),
            evaluate_target_health: false,
        },
        values => RecordData::Values {
            ttl_seconds: 300,
            values: values.iter().map(|value| (*value).to_owned()).collect(),
        },
    };
    let record_type = RecordType::new(words[1]);
    RecordSet { name: RecordName::new(words[0]), record_type, data, routing }
}

fn records(lines: &[&str]) -> BTreeMap<ZoneId, ZoneRecords> {
    BTreeMap::from([(ZoneId::new("Z"), lines.iter().map(|line| record(line)).collect())])
}

fn wanting(names: &[&str], endpoint: &Endpoint) -> DesiredRecords {
    let wanted = DesiredName {
        endpoint: Some(Arc::new(endpoint.clone())),
        scheme: Scheme::Internal,
        ingress: ObjectName::new("ns", "web"),
        caution: None,
    };
    let names = names.iter().map(|name| (RecordName::new(name), wanted.clone())).collect();
    DesiredRecords {
        zones: BTreeMap::from([(ZoneId::new("Z"), names)]),
        any_ingress: true,
        ..DesiredRecords::default()
    }
}

fn plan_one(wanted: &[&str], endpoint: &Endpoint, current: &[&str]) -> Plan {
    let endpoints = Endpoints::new([
        (Scheme::Internal, endpoint.clone()),
        (Scheme::InternetFacing, balancer("other-own.lb", false)),
    ]);
    plan(&wanting(wanted, endpoint), &records(current), &zones(), &endpoints, &RULES)
}

/// One line for each change, in order; changes of one name share a `-`.
fn check(wanted: &[&str], endpoint: &Endpoint, current: &[&str]) -> String {
    let plan = plan_one(wanted, endpoint, current);
    assert_eq!(plan.held_back, None);
    let mut text = String::new();
    for change in plan.zones.values().flatten() {
        let mut bullet = '-';
        for Change { action, record } in &change.changes {
            writeln!(text, "{bullet} {action:?} {} {} {}", record.name, record.record_type, record.data)
                .unwrap();
            bullet = ' ';
        }
    }
    for problem in &plan.problems {
        writeln!(text, "{}: {}", problem.diagnostic.code, problem.diagnostic.message).unwrap();
    }
    text
}

#[test]
fn an_alias_is_created_changed_or_left() {
    let lb = balancer("lb.aws", false);
    let cases = [
        ("new", check(&["a.example.com"], &lb, &[])),
        ("there", check(&["a.example.com"], &lb, &["A.example.com. A alias dualstack.LB.aws."])),
        ("wildcard there", check(&["*.example.com"], &lb, &[r"\052.example.com. A alias lb.aws."])),
        (
            "the other scheme's target",
            check(&["a.example.com"], &lb, &["a.example.com A alias other-own.lb"]),
        ),
        ("foreign target", check(&["a.example.com"], &lb, &["a.example.com A alias foreign.lb"])),
        ("foreign addresses", check(&["a.example.com"], &lb, &["a.example.com A 192.0.2.1 192.0.2.2"])),
        ("a CNAME", check(&["a.example.com"], &lb, &["a.example.com CNAME elsewhere"])),
        ("a foreign AAAA", check(&["a.example.com"], &lb, &["a.example.com AAAA 2001:db8::1"])),
        (
            "beside other types",
            check(&["a.example.com"], &lb, &["a.example.com TXT x", "a.example.com MX y"]),
        ),
        ("the apex", check(&["example.com"], &lb, &["example.com NS ns", "example.com SOA soa"])),
        (
            "a weighted record",
            check(&["a.example.com", "b.example.com"], &lb, &["a.example.com A weighted 192.0.2.1"]),
        ),
    ];
    insta::assert_snapshot!(sections(&cases), @r"
    new:
    - Create a.example.com A alias lb.aws
    there:
    wildcard there:
    the other scheme's target:
    - Upsert a.example.com A alias lb.aws
    foreign target:
    - Upsert a.example.com A alias lb.aws
    foreign addresses:
    - Upsert a.example.com A alias lb.aws
    a CNAME:
    - Delete a.example.com CNAME elsewhere (TTL 300 s)
      Create a.example.com A alias lb.aws
    a foreign AAAA:
    - Delete a.example.com AAAA 2001:db8::1 (TTL 300 s)
      Create a.example.com A alias lb.aws
    beside other types:
    - Create a.example.com A alias lb.aws
    the apex:
    - Create example.com A alias lb.aws
    a weighted record:
    - Create b.example.com A alias lb.aws
    RoutingPolicyInTheWay: `a.example.com` does not lead to lb.aws, since it has a record with a routing policy (weighted), which is not ours to change.
    ");
}

#[test]
fn a_dual_stack_balancer_has_both_types() {
    let lb = balancer("lb.aws", true);
    let cases = [
        ("new", check(&["a.example.com"], &lb, &[])),
        ("only A", check(&["a.example.com"], &lb, &["a.example.com A alias lb.aws"])),
        (
            "both",
            check(
                &["a.example.com"],
                &lb,
                &["a.example.com A alias lb.aws", "a.example.com AAAA alias lb.aws"],
            ),
        ),
        ("a CNAME", check(&["a.example.com"], &lb, &["a.example.com CNAME x"])),
        (
            "no more dual-stack",
            check(
                &["a.example.com"],
                &balancer("lb.aws", false),
                &["a.example.com A alias lb.aws", "a.example.com AAAA alias lb.aws"],
            ),
        ),
    ];
    insta::assert_snapshot!(sections(&cases), @r"
    new:
    - Create a.example.com A alias lb.aws
      Create a.example.com AAAA alias lb.aws
    only A:
    - Create a.example.com AAAA alias lb.aws
    both:
    a CNAME:
    - Delete a.example.com CNAME x (TTL 300 s)
      Create a.example.com A alias lb.aws
      Create a.example.com AAAA alias lb.aws
    no more dual-stack:
    - Delete a.example.com AAAA alias lb.aws
    ");
}

#[test]
fn a_cname_is_alone_at_its_name() {
    let host = hostname("lb.example.net");
    let cases = [
        ("new", check(&["a.example.com"], &host, &[])),
        ("there", check(&["a.example.com"], &host, &["a.example.com CNAME LB.example.net."])),
        ("foreign CNAME", check(&["a.example.com"], &host, &["a.example.com CNAME elsewhere"])),
        (
            "addresses",
            check(&["a.example.com"], &host, &["a.example.com A 192.0.2.1", "a.example.com AAAA ::1"]),
        ),
        ("an alias of ours", check(&["a.example.com"], &host, &["a.example.com A alias other-own.lb"])),
        ("the apex", check(&["example.com", "b.example.com"], &host, &["example.com NS ns"])),
        ("beside TXT", check(&["a.example.com", "b.example.com"], &host, &["a.example.com TXT x"])),
        (
            "beside its own",
            check(&["a.example.com"], &host, &["a.example.com CNAME lb.example.net", "a.example.com TXT x"]),
        ),
    ];
    insta::assert_snapshot!(sections(&cases), @r"
    new:
    - Create a.example.com CNAME lb.example.net (TTL 300 s)
    there:
    foreign CNAME:
    - Upsert a.example.com CNAME lb.example.net (TTL 300 s)
    addresses:
    - Delete a.example.com A 192.0.2.1 (TTL 300 s)
      Delete a.example.com AAAA ::1 (TTL 300 s)
      Create a.example.com CNAME lb.example.net (TTL 300 s)
    an alias of ours:
    - Delete a.example.com A alias other-own.lb
      Create a.example.com CNAME lb.example.net (TTL 300 s)
    the apex:
    - Create b.example.com CNAME lb.example.net (TTL 300 s)
    CnameNotPossible: `example.com` does not lead to lb.example.net, since it is the zone's own name, which cannot be a CNAME.
    beside TXT:
    - Create b.example.com CNAME lb.example.net (TTL 300 s)
    CnameNotPossible: `a.example.com` does not lead to lb.example.net, since it has a TXT record, and a CNAME cannot stand beside another type.
    beside its own:
    CnameNotPossible: `a.example.com` does not lead to lb.example.net, since it has a TXT record, and a CNAME cannot stand beside another type.
    ");
}

#[test]
fn a_changed_ttl_zone_or_health_check_is_a_change() {
    let mut current = record("a.example.com CNAME lb.example.net");
    current.data = RecordData::Values { ttl_seconds: 60, values: vec!["lb.example.net".to_owned()] };
    let wanted = hostname("lb.example.net").records(&current.name);
    assert!(!current.data.says_the_same(&wanted[0].data));

    let wanted = balancer("lb.aws", false).records(&current.name).remove(0).data;
    let alias = |zone_id: &str, evaluate_target_health| RecordData::Alias {
        dns_name: "lb.aws.".to_owned(),
        zone_id: zone_id.to_owned(),
        evaluate_target_health,
    };
    assert!(alias("ZLB", false).says_the_same(&wanted));
    assert!(!alias("ZLB", true).says_the_same(&wanted));
    assert!(!alias("ZOTHER", false).says_the_same(&wanted));
    assert!(!current.data.says_the_same(&wanted));
}

#[test]
fn only_what_is_ours_is_deleted() {
    let current = [
        "a.example.com A alias lb.aws",
        "a.example.com AAAA alias dualstack.lb.aws",
        "a.example.com TXT keep",
        "b.example.com CNAME other-own.lb",
        "c.example.com A alias foreign.lb",
        "d.example.com A 192.0.2.1",
        "e.example.com A weighted alias lb.aws",
        "f.example.com CNAME foreign",
        "g.example.com MX lb.aws",
        "example.com NS lb.aws",
        "example.com SOA lb.aws",
        r"\052.example.com A alias lb.aws",
    ];
    insta::assert_snapshot!(check(&[], &balancer("lb.aws", false), &current), @r"
    - Delete *.example.com A alias lb.aws
    - Delete a.example.com A alias lb.aws
      Delete a.example.com AAAA alias dualstack.lb.aws
    - Delete b.example.com CNAME other-own.lb (TTL 300 s)
    ");
}

#[test]
fn what_is_asked_for_comes_before_deletions() {
    let text = check(&["z.example.com"], &balancer("lb.aws", false), &["a.example.com A alias lb.aws"]);
    insta::assert_snapshot!(text, @r"
    - Create z.example.com A alias lb.aws
    - Delete a.example.com A alias lb.aws
    ");
}

#[test]
fn a_name_without_endpoint_is_left_alone() {
    let endpoints = Endpoints::new([(Scheme::Internal, balancer("lb.aws", false))]);
    let mut desired = wanting(&["a.example.com"], &balancer("lb.aws", false));
    for wanted in desired.zones.values_mut().flat_map(BTreeMap::values_mut) {
        wanted.endpoint = None;
    }
    let plan = plan(&desired, &records(&["a.example.com A alias lb.aws"]), &zones(), &endpoints, &RULES);
    assert!(plan.is_empty());
}

#[test]
fn too_many_deletions_are_held_back_and_the_rest_goes_through() {
    let names: Vec<String> = (0..40).map(|index| format!("{index}.example.com")).collect();
    let lines: Vec<String> = names.iter().map(|name| format!("{name} A alias lb.aws")).collect();
    let check = |owned: usize, gone: usize| {
        let current: Vec<&str> = lines[..owned].iter().map(String::as_str).collect();
        let wanted = names[gone..owned].iter().map(String::as_str);
        let wanted: Vec<&str> = wanted.chain(["new.example.com"]).collect();
        let plan = plan_one(&wanted, &balancer("lb.aws", false), &current);
        assert_eq!(plan.owned.values().sum::<usize>(), owned);
        let created = plan.zones.values().flatten().filter(|change| change.ingress.is_some()).count();
        assert_eq!(created, 1, "creations are never held back");
        plan.held_back.map(|held| (held.reason, held.deletions, held.owned))
    };
    assert_eq!(check(10, 10), None, "10 are not too many");
    assert_eq!(check(11, 11), Some((HeldBackReason::TooMany, 11, 11)));
    assert_eq!(check(22, 11), None, "50 % are not too many");
    assert_eq!(check(21, 11), Some((HeldBackReason::TooMany, 11, 21)));
    assert_eq!(check(40, 20), None);
    assert_eq!(check(40, 21), Some((HeldBackReason::TooMany, 21, 40)));
}

#[test]
fn without_any_ingress_nothing_is_deleted() {
    let endpoints = Endpoints::new([(Scheme::Internal, balancer("lb.aws", false))]);
    let current = records(&["a.example.com A alias lb.aws"]);
    let plan = plan(
        &DesiredRecords::default(),
        &current,
        &zones(),
        &endpoints,
        &Rules { max_deletion_percent: 100, owner: None },
    );
    assert_eq!(plan.zones, BTreeMap::new());
    let held_back = plan.held_back.unwrap();
    assert_eq!((held_back.reason, held_back.deletions), (HeldBackReason::NoIngress, 1));
}

#[test]
fn a_zone_that_could_not_be_listed_is_left_out() {
    let lb = balancer("lb.aws", false);
    let endpoints = Endpoints::new([(Scheme::Internal, lb.clone())]);
    let plan = plan(&wanting(&["a.example.com"], &lb), &BTreeMap::new(), &zones(), &endpoints, &RULES);
    assert_eq!(plan, Plan::default());
}

fn sections(cases: &[(&str, String)]) -> String {
    cases.iter().fold(String::new(), |text, (title, lines)| text + title + ":\n" + lines)
}
