use super::*;

/// A bucket with a fixed number of tokens; after these it names a wait.
struct Tokens(u32, Duration);

impl Bucket for Tokens {
    fn take(&mut self) -> Result<(), Duration> {
        self.0 = self.0.checked_sub(1).ok_or(self.1)?;
        Ok(())
    }
}

const PERIOD: Duration = Duration::from_secs(30);

#[expect(clippy::disallowed_methods, reason = "some instant must be the first; the rest is arithmetic")]
fn start() -> Instant {
    Instant::now()
}

fn milliseconds(count: u64) -> Duration {
    Duration::from_millis(count)
}

#[test]
fn a_change_after_quiet_goes_out_at_once() {
    let (start, mut pace, mut bucket) = (start(), Pace::default(), Tokens(3, PERIOD));
    for second in [0, 10, 20] {
        let now = start + Duration::from_secs(second);
        pace.changed(now);
        assert_eq!(pace.pass(now, &mut bucket), Pass::Now);
        pace.ended(now + milliseconds(150));
    }
    assert_eq!(bucket.0, 0);
}

#[test]
fn without_a_token_it_waits_for_one() {
    let (now, mut pace, mut bucket) = (start(), Pace::default(), Tokens(0, milliseconds(700)));
    pace.changed(now);
    assert_eq!(pace.pass(now, &mut bucket), Pass::At(now + milliseconds(700)));
}

#[test]
fn a_burst_waits_for_its_end() {
    let (start, mut pace, mut bucket) = (start(), Pace::default(), Tokens(3, PERIOD));
    pace.changed(start);
    assert_eq!(pace.pass(start, &mut bucket), Pass::Now);
    for change in (10..=150).step_by(10) {
        pace.changed(start + milliseconds(change));
    }
    let ended = start + milliseconds(155);
    pace.ended(ended);
    assert_eq!(pace.pass(ended, &mut bucket), Pass::At(start + milliseconds(200)));
    assert_eq!(bucket.0, 2, "waiting for more takes no token");
    assert_eq!(pace.pass(start + milliseconds(200), &mut bucket), Pass::Now);
}

#[test]
fn changes_that_come_one_by_one_do_not_wait() {
    let (start, mut pace, mut bucket) = (start(), Pace::default(), Tokens(9, PERIOD));
    for change in 0..9 {
        let now = start + milliseconds(200 * change);
        pace.changed(now);
        assert_eq!(pace.pass(now, &mut bucket), Pass::Now, "{change}");
        pace.ended(now + milliseconds(150));
    }
}

#[test]
fn the_third_reload_of_a_burst_is_more_patient_than_the_second() {
    let (start, mut pace, mut bucket) = (start(), Pace::default(), Tokens(3, PERIOD));
    pace.changed(start);
    assert_eq!(pace.pass(start, &mut bucket), Pass::Now);
    let (mut now, mut waits) = (start, Vec::new());
    for _ in 0..2 {
        now += milliseconds(150);
        pace.changed(now);
        pace.ended(now);
        let Pass::At(then) = pace.pass(now, &mut bucket) else { panic!() };
        waits.push(then - now);
        assert_eq!(pace.pass(then, &mut bucket), Pass::Now);
        now = then;
    }
    assert_eq!(waits, [milliseconds(50), milliseconds(150)]);
}

#[test]
fn changes_without_end_do_not_hold_a_reload_up() {
    let (start, mut pace, mut bucket) = (start(), Pace::default(), Tokens(3, PERIOD));
    pace.changed(start);
    assert_eq!(pace.pass(start, &mut bucket), Pass::Now);
    let went_out = (1..100).map(|tick| start + milliseconds(20 * tick)).find(|now| {
        pace.changed(*now);
        pace.pass(*now, &mut bucket) == Pass::Now
    });
    assert_eq!(
        went_out,
        Some(start + milliseconds(320)),
        "the first change came after 20 ms, and 300 ms is the most"
    );
}

#[test]
fn what_takes_no_token_begins_a_burst_all_the_same() {
    let (start, mut pace, mut bucket) = (start(), Pace::default(), Tokens(3, PERIOD));
    pace.changed(start);
    pace.went_out();
    pace.changed(start + milliseconds(90));
    pace.ended(start + milliseconds(100));
    assert_eq!(pace.pass(start + milliseconds(100), &mut bucket), Pass::At(start + milliseconds(140)));
    assert_eq!(bucket.0, 3);
}

#[test]
fn a_hundred_changes_over_a_second_take_three_reloads() {
    let (start, mut pace, mut bucket) = (start(), Pace::default(), Tokens(3, PERIOD));
    let mut changes = (0..100).map(|change| start + milliseconds(change * 10)).peekable();
    let (mut busy_until, mut reloads, mut now) = (start, Vec::new(), start);
    while now < start + Duration::from_secs(3) {
        while changes.next_if(|change| *change <= now).is_some() {
            pace.changed(now);
        }
        if busy_until <= now && pace.waiting.is_some() && pace.pass(now, &mut bucket) == Pass::Now {
            busy_until = now + milliseconds(150);
            reloads.push(now - start);
            pace.ended(busy_until);
        }
        now += milliseconds(5);
    }
    assert_eq!(reloads.len(), 3, "{reloads:?}");
    assert!(reloads[2] < milliseconds(1350), "{reloads:?}: all is served after one and a half second");
}

#[test]
fn what_cannot_wait_has_a_bucket_of_its_own_and_then_the_common_one() {
    let (mut own, mut common) = (Tokens(1, Duration::from_secs(1)), Tokens(1, PERIOD));
    let mut reserve = Reserve { own: &mut own, common: &mut common };
    assert_eq!(
        [reserve.take(), reserve.take(), reserve.take()],
        [Ok(()), Ok(()), Err(Duration::from_secs(1))]
    );
    assert_eq!((own.0, common.0), (0, 0));
}
