use super::*;

const PERIOD: Duration = Duration::from_mins(15);

/// One that has just looked at everything.
fn schedule(period: Duration, now: Instant) -> Schedule {
    let mut schedule = Schedule::new(period, now);
    assert!(schedule.resyncs(now));
    schedule
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[test]
fn everything_is_looked_at_once_a_period() {
    let start = Instant::now();
    let mut schedule = schedule(PERIOD, start);
    assert_eq!(schedule.wake_at(), start + PERIOD);
    assert!(!schedule.resyncs(start + PERIOD - seconds(1)));
    assert!(schedule.resyncs(start + PERIOD));
    assert!(!schedule.resyncs(start + PERIOD));
    assert_eq!(schedule.wake_at(), start + PERIOD * 2);
}

#[test]
fn failures_are_tried_again_ever_later_until_one_try_succeeds() {
    let start = Instant::now();
    let mut schedule = schedule(PERIOD, start);
    let mut now = start;
    let mut delays = Vec::new();
    for _ in 0..11 {
        schedule.ended(now, false);
        assert!(!schedule.may_look(now));
        let at = schedule.wake_at();
        delays.push((at - now).as_secs());
        schedule.changed(now);
        schedule.ended(now, false);
        assert_eq!(schedule.wake_at(), at, "a pass between the tries changes nothing");
        now = at;
        assert!(schedule.may_look(now));
        schedule.resync_at = now + PERIOD;
    }
    assert_eq!(delays, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]);
    schedule.ended(now, true);
    assert_eq!(schedule.wake_at(), now + PERIOD);
    schedule.ended(now, false);
    assert_eq!(schedule.wake_at(), now + seconds(1));
}

#[test]
fn a_resync_does_not_wait_for_a_retry() {
    let start = Instant::now();
    let mut schedule = schedule(seconds(10), start);
    for _ in 0..5 {
        schedule.retry_at = None;
        schedule.ended(start, false);
    }
    assert_eq!(schedule.wake_at(), start + seconds(10));
    assert!(schedule.resyncs(start + seconds(10)));
    assert!(schedule.may_look(start + seconds(10)));
}

#[test]
fn deletions_wait_for_quiet() {
    let start = Instant::now();
    let mut schedule = schedule(PERIOD, start);
    schedule.changed(start);
    assert!(!schedule.may_delete(start));
    assert_eq!(schedule.wake_at(), start + QUIET);
    let mut now = start;
    while now < start + LONGEST_WAIT {
        schedule.changed(now);
        assert!(!schedule.may_delete(now));
        now += seconds(1) / 2;
    }
    assert!(schedule.may_delete(now), "but not for ever");
    schedule.ended(now, true);

    let later = now + seconds(60);
    assert!(schedule.may_delete(later), "it has been quiet for long");
}

#[test]
fn a_missing_load_balancer_is_looked_for_every_minute() {
    let start = Instant::now();
    let mut schedule = schedule(PERIOD, start);
    schedule.missing(start, true);
    schedule.missing(start + seconds(30), true);
    assert_eq!(schedule.wake_at(), start + SEARCH_PERIOD);
    assert!(!schedule.searches(start + seconds(59)));
    assert!(schedule.searches(start + SEARCH_PERIOD));
    schedule.missing(start + SEARCH_PERIOD, true);
    assert_eq!(schedule.wake_at(), start + SEARCH_PERIOD * 2);
    schedule.missing(start, false);
    assert_eq!(schedule.wake_at(), start + PERIOD);
}
