mod simulation;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::coordination::v1::LeaseSpec;

use super::{Decision, Election};

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_000_000 + seconds).unwrap()
}

/// A participant with a duration of 15 seconds.
fn election(identity: &str) -> Election {
    Election::new(identity, SignedDuration::from_secs(15))
}

/// Lets a participant take the Lease at that time; the record that it wrote.
fn acquire(election: &mut Election, seconds: i64, current: Option<&LeaseSpec>) -> LeaseSpec {
    let Decision::Acquire(record) = election.decide(at(seconds), current) else { panic!("not free") };
    election.written();
    record
}

fn renew(election: &mut Election, seconds: i64, current: &LeaseSpec) -> LeaseSpec {
    let Decision::Renew(record) = election.decide(at(seconds), Some(current)) else { panic!("not due") };
    election.written();
    record
}

/// Holder, seconds of acquiring and renewing since `at(0)`, duration, transitions.
fn summary(record: &LeaseSpec) -> (Option<&str>, i64, i64, i32, i32) {
    let seconds = |time: &Option<k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime>| {
        time.as_ref().unwrap().0.as_second() - at(0).as_second()
    };
    (
        record.holder_identity.as_deref(),
        seconds(&record.acquire_time),
        seconds(&record.renew_time),
        record.lease_duration_seconds.unwrap(),
        record.lease_transitions.unwrap(),
    )
}

#[test]
fn a_lease_that_does_not_exist_is_created() {
    let record = acquire(&mut election("a"), 0, None);
    assert_eq!(summary(&record), (Some("a"), 0, 0, 15, 0));
}

#[test]
fn nothing_is_held_before_the_write_succeeded() {
    let mut a = election("a");
    assert!(matches!(a.decide(at(0), None), Decision::Acquire(_)));
    assert!(!a.is_held(at(0)));
    a.written();
    assert!(a.is_held(at(0)));
}

#[test]
fn renewed_every_third_of_the_duration() {
    let mut a = election("a");
    let record = acquire(&mut a, 0, None);
    assert_eq!(a.decide(at(4), Some(&record)), Decision::Wait(at(5)));
    let record = renew(&mut a, 5, &record);
    assert_eq!(summary(&record), (Some("a"), 0, 5, 15, 0));
    assert_eq!(a.decide(at(6), Some(&record)), Decision::Wait(at(10)));
}

#[test]
fn the_holder_stops_a_third_before_its_term_ends() {
    let mut a = election("a");
    acquire(&mut a, 0, None);
    assert_eq!(a.held_until(), Some(at(10)));
    assert!(a.is_held(at(9)));
    assert!(!a.is_held(at(10)));
}

#[test]
fn a_term_counts_from_before_the_write_was_sent() {
    let mut a = election("a");
    let record = acquire(&mut a, 0, None);
    assert!(matches!(a.decide(at(5), Some(&record)), Decision::Renew(_)));
    // The answer takes six seconds, in which the machine is not asked anything.
    a.written();
    assert_eq!(a.held_until(), Some(at(15)));
}

#[test]
fn a_renewal_that_failed_is_tried_again_at_once_when_asked() {
    let mut a = election("a");
    let record = acquire(&mut a, 0, None);
    assert!(matches!(a.decide(at(5), Some(&record)), Decision::Renew(_)));
    assert_eq!(a.retry_at(at(5)), Timestamp::from_millisecond(at(6).as_millisecond() + 500).unwrap());
    assert!(matches!(a.decide(at(7), Some(&record)), Decision::Renew(_)));
    assert_eq!(a.held_until(), Some(at(10)), "still the first term");
    a.written();
    assert_eq!(a.held_until(), Some(at(17)));
}

#[test]
fn a_write_without_a_decision_lengthens_nothing() {
    let mut a = election("a");
    let record = acquire(&mut a, 0, None);
    assert!(matches!(a.decide(at(4), Some(&record)), Decision::Wait(_)));
    a.written();
    assert_eq!(a.held_until(), Some(at(10)));
}

#[test]
fn another_waits_until_the_record_has_not_changed_for_its_duration() {
    let (mut a, mut b) = (election("a"), election("b"));
    let first = acquire(&mut a, 0, None);
    // The clock of b is an hour ahead: only its own counts.
    let hour = 3600;
    assert!(matches!(b.decide(at(hour), Some(&first)), Decision::Wait(_)));
    assert!(matches!(b.decide(at(hour + 14), Some(&first)), Decision::Wait(_)));
    let second = renew(&mut a, 5, &first);
    assert!(matches!(b.decide(at(hour + 14), Some(&second)), Decision::Wait(_)));
    assert!(matches!(b.decide(at(hour + 28), Some(&second)), Decision::Wait(_)));
    let taken = acquire(&mut b, hour + 29, Some(&second));
    assert_eq!(summary(&taken), (Some("b"), hour + 29, hour + 29, 15, 1));
}

