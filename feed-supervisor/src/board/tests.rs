use feed_reconcile::apply::{Configuration, Version};
use feed_reconcile::diagnostic::{Code, Diagnostic, Field};
use feed_reconcile::key::ObjectKey;
use feed_reconcile::snapshot::Store;
use serde_json::json;

use super::*;
use crate::runtime::metrics::Metrics;
use crate::runtime::source;

fn board() -> (Board, Health) {
    let health = Health::new();
    let (_, reader) = source::channel(&BTreeSet::new());
    let metrics = IngressMetrics::register(&mut Metrics::new("feed_ingress"), &health, reader.freshness());
    (Board::new(health.clone(), metrics), health)
}

const GOOD: Situation = Situation {
    confirmed: Some(Generation(7)),
    routes: 3,
    live: true,
    up_to_date: true,
    ready: true,
    problems: Vec::new(),
};

fn failed() -> Problem {
    Problem::Failed {
        generation: Generation(8),
        outcome: Outcome::Refused,
        text: "no".into(),
        served: Some(Generation(7)),
    }
}

#[test]
fn what_is_not_well_is_told_to_those_whom_it_concerns() {
    let waiting = Problem::Down { why: None, sidecar: true };
    let dead = Problem::Down { why: Some("killed".into()), sidecar: false };
    let first = "the first complete configuration is not confirmed yet";
    for (ready, problems, unhealthy, not_ready) in [
        (true, vec![], vec![], vec![]),
        (false, vec![], vec![], vec![first.into()]),
        (false, vec![waiting.clone()], vec![], vec![waiting.to_string()]),
        (false, vec![dead.clone()], vec![dead.to_string()], vec![dead.to_string()]),
        (true, vec![failed()], vec![failed().to_string()], vec![]),
        (false, vec![failed()], vec![failed().to_string()], vec![failed().to_string()]),
    ] {
        let (board, health) = board();
        board.situation(&Situation { ready, problems, ..GOOD }, true);
        assert_eq!((health.unhealthy(), health.not_ready()), (unhealthy, not_ready));
        board.situation(&GOOD, true);
        assert_eq!((health.unhealthy(), health.not_ready()), (vec![], vec![]));
    }
}

#[test]
fn the_status_page_has_all_its_fields() {
    let (board, _) = board();
    let object = ObjectKey::ingress(&ObjectName::new("shop", "web"));
    let diagnostic = Diagnostic {
        object: object.clone(),
        field: Field::of(&["spec", "rules"]).index(0).name("host"),
        code: Code::InvalidHost,
        message: "It is no host.".into(),
        help: Some("Write another.".into()),
        related: None,
    };
    board.computed(&computed(diagnostic));
    let configuration = Configuration {
        content: Content::File { generation: Generation(8), bytes: Arc::default() },
        routes: 5,
    };
    let report = Report {
        version: Version { generation: Generation(8), configuration },
        outcome: Outcome::Refused,
        text: Some("no in nginx.conf:9".into()),
        starts: false,
        took: Duration::from_millis(250),
    };
    board.told(&report, Blame { line: Some(9), ingresses: BTreeSet::from([object.name]) });
    board.situation(&Situation { problems: vec![failed()], ..GOOD }, true);

    let nginx = NginxPage { mode: "child", pid: Some(42), version: Some("1.30.6".into()) };
    let mut page = board.page(&nginx, Some(1.5), &json!([]));
    assert!(page["age_seconds"].as_f64().unwrap() < 60.0);
    let at: Timestamp = page["reloads"][0]["at"].as_str().unwrap().parse().unwrap();
    assert!(at <= Timestamp::now());
    page["age_seconds"] = json!(0);
    page["reloads"][0]["at"] = json!("now");
    assert_eq!(page["last_failure"]["generation"], 8);
    page["last_failure"] = json!(null);
    insta::assert_snapshot!(format!("{page:#}"), @r#"
    {
      "age_seconds": 0,
      "certificates": [
        {
          "names": [
            "shop.example"
          ],
          "not_after": "1970-01-01T00:00:00Z",
          "problem": "it has expired",
          "secret": "shop/tls"
        }
      ],
      "cluster_state_age_seconds": 1.5,
      "diagnostics": [
        {
          "code": "InvalidHost",
          "field": "spec.rules[0].host",
          "help": "Write another.",
          "message": "It is no host.",
          "object": {
            "kind": "Ingress",
            "name": "shop/web"
          },
          "related": null,
          "severity": "error"
        }
      ],
      "frontends": [],
      "generation": 7,
      "ingresses": 1,
      "last_failure": null,
      "nginx": {
        "mode": "child",
        "pid": 42,
        "version": "1.30.6"
      },
      "problems": [
        "nginx refused configuration 8: no; 7 is served instead; the line is there because of Ingress shop/web",
        "broken; what was served last still is"
      ],
      "ready": true,
      "reloads": [
        {
          "at": "now",
          "duration_seconds": 0.25,
          "generation": 8,
          "ingresses": [
            "shop/web"
          ],
          "kind": "reload",
          "line": 9,
          "outcome": "refused",
          "routes": 5,
          "text": "no in nginx.conf:9"
        }
      ],
      "routes": 3
    }
    "#);
}

#[test]
fn only_the_last_reloads_are_remembered() {
    let (board, _) = board();
    for generation in 1..=30 {
        let content = Content::File { generation: Generation(generation), bytes: Arc::default() };
        let configuration = Configuration { content, routes: 0 };
        let version = Version { generation: Generation(generation), configuration };
        let took = Duration::ZERO;
        let report = Report { version, outcome: Outcome::Confirmed, text: None, starts: false, took };
        board.told(&report, Blame::default());
    }
    let page = board.page(&NginxPage { mode: "child", pid: None, version: None }, None, &json!([]));
    let history = page["reloads"].as_array().unwrap();
    assert_eq!((history.len(), &history[0]["generation"]), (HISTORY, &json!(30)));
}

fn certificates() -> Arc<[Entry]> {
    Arc::new([Entry {
        secret: Some(ObjectName::new("shop", "tls")),
        names: vec!["shop.example".into()],
        not_after: Some(Timestamp::UNIX_EPOCH),
        problem: Some("it has expired".into()),
    }])
}

fn computed(diagnostic: Diagnostic) -> Computed {
    Computed {
        handovers: Vec::new(),
        admitted: Store::default(),
        quarantined: 0,
        searching: false,
        rendered: Err("broken".into()),
        diagnostics: Arc::new(Diagnostics::from([diagnostic])),
        ingresses: 1,
        certificates: certificates(),
        changed_at: None,
    }
}

#[test]
fn what_may_lack_somebody_innocent_is_nothing_to_begin_with_but_takes_no_readiness() {
    let (board, health) = board();
    let ready = board.readiness();
    // However much has changed since it was computed.
    let behind = Situation { up_to_date: false, ..GOOD };
    board.situation(&behind, false);
    assert!(!*ready.borrow() && !health.not_ready().is_empty());
    board.situation(&behind, true);
    assert!(*ready.borrow() && health.not_ready().is_empty());
    board.situation(&behind, false);
    assert!(*ready.borrow());
}
