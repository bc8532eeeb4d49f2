//! What the whole costs, beside bare nginx on the same configuration and in the same run.
//!
//! `change`: from the change of an object to the new configuration's generation on the status port. `cold`: from the start
//! to the last host answering, memory, and one request to every host. `tls`: the same with a certificate for each host, and
//! one of them replaced. `traffic` and `routes`: what it costs to count requests, many of a few routes, and a few of many.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a benchmark may stop when it cannot go on, and prints"
)]

mod bare;
mod change;
mod cold;
mod objects;
mod tls;
mod traffic;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use feed_tests::{Feed, FeedBuilder, NginxBinary, Request};

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    // Cargo adds `--bench`.
    let wanted: Vec<String> =
        std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let is_wanted = |name: &str| wanted.is_empty() || wanted.iter().any(|argument| argument == name);
    let nginx = NginxBinary::newer().or_else(NginxBinary::system).unwrap();
    let (major, minor, patch) = nginx.version;
    println!("nginx {major}.{minor}.{patch}\n");
    if is_wanted("change") {
        change::measure(&nginx).await;
    }
    if is_wanted("cold") {
        cold::measure(&nginx).await;
    }
    if is_wanted("tls") {
        tls::measure(&nginx).await;
    }
    if is_wanted("traffic") {
        traffic::measure(&nginx).await;
    }
    if is_wanted("routes") {
        traffic::routes(&nginx).await;
    }
}

/// `feed-ingress` that may reload as often as it wants.
fn unlimited(nginx: &NginxBinary) -> FeedBuilder {
    Feed::builder(nginx).flag("--nginx-update-burst", "1000").flag("--nginx-update-period", "1s")
}

/// What nginx says of its generation, on a new connection; nothing while it does not answer.
async fn token(status: SocketAddr) -> Option<String> {
    let request = Request::get("status", "/generation").header("Connection", "close");
    let response = request.send(status).await.ok()?;
    (response.status == 200).then(|| response.text())
}

/// How long it takes from `start` until nginx answers with another token than `old`.
async fn until_other_token(start: Instant, status: SocketAddr, old: &str) -> Duration {
    while token(status).await.is_none_or(|token| token == old) {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    start.elapsed()
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

fn ratio(one: Duration, other: Duration) -> f64 {
    one.as_secs_f64() / other.as_secs_f64()
}

/// Resident memory of a process in MB, from `/proc/PID/status`.
fn resident_mb(process: feed_tests::Process) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", process.0)).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or("0 kB");
    let kilobytes: f64 = line.trim().trim_end_matches(" kB").parse().unwrap();
    kilobytes / 1000.0
}
