use super::RecordName;

#[test]
fn spellings_of_one_name_are_equal() {
    for (spelling, name) in [
        ("example.com", "example.com"),
        ("example.com.", "example.com"),
        ("EXAMPLE.Com.", "example.com"),
        (r"\052.example.com.", "*.example.com"),
        ("*.Example.com", "*.example.com"),
        (r"a\041.example.com.", r"a\041.example.com"),
        ("_dmarc.example.com.", "_dmarc.example.com"),
        (".", ""),
    ] {
        assert_eq!(RecordName::new(spelling).as_str(), name, "{spelling}");
        assert_eq!(RecordName::new(name), RecordName::new(spelling));
    }
}

#[test]
fn a_name_lies_in_a_zone_by_whole_labels() {
    for (name, zone, is_in) in [
        ("example.com", "example.com.", true),
        ("a.example.com", "example.com", true),
        (r"\052.example.com.", "example.com", true),
        ("a.b.EXAMPLE.com", "example.com", true),
        ("badexample.com", "example.com", false),
        ("com", "example.com", false),
        ("example.com.org", "example.com", false),
    ] {
        assert_eq!(RecordName::new(name).is_in(&RecordName::new(zone)), is_in, "{name} in {zone}");
    }
}

#[test]
fn ancestors_are_ever_shorter() {
    let name = RecordName::new("*.a.example.com");
    assert_eq!(
        name.ancestors().collect::<Vec<_>>(),
        ["*.a.example.com", "a.example.com", "example.com", "com"]
    );
}

#[test]
fn dualstack_is_only_a_prefix() {
    let plain = RecordName::new("lb-1.eu-west-1.elb.amazonaws.com");
    assert_eq!(RecordName::new("dualstack.LB-1.eu-west-1.elb.amazonaws.com.").without_dualstack(), plain);
    assert_eq!(plain.without_dualstack(), plain);
    assert_eq!(RecordName::new("dualstacks.x").without_dualstack().as_str(), "dualstacks.x");
}
