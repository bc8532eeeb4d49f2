//! What it costs to count requests: to nginx's workers, to its memory and reloads, and to `/metrics`.

use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use feed_tests::{
    Connection, Feed, NginxBinary, PlainNginx, Process, Request, Tmpfs, eventually_within, free_port,
};
use serde_json::json;

use crate::change::{ready, settled};
use crate::objects::{host, ingress, list, services};
use crate::{median, resident_mb, token, unlimited, until_other_token};

const ROUNDS: usize = 5;
const ROUND: Duration = Duration::from_secs(4);
const LONG: Duration = Duration::from_mins(1);
const CONNECTIONS: u32 = 32;
/// Each has four routes, one of them like no other's, so that nginx has a server for each.
const INGRESSES: usize = 2_500;
const PATIENCE: Duration = Duration::from_mins(2);

/// An nginx that answers, behind one that counts and one that does not.
pub(crate) async fn measure(nginx: &NginxBinary) {
    let backend = free_port();
    let answering = format!(
        "keepalive_requests 1000000; server {{ listen 127.0.0.1:{backend}; location / {{ return 200 ok; }} \
         location = /status {{ stub_status; }} }}"
    );
    let _backend = PlainNginx::start(nginx, &answering);
    let service = json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "service-0"},
        "spec": {"clusterIP": "127.0.0.1", "ports": [{"port": 8000}]},
    });
    let objects = list(&[service, ingress(0, "test", None)]).replace("8000", &backend.to_string());
    let mut on = unlimited(nginx).manifest("all.json", &objects).build();
    let _room = Tmpfs::mount(&on.workdir().join("requests"), "256m");
    on.start();
    on.wait_ready().await;
    let off =
        unlimited(nginx).manifest("all.json", &objects).argument("--request-metrics=false").ready().await;
    println!(
        "A worker's CPU time for a request, by wrk with {CONNECTIONS} connections, {ROUNDS} rounds in turns"
    );
    let (mut with, mut without) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        with.push(round(&on, ROUND));
        without.push(round(&off, ROUND));
    }
    let per_request = |rounds: &[Round]| median(rounds.iter().map(Round::per_request).collect());
    let (cost_on, cost_off) = (per_request(&with), per_request(&without));
    println!(
        "counted {cost_on:.2?}, not counted {cost_off:.2?}: {:.3}\n",
        cost_on.as_secs_f64() / cost_off.as_secs_f64()
    );

    let before = (total(&on, "endpoint_requests").await, asked(backend).await);
    let own = cpu_time(on.process());
    let long = round(&on, LONG);
    let own = cpu_time(on.process()).saturating_sub(own);
    let counted = total(&on, "endpoint_requests").await - before.0;
    // Of the two questions one is in the difference.
    let asked = asked(backend).await - before.1 - 1;
    println!(
        "{} answers in {LONG:?}, {} a second: {asked} requests were seen by the backend, {counted} counted; feed-ingress \
         took {:.2?} for each\n",
        long.requests,
        long.requests / LONG.as_secs(),
        own.div_f64(to_f64(long.requests))
    );
    assert_eq!(counted, asked, "requests are not counted, or twice");
}

struct Round {
    requests: u64,
    time: Duration,
}

impl Round {
    fn per_request(&self) -> Duration {
        self.time.div_f64(to_f64(self.requests))
    }
}

/// As many requests as there can be.
fn round(feed: &Feed, duration: Duration) -> Round {
    let worker = *feed.nginx_workers().first().unwrap();
    let before = cpu_time(worker);
    let output = Command::new("wrk")
        .args(["-t1", &format!("-c{CONNECTIONS}"), &format!("-d{}s", duration.as_secs())])
        .args(["-H", &format!("Host: {}", host(0)), &format!("http://{}/api/x", feed.address())])
        .output()
        .unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    let requests = said.lines().find_map(|line| line.trim().split_once(" requests in "));
    let requests = requests.and_then(|(count, _)| count.parse().ok());
    assert!(!said.contains("Non-2xx"), "{said}");
    Round { requests: requests.unwrap(), time: cpu_time(worker).saturating_sub(before) }
}

