use std::sync::Arc;

use feed_reconcile::desired::Scheme;
use feed_reconcile::dns::{Endpoint, RecordData, RecordSet, RecordType, Target, Visibility};
use k8s_openapi::api::networking::v1::{Ingress, IngressRule, IngressSpec};

use super::*;
use crate::fake::{FakeBalancers, FakeZone, failure};

fn zone(id: &str, name: &str) -> HostedZone {
    HostedZone { id: ZoneId::new(id), name: RecordName::new(name), visibility: Visibility::Public }
}

fn balancer(dns_name: &str) -> Endpoint {
    let target = Target::LoadBalancer { zone_id: "ZLB".into(), dual_stack: false };
    Endpoint { dns_name: RecordName::new(dns_name), target }
}

fn found(dns_names: &[&str]) -> Found {
    let endpoints = dns_names.iter().map(|name| (Scheme::Internal, balancer(name))).collect();
    Found { endpoints, problems: Vec::new() }
}

fn alias(name: &str, target: &str) -> RecordSet {
    balancer(target).records(&RecordName::new(name)).remove(0)
}

fn cluster(hosts: &[&str]) -> ClusterSnapshot {
    let ingresses = hosts.iter().map(|host| {
        let mut ingress = Ingress::default();
        ingress.metadata.name = Some(host.replace('*', "star"));
        ingress.metadata.namespace = Some("ns".to_owned());
        ingress.metadata.annotations =
            Some([("sky.uk/frontend-scheme".to_owned(), "internal".to_owned())].into());
        let rule = IngressRule { host: Some((*host).to_owned()), http: None };
        ingress.spec = Some(IngressSpec { rules: Some(vec![rule]), ..IngressSpec::default() });
        Arc::new(ingress)
    });
    ClusterSnapshot { ingresses: ingresses.collect(), ..ClusterSnapshot::default() }
}

struct World {
    com: FakeZone,
    org: FakeZone,
    balancers: FakeBalancers,
    keeper: Keeper<FakeZone, FakeBalancers>,
}

fn world(com: &[RecordSet]) -> World {
    let (com, org) = (FakeZone::new(com.to_vec()), FakeZone::new([]));
    let balancers = FakeBalancers::default();
    balancers.0.lock().unwrap().push_back(Ok(found(&["lb.aws"])));
    let zones = Zones::new([zone("ZCOM", "example.com"), zone("ZORG", "example.org")]).unwrap();
    let remote = [(ZoneId::new("ZCOM"), com.clone()), (ZoneId::new("ZORG"), org.clone())].into();
    let policy = Policy { adoption: Adoption::default(), max_deletion_percent: 50 };
    let frontends = Frontends::Discovered(balancers.clone(), Wanted::default());
    World { com, org, balancers, keeper: Keeper::new(zones, remote, frontends, policy) }
}

impl World {
    /// One pass; what failed, and the refusals.
    async fn pass(&mut self, hosts: &[&str]) -> (Vec<CallError>, Vec<String>) {
        let looked = self.keeper.look().await;
        let mut failures: Vec<_> = looked.into_iter().map(|failure| failure.error).collect();
        let decision = self.keeper.decide(&cluster(hosts));
        let problems = decision.problems.iter().map(|problem| problem.diagnostic.message.clone()).collect();
        for outcome in self.keeper.carry_out(decision.plan, || true).await {
            failures.extend(outcome.applied.failure);
        }
        (failures, problems)
    }
}

const NOTHING: (Vec<CallError>, Vec<String>) = (Vec::new(), Vec::new());

#[tokio::test]
async fn a_change_costs_one_call_and_no_change_none() {
    let mut world = world(&[alias("old.example.com", "lb.aws")]);
    assert_eq!(world.pass(&["a.example.com", "b.example.com", "a.example.org"]).await, NOTHING);
    assert_eq!(world.com.calls(), ["list", "a.example.com b.example.com old.example.com"]);
    assert_eq!(world.org.calls(), ["list", "a.example.org"]);

    assert_eq!(world.pass(&["a.example.com", "b.example.com", "a.example.org"]).await, NOTHING);
    assert_eq!(world.pass(&["a.example.com", "*.example.com", "a.example.org"]).await, NOTHING);
    assert_eq!(world.com.calls(), ["*.example.com b.example.com"]);
    assert_eq!(world.org.calls(), [""; 0]);

    world.keeper.forget();
    assert_eq!(world.pass(&["a.example.com", "*.example.com", "a.example.org"]).await, NOTHING);
    assert_eq!((world.com.calls(), world.org.calls()), (vec!["list".to_owned()], vec!["list".to_owned()]));
}

