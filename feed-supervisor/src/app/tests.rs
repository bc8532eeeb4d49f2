//! The whole process, but for its signals, with a real nginx.

use std::fs;
use std::net::{Ipv4Addr, TcpListener as StdTcpListener};
use std::path::{Path, PathBuf};

use nix::sys::signal::{Signal, kill};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};

use super::*;
use crate::config;
use crate::nginx::confirm;
use crate::nginx::fixture::port::Port;
use crate::nginx::fixture::{PATIENCE, Place, eventually};
use crate::nginx::process;
use crate::runtime::shutdown::{self, Phase};

const INGRESS: &str = "
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: { namespace: test, name: slow }
spec:
  ingressClassName: test
  rules:
    - host: slow.example
      http: { paths: [{ path: /, pathType: Prefix, backend: { service: { name: slow, port: { number: PORT } } } }] }
---
apiVersion: v1
kind: Service
metadata: { namespace: test, name: slow }
spec: { clusterIP: 127.0.0.1, ports: [{ port: PORT }] }
";

/// A process in a place of its own.
struct Feed {
    place: Place,
    manifests: PathBuf,
    health_port: u16,
    flags: String,
    _port: Port,
}

/// One that runs.
struct Run {
    trigger: Trigger,
    ended: JoinHandle<Result<(), AppError>>,
}

impl Drop for Run {
    fn drop(&mut self) {
        self.ended.abort();
    }
}

impl Run {
    async fn end(&mut self) -> Result<(), String> {
        let ended = timeout(PATIENCE, &mut self.ended).await.expect("an end in time").unwrap();
        ended.map_err(|error| error.to_string())
    }
}

impl Feed {
    fn new(flags: &str) -> Self {
        let place = Place::new();
        let manifests = place.workdir.with_file_name("manifests");
        fs::create_dir(&manifests).unwrap();
        let port = Port::claim();
        Self { place, manifests, health_port: port.number, flags: flags.to_owned(), _port: port }
    }

    fn config(&self) -> Config {
        let Self { manifests, health_port, flags, .. } = self;
        self.place.config(&format!("--manifests={} --health-port={health_port} {flags}", manifests.display()))
    }

    fn run(&self) -> Run {
        let config = self.config();
        let (trigger, shutdown) = shutdown::channel();
        let ended = tokio::spawn({
            let trigger = trigger.clone();
            async move { Box::pin(serve(config, &trigger, shutdown, Asked::default())).await }
        });
        Run { trigger, ended }
    }

    async fn ask(&self, path: &str) -> String {
        get(self.health_port, "localhost", path).await.unwrap_or_default()
    }

    async fn until(&self, path: &str, expected: &str) {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            let answer = self.ask(path).await;
            if answer.contains(expected) {
                return;
            }
            assert!(tokio::time::Instant::now() < deadline, "{path} does not say {expected:?} but {answer}");
            sleep(Duration::from_millis(10)).await;
        }
    }

    async fn ready(&self) {
        self.until("/readiness", "200 OK").await;
    }

    /// Serves an Ingress whose backend is returned: it gets connections, and answers nothing by itself.
    async fn slow_backend(&self) -> TcpListener {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        fs::write(self.manifests.join("slow.yaml"), INGRESS.replace("PORT", &port.to_string())).unwrap();
        listener
    }

    /// Begins a request to the slow backend; returns what it will be answered with, and the backend's end.
    async fn slow_request(&self, backend: &TcpListener) -> (JoinHandle<String>, TcpStream) {
        let port = self.place.http_port;
        let answer = tokio::spawn(async move { get(port, "slow.example", "/").await.unwrap() });
        let (mut stream, _) = timeout(PATIENCE, backend.accept()).await.unwrap().unwrap();
        let mut request = [0; 1024];
        assert!(stream.read(&mut request).await.unwrap() > 0);
        (answer, stream)
    }
}