/// User and system time, from `/proc/PID/stat` (`proc(5)`), in ticks of 10 ms.
fn cpu_time(process: Process) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{}/stat", process.0)).unwrap();
    let (_, fields) = stat.rsplit_once(')').unwrap();
    let ticks: u64 =
        fields.split_ascii_whitespace().skip(11).take(2).map(|field| field.parse::<u64>().unwrap()).sum();
    Duration::from_millis(ticks * 10)
}

/// The sum of a metric's samples, once it does not grow any more.
async fn total(feed: &Feed, name: &str) -> u64 {
    let name = format!("feed_ingress_{name}{{");
    let mut last = 0;
    eventually_within(PATIENCE, "all requests are counted", async || {
        tokio::time::sleep(Duration::from_secs(2)).await;
        let metrics = feed.metrics().await;
        let samples = metrics.lines().filter(|line| line.starts_with(&name));
        let now: u64 = samples.filter_map(|line| line.rsplit_once(' ')?.1.parse::<u64>().ok()).sum();
        let is_settled = now == last && now > 0;
        last = now;
        if is_settled { Ok(now) } else { Err(now) }
    })
    .await
}

/// What the backend's own nginx has counted, this question included.
async fn asked(backend: u16) -> u64 {
    let status = Request::get("localhost", "/status").send(([127, 0, 0, 1], backend).into()).await.unwrap();
    let text = status.text();
    let counts = text.lines().nth(2).unwrap_or_default();
    counts.split_ascii_whitespace().nth(2).and_then(|count| count.parse::<u64>().ok()).unwrap()
}

#[expect(clippy::cast_precision_loss, reason = "far fewer than 2^52")]
fn to_f64(count: u64) -> f64 {
    count as f64
}

pub(crate) async fn routes(nginx: &NginxBinary) {
    println!(
        "{} routes: nginx with and without, five changes each; and /metrics once each was asked for",
        INGRESSES * 4
    );
    for argument in ["--request-metrics=false", "--request-metrics=true"] {
        let mut builder = unlimited(nginx).manifest("services.json", &list(&services(INGRESSES + 1)));
        let objects: Vec<_> =
            (0..INGRESSES).map(|number| ingress(number, "test", Some(&own(number)))).collect();
        builder = builder.manifest("all.json", &list(&objects)).argument(argument);
        let feed = builder.spawn();
        ready(&feed).await;
        settled(&feed).await;
        let memory = resident_mb(feed.nginx_master());
        let mut changes = Vec::new();
        for change in 0..5 {
            let old = token(feed.status_address()).await.unwrap();
            let another = ingress(INGRESSES, "test", Some(&format!("/change-{change}")));
            let start = Instant::now();
            feed.write_manifest("another.json", &another.to_string());
            changes.push(until_other_token(start, feed.status_address(), &old).await);
            settled(&feed).await;
        }
        println!("{argument}: nginx's master has {memory:.0} MB, a change takes {:.1?}", median(changes));
        if argument.ends_with("true") {
            pages(&feed).await;
        }
    }
    println!();
}

fn own(number: usize) -> String {
    format!("/own-{number}")
}

/// Asks for each route, and then for the metrics.
async fn pages(feed: &Feed) {
    let mut connection = Connection::open(feed.address()).await.unwrap();
    for number in 0..INGRESSES {
        for path in ["/", "/api", "/static", &own(number)] {
            let answered = connection.send(&Request::get(&host(number), path)).await;
            if answered.map_or(true, |response| response.closes()) {
                connection = Connection::open(feed.address()).await.unwrap();
            }
        }
    }
    let counted = total(feed, "ingress_requests").await;
    assert_eq!(counted, INGRESSES as u64 * 4);
    for (format, accept) in [("text", "text/plain"), ("OpenMetrics", "application/openmetrics-text")] {
        let request = Request::get("localhost", "/metrics").header("Accept", accept);
        let (mut times, mut size) = (Vec::new(), 0);
        for _ in 0..11 {
            let start = Instant::now();
            size = request.send(feed.admin_address()).await.unwrap().body.len();
            times.push(start.elapsed());
        }
        println!("/metrics as {format}: {:.1} MB in {:.0?}", to_f64(size as u64) / 1e6, median(times));
    }
    println!("feed-ingress has {:.0} MB", resident_mb(feed.process()));
}
