//! The loop with a real nginx.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use feed_reconcile::desired::{Backend, DesiredState, PathMatch, Route, RouteSettings, VirtualServer};
use feed_reconcile::diagnostic::Diagnostics;
use feed_reconcile::host::Host;
use feed_reconcile::nginx::{Generation, Renderer};
use feed_reconcile::options::RouteDefaults;
use feed_reconcile::path::RoutePath;
use feed_reconcile::snapshot::Store;
use nix::sys::signal::{Signal, kill};
use serde_json::{Value, json};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::*;
use crate::board::NginxPage;
use crate::metrics::IngressMetrics;
use crate::nginx::executor::Mode;
use crate::nginx::fixture::{PATIENCE, Place, Process, eventually};
use crate::runtime::health::Health;
use crate::runtime::metrics::{Format, Metrics};
use crate::runtime::source;
use crate::tokens::{Budgets, Tokens};

const SETTINGS: Settings =
    Settings { sidecar: false, confirm_timeout: PATIENCE, max_restarts: 3, allow_empty: false };

/// A route that answers 503: a path of a host, asked for by an Ingress.
type Asked = (&'static str, &'static str, &'static str);

fn route((_, path, ingress): Asked) -> Arc<Route> {
    let defaults = RouteDefaults::default();
    Arc::new(Route {
        ingress: ObjectName::new("test", ingress),
        path: RoutePath::decode(path).unwrap(),
        path_match: PathMatch::Exact,
        backend: Backend::Unavailable,
        strip: false,
        settings: Arc::new(RouteSettings {
            allow: defaults.allow,
            backend_timeout_seconds: defaults.backend_timeout_seconds,
            proxy_buffer_size_in_kb: defaults.proxy_buffer_size_in_kb,
            proxy_buffer_blocks: defaults.proxy_buffer_blocks,
        }),
    })
}

/// What is computed when this is asked for.
fn computed(place: &Place, asked: &[Asked]) -> Computed {
    let mut state = DesiredState::default();
    for one in asked {
        let server = state.servers.entry(Host::new(one.0).unwrap()).or_default();
        let mut routes = VirtualServer::clone(server).routes;
        routes.push(route(*one));
        *server = Arc::new(VirtualServer { routes, certificate: None });
    }
    let mut renderer = Renderer::new(place.options(), RouteDefaults::default()).unwrap();
    Computed {
        handovers: Vec::new(),
        rendered: Ok(renderer.update(&state).unwrap()),
        admitted: Store::default(),
        quarantined: 0,
        searching: false,
        diagnostics: Arc::new(Diagnostics::new()),
        ingresses: asked.len(),
        certificates: Arc::default(),
        changed_at: Some(Instant::now()),
    }
}

const ONE: Asked = ("one.example", "/one", "one");
const TWO: Asked = ("two.example", "/two", "two");
/// The same location twice, as only a fault of ours could ask for it: nginx refuses that.
const BAD: [Asked; 2] = [("bad.example", "/bad", "bad"), ("bad.example", "/bad", "worse")];

/// A process that serves; killed when dropped.
struct Feed {
    _process: Process,
    health: Health,
    board: Board,
    metrics: Metrics,
    computed: mpsc::Sender<Computed>,
    verdicts: mpsc::UnboundedReceiver<Verdict>,
    ended: oneshot::Receiver<ControlError>,
    control: JoinHandle<()>,
}

impl Drop for Feed {
    fn drop(&mut self) {
        self.control.abort();
    }
}

impl Feed {
    async fn start(place: &Place) -> Self {
        Self::start_with(place, SETTINGS).await
    }

    async fn start_with(place: &Place, settings: Settings) -> Self {
        let mut process = place.process(Mode::Child(place.program().await));
        let found = process.nginx.take_over().await.unwrap();
        process.run();
        let (_, reader) = source::channel(&std::collections::BTreeSet::new());
        let (health, mut metrics) = (Health::new(), Metrics::new("feed_ingress"));
        let ingress_metrics = IngressMetrics::register(&mut metrics, &health, reader.freshness());
        let board = Board::new(health.clone(), ingress_metrics);
        let live_file = process.nginx.files.live().to_string_lossy().into_owned();
        let commands = process.commands.clone();
        let (judge, verdicts) = mpsc::unbounded_channel();
        let bucket = || Box::new(Tokens::new(NonZeroU32::new(3).unwrap(), Duration::from_secs(30)));
        let budgets = Budgets { common: bucket(), endpoints: bucket(), upstreams: bucket() };
        let control =
            Control::begin(settings, found, budgets, commands, board.clone(), judge, live_file).unwrap();
        let (computed, events) = mpsc::channel(1);
        let (_, unused) = mpsc::channel(1);
        let events = Events { computed: events, nginx: std::mem::replace(&mut process.outcomes, unused) };
        let (end, ended) = oneshot::channel();
        let control = tokio::spawn(async move {
            let Err(error) = control.run(events).await;
            end.send(error).unwrap();
        });
        Self { _process: process, health, board, metrics, computed, verdicts, ended, control }
    }

    async fn ask(&self, place: &Place, asked: &[Asked]) {
        self.computed.send(computed(place, asked)).await.unwrap();
    }

    fn page(&self) -> Value {
        let nginx = NginxPage { mode: "child", pid: None, version: None };
        self.board.page(&nginx, None, &json!([]))
    }

    fn problems(&self) -> String {
        self.health.unhealthy().join("\n")
    }

    fn is_ready(&self) -> bool {
        self.health.not_ready().is_empty()
    }

    /// Waits until that generation is confirmed and the process is ready.
    async fn serves(&self, generation: u64) {
        let so = || self.is_ready() && self.page()["generation"] == generation;
        eventually(&format!("generation {generation}"), so).await;
    }

    fn metric(&self, line: &str) -> bool {
        self.metrics.encode(Format::Text).unwrap().lines().any(|other| other == line)
    }
}

async fn served(place: &Place) -> Generation {
    place.status().generation().await.unwrap().generation
}

#[tokio::test]
async fn what_is_asked_for_is_served_and_shown() {
    let place = Place::new();
    let feed = Feed::start(&place).await;
    assert!(!feed.is_ready());
    assert_eq!(feed.problems(), "", "nothing is wrong with waiting");
    feed.ask(&place, &[ONE]).await;
    feed.serves(1).await;
    feed.ask(&place, &[ONE, TWO]).await;
    feed.serves(2).await;
    assert_eq!(served(&place).await, Generation(2));

    let page = feed.page();
    assert_eq!(
        (&page["routes"], &page["ingresses"], &page["last_failure"]),
        (&json!(2), &json!(2), &Value::Null)
    );
    let history = page["reloads"].as_array().unwrap();
    let kinds: Vec<_> =
        history.iter().map(|past| (past["kind"].as_str(), past["outcome"].as_str())).collect();
    assert_eq!(kinds, [(Some("reload"), Some("confirmed")), (Some("start"), Some("confirmed"))]);
    for line in [
        "feed_ingress_reloads 1",
        "feed_ingress_reload_outcomes_total{outcome=\"confirmed\"} 1",
        "feed_ingress_configuration_generation 2",
        "feed_ingress_configuration_routes 2",
        "feed_ingress_change_to_serving_seconds_count 2",
    ] {
        assert!(feed.metric(line), "{line}");
    }
}

#[tokio::test]
async fn a_cluster_without_a_route_is_ready() {
    let place = Place::new();
    let feed = Feed::start(&place).await;
    feed.ask(&place, &[]).await;
    feed.serves(1).await;
}

#[tokio::test]
async fn a_refused_configuration_changes_nothing_and_names_the_ingress() {
    let place = Place::new();
    let mut feed = Feed::start(&place).await;
    feed.ask(&place, &[ONE]).await;
    feed.serves(1).await;
    assert!(matches!(feed.verdicts.recv().await, Some(Verdict::Taken(_))));
    feed.ask(&place, &BAD).await;
    eventually("the refusal", || !feed.problems().is_empty()).await;
    let Some(Verdict::Refused { at_fault, serves: true, text, .. }) = feed.verdicts.recv().await else {
        panic!()
    };
    assert_eq!(at_fault, AtFault::Ingresses(BTreeSet::from([ObjectName::new("test", "worse")])));
    assert!(text.starts_with("duplicate location"), "{text}");
    let problems = feed.problems();
    assert!(
        problems.starts_with("nginx refused configuration 2: duplicate location \"/bad\" in "),
        "{problems}"
    );
    assert!(
        problems.contains("; 1 is served instead; the line is there because of Ingress test/worse"),
        "{problems}"
    );
    assert!(feed.is_ready());
    assert_eq!(served(&place).await, Generation(1));
    eventually("the name is back", || place.files().left().unwrap().named == Some(Generation(1))).await;
    assert_eq!(place.files().left().unwrap().confirmed.unwrap().0.generation, Generation(1));
    let failure = &feed.page()["last_failure"];
    assert_eq!((&failure["outcome"], &failure["ingresses"]), (&json!("refused"), &json!(["test/worse"])));
    assert!(
        failure["line"].as_u64().unwrap() > 50 && failure["text"].as_str().unwrap().contains("duplicate")
    );

    feed.ask(&place, &[ONE, TWO]).await;
    feed.serves(3).await;
    assert_eq!(feed.problems(), "");
}

#[tokio::test]
async fn a_first_configuration_that_is_refused_leaves_room_for_the_next() {
    let place = Place::new();
    let feed = Feed::start(&place).await;
    feed.ask(&place, &BAD).await;
    eventually("the refusal", || feed.problems().contains("nothing is served; the line is there because of"))
        .await;
    assert!(!feed.is_ready());
    feed.ask(&place, &[ONE]).await;
    feed.serves(2).await;
}

#[tokio::test]
async fn a_killed_nginx_comes_back_with_the_same_configuration() {
    let place = Place::new();
    let feed = Feed::start(&place).await;
    feed.ask(&place, &[ONE]).await;
    feed.serves(1).await;
    let master = place.master().unwrap();
    kill(master, Signal::SIGKILL).unwrap();
    eventually("it is noticed", || !feed.is_ready()).await;
    feed.serves(1).await;
    assert_ne!(place.master(), Some(master));
    assert_eq!(feed.problems(), "");
}

#[tokio::test]
async fn an_nginx_that_keeps_dying_ends_the_loop() {
    let place = Place::new();
    let mut feed = Feed::start(&place).await;
    feed.ask(&place, &[ONE]).await;
    for death in 0..=SETTINGS.max_restarts {
        feed.serves(1).await;
        let master = place.master().unwrap();
        kill(master, Signal::SIGKILL).unwrap();
        if death < SETTINGS.max_restarts {
            eventually("another master", || place.master().is_some_and(|other| other != master)).await;
        }
    }
    let ended = tokio::time::timeout(PATIENCE, &mut feed.ended).await.unwrap().unwrap();
    assert!(ended.to_string().starts_with("nginx cannot be kept alive: its master process "), "{ended}");
}

#[tokio::test]
async fn a_killed_process_is_followed_by_one_that_takes_over() {
    let place = Place::new();
    let first = Feed::start(&place).await;
    first.ask(&place, &[ONE]).await;
    first.serves(1).await;
    let master = place.master();
    drop(first);

    let second = Feed::start(&place).await;
    second.ask(&place, &[ONE]).await;
    second.serves(1).await;
    assert!(second.metric("feed_ingress_reloads 0"), "equal bytes cause no reload");
    second.ask(&place, &[TWO]).await;
    second.serves(2).await;
    assert_eq!(place.master(), master);
}

#[tokio::test]
async fn a_process_that_is_killed_between_name_and_signal_leaves_nothing_unconfirmed() {
    let place = Place::new();
    let mut first = place.child().await;
    first.start(place.version(1, "one", "")).await;
    first.command(Command::Write(place.version(2, "two", "no_such_thing on;"))).await;
    first.command(Command::Name(Generation(2))).await;
    drop(first);

    let second = Feed::start(&place).await;
    eventually("the name is back", || place.files().left().unwrap().named == Some(Generation(1))).await;
    second.ask(&place, &[ONE]).await;
    second.serves(3).await;
}

#[tokio::test]
async fn a_process_that_is_killed_before_it_confirms_leaves_its_successor_to_do_so() {
    let place = Place::new();
    let mut first = place.child().await;
    first.start(place.version(1, "one", "")).await;
    for command in [
        Command::Write(place.version(2, "two", "")),
        Command::Name(Generation(2)),
        Command::Reload(Generation(2)),
    ] {
        first.command(command).await;
    }
    drop(first);
    assert_eq!(served(&place).await, Generation(2));

    let second = Feed::start(&place).await;
    second.ask(&place, &[ONE]).await;
    second.serves(3).await;
    assert_eq!(served(&place).await, Generation(3));
}

#[tokio::test]
async fn after_both_were_killed_the_last_confirmed_configuration_is_served_before_anything_is_known() {
    let place = Place::new();
    let mut first = place.child().await;
    first.start(place.version(1, "one", "")).await;
    drop(first);
    kill(place.master().unwrap(), Signal::SIGKILL).unwrap();
    eventually("its end", || place.master().is_none()).await;

    let second = Feed::start(&place).await;
    eventually("generation 1", || second.page()["generation"] == 1).await;
    assert_eq!(place.get().await, "one");
    assert!(!second.is_ready(), "what should be served is not known yet");
    second.ask(&place, &[]).await;
    eventually("it is held back", || second.problems().contains("there is no route any more")).await;
    assert!(second.is_ready());
    assert_eq!(place.get().await, "one");
}

#[tokio::test]
async fn a_template_that_cannot_be_rendered_changes_nothing() {
    let place = Place::new();
    let feed = Feed::start(&place).await;
    feed.ask(&place, &[ONE]).await;
    feed.serves(1).await;
    let broken = Computed { rendered: Err("the template is broken".into()), ..computed(&place, &[TWO]) };
    feed.computed.send(broken).await.unwrap();
    eventually("it is said", || feed.problems() == "the template is broken; what was served last still is")
        .await;
    assert!(feed.is_ready());
}

#[tokio::test]
async fn an_nginx_that_does_not_react_is_told_to_go_back() {
    let place = Place::new();
    let settings = Settings { confirm_timeout: Duration::from_secs(2), ..SETTINGS };
    let feed = Feed::start_with(&place, settings).await;
    feed.ask(&place, &[ONE]).await;
    feed.serves(1).await;
    let master = place.master().unwrap();
    kill(master, Signal::SIGSTOP).unwrap();
    feed.ask(&place, &[ONE, TWO]).await;
    let said =
        "configuration 2 could not be applied: nginx has not confirmed it within 2s; 1 is served instead";
    eventually("it is said", || feed.problems().contains(said)).await;
    eventually("the name is back", || place.files().left().unwrap().named == Some(Generation(1))).await;
    assert!(feed.is_ready(), "its workers serve on");
    kill(master, Signal::SIGCONT).unwrap();
    eventually("it is back", || feed.problems() == said).await;
    assert_eq!(served(&place).await, Generation(1));
}