async fn get(port: u16, host: &str, path: &str) -> io::Result<String> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
    stream
        .write_all(format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").as_bytes())
        .await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone";

#[tokio::test]
async fn requests_are_finished_before_nginx_and_nginx_before_the_process() {
    let feed = Feed::new("");
    let backend = feed.slow_backend().await;
    let mut run = feed.run();
    feed.ready().await;
    let (answer, mut stream) = feed.slow_request(&backend).await;

    run.trigger.hurry();
    feed.until("/readiness", "this process is about to end").await;
    let health = get(feed.place.status_port, "localhost", "/health").await.unwrap();
    assert!(health.starts_with("HTTP/1.1 200 "), "nginx goes on answering: {health}");
    assert!(feed.ask("/alive").await.contains("200 OK"));
    assert!(!run.ended.is_finished());

    stream.write_all(ANSWER).await.unwrap();
    assert!(answer.await.unwrap().ends_with("done"));
    assert_eq!(run.end().await, Ok(()));
    assert_eq!(feed.place.master(), None);
}

#[tokio::test]
async fn everything_is_served_until_others_may_know_of_the_end() {
    let feed = Feed::new("--drain-delay=3s");
    let mut run = feed.run();
    feed.ready().await;
    let told_at = tokio::time::Instant::now();
    run.trigger.drain();
    let backend = feed.slow_backend().await;
    feed.until("/metrics", "feed_ingress_configuration_generation 2").await;
    let (answer, mut stream) = feed.slow_request(&backend).await;
    assert!(feed.ask("/readiness").await.contains("200 OK"));
    assert!(feed.ask("/health").await.contains("200 OK"));
    feed.until("/readiness", "about to end").await;
    assert!(told_at.elapsed() >= Duration::from_secs(3));
    stream.write_all(ANSWER).await.unwrap();
    assert!(answer.await.unwrap().ends_with("done"));
    assert_eq!(run.end().await, Ok(()));
    assert_eq!(feed.place.master(), None);
}

#[tokio::test]
async fn an_nginx_that_is_silent_for_a_moment_is_asked_again() {
    let feed = Feed::new("");
    let backend = feed.slow_backend().await;
    let mut run = feed.run();
    feed.ready().await;
    let (answer, mut stream) = feed.slow_request(&backend).await;
    let workers = process::accepting_workers(feed.place.master().unwrap());
    let signal_all = |signal| workers.iter().for_each(|worker| kill(*worker, signal).unwrap());
    signal_all(Signal::SIGSTOP);
    run.trigger.hurry();
    feed.until("/readiness", "about to end").await;
    // Longer than an answer may take.
    let stopped_for = Duration::from_millis(1500);
    assert!(timeout(stopped_for, &mut run.ended).await.is_err(), "a request is under way");
    assert!(feed.place.master().is_some());
    signal_all(Signal::SIGCONT);
    stream.write_all(ANSWER).await.unwrap();
    assert!(answer.await.unwrap().ends_with("done"));
    assert_eq!(run.end().await, Ok(()));
}

#[tokio::test]
async fn an_nginx_that_dies_while_its_requests_are_waited_for_is_not_waited_for() {
    let feed = Feed::new("");
    let backend = feed.slow_backend().await;
    let mut run = feed.run();
    feed.ready().await;
    let (_answer, _stream) = feed.slow_request(&backend).await;
    run.trigger.hurry();
    feed.until("/readiness", "about to end").await;
    kill(feed.place.master().unwrap(), Signal::SIGTERM).unwrap();
    assert_eq!(run.end().await, Ok(()));
}

#[tokio::test]
async fn a_second_signal_ends_everything_at_once() {
    let feed = Feed::new("");
    let backend = feed.slow_backend().await;
    let mut run = feed.run();
    feed.ready().await;
    let (_answer, _stream) = feed.slow_request(&backend).await;
    run.trigger.hurry();
    feed.until("/readiness", "about to end").await;
    assert_eq!(run.trigger.next(Phase::Draining), Phase::Aborting);
    assert_eq!(run.end().await, Err("ended by a second signal, before nginx had finished".into()));
    assert_eq!(feed.place.master(), None);
}

#[tokio::test]
async fn the_grace_period_bounds_the_end() {
    let feed = Feed::new("--shutdown-grace-period=200ms");
    let backend = feed.slow_backend().await;
    let mut run = feed.run();
    feed.ready().await;
    let (_answer, _stream) = feed.slow_request(&backend).await;
    run.trigger.hurry();
    let expected = "nginx had not finished within 200ms (--shutdown-grace-period)";
    assert_eq!(run.end().await, Err(expected.into()));
    assert_eq!(feed.place.master(), None);
}

#[tokio::test]
async fn a_lost_worker_does_not_hold_the_end_up() {
    let feed = Feed::new("");
    let backend = feed.slow_backend().await;
    let mut run = feed.run();
    feed.ready().await;
    let port = feed.place.http_port;
    let unanswered = tokio::spawn(async move { get(port, "slow.example", "/").await });
    let _stream = timeout(PATIENCE, backend.accept()).await.unwrap().unwrap();
    let master = feed.place.master().unwrap();
    let worker = process::accepting_workers(master)[0];
    kill(worker, Signal::SIGKILL).unwrap();
    assert_eq!(unanswered.await.unwrap().unwrap_or_default(), "");
    eventually("another worker", || process::accepting_workers(master).iter().any(|other| *other != worker))
        .await;
    feed.ready().await;
    run.trigger.hurry();
    assert_eq!(run.end().await, Ok(()));
}

#[tokio::test]
async fn a_neighbour_is_told_when_it_may_stop_and_is_not_stopped() {
    let mut feed = Feed::new("");
    feed.flags = format!("--nginx-pid-file={}", feed.place.pid_file().display());
    let drained = feed.place.workdir.join("drained");
    fs::create_dir(&feed.place.workdir).unwrap();
    fs::write(&drained, "left by the process before").unwrap();
    let backend = feed.slow_backend().await;
    let mut run = feed.run();
    feed.until("/readiness", "waiting for the neighbouring container to start it").await;
    feed.until("/health", "200 OK").await;
    assert!(!drained.exists());

    let neighbour = feed.place.child().await;
    let bootstrap = feed_reconcile::nginx::bootstrap(&feed.place.options()).unwrap();
    let first = feed_reconcile::nginx::Generation(0);
    feed.place.files().write(first, bootstrap.parts(first), bootstrap.certificates()).unwrap();
    feed.place.files().name(first).unwrap();
    let (master, _complaint) = feed.place.program().await.start(&neighbour.nginx.follower).unwrap();
    feed.ready().await;
    feed.until("/status", "\"mode\": \"sidecar\"").await;

    let (answer, mut stream) = feed.slow_request(&backend).await;
    run.trigger.hurry();
    feed.until("/readiness", "about to end").await;
    assert!(!drained.exists(), "a request is under way");
    stream.write_all(ANSWER).await.unwrap();
    assert!(answer.await.unwrap().ends_with("done"));
    assert_eq!(run.end().await, Ok(()));
    assert!(drained.exists());
    confirm::answers(feed.place.status()).await;
    master.terminate().unwrap();
    master.gone().await;
}

#[tokio::test]
async fn what_has_changed_is_served_and_what_is_wrong_is_said() {
    let feed = Feed::new("");
    let _run = feed.run();
    feed.ready().await;
    let _backend = feed.slow_backend().await;
    feed.until("/status", "\"routes\": 1").await;
    feed.until("/metrics", "feed_ingress_configuration_generation 2").await;
    let broken = INGRESS
        .replace("PORT", "80")
        .replace("name: slow }", "name: broken }")
        .replace("host: slow", "host: _");
    fs::write(feed.manifests.join("broken.yaml"), broken).unwrap();
    feed.until("/status", "\"code\": \"InvalidHost\"").await;
    feed.until("/metrics", "feed_ingress_diagnostics{code=\"InvalidHost\",severity=\"error\"} 1").await;
}

/// Runs, and returns the sentence it ends with.
async fn fails(feed: &Feed) -> String {
    let error = feed.run().end().await.unwrap_err();
    assert!(!error.contains('\n'), "one sentence: {error}");
    assert_eq!(feed.place.master(), None, "nothing is left running");
    error
}

#[tokio::test]
async fn a_port_that_is_taken_is_named_before_anything_starts() {
    let feed = Feed::new("");
    for (port, flag) in [
        (feed.place.http_port, "--ingress-port"),
        (feed.place.status_port, "--ingress-health-port"),
        (feed.health_port, "--health-port"),
    ] {
        let _holder = StdTcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).unwrap();
        let error = fails(&feed).await;
        assert!(error.contains(&format!("port {port} ")) && error.contains(flag), "{error}");
    }
}

