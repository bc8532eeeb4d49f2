use super::*;

fn described(scheme: Option<&str>, dns_name: Option<&str>, zone_id: Option<&str>) -> Described {
    let text = |text: Option<&str>| text.map(str::to_owned);
    Described {
        id: "arn".to_owned(),
        name: "lb".to_owned(),
        scheme: text(scheme),
        dns_name: text(dns_name),
        zone_id: text(zone_id),
        dual_stack: true,
    }
}

#[test]
fn a_load_balancer_that_is_told_in_full_is_an_endpoint() {
    let mut found = Found::default();
    found.add(described(Some("internet-facing"), Some("LB.aws"), Some("ZLB")));
    let target = Target::LoadBalancer { zone_id: "ZLB".into(), dual_stack: true };
    let endpoint = Endpoint { dns_name: RecordName::new("lb.aws"), target };
    assert_eq!(found, Found { endpoints: vec![(Scheme::InternetFacing, endpoint)], problems: vec![] });
}

#[test]
fn one_that_lacks_something_is_a_problem() {
    for incomplete in [
        described(None, Some("lb.aws"), Some("ZLB")),
        described(Some("sideways"), Some("lb.aws"), Some("ZLB")),
        described(Some("internal"), None, Some("ZLB")),
        described(Some("internal"), Some(""), Some("ZLB")),
        described(Some("internal"), Some("lb.aws"), None),
    ] {
        let mut found = Found::default();
        found.add(incomplete);
        assert_eq!(found.endpoints, []);
        assert!(found.problems[0].starts_with("The load balancer lb gets no records"), "{found:?}");
    }
}
