use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::desired::{
    Backend, DEFAULT_MAX_REQUESTS_PER_CONNECTION, PathMatch, Protocol, Route, RouteSettings, Upstream,
    UpstreamName, VirtualServer,
};
use crate::host::Host;
use crate::key::ObjectName;
use crate::options::RouteDefaults;
use crate::path::RoutePath;
use crate::traffic::{Class, RouteMark};

const MINUTE: Duration = Duration::from_mins(1);

fn upstream(service: &str, addresses: &[&str]) -> Backend {
    Backend::Upstream(Arc::new(Upstream {
        name: UpstreamName::new(
            &ObjectName::new("default", service),
            80,
            0,
            None,
            DEFAULT_MAX_REQUESTS_PER_CONNECTION,
        ),
        addresses: addresses.iter().map(|address| address.parse::<SocketAddr>().unwrap()).collect(),
        endpoints: false,
        protocol: Protocol::Http,
        max_connections: 0,
        keepalive_timeout_milliseconds: None,
        max_requests_per_connection: DEFAULT_MAX_REQUESTS_PER_CONNECTION,
    }))
}

fn route(path: &str, backend: Backend) -> Arc<Route> {
    let RouteDefaults {
        allow, backend_timeout_seconds, proxy_buffer_size_in_kb, proxy_buffer_blocks, ..
    } = RouteDefaults::default();
    Arc::new(Route {
        ingress: ObjectName::new("default", "web"),
        path: RoutePath::decode(path).unwrap(),
        path_match: PathMatch::Prefix,
        backend,
        strip: false,
        settings: Arc::new(RouteSettings {
            allow,
            backend_timeout_seconds,
            proxy_buffer_size_in_kb,
            proxy_buffer_blocks,
        }),
    })
}

fn state(servers: &[(&str, &[Arc<Route>])]) -> DesiredState {
    let mut state = DesiredState::default();
    for (host, routes) in servers {
        for route in *routes {
            if let Backend::Upstream(upstream) = &route.backend {
                state.upstreams.insert(upstream.name.clone(), Arc::clone(upstream));
            }
        }
        let server = Arc::new(VirtualServer { routes: routes.to_vec(), ..VirtualServer::default() });
        if *host == UNDECLARED {
            state.undeclared = server;
        } else {
            state.servers.insert(Host::new(host).unwrap(), server);
        }
    }
    state
}

/// A line for a request to that route; `upstream` is the last four fields.
fn line(host: &str, route: Option<&Route>, status: u16, upstream: &str) -> String {
    let mark = route.map(|route| RouteMark::of(route).to_string()).unwrap_or_default();
    format!("\r{mark}\t{host}\t{status}\t10\t100\t0.030\t{upstream}\n")
}

const NOBODY: &str = "-\t-\t-\t-";

struct Book {
    ledger: Ledger,
    now: Instant,
}

impl Book {
    #[expect(clippy::disallowed_methods, reason = "a test's time begins somewhere")]
    fn new() -> Self {
        let bounds = [Duration::from_millis(30), Duration::from_secs(1)];
        Self { ledger: Ledger::new(bounds), now: Instant::now() }
    }

    fn declare(&mut self, state: &DesiredState) {
        self.ledger.declare(state, self.now);
    }

    fn read(&mut self, log: &str) {
        assert_eq!(self.ledger.read(log.as_bytes(), self.now), log.len());
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
        self.ledger.sweep(self.now);
    }

    /// Everything that is counted, a line each: labels, requests by class, bytes.
    fn shown(&self) -> String {
        let mut shown = String::new();
        for (host, path, counts) in self.ledger.routes() {
            let requests = Class::ALL.map(|class| counts.requests(class));
            let latency = (counts.latency.buckets(), counts.latency.time());
            writeln!(shown, "{host} {path} {requests:?} {} {} {latency:?}", counts.received, counts.sent)
                .unwrap();
        }
        for (name, endpoint, counts) in self.ledger.endpoints() {
            let requests = Class::ALL.map(|class| counts.requests(class));
            writeln!(shown, "{name} {endpoint} {requests:?} {} {}", counts.received, counts.sent).unwrap();
        }
        shown
    }

    fn series(&self) -> usize {
        self.ledger.routes().count() + self.ledger.endpoints().count()
    }
}

