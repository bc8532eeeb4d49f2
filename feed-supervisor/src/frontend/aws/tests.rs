use super::*;

fn balancer(name: &str, scheme: Option<Scheme>, dns_name: Option<&str>) -> LoadBalancer {
    LoadBalancer {
        id: name.to_owned(),
        name: name.to_owned(),
        scheme,
        dns_name: dns_name.map(str::to_owned),
        ..LoadBalancer::default()
    }
}

#[test]
fn status_names_load_balancers_in_lower_case() {
    let listing = shown(&[balancer("a", Some(Scheme::Internal), Some("Internal-A.Elb.AWS."))]);
    let endpoint = Endpoint::Name(Host::new("internal-a.elb.aws").unwrap());
    assert_eq!(listing.endpoints, [(Scheme::Internal, endpoint)].into());
    assert_eq!(listing.remarks, [""; 0]);
}

#[test]
fn two_of_a_scheme_are_both_shown_and_remarked() {
    let scheme = Some(Scheme::InternetFacing);
    let listing = shown(&[balancer("a", scheme, Some("a.aws")), balancer("b", scheme, Some("b.aws"))]);
    assert_eq!(listing.endpoints.len(), 2);
    assert_eq!(listing.remarks, ["2 load balancers are internet-facing, and all are joined: a, b"]);
}

#[test]
fn one_that_status_cannot_name_is_remarked() {
    for nameless in [balancer("a", None, Some("a.aws")), balancer("a", Some(Scheme::Internal), None)] {
        let listing = shown(&[nameless]);
        assert!(listing.endpoints.is_empty());
        assert!(listing.remarks[0].contains("load balancer a: Ingress status cannot"), "{listing:?}");
    }
}

#[test]
fn what_was_looked_for_is_said() {
    let tags = FrontendTags { frontend: "main".to_owned(), class: "feed".to_owned() };
    assert_eq!(
        nothing_found("classic", &tags),
        "there is no classic load balancer with the tags sky.uk/KubernetesClusterFrontend=main and \
         sky.uk/KubernetesClusterIngressClass=feed"
    );
}