#[test]
fn another_looks_again_soon_since_the_lease_may_be_released() {
    let (mut a, mut b) = (election("a"), election("b"));
    let record = acquire(&mut a, 0, None);
    let soon = b.retry_at(at(0));
    assert_eq!(b.decide(at(0), Some(&record)), Decision::Wait(soon));
    assert_eq!(b.decide(at(14), Some(&record)), Decision::Wait(at(15)), "and when it becomes free");
}

#[test]
fn the_duration_that_counts_is_the_holders() {
    let mut a = Election::new("a", SignedDuration::from_secs(60));
    let record = acquire(&mut a, 0, None);
    let mut b = election("b");
    assert!(matches!(b.decide(at(0), Some(&record)), Decision::Wait(_)));
    assert!(matches!(b.decide(at(59), Some(&record)), Decision::Wait(_)));
    assert!(matches!(b.decide(at(60), Some(&record)), Decision::Acquire(_)));
}

#[test]
fn a_record_without_a_usable_duration_counts_with_our_own() {
    for seconds in [None, Some(0), Some(-1)] {
        let record = LeaseSpec {
            holder_identity: Some("a".to_owned()),
            lease_duration_seconds: seconds,
            ..LeaseSpec::default()
        };
        let mut b = election("b");
        assert!(matches!(b.decide(at(0), Some(&record)), Decision::Wait(_)));
        assert!(matches!(b.decide(at(14), Some(&record)), Decision::Wait(_)));
        assert!(matches!(b.decide(at(15), Some(&record)), Decision::Acquire(_)));
    }
}

#[test]
fn a_released_lease_is_taken_at_once() {
    let (mut a, mut b) = (election("a"), election("b"));
    let record = acquire(&mut a, 0, None);
    assert!(matches!(b.decide(at(1), Some(&record)), Decision::Wait(_)));
    let released = a.release(at(2), Some(&record)).expect("it was ours");
    assert!(!a.is_held(at(2)));
    assert_eq!(summary(&released), (None, 0, 2, 15, 0));
    assert_eq!(summary(&acquire(&mut b, 2, Some(&released))), (Some("b"), 2, 2, 15, 1));
}

#[test]
fn an_empty_holder_is_none() {
    let record = LeaseSpec { holder_identity: Some(String::new()), ..LeaseSpec::default() };
    assert!(matches!(election("a").decide(at(0), Some(&record)), Decision::Acquire(_)));
}

#[test]
fn what_is_not_ours_is_not_released() {
    let (mut a, mut b) = (election("a"), election("b"));
    let record = acquire(&mut a, 0, None);
    assert_eq!(b.release(at(1), Some(&record)), None);
    assert_eq!(b.release(at(1), None), None);
}

#[test]
fn a_holder_that_reads_another_name_stops_at_once() {
    let mut a = election("a");
    acquire(&mut a, 0, None);
    let theirs = LeaseSpec { holder_identity: Some("b".to_owned()), ..LeaseSpec::default() };
    assert!(matches!(a.decide(at(1), Some(&theirs)), Decision::Wait(_)));
    assert!(!a.is_held(at(1)));
}

#[test]
fn a_holder_whose_lease_was_deleted_starts_anew() {
    let mut a = election("a");
    acquire(&mut a, 0, None);
    assert!(matches!(a.decide(at(1), None), Decision::Acquire(_)));
    assert!(!a.is_held(at(1)));
}

#[test]
fn a_restart_with_the_same_identity_goes_on() {
    let record = acquire(&mut election("a"), 0, None);
    let mut again = election("a");
    assert!(!again.is_held(at(1)));
    let record = renew(&mut again, 1, &record);
    assert_eq!(summary(&record), (Some("a"), 0, 1, 15, 0));
}

#[test]
fn what_others_keep_in_the_record_stays() {
    let current = LeaseSpec { preferred_holder: Some("c".to_owned()), ..LeaseSpec::default() };
    assert_eq!(acquire(&mut election("a"), 0, Some(&current)).preferred_holder.as_deref(), Some("c"));
}

#[test]
fn the_records_seconds_are_never_less_than_the_duration() {
    for (milliseconds, seconds) in [(1, 1), (1000, 1), (1001, 2), (15_000, 15), (i64::MAX, i32::MAX)] {
        let mut a = Election::new("a", SignedDuration::from_millis(milliseconds));
        assert_eq!(acquire(&mut a, 0, None).lease_duration_seconds, Some(seconds));
    }
}

#[test]
fn times_have_the_microseconds_of_the_api() {
    let now = Timestamp::from_nanosecond(1_000_000_000_123_456_789).unwrap();
    let Decision::Acquire(record) = election("a").decide(now, None) else { panic!("not free") };
    assert_eq!(record.renew_time.unwrap().0.as_nanosecond(), 1_000_000_000_123_456_000);
}
