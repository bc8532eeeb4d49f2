use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures::future::join_all;
use tokio::time::sleep;

use super::*;

/// Asks as often as that at the same time; returns the answers and how often the source was asked.
async fn asked(
    fact: &Fact,
    times: usize,
    answer: Result<&str, &str>,
) -> (Vec<Result<String, String>>, usize) {
    let count = AtomicUsize::new(0);
    let ask = async || {
        count.fetch_add(1, Ordering::Relaxed);
        sleep(Duration::from_secs(1)).await;
        answer.map(str::to_owned).map_err(str::to_owned)
    };
    let answers = join_all((0..times).map(|_| fact.get(ask))).await;
    (answers, count.into_inner())
}

#[tokio::test(start_paused = true)]
async fn what_is_given_is_not_asked_for() {
    let fact = Fact::new(Some("i-1".to_owned()));
    assert_eq!(asked(&fact, 2, Err("nobody")).await, (vec![Ok("i-1".to_owned()); 2], 0));
}

#[tokio::test(start_paused = true)]
async fn what_is_known_is_asked_for_once() {
    let fact = Fact::new(None);
    assert_eq!(asked(&fact, 3, Ok("i-2")).await, (vec![Ok("i-2".to_owned()); 3], 1));
    assert_eq!(asked(&fact, 1, Err("nobody")).await, (vec![Ok("i-2".to_owned())], 0));
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_shared_by_those_who_waited_and_asked_for_again_later() {
    let fact = Fact::new(None);
    assert_eq!(asked(&fact, 3, Err("no answer")).await, (vec![Err("no answer".to_owned()); 3], 1));
    sleep(Duration::from_secs(1)).await;
    assert_eq!(asked(&fact, 1, Ok("i-3")).await, (vec![Ok("i-3".to_owned())], 1));
}

#[test]
fn nonsense_is_not_taken_for_an_identity() {
    assert_eq!(checked_id("i-0a1b2c3d4e5f60718".to_owned()).unwrap(), "i-0a1b2c3d4e5f60718");
    assert_eq!(checked_id("<html>".to_owned()).unwrap_err(), "\"<html>\" is no id of an instance");
    assert_eq!(checked_ip("10.0.0.7".to_owned()).unwrap(), "10.0.0.7");
    assert_eq!(checked_ip(String::new()).unwrap_err(), "\"\" is no IP address");
}
