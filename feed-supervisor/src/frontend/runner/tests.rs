//! The runner with load balancers that do as they are told, and time that passes at once.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use feed_reconcile::membership::{CutShort, Failure, Standing};
use tokio::task::JoinHandle;
use tokio::time::sleep;

use super::super::Call;
use super::*;
use crate::runtime::metrics::{Format, Metrics};
use crate::runtime::shutdown::{self, Phase, Trigger};
use crate::runtime::source;

/// What happened, with the seconds since the start.
#[derive(Clone, Debug, Default)]
struct Trace(Arc<Mutex<Vec<String>>>);

impl Trace {
    fn add(&self, start: Instant, what: &str) {
        let seconds = start.elapsed().as_secs();
        self.0.lock().unwrap().push(format!("{seconds} {what}"));
    }

    fn text(&self) -> String {
        self.0.lock().unwrap().join("\n")
    }
}

struct World {
    start: Instant,
    trace: Trace,
    attached: Mutex<Standing>,
    registering_takes: Duration,
    detaching_fails: bool,
    requests_take: Duration,
    faults: Vec<String>,
}

impl World {
    fn new() -> Self {
        Self {
            start: Instant::now(),
            trace: Trace::default(),
            attached: Mutex::new(Standing::Absent),
            registering_takes: Duration::ZERO,
            detaching_fails: false,
            requests_take: Duration::ZERO,
            faults: Vec::new(),
        }
    }

    fn note(&self, what: &str) {
        self.trace.add(self.start, what);
    }
}

impl Frontend for World {
    fn endpoints<'a>(&'a self, _: &'a BTreeSet<String>) -> Call<'a, Listing> {
        self.note("list");
        let endpoint = Endpoint::Ip([192, 0, 2, 1].into());
        let listing = Listing {
            balancers: vec!["a".to_owned()],
            endpoints: BTreeSet::from([(Scheme::Internal, endpoint)]),
            remarks: vec!["It is the only one.".to_owned()],
            faults: self.faults.clone(),
            ..Listing::default()
        };
        Box::pin(async { Ok(listing) })
    }

    fn observe<'a>(&'a self, _: &'a str) -> Call<'a, Standing> {
        let standing = self.attached.lock().unwrap().clone();
        Box::pin(async { Ok(standing) })
    }

    fn attach<'a>(&'a self, name: &'a str) -> Call<'a, ()> {
        Box::pin(async move {
            self.note(&format!("attach {name}"));
            sleep(self.registering_takes).await;
            *self.attached.lock().unwrap() = Standing::InService;
            Ok(())
        })
    }

    fn detach<'a>(&'a self, name: &'a str) -> Call<'a, ()> {
        Box::pin(async move {
            self.note(&format!("detach {name}"));
            if self.detaching_fails {
                return Err(Failure { why: "not now".to_owned(), refused: true });
            }
            *self.attached.lock().unwrap() = Standing::Absent;
            Ok(())
        })
    }

    fn clean_up(&self) -> Call<'_, ()> {
        self.note("clean up");
        Box::pin(async { Ok(()) })
    }
}

impl Server for World {
    type Error = Infallible;

    fn finish_requests(&self) -> BoxFuture<'_, ()> {
        self.note("finish requests");
        Box::pin(sleep(self.requests_take))
    }

    fn stop(&self) -> BoxFuture<'_, Result<(), Infallible>> {
        self.note("stop");
        Box::pin(async { Ok(()) })
    }

    fn stop_now(&self) -> BoxFuture<'_, Result<(), Infallible>> {
        self.note("stop now");
        Box::pin(async { Ok(()) })
    }
}

const SETTINGS: Settings = Settings {
    resync_period: Duration::from_mins(1),
    ready_timeout: Duration::from_mins(5),
    drain_delay: Duration::from_mins(1),
    notice: Duration::ZERO,
    grace_period: Duration::from_mins(5),
    expected: 1,
    fewer_are_ready: false,
    releases: false,
    drains_fully: false,
    taken_over: false,
};

/// A process; its clock stands still until everybody waits.
struct Process {
    trace: Trace,
    health: Health,
    metrics: Metrics,
    view: View,
    serving: watch::Sender<bool>,
    trigger: Trigger,
    runner: JoinHandle<Left<Infallible>>,
}

impl Process {
    fn start(world: World) -> Self {
        Self::start_with(world, SETTINGS)
    }

    fn start_with(world: World, settings: Settings) -> Self {
        let (trace, health) = (world.trace.clone(), Health::new());
        let (_, reader) = source::channel(&BTreeSet::new());
        let mut metrics = Metrics::new("feed_ingress");
        let ingress_metrics = IngressMetrics::register(&mut metrics, &health, reader.freshness());
        let (serving, serves) = watch::channel(false);
        let (trigger, shutdown) = shutdown::channel();
        let world: &'static World = Box::leak(Box::new(world));
        let (runner, view) = Runner::new("test", world, settings, health.clone(), ingress_metrics);
        let runner = tokio::spawn(runner.run(world, serves, shutdown));
        Self { trace, health, metrics, view, serving, trigger, runner }
    }

