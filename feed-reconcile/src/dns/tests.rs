//! Properties of the whole: what is planned, carried out by a model of Route 53.

use std::collections::{BTreeMap, BTreeSet};

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use proptest::sample::select;

use super::model::ModelZone;
use super::*;
use crate::desired::{IngressSummary, Scheme};
use crate::host::Host;
use crate::key::ObjectName;

const HOSTS: [&str; 9] = [
    "example.com",
    "*.example.com",
    "a.example.com",
    "b.example.com",
    "sub.example.com",
    "a.sub.example.com",
    "*.sub.example.com",
    "a.example.org",
    "nowhere.net",
];

fn zones() -> Zones {
    let zone =
        |id, name, visibility| HostedZone { id: ZoneId::new(id), name: RecordName::new(name), visibility };
    Zones::new([
        zone("ZPUBLIC", "example.com", Visibility::Public),
        zone("ZPRIVATE", "example.com", Visibility::Private),
        zone("ZSUB", "sub.example.com", Visibility::Public),
        zone("ZORG", "example.org", Visibility::Public),
    ])
}

fn scheme() -> impl Strategy<Value = Scheme> {
    select(vec![Scheme::Internal, Scheme::InternetFacing])
}

fn endpoint() -> impl Strategy<Value = Endpoint> {
    let target = prop_oneof![
        any::<bool>().prop_map(|dual_stack| Target::LoadBalancer { zone_id: "ZLB".into(), dual_stack }),
        Just(Target::Hostname { ttl_seconds: 300 }),
    ];
    (select(vec!["one.lb", "two.lb"]), target)
        .prop_map(|(name, target)| Endpoint { dns_name: RecordName::new(name), target })
}

fn endpoints() -> impl Strategy<Value = Endpoints> {
    vec((scheme(), endpoint()), 0..3).prop_map(Endpoints::new)
}

fn ingresses() -> impl Strategy<Value = BTreeMap<ObjectName, IngressSummary>> {
    let hosts = vec(select(HOSTS.as_slice()), 0..4);
    let summary = (proptest::option::of(scheme()), hosts, 0_i128..3).prop_map(|(scheme, hosts, created)| {
        let hosts: BTreeSet<Host> = hosts.into_iter().map(|host| Host::new(host).unwrap()).collect();
        IngressSummary { scheme, routes: 1, hosts: hosts.into_iter().collect(), created: Some(created) }
    });
    btree_map("[a-d]".prop_map(|name| ObjectName::new("ns", &name)), summary, 0..5)
}

fn data() -> impl Strategy<Value = RecordData> {
    let target = select(vec!["one.lb", "two.lb.", "DUALSTACK.one.lb", "foreign.lb"]);
    prop_oneof![
        (target.clone(), any::<bool>()).prop_map(|(target, evaluate_target_health)| RecordData::Alias {
            dns_name: target.to_owned(),
            zone_id: "ZLB".to_owned(),
            evaluate_target_health,
        }),
        (select(vec![60, 300]), vec(target, 1..3)).prop_map(|(ttl_seconds, values)| RecordData::Values {
            ttl_seconds,
            values: values.into_iter().map(str::to_owned).collect(),
        }),
    ]
}

/// A zone that Route 53 could hold: a CNAME is alone and not at the apex, a routing policy is the type's only one.
fn model_zone(zone: HostedZone) -> impl Strategy<Value = (HostedZone, ModelZone)> {
    let hosts: Vec<&str> = HOSTS.into_iter().filter(|host| RecordName::new(host).is_in(&zone.name)).collect();
    let routing =
        proptest::option::weighted(0.2, select(vec![RoutingPolicy::Weighted, RoutingPolicy::Latency]));
    let record = (select(hosts), select(vec!["A", "AAAA", "CNAME", "TXT", "MX"]), data(), routing).prop_map(
        |(name, record_type, data, routing)| RecordSet {
            name: RecordName::new(name),
            record_type: RecordType::new(record_type),
            data,
            routing,
        },
    );
    vec(record, 0..9).prop_map(move |records| {
        let mut kept: Vec<RecordSet> = Vec::new();
        for record in records {
            let clash = kept.iter().filter(|other| other.name == record.name).any(|other| {
                other.record_type == record.record_type
                    || [&other.record_type, &record.record_type].contains(&&RecordType::Cname)
            });
            let at_apex = record.record_type == RecordType::Cname && record.name == zone.name;
            if !clash && !at_apex {
                kept.push(record);
            }
        }
        (zone.clone(), ModelZone::new(kept))
    })
}

fn model() -> impl Strategy<Value = BTreeMap<ZoneId, (HostedZone, ModelZone)>> {
    let zones: Vec<_> = zones().iter().cloned().map(model_zone).collect();
    zones.prop_map(|zones| zones.into_iter().map(|zone| (zone.0.id.clone(), zone)).collect())
}