#[test]
fn each_request_is_counted_once_under_what_is_declared() {
    let mut book = Book::new();
    let (foo, root) = (
        route("/foo", upstream("a", &["10.0.0.1:80", "10.0.0.2:80"])),
        route("/", upstream("b", &["[fd00::1]:80"])),
    );
    let fallback = route("/", Backend::Unavailable);
    book.declare(&state(&[
        ("*.example.com", &[Arc::clone(&foo)]),
        ("a.example.com", &[Arc::clone(&root), Arc::clone(&foo)]),
        (UNDECLARED, &[Arc::clone(&fallback)]),
    ]));
    for line in [
        line("a.example.com", Some(&foo), 200, "10.0.0.1:80\t200\t11\t101"),
        line("a.example.com", Some(&foo), 200, "10.0.0.1:80, 10.0.0.2:80\t502, 200\t0, 11\t0, 101"),
        line("a.example.com", Some(&root), 499, "[fd00::1]:80\t-\t11\t0"),
        line("a.example.com", None, 301, NOBODY),
        line("b.example.com", Some(&foo), 502, "0123abcd.default.a.80\t502\t0\t0"),
        line("b.example.com", Some(&foo), 503, "127.0.0.1:0\t502\t0\t0"),
        line("b.example.com", None, 404, NOBODY),
        line("", Some(&fallback), 503, NOBODY),
        line("", None, 400, NOBODY),
        line("c.b.example.com", None, 101, NOBODY),
    ] {
        book.read(&line);
    }
    insta::assert_snapshot!(book.shown());
    assert_eq!((book.ledger.counted(), book.ledger.unreadable()), (10, 0));
}

#[test]
fn counts_survive_changes_and_go_ten_minutes_after_the_last_request() {
    let mut book = Book::new();
    let old = route("/foo", upstream("a", &["10.0.0.1:80"]));
    let new = route("/foo", upstream("a", &["10.0.0.2:80"]));
    let to = |address: &str| line("a.example.com", Some(&old), 200, &format!("{address}\t200\t1\t1"));
    book.declare(&state(&[("a.example.com", &[Arc::clone(&old)])]));
    book.read(&to("10.0.0.1:80"));
    book.declare(&state(&[("a.example.com", &[new])]));
    book.read(&to("10.0.0.1:80"));
    book.read(&to("10.0.0.2:80"));
    assert_eq!(book.series(), 3, "{}", book.shown());
    book.declare(&state(&[]));
    book.pass(MINUTE * 9);
    book.read(&to("10.0.0.2:80"));
    book.pass(MINUTE * 9);
    assert!(book.shown().starts_with("a.example.com /foo [0, 4, "), "{}", book.shown());
    assert_eq!(book.series(), 2, "the endpoint that went first is forgotten: {}", book.shown());
    book.pass(MINUTE);
    assert_eq!(book.shown(), "");
    book.read(&to("10.0.0.2:80"));
    assert!(book.shown().starts_with("* none [0, 1, "), "{}", book.shown());
    assert_eq!(book.series(), 1, "{}", book.shown());
}

#[test]
fn an_external_name_is_one_endpoint_and_stays_while_it_is_declared() {
    let mut book = Book::new();
    let host = Host::new("api.example.org").unwrap();
    let route = route("/", Backend::External { host, port: 443, protocol: Protocol::Https });
    book.declare(&state(&[("a.example.com", &[Arc::clone(&route)])]));
    for number in 0..200 {
        book.read(&line("a.example.com", Some(&route), 200, &format!("192.0.2.{number}:443\t200\t1\t1")));
    }
    book.pass(MINUTE * 60);
    assert!(
        book.shown().ends_with("api.example.org api.example.org:443 [0, 200, 0, 0, 0] 200 200\n"),
        "{}",
        book.shown()
    );
    book.declare(&state(&[]));
    book.pass(MINUTE * 20);
    book.pass(MINUTE * 20);
    assert_eq!(book.shown(), "");
}

#[test]
fn pieces_of_lines_are_told_and_spoil_no_other() {
    let mut book = Book::new();
    book.declare(&state(&[("a.example.com", &[])]));
    let whole = line("a.example.com", None, 404, NOBODY);
    let (piece, _) = whole.split_at(20);
    book.read(&format!("\0\0\0{whole}"));
    book.read(&format!("{piece}{whole}"));
    book.read(&format!("{piece}{piece}{whole}{whole}"));
    book.read("\n\0\n");
    book.read("rest of a line\n\r\n");
    assert_eq!((book.ledger.counted(), book.ledger.unreadable()), (4, 4));
}

