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
    ])
    .unwrap();
    for (host, scheme, expected) in [
        ("a.example.com", Scheme::InternetFacing, Some("Z1")),
        ("a.example.com", Scheme::Internal, Some("Z2")),
        ("example.com", Scheme::Internal, Some("Z2")),
        ("*.example.com", Scheme::InternetFacing, Some("Z1")),
        ("a.b.sub.example.com", Scheme::Internal, Some("Z3")),
        ("sub.example.com", Scheme::InternetFacing, Some("Z3")),
        ("badsub.example.com", Scheme::InternetFacing, Some("Z1")),
        ("example.org", Scheme::InternetFacing, Some("Z4")),
        ("example.net", Scheme::Internal, None),
        ("com", Scheme::Internal, None),
    ] {
        let found = zones.of(&RecordName::new(host), scheme).map(|zone| zone.id.as_str());
        assert_eq!(found, expected, "{host} {scheme:?}");
    }
}

#[test]
fn two_zones_for_the_same_hosts_are_refused_and_one_zone_twice_is_one() {
    let conflict = Zones::new([
        zone("Z1", "example.com", Visibility::Public),
        zone("Z2", "EXAMPLE.com.", Visibility::Public),
    ]);
    insta::assert_snapshot!(conflict.unwrap_err(), @"the hosted zones Z1 and Z2 are both public zones of example.com, so a host would belong to both: give one of them");

    let twice = Zones::new([
        zone("Z1", "example.com", Visibility::Public),
        zone("/hostedzone/Z1", "example.com", Visibility::Public),
    ]);
    assert_eq!(twice.unwrap().iter().count(), 1);
}
