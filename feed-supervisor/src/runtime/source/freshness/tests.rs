use super::*;

#[tokio::test(start_paused = true)]
async fn the_age_is_that_of_the_kind_that_was_lost_first() {
    let freshness = Freshness::of(&BTreeSet::from([ObjectKind::Ingress, ObjectKind::Service]));
    assert_eq!(freshness.age(), None);
    freshness.current(ObjectKind::Ingress);
    freshness.lost(ObjectKind::Service);
    assert_eq!(freshness.age(), None, "a kind that was never listed is not merely old");
    freshness.current(ObjectKind::Service);
    assert_eq!(freshness.age(), Some(Duration::ZERO));

    freshness.lost(ObjectKind::Service);
    tokio::time::advance(Duration::from_secs(10)).await;
    freshness.lost(ObjectKind::Service);
    freshness.lost(ObjectKind::Ingress);
    tokio::time::advance(Duration::from_secs(10)).await;
    assert_eq!(freshness.age(), Some(Duration::from_secs(20)));
    freshness.current(ObjectKind::Service);
    assert_eq!(freshness.age(), Some(Duration::from_secs(10)));
    freshness.current(ObjectKind::Ingress);
    assert_eq!(freshness.age(), Some(Duration::ZERO));
}