#[tokio::test]
async fn a_zone_that_cannot_be_listed_does_not_hold_up_the_others() {
    let mut world = world(&[]);
    world.com.with(|state| state.failures = [failure("AccessDenied")].into());
    assert_eq!(world.pass(&["a.example.com", "a.example.org"]).await.0, [failure("AccessDenied")]);
    assert_eq!(world.org.calls(), ["list", "a.example.org"]);
    assert_eq!(world.keeper.troubles().collect::<Vec<_>>(), [&failure("AccessDenied")]);
    assert!(!world.keeper.knows_everything());
    assert_eq!(world.pass(&["a.example.com", "a.example.org"]).await, NOTHING);
    assert_eq!(world.keeper.troubles().count(), 0);
    assert!(world.keeper.knows_everything());
    assert_eq!(world.com.calls(), ["list", "list", "a.example.com"]);
    assert_eq!(world.org.calls(), [""; 0]);
}

#[tokio::test]
async fn after_a_failed_change_the_zone_is_listed_again() {
    let mut world = world(&[]);
    assert_eq!(world.pass(&[]).await, NOTHING);
    world.com.with(|state| state.failures = [failure("Throttling")].into());
    assert_eq!(world.pass(&["a.example.com"]).await.0, [failure("Throttling")]);
    assert_eq!(world.pass(&["a.example.com"]).await, NOTHING);
    assert_eq!(world.com.calls(), ["list", "a.example.com", "list", "a.example.com"]);
    assert_eq!(world.org.calls(), ["list"]);
}

#[tokio::test]
async fn a_record_that_somebody_made_meanwhile_is_refused_then_seen() {
    let mut world = world(&[]);
    assert_eq!(world.pass(&[]).await, NOTHING);
    world.com.with(|state| state.records = [alias("a.example.com", "other.aws")].into_iter().collect());
    assert_eq!(world.pass(&["a.example.com"]).await, NOTHING);
    assert_eq!(
        world.com.with(|state| state.records.clone()),
        [alias("a.example.com", "other.aws")].into_iter().collect()
    );
    assert_eq!(world.pass(&["a.example.com"]).await, NOTHING);
    assert_eq!(
        world.com.with(|state| state.records.clone()),
        [alias("a.example.com", "lb.aws")].into_iter().collect()
    );
    assert_eq!(world.com.calls(), ["list", "a.example.com", "list", "a.example.com"]);
}

#[tokio::test]
async fn what_was_refused_is_told_and_not_sent_again_until_everything_is_forgotten() {
    let mut world = world(&[]);
    world.com.with(|state| state.refused = ["a.example.com".to_owned()].into());
    assert_eq!(world.pass(&["a.example.com", "b.example.com"]).await, NOTHING);
    let told = vec!["Route 53 refuses to change `a.example.com`: name='a.example.com.'".to_owned()];
    for _ in 0..3 {
        assert_eq!(world.pass(&["a.example.com", "b.example.com"]).await, (Vec::new(), told.clone()));
    }
    let first = ["list", "a.example.com b.example.com", "b.example.com", "a.example.com"];
    assert_eq!(world.com.calls(), [first.as_slice(), &["list"]].concat());

    world.keeper.forget();
    world.com.with(|state| state.refused.clear());
    assert_eq!(world.pass(&["a.example.com", "b.example.com"]).await, NOTHING);
    assert_eq!(world.com.calls(), ["list", "a.example.com"]);
}

#[tokio::test]
async fn load_balancers_that_cannot_be_looked_up_are_those_found_last() {
    let mut world = world(&[]);
    *world.balancers.0.lock().unwrap() =
        [Err(failure("Throttling")), Ok(found(&["b.aws", "a.aws"])), Err(failure("Throttling"))].into();
    assert_eq!(world.pass(&["a.example.com"]).await.0, [failure("Throttling")]);
    assert_eq!(world.com.calls(), ["list"], "nothing is decided before they are known");

    assert_eq!(world.pass(&["a.example.com"]).await, NOTHING);
    let problems = &world.keeper.endpoints().unwrap().1;
    assert_eq!(
        problems,
        &[
            "b.aws gets no records, since a.aws is internal too and comes first by name: tag one of them only."
        ]
    );

    world.keeper.forget();
    assert_eq!(world.pass(&["a.example.com", "b.example.com"]).await.0, [failure("Throttling")]);
    let targets = world.com.with(|state| {
        state.records.iter().map(|record| record.data.target().unwrap().to_string()).collect::<Vec<_>>()
    });
    assert_eq!(targets, ["a.aws", "a.aws"]);
}

#[tokio::test]
async fn a_foreign_record_is_never_touched() {
    let values = RecordData::Values { ttl_seconds: 60, values: vec!["192.0.2.1".to_owned()] };
    let foreign = RecordSet {
        name: RecordName::new("foreign.example.com"),
        record_type: RecordType::A,
        data: values,
        routing: None,
    };
    let mut world = world(&[foreign.clone(), alias("gone.example.com", "lb.aws")]);
    assert_eq!(world.pass(&["a.example.org"]).await, NOTHING);
    assert_eq!(world.com.with(|state| state.records.clone()), [foreign].into_iter().collect());
}
