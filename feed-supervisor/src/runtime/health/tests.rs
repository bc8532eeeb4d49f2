use super::*;

#[test]
fn without_conditions_all_is_well() {
    let health = Health::new();
    assert_eq!(health.unhealthy(), Vec::<String>::new());
    assert_eq!(health.not_ready(), Vec::<String>::new());
}

#[test]
fn each_condition_speaks_where_it_matters() {
    let health = Health::new();
    health.report("d", Condition::Down("nginx died.".to_owned()));
    health.report("c", Condition::Unhealthy("A configuration was refused.".to_owned()));
    health.report("b", Condition::NotReady("Draining.".to_owned()));
    health.report("a", Condition::Good);
    assert_eq!(health.unhealthy(), ["A configuration was refused.", "nginx died."]);
    assert_eq!(health.not_ready(), ["Draining.", "nginx died."]);
}

#[test]
fn a_part_has_one_condition_and_the_last_one_counts() {
    let health = Health::new();
    let elsewhere = health.clone();
    health.report("nginx", Condition::Down("It died.".to_owned()));
    elsewhere.report("nginx", Condition::Good);
    assert!(health.unhealthy().is_empty());
}

#[tokio::test(start_paused = true)]
async fn unhealthy_time_is_the_time_with_at_least_one_unhealthy_part() {
    let health = Health::new();
    let bad = || Condition::Unhealthy("Bad.".to_owned());
    tokio::time::advance(Duration::from_secs(5)).await;
    assert_eq!(health.unhealthy_time(), Duration::ZERO);
    health.report("a", bad());
    tokio::time::advance(Duration::from_secs(5)).await;
    health.report("b", bad());
    health.report("a", Condition::NotReady("Not now.".to_owned()));
    tokio::time::advance(Duration::from_secs(5)).await;
    assert_eq!(health.unhealthy_time(), Duration::from_secs(10));
    health.report("b", Condition::Good);
    tokio::time::advance(Duration::from_secs(5)).await;
    health.report("b", bad());
    tokio::time::advance(Duration::from_secs(1)).await;
    assert_eq!(health.unhealthy_time(), Duration::from_secs(11));
}

#[test]
fn warnings_change_nothing_but_are_said() {
    let health = Health::new();
    health.warn("b", vec!["Two of a kind.".to_owned()]);
    health.warn("a", vec!["Nothing is found.".to_owned()]);
    assert_eq!(health.warnings(), ["Nothing is found.", "Two of a kind."]);
    assert!(health.unhealthy().is_empty() && health.not_ready().is_empty());
    health.warn("b", vec![]);
    assert_eq!(health.warnings(), ["Nothing is found."]);
}
