use std::time::Duration;

use futures::FutureExt;

use super::*;

fn pair() -> (SourceWriter, SourceReader) {
    channel(&BTreeSet::from([ObjectKind::Ingress]))
}

#[tokio::test(start_paused = true)]
async fn nothing_is_read_before_everything_is_listed() {
    let (writer, mut reader) = pair();
    writer.modify(Instant::now(), |_| Change::Decisive);
    assert!(reader.changed().now_or_never().is_none());
    let first_seen = Instant::now();
    tokio::time::advance(Duration::from_secs(3)).await;
    writer.modify(Instant::now(), |state| {
        state.complete = true;
        Change::Decisive
    });
    assert_eq!(reader.changed().await.changed_at, Some(first_seen));
    assert!(reader.changed().now_or_never().is_none());
}

#[tokio::test(start_paused = true)]
async fn changes_are_taken_together_and_are_as_old_as_the_first() {
    let (writer, mut reader) = pair();
    writer.modify(Instant::now(), |state| {
        state.complete = true;
        Change::Decisive
    });
    reader.changed().await;
    tokio::time::advance(Duration::from_secs(1)).await;
    let first = Instant::now();
    writer.modify(Instant::now(), |_| Change::Decisive);
    tokio::time::advance(Duration::from_secs(1)).await;
    writer.modify(Instant::now(), |_| Change::Decisive);
    assert_eq!(reader.changed().await.changed_at, Some(first));
    assert!(reader.changed().now_or_never().is_none());

    tokio::time::advance(Duration::from_secs(1)).await;
    let waiting = tokio::spawn(async move { reader.changed().await.changed_at });
    tokio::task::yield_now().await;
    writer.modify(Instant::now(), |_| Change::Decisive);
    assert_eq!(waiting.await.unwrap(), Some(Instant::now()));
}

#[tokio::test]
async fn what_decides_nothing_is_shown_but_wakes_only_those_who_look() {
    let (writer, mut reader) = pair();
    writer.modify(Instant::now(), |state| {
        state.complete = true;
        Change::Decisive
    });
    reader.changed().await;
    let mut looking = reader.subscribe();
    writer.modify(Instant::now(), |_| Change::None);
    assert!(!looking.has_changed().unwrap());
    writer.modify(Instant::now(), |_| Change::Informative);
    assert!(looking.changed().now_or_never().is_some());
    assert!(reader.changed().now_or_never().is_none());
}