/// Spoils a configuration.
type Change<'a> = Box<dyn Fn(&mut Config) + 'a>;

#[tokio::test]
async fn what_cannot_be_used_is_named_before_anything_starts() {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), "{{ nonsense }}").unwrap();
    let file = file.path().to_owned();
    let changes: [(&str, Change<'_>); 6] = [
        (
            "there is no nginx: /no/nginx is not found",
            Box::new(|config| config.nginx.binary = "/no/nginx".into()),
        ),
        ("cannot be executed: Permission denied", Box::new(|config| config.nginx.binary = file.clone())),
        ("`nonsense` is undefined", Box::new(|config| config.nginx.template = Some(file.clone()))),
        ("nginx template /no/file: ", Box::new(|config| config.nginx.template = Some("/no/file".into()))),
        (
            "/no/directory",
            Box::new(|config| config.source = config::Source::Manifests("/no/directory".into())),
        ),
        (
            "cannot write to nginx's workdir ",
            Box::new(|config| config.nginx.base.workdir = file.join("x").to_str().unwrap().into()),
        ),
    ];
    for (expected, change) in changes {
        let feed = Feed::new("");
        let mut config = feed.config();
        change(&mut config);
        let (trigger, shutdown) = shutdown::channel();
        let error =
            Box::pin(serve(config, &trigger, shutdown, Asked::default())).await.unwrap_err().to_string();
        assert!(error.contains(expected) && !error.contains('\n'), "{error}");
        assert!(!feed.place.files().live().exists());
    }
}

#[tokio::test]
async fn a_second_process_in_the_same_place_leaves_the_first_alone() {
    let (feed, other) = (Feed::new(""), Feed::new(""));
    let _run = feed.run();
    feed.ready().await;
    let mut config = other.config();
    config.nginx.base.workdir = feed.place.workdir.to_str().unwrap().into();
    let (trigger, shutdown) = shutdown::channel();
    let error = Box::pin(serve(config, &trigger, shutdown, Asked::default())).await.unwrap_err().to_string();
    assert!(error.starts_with("another feed-ingress uses nginx's workdir"), "{error}");
    feed.ready().await;
    assert!(feed.place.master().is_some());
}

#[test]
fn relative_programs_are_looked_for_where_the_process_is() {
    assert_eq!(prepare::absolute(Path::new("nginx")), Path::new("nginx"));
    assert_eq!(prepare::absolute(Path::new("/usr/sbin/nginx")), Path::new("/usr/sbin/nginx"));
    let relative = prepare::absolute(Path::new("./nginx"));
    assert!(relative.is_absolute() && relative.ends_with("nginx"), "{}", relative.display());
}