    /// Nginx serves, and some time passes.
    async fn serve(&self, seconds: u64) {
        self.serving.send_replace(true);
        sleep(Duration::from_secs(seconds)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_life_in_order() {
    let process = Process::start(World { requests_take: Duration::from_secs(3), ..World::new() });
    sleep(Duration::from_secs(10)).await;
    assert_eq!(process.trace.text(), "", "nginx does not serve yet");
    process.serve(70).await;
    process.trigger.drain();
    let left = process.runner.await.unwrap();
    assert_eq!(left.end, End { left_behind: vec![], unlisted: None, cut_short: None });
    insta::assert_snapshot!(process.trace.text(), @"
    10 list
    10 attach a
    70 list
    80 detach a
    85 finish requests
    88 clean up
    88 stop
    ");
}

#[tokio::test(start_paused = true)]
async fn operators_see_it() {
    let process = Process::start(World { registering_takes: Duration::from_secs(4), ..World::new() });
    process.serve(3).await;
    assert_eq!(
        process.health.not_ready(),
        ["a does not send requests yet: it has only just been registered"]
    );
    sleep(Duration::from_secs(3)).await;
    assert!(process.health.not_ready().is_empty());
    let encoded = process.metrics.encode(Format::Text).unwrap();
    assert!(encoded.contains("\nfeed_ingress_frontends_attached 1\n"), "{encoded}");
    assert!(encoded.contains("\nfeed_ingress_frontends_expected 1\n"), "{encoded}");
    assert_eq!(
        *process.view.status.borrow(),
        json!({
            "kind": "test",
            "attached": 1,
            "expected": 1,
            "balancers": [{ "name": "a", "state": "in_service", "error": null }],
            "endpoints": [{ "scheme": "internal", "endpoint": "192.0.2.1" }],
            "remarks": ["It is the only one."],
            "faults": [],
        })
    );
    assert_eq!(process.view.endpoints.borrow().len(), 1);
    process.trigger.drain();
    sleep(Duration::from_millis(1)).await;
    assert_eq!(process.health.not_ready(), ["this process is about to end"]);
    assert!(process.health.unhealthy().is_empty());
    process.runner.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_is_missing_is_unhealthy_and_takes_nothing_from_the_others() {
    let fault = "there is no target group named b".to_owned();
    let process = Process::start(World { faults: vec![fault.clone()], ..World::new() });
    process.serve(3).await;
    assert_eq!(process.health.unhealthy(), [fault.as_str()]);
    assert!(process.health.not_ready().is_empty());
    assert_eq!(process.view.status.borrow()["faults"], json!([fault]));
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_left_is_named() {
    let process = Process::start(World { detaching_fails: true, ..World::new() });
    process.serve(1).await;
    process.trigger.drain();
    sleep(Duration::from_secs(30)).await;
    assert_eq!(process.health.unhealthy(), ["this process is about to end; a cannot be left: not now"]);
    let left = process.runner.await.unwrap();
    assert_eq!(left.end.left_behind, [("a".to_owned(), "not now".to_owned())]);
    assert!(process.trace.text().contains("\n61 finish requests"), "{}", process.trace.text());
}

#[tokio::test(start_paused = true)]
async fn a_second_signal_ends_what_is_under_way() {
    let process = Process::start(World { requests_take: Duration::from_hours(1), ..World::new() });
    process.serve(1).await;
    process.trigger.drain();
    sleep(Duration::from_secs(20)).await;
    process.trigger.next(Phase::Draining);
    let left = process.runner.await.unwrap();
    assert_eq!(left.end, End { left_behind: vec![], unlisted: None, cut_short: Some(CutShort::Aborted) });
    assert!(process.trace.text().ends_with("finish requests\n21 stop now"), "{}", process.trace.text());
}

#[tokio::test(start_paused = true)]
async fn a_signal_during_the_first_registration_waits_for_it_and_takes_it_back() {
    let process = Process::start(World { registering_takes: Duration::from_secs(30), ..World::new() });
    process.serve(10).await;
    process.trigger.drain();
    let left = process.runner.await.unwrap();
    assert_eq!(left.end, End { left_behind: vec![], unlisted: None, cut_short: None });
    insta::assert_snapshot!(process.trace.text(), @"
    0 list
    0 attach a
    30 detach a
    35 finish requests
    35 clean up
    35 stop
    ");
}

#[tokio::test(start_paused = true)]
async fn others_get_time_to_learn_of_the_end_unless_somebody_is_in_a_hurry() {
    for (phase, expected) in [(Phase::Draining, 15), (Phase::Hurrying, 0)] {
        let settings = Settings { notice: Duration::from_secs(15), expected: 0, ..SETTINGS };
        let process = Process::start_with(World::new(), settings);
        process.serve(1).await;
        process.trigger.next(phase);
        sleep(Duration::from_secs(expected).saturating_sub(Duration::from_secs(1))).await;
        sleep(Duration::from_millis(1)).await;
        assert_eq!(process.health.not_ready().is_empty(), expected > 0);
        assert!(process.health.unhealthy().is_empty());
        process.runner.await.unwrap();
        let finished = format!("{} detach a", expected + 1);
        assert!(process.trace.text().contains(&finished), "{}", process.trace.text());
    }
}
