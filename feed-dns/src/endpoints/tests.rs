use feed_reconcile::desired::Scheme;

use super::*;

fn told_in_full() -> LoadBalancer {
    LoadBalancer {
        id: "arn".to_owned(),
        name: "lb".to_owned(),
        is_network: true,
        scheme: Some(Scheme::InternetFacing),
        dns_name: Some("LB.aws".to_owned()),
        zone_id: Some("ZLB".to_owned()),
        dual_stack: true,
        ..LoadBalancer::default()
    }
}

#[test]
fn a_load_balancer_that_is_told_in_full_is_an_endpoint() {
    let mut found = Found::default();
    add(&mut found, told_in_full());
    let target = Target::LoadBalancer { zone_id: "ZLB".into(), dual_stack: true };
    let endpoint = Endpoint { dns_name: RecordName::new("lb.aws"), target };
    assert_eq!(found, Found { endpoints: vec![(Scheme::InternetFacing, endpoint)], ..Found::default() });
}

#[test]
fn one_that_lacks_something_is_a_problem() {
    for incomplete in [
        LoadBalancer { scheme: None, ..told_in_full() },
        LoadBalancer { dns_name: None, ..told_in_full() },
        LoadBalancer { zone_id: None, ..told_in_full() },
    ] {
        let mut found = Found::default();
        add(&mut found, incomplete);
        assert_eq!(found.endpoints, []);
        assert!(found.missing[0].starts_with("The load balancer lb gets no records"), "{found:?}");
    }
}
