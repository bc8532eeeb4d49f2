//! Thousands of histories of what can happen to zones, load balancers, Ingresses, calls and processes.
//!
//! Whatever happens: no foreign record is touched; with owners nobody touches another's; and once it is quiet, every living
//! Ingress has its record within a bound, and nothing changes any more.

use std::collections::BTreeSet;

use super::cloud::{Actor, Cloud, Faults, Random, balancer, run};
use super::*;
use crate::dns::{OwnerId, RecordName, RecordType, RoutingPolicy, Visibility};

const RESYNC: Duration = Duration::from_mins(15);

/// When all is well again, for so long at most a living Ingress may lack its record, or have one that leads nowhere.
const BOUND: Duration = Duration::from_mins(45);

const ZONES: &[(&str, &str, Visibility)] = &[
    ("Z1", "example.com", Visibility::Public),
    ("Z2", "example.com", Visibility::Private),
    ("Z3", "example.org", Visibility::Public),
];

/// What others keep in the zones, at names that no Ingress has.
fn foreign() -> Vec<(&'static str, RecordSet)> {
    let values = |name: &str, kind: &str, value: &str| RecordSet {
        name: RecordName::new(name),
        record_type: RecordType::new(kind),
        data: RecordData::Values { ttl_seconds: 60, values: vec![value.to_owned()] },
        routing: None,
    };
    let weighted = RecordSet {
        routing: Some(RoutingPolicy::Weighted),
        ..balancer("lb.aws").records(&RecordName::new("weighted.example.com")).remove(0)
    };
    vec![
        ("Z1", values("mail.example.com", "MX", "10 lb.aws")),
        ("Z1", values("theirs.example.com", "A", "192.0.2.1")),
        ("Z2", values("theirs.example.com", "CNAME", "elsewhere.example.net")),
        ("Z3", values("text.example.org", "TXT", "\"words\"")),
        ("Z1", weighted),
    ]
}

struct History {
    cloud: Cloud,
    actors: Vec<Actor>,
    random: Random,
    foreign: Vec<RecordSet>,
    owners: bool,
}

impl History {
    fn new(seed: u64) -> Self {
        let mut random = Random(seed);
        let mut cloud = Cloud::new(ZONES, seed ^ 0xfeed);
        let mut kept = Vec::new();
        for (zone, record) in foreign() {
            cloud.put(zone, record.clone());
            kept.push(record);
        }
        cloud.balancers.push((Scheme::InternetFacing, balancer("out.aws")));
        let owners = random.percent(50);
        let count = 1 + random.below(3);
        let actors = (0..count).map(|number| {
            let owner = owners.then(|| OwnerId::new(&format!("owner-{number}")).unwrap());
            let rules = Rules { max_deletion_percent: 100, owner };
            let mut actor = Actor::new(number, &cloud, Settings { resync_period: RESYNC, rules }, None);
            // One that always stays: without any Ingress nothing is ever deleted.
            actor.set(&format!("stays-{number}.example.org"), Some(Scheme::Internal));
            actor
        });
        Self { actors: actors.collect(), cloud, random, foreign: kept, owners }
    }

    fn event(&mut self, now: Duration) {
        let Self { cloud, actors, random, .. } = self;
        let index = random.below(actors.len());
        let actor = &mut actors[index];
        let zone = if random.percent(50) { "com" } else { "org" };
        let host = format!("h{}-{}.example.{zone}", random.below(4), actor.number);
        let scheme = if random.percent(70) { Scheme::Internal } else { Scheme::InternetFacing };
        match random.below(12) {
            0..=3 => actor.set(&host, Some(scheme)),
            4 => drop(actor.ingresses.remove(&ObjectName::new("ns", &host))),
            5 => actor.set(&host, None),
            6 => return actor.crash(now, cloud),
            7 => cloud.balancers.retain(|(_, it)| it.dns_name.as_str() != "lb.aws"),
            8 => cloud.balancers.push((Scheme::Internal, balancer("another.aws"))),
            9 => cloud.balancers.push((Scheme::Internal, balancer("lb.aws"))),
            _ => {
                let zone = ZoneId::new(["Z1", "Z2", "Z3"][random.below(3)]);
                let faults = Faults { throttled: random.below(100), lost: random.below(60) };
                cloud.faults.insert(zone, if random.percent(40) { Faults::default() } else { faults });
            }
        }
        cloud.balancers.sort();
        cloud.balancers.dedup();
        actor.tell(now);
    }

