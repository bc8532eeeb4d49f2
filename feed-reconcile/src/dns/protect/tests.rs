use super::*;
use crate::desired::Scheme;
use crate::dns::{Endpoint, RecordData, RecordSet, RecordType, Target, Visibility};

fn record(line: &str) -> RecordSet {
    let words: Vec<&str> = line.split(' ').collect();
    let data = RecordData::Values { ttl_seconds: 60, values: vec![words[2].to_owned()] };
    RecordSet { name: RecordName::new(words[0]), record_type: RecordType::new(words[1]), data, routing: None }
}

/// Which of these names are protected in the zones `PUB` and `PRI`, both `example.com`, and `ORG`, `example.org`.
fn protected(public: &[&str], org: &[&str], names: &[&str]) -> Vec<String> {
    let zone =
        |id, name, visibility| HostedZone { id: ZoneId::new(id), name: RecordName::new(name), visibility };
    let zones = Zones::new([
        zone("PUB", "example.com", Visibility::Public),
        zone("PRI", "example.com", Visibility::Private),
        zone("ORG", "example.org", Visibility::Public),
    ]);
    let held = |lines: &[&str]| lines.iter().map(|line| record(line)).collect::<ZoneRecords>();
    let records = BTreeMap::from([
        (ZoneId::new("PUB"), held(public)),
        (ZoneId::new("PRI"), ZoneRecords::default()),
        (ZoneId::new("ORG"), held(org)),
    ]);
    let target = Target::Hostname { ttl_seconds: 60 };
    let endpoint = Endpoint { dns_name: RecordName::new("ext.example.com"), target };
    let endpoints = Endpoints::new([(Scheme::Internal, endpoint)]);
    let protected = Protected::new(&endpoints, &zones, &records);
    let all = names.iter().flat_map(|name| {
        let zones = zones.around(&RecordName::new(name)).map(|zone| zone.id.clone()).collect::<Vec<_>>();
        zones.into_iter().map(move |zone| (zone, *name))
    });
    let found = all.filter(|(zone, name)| protected.contains(zone, &RecordName::new(name)));
    found.map(|(zone, name)| format!("{zone} {name}")).collect()
}

#[test]
fn an_endpoint_is_protected_with_all_that_leads_to_its_addresses() {
    let public = ["ext.example.com CNAME A.example.org.", "other.example.com CNAME ext.example.com"];
    let org = ["a.example.org CNAME b.example.org", "b.example.org A 192.0.2.1", "c.example.org A 192.0.2.1"];
    let names = ["ext.example.com", "other.example.com", "a.example.org", "b.example.org", "c.example.org"];
    let found = protected(&public, &org, &names);
    assert_eq!(
        found,
        ["PUB ext.example.com", "PRI ext.example.com", "ORG a.example.org", "ORG b.example.org"]
    );
}

#[test]
fn a_circle_ends() {
    let public = ["ext.example.com CNAME a.example.com", "a.example.com CNAME ext.example.com"];
    assert_eq!(protected(&public, &[], &["a.example.com"]), ["PUB a.example.com", "PRI a.example.com"]);
}

#[test]
fn a_wildcard_that_answers_for_an_endpoint_is_protected_where_it_does() {
    let public = ["ext.example.com A 192.0.2.1"];
    let names = ["*.example.com", "*.ext.example.com"];
    assert_eq!(
        protected(&public, &[], &names),
        ["PRI *.example.com"],
        "the public zone holds the name itself"
    );
    let public = ["*.example.com CNAME a.example.org"];
    let names = ["*.example.com", "a.example.org"];
    assert_eq!(
        protected(&public, &[], &names),
        ["PUB *.example.com", "PRI *.example.com", "ORG a.example.org"]
    );
}
