use super::*;

fn entry(name: &str, value: &str) -> RecordSet {
    let data = RecordData::Values { ttl_seconds: 300, values: vec![value.to_owned()] };
    RecordSet { name: RecordName::new(name), record_type: RecordType::Txt, data, routing: None }
}

fn address(kind: &str, name: &str) -> RecordSet {
    let data = match kind {
        "CNAME" => RecordData::Values { ttl_seconds: 300, values: vec!["lb".to_owned()] },
        _ => RecordData::Alias {
            dns_name: "lb".to_owned(),
            zone_id: "Z".to_owned(),
            evaluate_target_health: false,
        },
    };
    RecordSet { name: RecordName::new(name), record_type: RecordType::new(kind), data, routing: None }
}

fn us() -> OwnerId {
    OwnerId::new("us").unwrap()
}

fn owned(kind: &str, name: &str, entries: &[RecordSet]) -> String {
    let records: ZoneRecords = entries.iter().cloned().collect();
    match owner(&records, &RecordName::new("example.com"), &address(kind, name), &us()) {
        Owned::Nobody => "nobody".to_owned(),
        Owned::Another(owner) => owner,
        Owned::Us(entries) => entries.iter().map(|entry| entry.name.as_str()).collect::<Vec<_>>().join(" "),
    }
}

const OURS: &str = "\"heritage=external-dns,external-dns/owner=us,external-dns/resource=ingress/ns/web\"";

#[test]
fn an_entry_is_written_beside_its_record() {
    let zone = RecordName::new("example.com");
    let written = |name: &str, kind: &str| {
        let ingress = ObjectName::new("ns", "web");
        us().entry(&RecordName::new(name), &RecordType::new(kind), &zone, &ingress)
    };
    assert_eq!(written("www.example.com", "A"), entry("a-www.example.com", OURS));
    assert_eq!(written("*.example.com", "CNAME"), entry("cname-*.example.com", OURS));
    assert_eq!(written("example.com", "AAAA").name, zone);
}

#[test]
fn a_long_value_is_several_strings_and_is_understood() {
    let ingress = ObjectName::new(&"n".repeat(63), &"i".repeat(253));
    let name = RecordName::new("a.example.com");
    let written = us().entry(&name, &RecordType::A, &RecordName::new("example.com"), &ingress);
    let RecordData::Values { values, .. } = &written.data else { panic!("{written:?}") };
    assert!(
        values[0].split(' ').count() == 2 && values[0].split(' ').all(|it| it.len() <= 257),
        "{values:?}"
    );
    assert_eq!(owned("A", "a.example.com", &[written]), "a-a.example.com");
}

#[test]
fn what_could_end_a_string_is_not_written() {
    let ingress = ObjectName::new("ns", "x\",external-dns/owner=other");
    let written = us().entry(&RecordName::new("a.b"), &RecordType::A, &RecordName::new("b"), &ingress);
    assert_eq!(written, entry("a-a.b", "\"heritage=external-dns,external-dns/owner=us\""));
    for text in ["", "a,b", "a b", "a\"", "a=b", &"x".repeat(101)] {
        assert_eq!(OwnerId::new(text), Err(InvalidOwnerId), "{text}");
    }
}

#[test]
fn entries_of_all_ages_are_understood() {
    let theirs = OURS.replace("owner=us", "owner=them");
    let service = OURS.replace("ingress/", "service/");
    let cases = [
        ("A", "a-www.example.com", OURS, "a-www.example.com"),
        ("A", "cname-www.example.com", OURS, "cname-www.example.com"),
        ("A", "www.example.com", OURS, "www.example.com"),
        ("AAAA", "aaaa-www.example.com", OURS, "aaaa-www.example.com"),
        ("AAAA", "www.example.com", OURS, "nobody"),
        ("AAAA", "a-www.example.com", OURS, "nobody"),
        ("CNAME", "cname-www.example.com", OURS, "cname-www.example.com"),
        ("CNAME", "a-www.example.com", OURS, "nobody"),
        ("A", "a-www.example.com", &theirs, "them for ingress/ns/web"),
        ("A", "a-www.example.com", &service, "us for service/ns/web"),
        ("A", "a-www.example.com", "\"some other text\"", "nobody"),
        ("A", "a-other.example.com", OURS, "nobody"),
    ];
    for (kind, name, value, expected) in cases {
        assert_eq!(owned(kind, "www.example.com", &[entry(name, value)]), expected, "{kind} {name} {value}");
    }
    assert_eq!(owned("AAAA", "example.com", &[entry("example.com", OURS)]), "example.com");
    let both = [entry("a-www.example.com", OURS), entry("www.example.com", OURS)];
    assert_eq!(owned("A", "www.example.com", &both), "a-www.example.com www.example.com");
}