#[test]
fn a_line_that_is_not_whole_waits() {
    let mut book = Book::new();
    let log = format!("{0}{0}", line("", None, 404, NOBODY));
    let mut used = 0;
    for end in 0..=log.len() {
        used += book.ledger.read(&log.as_bytes()[used..end], book.now);
    }
    assert_eq!((used, book.ledger.counted(), book.ledger.unreadable()), (log.len(), 2, 0));
}

#[test]
fn a_million_hosts_and_paths_are_few_series() {
    let mut book = Book::new();
    let routes = [route("/", upstream("a", &["10.0.0.1:80"]))];
    book.declare(&state(&[("a.example.com", &routes), ("*.example.org", &routes)]));
    let mut log = String::new();
    for number in 0..1_000_000_u64 {
        let host = match number % 3 {
            0 => format!("h{number}.example.org"),
            1 => format!("h{number}.evil.test"),
            _ => "a.example.com".to_owned(),
        };
        let address = format!("10.{}.{}.{}:80", number >> 16 & 255, number >> 8 & 255, number & 255);
        write!(log, "\r{number:016x}\t{host}\t{}\t1\t1\t0.000\t{address}\t200\t1\t1\n", number % 1000)
            .unwrap();
    }
    book.read(&log);
    let (counted, unreadable) = (book.ledger.counted(), book.ledger.unreadable());
    assert_eq!((counted, unreadable), (1_000_000, 0));
    assert_eq!(book.series(), 3, "{}", book.shown());
}

#[test]
fn a_churn_of_ingresses_is_bounded() {
    let mut book = Book::new();
    for number in 0..20_000 {
        let address = format!("10.0.{}.{}:80", number / 250, number % 250);
        let route = route("/", upstream(&format!("s{number}"), &[&address]));
        let host = format!("h{number}.example.com");
        book.declare(&state(&[(&host, &[Arc::clone(&route)])]));
        book.read(&line(&host, Some(&route), 200, &format!("{address}\t200\t1\t1")));
        book.now += Duration::from_millis(1);
    }
    let series = book.series();
    assert!(series < 6_000, "{series}");
    let last = "h19999.example.com / [0, 1, ";
    assert!(book.shown().contains(last), "what is declared stays");
    book.pass(MINUTE * 11);
    assert_eq!(book.series(), 2, "{}", book.shown());
}

proptest! {
    /// However a log is cut into pieces, and whatever is in it, each line is counted or told.
    #[test]
    fn nothing_is_counted_twice(lines in proptest::collection::vec("[ -~\t]{0,60}", 0..20), cuts in proptest::collection::vec(1..50_usize, 1..20)) {
        let mut book = Book::new();
        let log: String = lines.iter().flat_map(|line| ["\r", line.as_str(), "\n"]).collect();
        let (mut used, mut end, mut cuts) = (0, 0, cuts.into_iter().cycle());
        while end < log.len() {
            end = (end + cuts.next().unwrap()).min(log.len());
            used += book.ledger.read(&log.as_bytes()[used..end], book.now);
        }
        prop_assert_eq!(used, log.len());
        let (counted, unreadable) = (book.ledger.counted(), book.ledger.unreadable());
        prop_assert_eq!(counted + unreadable, lines.len() as u64);
    }

    /// Any line that nginx may write is counted, under a declared label.
    #[test]
    fn labels_are_declared_ones(hosts in proptest::collection::vec("[a-z*.]{0,12}", 1..50), marks in proptest::collection::vec(any::<u64>(), 1..5)) {
        let mut book = Book::new();
        book.declare(&state(&[("a.b", &[route("/x", Backend::Unavailable)])]));
        for (number, host) in hosts.iter().enumerate() {
            let mark = marks[number % marks.len()];
            book.read(&format!("\r{mark:016x}\t{host}\t200\t1\t1\t0.000\t1.1.1.1:1\t200\t1\t1\n"));
        }
        prop_assert_eq!(book.ledger.counted(), hosts.len() as u64);
        for (host, path, _) in book.ledger.routes() {
            prop_assert!(["*", "a.b"].contains(&host) && ["none", "/x"].contains(&path), "{} {}", host, path);
        }
        prop_assert_eq!(book.ledger.endpoints().count(), 0);
    }
}
