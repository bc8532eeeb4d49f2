//! Everything at once, for a while: clients, changes, certificates, Ingresses that nginx refuses, deaths of `feed-ingress` and of
//! the API server. No request fails, each change is served, and memory stays as it is.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "here a failed expectation is a failed test, and it measures"
)]

mod cluster;
mod memory;

use std::env;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use feed_tests::{
    Backend, ControlPlane, Feed, Load, NginxBinary, Request, TestCertificate, TlsClient, eventually_within,
};
use nix::sys::signal::Signal;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, sleep};

use self::cluster::Cluster;
use self::memory::{Growth, Memory};

const CLIENTS: usize = 200;

/// Between an answer and the next request of a client.
const PAUSE: Duration = Duration::from_millis(200);

/// How long a change may take until it is served, through a search for an Ingress at fault or an absence of the API server.
const PATIENCE: Duration = Duration::from_secs(90);

/// How often is looked whether something is served.
const POLL: Duration = Duration::from_millis(20);

/// How long the API server is away each time, beside the time that it needs to start.
const ABSENCE: Duration = Duration::from_secs(8);

/// What is done once, or once a minute, in its order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Deed {
    Rotate,
    Poison,
    Cure,
    KillFeed,
    TakeApiServerAway,
}

/// What is done when, in seconds.
fn plan(seconds: u64) -> Vec<(u64, Deed)> {
    let minutes = 0..seconds / 60;
    let mut plan: Vec<(u64, Deed)> = minutes
        .flat_map(|minute| {
            [(15, Deed::Rotate), (25, Deed::Poison), (50, Deed::Cure)]
                .map(|(at, deed)| (60 * minute + at, deed))
        })
        .collect();
    plan.extend([
        (seconds / 6, Deed::KillFeed),
        (seconds / 2, Deed::TakeApiServerAway),
        (seconds * 3 / 4, Deed::TakeApiServerAway),
    ]);
    plan.sort_by_key(|(at, _)| *at);
    plan
}

/// What was done, and how long it took until it was served.
#[derive(Debug, Default)]
struct Record {
    changes: JoinSet<Duration>,
    rotations: JoinSet<Duration>,
    poisoned: Vec<Duration>,
    absences: Vec<Duration>,
}

struct Soak<'a> {
    control_plane: &'a ControlPlane,
    cluster: Cluster,
    feed: Feed,
    memory: Option<Memory>,
    record: Record,
    ill: Option<String>,
}

impl Soak<'_> {
    async fn run(&mut self, duration: Duration) {
        let start = Instant::now();
        let mut plan = plan(duration.as_secs()).into_iter().peekable();
        let mut ticks = interval(Duration::from_secs(1));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut number = 0;
        while start.elapsed() < duration {
            ticks.tick().await;
            let (host, path) = self.cluster.change(number).await;
            self.record.changes.spawn(served(self.feed.address(), host, path));
            number += 1;
            while let Some((_, deed)) = plan.next_if(|(at, _)| start.elapsed().as_secs() >= *at) {
                self.perform(deed, number).await;
            }
        }
    }

    async fn perform(&mut self, deed: Deed, number: usize) {
        match deed {
            Deed::Rotate => {
                let certificate = TestCertificate::new(&["own.test"]);
                self.cluster.rotate(&certificate).await;
                self.record.rotations.spawn(shown(self.feed.tls_address(), certificate));
            }
            Deed::Poison => {
                let name = self.cluster.poison(number).await;
                let since = Instant::now();
                self.wait_quarantined(&name).await;
                self.record.poisoned.push(since.elapsed());
                self.ill = Some(name);
            }
            Deed::Cure => {
                if let Some(name) = self.ill.take() {
                    self.cluster.remove(&name).await;
                }
            }
            Deed::KillFeed => {
                self.feed.kill();
                sleep(Duration::from_secs(2)).await;
                self.feed.start();
                self.feed.wait_ready().await;
                // That of the new process is looked at.
                self.memory = Some(Memory::watch([self.feed.process(), self.feed.nginx_master()]));
            }
            Deed::TakeApiServerAway => {
                let since = Instant::now();
                self.control_plane.kill_api_server();
                sleep(ABSENCE).await;
                self.control_plane.start_api_server().await;
                self.record.absences.push(since.elapsed());
            }
        }
    }

    async fn wait_quarantined(&self, name: &str) {
        eventually_within(PATIENCE, "the Ingress at fault is found", async || {
            let diagnostics = self.feed.status().await["diagnostics"].clone();
            let is_it = |diagnostic: &serde_json::Value| {
                diagnostic["code"] == "Quarantined"
                    && diagnostic["object"]["name"].as_str().is_some_and(|found| found.ends_with(name))
            };
            let found = diagnostics.as_array().is_some_and(|all| all.iter().any(is_it));
            if found { Ok(()) } else { Err(diagnostics.to_string()) }
        })
        .await;
    }
}

