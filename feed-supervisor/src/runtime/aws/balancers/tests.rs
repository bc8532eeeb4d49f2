use aws_sdk_elasticloadbalancingv2::types::LoadBalancerSchemeEnum;

use super::*;

#[test]
fn what_aws_leaves_out_or_empty_is_not_there() {
    let empty = classic::types::LoadBalancerDescription::builder();
    let empty = empty.load_balancer_name("a").dns_name("").scheme("sideways").build();
    let expected = LoadBalancer { id: "a".to_owned(), name: "a".to_owned(), ..LoadBalancer::default() };
    assert_eq!(describe_classic(&empty), expected);
}

#[test]
fn a_network_load_balancer_is_told_in_full() {
    let whole = v2::types::LoadBalancer::builder()
        .load_balancer_arn("arn")
        .load_balancer_name("a")
        .r#type(LoadBalancerTypeEnum::Network)
        .scheme(LoadBalancerSchemeEnum::InternetFacing)
        .dns_name("a.aws")
        .canonical_hosted_zone_id("Z1")
        .ip_address_type(IpAddressType::Dualstack)
        .build();
    let expected = LoadBalancer {
        id: "arn".to_owned(),
        name: "a".to_owned(),
        is_network: true,
        scheme: Some(Scheme::InternetFacing),
        dns_name: Some("a.aws".to_owned()),
        zone_id: Some("Z1".to_owned()),
        dual_stack: true,
        ..LoadBalancer::default()
    };
    assert_eq!(describe_v2(&whole), expected);
}