fn listed(model: &BTreeMap<ZoneId, (HostedZone, ModelZone)>) -> BTreeMap<ZoneId, ZoneRecords> {
    model.iter().map(|(id, (_, zone))| (id.clone(), zone.listed())).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn a_plan_carried_out_gives_what_is_desired_and_nothing_else(
        mut model in model(),
        ingresses in ingresses(),
        endpoints in endpoints(),
        records_a_call in 1_usize..6,
    ) {
        let zones = zones();
        let rules = Rules { max_deletion_percent: 50, owner: None };
        let before = listed(&model);
        let (desired, _) = desired(&ingresses, &zones, &endpoints, Unopened::None);
        let planned = plan(&desired, &before, &zones, &endpoints, &rules);

        let mut remembered = before.clone();
        for (id, changes) in &planned.zones {
            let (zone, model) = model.get_mut(id).unwrap();
            let limits = BatchLimits { records: records_a_call, ..BatchLimits::default() };
            for batch in batches(changes.clone(), limits) {
                prop_assert_eq!(model.change(&zone.name, &batch), Ok(()), "Route 53 accepts every call");
                batch.changes.iter().for_each(|change| remembered.get_mut(id).unwrap().apply(change));
            }
        }

        let after = listed(&model);
        let again = plan(&desired, &after, &zones, &endpoints, &rules);
        prop_assert_eq!(&again.zones, &BTreeMap::new(), "nothing is left to do");
        let from_memory = plan(&desired, &remembered, &zones, &endpoints, &rules);
        prop_assert_eq!(&from_memory.zones, &BTreeMap::new(), "what is remembered is what is there");

        for zone in zones.iter() {
            let wanted = desired.zones.get(&zone.id).cloned().unwrap_or_default();
            let (before, after) = (&before[&zone.id], &after[&zone.id]);
            check_zone(zone, &wanted, &desired.kept, before, after, &endpoints, &planned)?;
        }
    }

    #[test]
    fn the_order_of_ingresses_changes_nothing(ingresses in ingresses(), endpoints in endpoints()) {
        let forwards = desired(ingresses.iter(), &zones(), &endpoints, Unopened::None);
        let backwards = desired(ingresses.iter().rev(), &zones(), &endpoints, Unopened::None);
        prop_assert_eq!(forwards, backwards);
    }

    #[test]
    fn names_of_any_bytes_are_names(text in ".*") {
        let name = RecordName::new(&text);
        prop_assert!(name.is_in(&name));
        prop_assert!(name.ancestors().count() >= 1);
    }
}

/// Every name leads where it should, unless a problem says why not; what is not ours is as it was.
fn check_zone(
    zone: &HostedZone,
    wanted: &BTreeMap<RecordName, DesiredName>,
    kept: &BTreeSet<RecordName>,
    before: &ZoneRecords,
    after: &ZoneRecords,
    endpoints: &Endpoints,
    planned: &Plan,
) -> Result<(), TestCaseError> {
    let in_zone = planned.problems.iter().filter(|problem| problem.zone.as_ref() == Some(&zone.id));
    let untouchable: Vec<String> = in_zone.map(|problem| problem.diagnostic.message.clone()).collect();
    let is_problem =
        |name: &RecordName| untouchable.iter().any(|text| text.starts_with(&format!("`{name}`")));
    for (name, wanted) in wanted {
        let unreadable = wanted.caution.is_some() && before.at(name).iter().any(|it| endpoints.own(it));
        match &wanted.endpoint {
            Some(endpoint) if !is_problem(name) && !unreadable => {
                let endpoint = endpoints.in_use(wanted.scheme, before.at(name)).unwrap_or(endpoint);
                let expected = endpoint.records(name);
                let addresses: Vec<_> =
                    after.at(name).iter().filter(|record| record.record_type.is_address()).collect();
                prop_assert_eq!(addresses.len(), expected.len());
                for record in expected {
                    let same = |other: &&&RecordSet| other.record_type == record.record_type;
                    let found = addresses.iter().find(same);
                    prop_assert!(found.is_some_and(|other| other.data.says_the_same(&record.data)));
                }
            }
            _ => prop_assert_eq!(before.at(name), after.at(name), "{} cannot be as desired: untouched", name),
        }
    }
    let foreign = |record: &&RecordSet| {
        !record.record_type.is_address()
            || record.routing.is_some()
            || (!wanted.contains_key(&record.name) && !endpoints.own(record))
    };
    for record in before.iter().filter(foreign) {
        prop_assert!(after.at(&record.name).contains(record), "{:?} is not ours to touch", record);
    }
    let held_back = planned.held_back.is_some();
    let unwanted = |record: &&RecordSet| !wanted.contains_key(&record.name) && !kept.contains(&record.name);
    for record in after.iter().filter(unwanted) {
        prop_assert!(held_back || !endpoints.own(record), "{:?} has no ingress any more", record);
    }
    Ok(())
}