/// How long it takes until a path is served.
async fn served(address: SocketAddr, host: String, path: String) -> Duration {
    let since = Instant::now();
    let request = Request::get(&host, path.as_str());
    loop {
        let seen = match request.send(address).await {
            Ok(response) if response.status == 200 => return since.elapsed(),
            Ok(response) => response.status.to_string(),
            Err(error) => error.to_string(),
        };
        assert!(since.elapsed() < PATIENCE, "{host}{path} is not served: {seen}");
        sleep(POLL).await;
    }
}

/// How long it takes until a certificate is shown.
async fn shown(address: SocketAddr, certificate: TestCertificate) -> Duration {
    let since = Instant::now();
    loop {
        let seen = match TlsClient::to("own.test").certificate(address).await {
            Ok(shown) if shown == certificate.der => return since.elapsed(),
            Ok(_) => "another one".to_owned(),
            Err(error) => error.to_string(),
        };
        assert!(since.elapsed() < PATIENCE, "the new certificate is not shown: {seen}");
        sleep(POLL).await;
    }
}

fn duration() -> Duration {
    let minutes = env::var("FEED_SOAK_MINUTES").map_or(2, |minutes| minutes.parse().unwrap());
    Duration::from_mins(minutes)
}

/// Half of the times are shorter than the first, none is longer than the second.
fn median_and_longest(mut times: Vec<Duration>) -> (Duration, Duration) {
    times.sort_unstable();
    (times[times.len() / 2], times[times.len() - 1])
}

fn tell(name: &str, Growth { minutes, mean, slope }: Growth) {
    println!(
        "{name}: {:.1} MiB in the mean of {minutes:.1} minutes, {slope:+.1} KiB a minute",
        mean / 1024.0
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_request_fails_and_every_change_is_served_and_memory_is_flat() {
    let Some(nginx) = NginxBinary::newer() else { return };
    let Some(control_plane) = ControlPlane::start().await else { return };
    let namespace = control_plane.namespace().await;
    let backend = Backend::http("a").await;
    let cluster = Cluster::new(&control_plane, &namespace, &backend).await;
    let first = TestCertificate::new(&["own.test"]);
    cluster.begin(&first).await;
    let feed = Feed::builder(&nginx).kubernetes(&namespace).tls(&TestCertificate::new(&["default.test"]));
    let feed = feed
        .flag("--nginx-server-names-hash-bucket-size", "64")
        .flag("--nginx-update-period", "1s")
        // Every reload is a storm of connections to the one backend, on a machine that does all else too.
        .flag("--nginx-backend-connect-timeout-seconds", "10")
        .flag("--drain-delay", "0s")
        .ready()
        .await;
    shown(feed.tls_address(), first).await;

    let load = Load::start_thinking(feed.address(), &Request::get("busy.test", "/"), CLIENTS, PAUSE);
    let control_plane = &control_plane;
    let mut soak = Soak { control_plane, cluster, feed, memory: None, record: Record::default(), ill: None };
    let duration = duration();
    soak.run(duration).await;
    let Soak { mut feed, memory, record, .. } = soak;
    let changes = record.changes.join_all().await;
    let rotations = record.rotations.join_all().await;
    let growth = memory.unwrap().growth(0.25);
    let report = load.stop().await;
    let reloads = feed.metric("feed_ingress_reloads").await.unwrap();
    feed.signal(Signal::SIGTERM);
    assert!(feed.wait_exit(Duration::from_secs(30)).await.success(), "{}", feed.log());

    println!("{} minutes, {CLIENTS} clients: {:?} answers", duration.as_secs() / 60, report.answers);
    println!(
        "failed requests: {}; connections that nginx asked to be made anew: {}",
        report.failures.len(),
        report.announced_closes
    );
    println!("{} changes, served after (median, longest) {:?}", changes.len(), median_and_longest(changes));
    println!("{} certificates, shown after {:?}", rotations.len(), median_and_longest(rotations));
    println!(
        "{} Ingresses that nginx refuses, found after {:?}",
        record.poisoned.len(),
        median_and_longest(record.poisoned)
    );
    println!(
        "{reloads} reloads since feed-ingress was killed; the API server was away for {:?}",
        record.absences
    );
    tell("feed-ingress", growth[0]);
    tell("nginx's master", growth[1]);

    assert_eq!(report.failures, [""; 0]);
    assert_eq!(report.answers.keys().copied().collect::<Vec<_>>(), [200]);
    for Growth { minutes, mean, slope } in growth {
        // Two minutes tell little of a slope.
        let allowed = if minutes < 5.0 { 32.0 * 1024.0 } else { mean / 10.0 + 2048.0 };
        assert!(slope * minutes < allowed, "memory grows by {slope:.1} KiB a minute");
    }
}
