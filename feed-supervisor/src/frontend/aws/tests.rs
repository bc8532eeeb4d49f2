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

fn tagged(name: &str, tags: &[(&str, &str)]) -> LoadBalancer {
    let tags = tags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    LoadBalancer { tags, ..balancer(name, None, None) }
}

#[test]
fn what_was_looked_for_is_said_and_near_misses_are_named() {
    let tags = FrontendTags { frontend: "main".to_owned(), class: "feed".to_owned() };
    let others = [
        tagged("strange", &[(FRONTEND_TAG, "other")]),
        tagged("classless", &[(FRONTEND_TAG, "main")]),
        tagged("misspelt", &[(FRONTEND_TAG, "mian"), (CLASS_TAG, "feed")]),
    ];
    let text = "there is no classic load balancer in eu-west-1 with the tags \
                sky.uk/KubernetesClusterFrontend=main and sky.uk/KubernetesClusterIngressClass=feed";
    assert_eq!(nothing_found("classic", "eu-west-1", &tags, &others[..1]), text);
    let near = "; one of both has classless (without sky.uk/KubernetesClusterIngressClass), \
                misspelt (its sky.uk/KubernetesClusterFrontend is mian)";
    assert_eq!(nothing_found("classic", "eu-west-1", &tags, &others), format!("{text}{near}"));
}

#[test]
fn a_lost_tag_is_told() {
    let pairs = [(FRONTEND_TAG, "main"), (CLASS_TAG, "feed")];
    let balancer = tagged("edge", &[(FRONTEND_TAG, "main"), (CLASS_TAG, "other")]);
    let told = tag_lost(&balancer, &pairs);
    let expected = "the load balancer edge has lost its tag sky.uk/KubernetesClusterIngressClass=feed \
                    (its sky.uk/KubernetesClusterIngressClass is other): it is kept";
    assert!(told.starts_with(expected), "{told}");
}

#[test]
fn lasting_errors_come_with_advice() {
    for (operation, code, expected) in [
        ("RegisterTargets of web", "AccessDenied", "allow elasticloadbalancing:RegisterTargets)"),
        ("RegisterTargets of web", "TooManyTargets", "raise this quota"),
        ("RegisterTargets of web", "InvalidTarget", "see --instance-id and --instance-ip"),
    ] {
        let (code, message) = (Some(code.to_owned()), "no".to_owned());
        let failure =
            Failure::from(CallError { operation: operation.to_owned(), code, message, refused: true });
        assert!(failure.why.contains(expected), "{failure:?}");
    }
}
