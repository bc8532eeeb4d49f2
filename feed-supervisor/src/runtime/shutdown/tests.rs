use futures::FutureExt;

use super::*;

#[tokio::test]
async fn the_first_signal_drains_and_the_second_aborts() {
    let (trigger, mut shutdown) = channel();
    assert_eq!(shutdown.phase(), Phase::Running);
    assert!(shutdown.draining().now_or_never().is_none());
    assert_eq!(trigger.next(Phase::Draining), Phase::Draining);
    shutdown.draining().await;
    assert!(shutdown.hurrying().now_or_never().is_none());
    assert_eq!(trigger.next(Phase::Draining), Phase::Aborting);
    shutdown.aborting().await;
    shutdown.draining().await;
    assert_eq!(trigger.next(Phase::Draining), Phase::Aborting);
}

#[tokio::test]
async fn a_hurry_drains_too() {
    let (trigger, mut shutdown) = channel();
    assert_eq!(trigger.next(Phase::Hurrying), Phase::Hurrying);
    shutdown.draining().await;
    shutdown.hurrying().await;
    assert!(shutdown.aborting().now_or_never().is_none());
    trigger.drain();
    assert_eq!(shutdown.phase(), Phase::Hurrying);
    assert_eq!(trigger.next(Phase::Hurrying), Phase::Aborting);
}

#[tokio::test]
async fn draining_takes_nothing_back() {
    let (trigger, shutdown) = channel();
    trigger.abort();
    trigger.drain();
    assert_eq!(shutdown.phase(), Phase::Aborting);
}

#[tokio::test]
async fn without_a_trigger_the_end_does_not_come() {
    let (trigger, mut shutdown) = channel();
    drop(trigger);
    assert!(shutdown.draining().now_or_never().is_none());
}
