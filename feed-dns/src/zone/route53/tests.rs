use aws_sdk_route53::error::ErrorMetadata;
use aws_sdk_route53::types::builders::ResourceRecordSetBuilder;
use aws_sdk_route53::types::error::{InvalidChangeBatch, InvalidInput};
use aws_sdk_route53::types::{
    AliasTarget, CidrRoutingConfig, GeoLocation, GeoProximityLocation, ResourceRecordSetFailover,
    ResourceRecordSetRegion,
};
use feed_reconcile::dns::NameChange;

use super::*;

fn listed(edit: impl FnOnce(ResourceRecordSetBuilder) -> ResourceRecordSetBuilder) -> RecordSet {
    let set = ResourceRecordSet::builder().name(r"\052.Example.com.").r#type(RrType::A);
    record_set(&edit(set).build().unwrap())
}

#[test]
fn a_listed_record_says_what_it_says() {
    let value = |text: &str| ResourceRecord::builder().value(text).build().unwrap();
    let values =
        listed(|set| set.ttl(60).resource_records(value("192.0.2.1")).resource_records(value("192.0.2.2")));
    assert_eq!(values.name.as_str(), "*.example.com");
    let expected = vec!["192.0.2.1".to_owned(), "192.0.2.2".to_owned()];
    assert_eq!(values.data, RecordData::Values { ttl_seconds: 60, values: expected });
    assert_eq!(values.routing, None);

    let target =
        AliasTarget::builder().hosted_zone_id("ZLB").dns_name("LB.aws.").evaluate_target_health(true);
    let alias = listed(|set| set.alias_target(target.build().unwrap()));
    let (dns_name, zone_id) = ("LB.aws.".to_owned(), "ZLB".to_owned());
    assert_eq!(alias.data, RecordData::Alias { dns_name, zone_id, evaluate_target_health: true });

    let text = listed(|set| set.r#type(RrType::Txt).ttl(60).resource_records(value("\"long\"")));
    assert_eq!(
        text.data,
        RecordData::Values { ttl_seconds: 60, values: vec![] },
        "not kept, as never changed"
    );
}

#[test]
fn every_routing_policy_is_seen() {
    let seen = |edit: fn(ResourceRecordSetBuilder) -> ResourceRecordSetBuilder| {
        listed(|set| edit(set.set_identifier("one"))).routing
    };
    let cases = [
        (seen(|set| set.weight(0)), RoutingPolicy::Weighted),
        (seen(|set| set.region(ResourceRecordSetRegion::EuWest1)), RoutingPolicy::Latency),
        (seen(|set| set.failover(ResourceRecordSetFailover::Primary)), RoutingPolicy::Failover),
        (seen(|set| set.geo_location(GeoLocation::builder().build())), RoutingPolicy::Geolocation),
        (
            seen(|set| set.geo_proximity_location(GeoProximityLocation::builder().build())),
            RoutingPolicy::Geoproximity,
        ),
        (
            seen(|set| {
                let config = CidrRoutingConfig::builder().collection_id("c").location_name("*").build();
                set.cidr_routing_config(config.unwrap())
            }),
            RoutingPolicy::IpBased,
        ),
        (seen(|set| set.multi_value_answer(true)), RoutingPolicy::MultivalueAnswer),
        (seen(|set| set.traffic_policy_instance_id("t")), RoutingPolicy::TrafficPolicy),
        (seen(|set| set), RoutingPolicy::Other),
        (listed(|set| set.health_check_id("h")).routing, RoutingPolicy::Other),
    ];
    for (found, expected) in cases {
        assert_eq!(found, Some(expected));
    }
}

#[test]
fn a_batch_is_written_in_route_53s_words() {
    let change = |action, record_type, data| Change {
        action,
        record: RecordSet { name: RecordName::new("*.example.com"), record_type, data, routing: None },
    };
    let alias = RecordData::Alias {
        dns_name: "lb.aws".to_owned(),
        zone_id: "ZLB".to_owned(),
        evaluate_target_health: false,
    };
    let cname = RecordData::Values { ttl_seconds: 300, values: vec!["lb.example.net".to_owned()] };
    let changes = vec![
        change(Action::Delete, RecordType::Cname, cname),
        change(Action::Create, RecordType::A, alias.clone()),
        change(Action::Upsert, RecordType::Aaaa, alias),
    ];
    let name = RecordName::new("*.example.com");
    let batch = change_batch(&Batch { changes: vec![NameChange { name, changes, ingress: None }] }).unwrap();
    let written: Vec<_> = batch
        .changes()
        .iter()
        .map(|change| {
            let set = change.resource_record_set().unwrap();
            format!("{} {} {}", change.action(), set.name(), set.r#type())
        })
        .collect();
    assert_eq!(
        written,
        ["DELETE *.example.com CNAME", "CREATE *.example.com A", "UPSERT *.example.com AAAA"]
    );
    let set = batch.changes()[0].resource_record_set().unwrap();
    assert_eq!((set.ttl(), set.resource_records()[0].value()), (Some(300), "lb.example.net"));
    let target = batch.changes()[1].resource_record_set().unwrap().alias_target().unwrap();
    assert_eq!(
        (target.hosted_zone_id(), target.dns_name(), target.evaluate_target_health()),
        ("ZLB", "lb.aws", false)
    );
}

fn answered(
    error: ChangeResourceRecordSetsError,
    body: &'static str,
) -> SdkError<ChangeResourceRecordSetsError> {
    let raw = aws_sdk_route53::config::http::HttpResponse::new(400.try_into().unwrap(), body.into());
    SdkError::service_error(error, raw)
}

#[test]
fn a_refusal_is_understood_in_both_forms() {
    let wrapped = InvalidChangeBatch::builder().message("[Tried to create a, Tried to delete b]").build();
    let wrapped = ChangeResourceRecordSetsError::InvalidChangeBatch(wrapped);
    assert_eq!(refusal(&answered(wrapped, "")).unwrap(), ["[Tried to create a, Tried to delete b]"]);

    let unknown = || ChangeResourceRecordSetsError::generic(ErrorMetadata::builder().build());
    let document = "<?xml version=\"1.0\"?>\n<InvalidChangeBatch xmlns=\"https://route53.amazonaws.com/doc/2013-04-01/\">\
        <Messages><Message>Tried to create [name=&apos;a.&apos;]</Message><Message>b &amp;lt; c</Message></Messages>\
        </InvalidChangeBatch>";
    assert_eq!(refusal(&answered(unknown(), document)).unwrap(), ["Tried to create [name='a.']", "b &lt; c"]);
    assert_eq!(refusal(&answered(unknown(), "<InvalidChangeBatch/>")).unwrap(), ["no reason is given"]);
}

#[test]
fn other_errors_are_no_refusals() {
    let input = ChangeResourceRecordSetsError::InvalidInput(InvalidInput::builder().message("no").build());
    assert_eq!(refusal(&answered(input, "<ErrorResponse/>")), None);
    assert_eq!(refusal(&SdkError::timeout_error("late")), None);
}
