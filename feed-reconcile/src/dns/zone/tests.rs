use super::*;

fn zone(id: &str, name: &str, visibility: Visibility) -> HostedZone {
    HostedZone { id: ZoneId::new(id), name: RecordName::new(name), visibility }
}

#[test]
fn ids_compare_without_their_path() {
    assert_eq!(ZoneId::new("/hostedzone/Z1"), ZoneId::new("Z1"));
    assert_eq!(ZoneId::new("hostedzone/Z1").as_str(), "Z1");
}

#[test]
fn a_host_belongs_to_the_longest_name_and_to_the_zone_of_its_scheme() {
    let zones = Zones::new([
        zone("Z1", "example.com.", Visibility::Public),
        zone("Z2", "example.com", Visibility::Private),
        zone("Z3", "sub.example.com", Visibility::Public),
        zone("Z4", "example.org", Visibility::Private),
        zone("Z6", "corp.example.com", Visibility::Private),
        zone("Z5", "corp.example.com", Visibility::Private),
    ]);
    for (host, scheme, expected) in [
        ("a.example.com", Scheme::InternetFacing, Some("Z1")),
        ("a.example.com", Scheme::Internal, Some("Z2")),
        ("example.com", Scheme::Internal, Some("Z2")),
        ("*.example.com", Scheme::InternetFacing, Some("Z1")),
        ("a.b.sub.example.com", Scheme::Internal, Some("Z3")),
        ("sub.example.com", Scheme::InternetFacing, Some("Z3")),
        ("badsub.example.com", Scheme::InternetFacing, Some("Z1")),
        ("example.org", Scheme::InternetFacing, None),
        ("a.corp.example.com", Scheme::InternetFacing, Some("Z1")),
        ("a.corp.example.com", Scheme::Internal, Some("Z5 Z6")),
        ("example.org", Scheme::Internal, Some("Z4")),
        ("example.net", Scheme::Internal, None),
        ("com", Scheme::Internal, None),
    ] {
        let found: Vec<_> =
            zones.of(&RecordName::new(host), scheme).iter().map(|it| it.id.as_str()).collect();
        assert_eq!(found.join(" "), expected.unwrap_or_default(), "{host} {scheme:?}");
    }
}

#[test]
fn zones_of_one_name_are_all_kept_and_one_zone_twice_is_one() {
    let twins = Zones::new([
        zone("Z1", "example.com", Visibility::Public),
        zone("Z2", "EXAMPLE.com.", Visibility::Public),
        zone("Z3", "example.com", Visibility::Private),
        zone("/hostedzone/Z1", "example.com", Visibility::Public),
    ]);
    let labels: Vec<_> = twins.iter().map(|zone| (zone.label(), twins.has_twin(zone))).collect();
    let expected = [("example.com (Z1)", true), ("example.com (Z2)", true), ("example.com (Z3)", false)];
    assert_eq!(labels, expected.map(|(label, twin)| (label.to_owned(), twin)));

    let mut moved = twins.clone();
    moved.insert(zone("Z2", "example.org", Visibility::Public));
    assert!(!moved.has_twin(moved.get(&ZoneId::new("Z1")).unwrap()));
    assert_eq!(moved.of(&RecordName::new("a.example.com"), Scheme::InternetFacing).len(), 1);
}

#[test]
fn a_delegation_takes_what_is_at_and_below_it() {
    let record = |name: &str, kind: &str| RecordSet {
        name: RecordName::new(name),
        record_type: crate::dns::RecordType::new(kind),
        data: crate::dns::RecordData::Values { ttl_seconds: 60, values: Vec::new() },
        routing: None,
    };
    let records: ZoneRecords =
        [record("example.com", "NS"), record("sub.example.com", "NS"), record("a.b.sub.example.com", "NS")]
            .into_iter()
            .collect();
    for (name, expected) in [
        ("example.com", None),
        ("a.example.com", None),
        ("xsub.example.com", None),
        ("sub.example.com", Some("sub.example.com")),
        ("*.sub.example.com", Some("sub.example.com")),
        ("x.a.b.sub.example.com", Some("sub.example.com")),
    ] {
        let found = records.delegation(&RecordName::new(name), &RecordName::new("example.com"));
        assert_eq!(found.map(RecordName::as_str), expected, "{name}");
    }
}