    fn run(&mut self, now: Duration, until: Duration) {
        let foreign = &self.foreign;
        run(&mut self.cloud, &mut self.actors, now, until, &mut |now, cloud| {
            let records: BTreeSet<(RecordName, RecordType)> =
                cloud.records().iter().map(|it| (it.name.clone(), it.record_type.clone())).collect();
            for record in foreign {
                assert!(
                    records.contains(&(record.name.clone(), record.record_type.clone())),
                    "{now:?}: {record:?} is gone"
                );
            }
        });
        for (who, change, before) in &self.cloud.made {
            let name = change.record.name.as_str();
            let is_foreign = self.foreign.iter().any(|it| it.name.as_str() == name);
            assert!(!is_foreign, "{who} touches {change:?}, which was {before:?}");
            let own = name.contains(&format!("-{who}."));
            assert!(own || !self.owners, "{who} touches what another owns: {change:?}");
        }
    }

    /// The hosts of Ingresses that can be understood and have a load balancer, each with the zones it should be in.
    fn wanted(&self) -> Vec<(RecordName, Scheme)> {
        let all = self.actors.iter().flat_map(|actor| actor.ingresses.values());
        let wanted = all.filter_map(|it| Some((RecordName::from(&it.hosts[0]), it.scheme?)));
        wanted.filter(|(_, scheme)| self.cloud.balancers.iter().any(|(of, _)| of == scheme)).collect()
    }

    fn check(&self, now: Duration, seed: u64) {
        let records = self.cloud.records();
        for (name, scheme) in self.wanted() {
            let leads = records.iter().any(|record| {
                let target = record.data.target();
                record.name == name
                    && self
                        .cloud
                        .balancers
                        .iter()
                        .any(|(of, it)| *of == scheme && target.as_ref() == Some(&it.dns_name))
            });
            let at = records.iter().filter(|record| record.name == name).collect::<Vec<_>>();
            let views: Vec<_> =
                self.actors.iter().flat_map(|it| it.keeper.zones(now).collect::<Vec<_>>()).collect();
            assert!(
                leads,
                "seed {seed}: {name} ({scheme:?}) does not lead to a load balancer: {at:?} {views:#?}"
            );
        }
        let names: BTreeSet<RecordName> = self
            .actors
            .iter()
            .flat_map(|actor| actor.ingresses.values())
            .map(|it| RecordName::from(&it.hosts[0]))
            .collect();
        let alone = self.owners || self.actors.len() == 1;
        for record in records.iter().filter(|it| alone && it.record_type.is_address()) {
            let known = self
                .cloud
                .balancers
                .iter()
                .any(|(_, it)| Some(&it.dns_name) == record.data.target().as_ref());
            let is_foreign = self.foreign.iter().any(|it| it.name == record.name);
            assert!(
                !known || is_foreign || names.contains(&record.name),
                "seed {seed}: {record:?} has no Ingress"
            );
        }
    }
}

fn play(seed: u64) {
    let mut history = History::new(seed);
    let mut now = Duration::ZERO;
    for index in 0..history.actors.len() {
        history.actors[index].tell(now);
    }
    for _ in 0..25 {
        let pause = Duration::from_millis(u64::try_from(history.random.below(120_000)).unwrap());
        history.run(now, now + pause);
        now += pause;
        history.event(now);
    }
    history.cloud.faults.clear();
    let quiet = now + BOUND;
    history.run(now, quiet);
    // Several without owners notice one another within a few resyncs.
    if history.owners || history.actors.len() == 1 {
        history.check(quiet, seed);
    }
    let rest = quiet + RESYNC * 12;
    history.run(quiet, rest);
    let made = history.cloud.made.len();
    history.run(rest, rest + RESYNC * 4);
    assert_eq!(history.cloud.made.len(), made, "seed {seed}: it comes to rest");
    history.check(rest, seed);
}

/// Four tests, so that they share the machine's cores.
fn play_all(seeds: std::ops::Range<u64>) {
    seeds.for_each(play);
}

#[test]
fn no_record_is_lost_and_none_of_others_is_touched_in_250_histories() {
    play_all(0..250);
}

#[test]
fn no_record_is_lost_and_none_of_others_is_touched_in_250_more() {
    play_all(250..500);
}

#[test]
fn no_record_is_lost_and_none_of_others_is_touched_in_a_third_250() {
    play_all(500..750);
}

#[test]
fn no_record_is_lost_and_none_of_others_is_touched_in_a_fourth_250() {
    play_all(750..1_000);
}
