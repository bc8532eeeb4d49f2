use super::cloud::{Actor, Cloud, run};
use super::*;
use crate::dns::{RecordName, Visibility};

const RESYNC: Duration = Duration::from_mins(15);

fn settings() -> Settings {
    Settings { resync_period: RESYNC, rules: Rules { max_deletion_percent: 100, owner: None } }
}

fn world(zones: &[(&str, &str, Visibility)]) -> (Cloud, [Actor; 1]) {
    let cloud = Cloud::new(zones, 7);
    let actor = Actor::new(0, &cloud, settings(), None);
    (cloud, [actor])
}

const ONE: &[(&str, &str, Visibility)] = &[("Z1", "example.com", Visibility::Public)];

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Tells the Ingresses of these hosts, and lets everything happen for so long; the calls that it took.
fn keep(cloud: &mut Cloud, actors: &mut [Actor; 1], hosts: &[String], now: u64, until: u64) -> usize {
    let before = cloud.calls;
    actors[0].ingresses.clear();
    for host in hosts {
        actors[0].set(host, Some(Scheme::Internal));
    }
    actors[0].tell(seconds(now));
    run(cloud, actors, seconds(now), seconds(until), &mut |_, _| ());
    cloud.calls - before
}

fn hosts(range: std::ops::Range<usize>) -> Vec<String> {
    range.map(|index| format!("h{index:03}.example.com")).collect()
}

fn refused(actor: &Actor, now: u64) -> Vec<String> {
    let views: Vec<_> = actor.keeper.zones(seconds(now)).collect();
    views[0].refused.iter().map(|(name, _)| name.to_string()).collect()
}

#[test]
fn forbidden_changes_are_told_each_for_itself_and_the_others_are_made() {
    let (mut cloud, mut actors) = world(ONE);
    keep(&mut cloud, &mut actors, &hosts(0..40), 0, 4);
    assert_eq!(cloud.records().len(), 40);
    let forbidden = ["h001.example.com", "h050.example.com", "h059.example.com"];
    cloud.forbidden = forbidden.map(RecordName::new).into();
    let calls = keep(&mut cloud, &mut actors, &hosts(40..80), 10, 14);
    assert_eq!(cloud.records().len(), 39, "38 are made, and one is still to go");
    assert!(calls < 40, "{calls}");
    run(&mut cloud, &mut actors, seconds(14), seconds(20), &mut |_, _| ());
    assert_eq!(refused(&actors[0], 20), forbidden);
    assert_eq!(actors[0].keeper.zones(seconds(20)).next().unwrap().denied, None);
    run(&mut cloud, &mut actors, seconds(20), seconds(600), &mut |_, _| ());
    assert_eq!(refused(&actors[0], 600), forbidden, "nor is anything else said later");
    cloud.forbidden.clear();
    run(&mut cloud, &mut actors, seconds(600), seconds(1_600), &mut |_, _| ());
    assert_eq!(cloud.records().len(), 40);
    assert_eq!(refused(&actors[0], 1_600), [""; 0]);
}

#[test]
fn a_zone_whose_changes_are_all_forbidden_costs_few_calls_and_is_told_once() {
    let (mut cloud, mut actors) = world(ONE);
    cloud.forbids_all = true;
    let calls = keep(&mut cloud, &mut actors, &hosts(0..400), 0, 6);
    assert!(calls < 40, "{calls}");
    let view = actors[0].keeper.zones(seconds(6)).next().unwrap();
    assert_eq!((view.denied, view.refused.len(), view.given_up), (Some("AccessDenied"), 0, 400));
    run(&mut cloud, &mut actors, seconds(6), seconds(300), &mut |_, _| ());
    assert!(cloud.calls < 80, "{}", cloud.calls);
    let told = actors[0].news.iter().filter(|news| matches!(news, News::Denied(..))).count();
    assert_eq!((told, actors[0].news.len()), (1, 1));
    cloud.forbids_all = false;
    run(&mut cloud, &mut actors, seconds(300), seconds(1_500), &mut |_, _| ());
    assert_eq!(cloud.records().len(), 400);
}

#[test]
fn of_many_forbidden_changes_the_others_are_made_all_the_same() {
    let (mut cloud, mut actors) = world(ONE);
    cloud.forbidden = hosts(0..200).iter().map(|host| RecordName::new(host)).collect();
    keep(&mut cloud, &mut actors, &hosts(0..400), 0, 3_600);
    assert_eq!(cloud.records().len(), 200, "though they come last");
}

#[test]
fn a_change_that_is_refused_for_good_costs_one_call_each_time() {
    let (mut cloud, mut actors) = world(ONE);
    cloud.forbidden = ["h000.example.com"].map(RecordName::new).into();
    keep(&mut cloud, &mut actors, &hosts(0..10), 0, 4);
    let before = cloud.calls;
    run(&mut cloud, &mut actors, seconds(4), seconds(340), &mut |_, _| ());
    // After 5, 10, 20, 40, 80 and 160 seconds.
    assert_eq!(cloud.calls - before, 6);
}

#[test]
fn two_of_us_come_to_rest_with_all_records() {
    let mut cloud = Cloud::new(ONE, 3);
    let mut actors: Vec<Actor> = (0..3).map(|number| Actor::new(number, &cloud, settings(), None)).collect();
    for actor in &mut actors {
        for index in 0..3 {
            actor.set(&format!("{}-{index}.example.com", actor.number), Some(Scheme::Internal));
        }
        let number = u64::try_from(actor.number).unwrap();
        actor.tell(seconds(number * 100));
    }
    run(&mut cloud, &mut actors, seconds(200), RESYNC * 30, &mut |_, _| ());
    let made = cloud.made.len();
    assert_eq!(cloud.records().len(), 9);
    run(&mut cloud, &mut actors, RESYNC * 30, RESYNC * 40, &mut |_, _| ());
    assert_eq!(cloud.made.len(), made, "nothing changes any more");
    for actor in &actors {
        let view = actor.keeper.zones(RESYNC * 40).next().unwrap();
        assert!(!view.contested.is_empty());
    }
}
