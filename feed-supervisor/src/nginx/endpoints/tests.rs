use std::collections::BTreeMap;

use feed_reconcile::desired::{Protocol, Upstream, UpstreamName};
use feed_reconcile::key::ObjectName;
use hickory_proto::op::Query;

use super::*;

fn state(upstreams: &[(&str, &[&str], bool)]) -> DesiredState {
    let upstreams = upstreams.iter().map(|(service, addresses, endpoints)| {
        let name = UpstreamName::new(&ObjectName::new("ns", service), 80, 0, None, 1024);
        let upstream = Upstream {
            name: name.clone(),
            addresses: addresses.iter().map(|address| address.parse().unwrap()).collect(),
            endpoints: *endpoints,
            protocol: Protocol::Http,
            max_connections: 0,
            keepalive_timeout_milliseconds: None,
            max_requests_per_connection: 1024,
        };
        (name, Arc::new(upstream))
    });
    DesiredState { upstreams: upstreams.collect::<BTreeMap<_, _>>(), ..DesiredState::default() }
}

fn asked(endpoints: &Endpoints, name: &str, kind: RecordType, limit: usize) -> Message {
    let mut question = Message::new(7, MessageType::Query, OpCode::Query);
    question.metadata.recursion_desired = true;
    question.add_query(Query::query(Name::from_ascii(name).unwrap(), kind));
    let answer = endpoints.answer(&question.to_vec().unwrap(), limit).unwrap();
    assert!(answer.len() <= limit);
    let answer = Message::from_vec(&answer).unwrap();
    assert_eq!((answer.metadata.id, answer.metadata.message_type), (7, MessageType::Response));
    assert_eq!(answer.queries, question.queries);
    answer
}

/// The addresses behind a name, as nginx finds them.
fn addresses(endpoints: &Endpoints, name: &str) -> Option<Vec<String>> {
    let answer = asked(endpoints, &format!("_http._tcp.{name}."), RecordType::SRV, 4096);
    if answer.metadata.response_code != ResponseCode::NoError {
        return None;
    }
    let of_service = |record: &Record| {
        let RData::SRV(service) = &record.data else { panic!("{record}") };
        assert_eq!(record.ttl, 0);
        let target = service.target.to_ascii();
        let found =
            [RecordType::A, RecordType::AAAA].map(|kind| asked(endpoints, &target, kind, 512).answers);
        let [record] = &found.concat()[..] else { panic!("{found:?}") };
        assert_eq!(record.ttl, ADDRESS_TIME_TO_LIVE);
        match &record.data {
            RData::A(address) => format!("{}:{}", address.0, service.port),
            RData::AAAA(address) => format!("[{}]:{}", address.0, service.port),
            other => panic!("{other}"),
        }
    };
    Some(answer.answers.iter().map(of_service).collect())
}

#[tokio::test(start_paused = true)]
async fn names_lead_to_the_endpoints_that_are_declared() {
    let endpoints = Endpoints::default();
    assert_eq!(addresses(&endpoints, "ns.web.80"), None, "nothing is known yet: nginx keeps what it has");
    endpoints.declare(&state(&[
        ("web", &["10.0.0.1:8080", "10.0.0.2:9090", "[fd00::1]:8080"], true),
        ("none", &[], true),
        ("cluster-ip", &["10.1.0.1:80"], false),
    ]));
    let of = |name: &str| addresses(&endpoints, name).map(|addresses| addresses.join(" "));
    assert_eq!(of("ns.web.80").as_deref(), Some("10.0.0.1:8080 10.0.0.2:9090 [fd00::1]:8080"));
    assert_eq!(of("NS.Web.80").as_deref(), Some("10.0.0.1:8080 10.0.0.2:9090 [fd00::1]:8080"));
    assert_eq!(of("ns.none.80").as_deref(), Some("127.0.0.1:0"), "an address that refuses");
    assert_eq!((of("ns.cluster-ip.80"), of("ns.other.80")), (None, None));

    endpoints.declare(&state(&[("none", &["10.0.0.3:80"], true)]));
    assert_eq!(of("ns.none.80").as_deref(), Some("10.0.0.3:80"));
    assert!(of("ns.web.80").is_some(), "an older configuration may use it");
    tokio::time::advance(REMEMBERED).await;
    endpoints.declare(&state(&[]));
    assert_eq!(of("ns.web.80"), None);
    assert!(of("ns.none.80").is_some());
}

#[tokio::test]
async fn a_long_answer_is_cut_off_and_says_so() {
    let endpoints = Endpoints::default();
    let many: Vec<String> = (0..400).map(|pod| format!("10.0.{}.{}:8080", pod / 250, pod % 250)).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    endpoints.declare(&state(&[("web", &many, true)]));
    let short = asked(&endpoints, "_http._tcp.ns.web.80.", RecordType::SRV, 4096);
    assert!(short.metadata.truncation && short.answers.len() < 400);
    let long = asked(&endpoints, "_http._tcp.ns.web.80.", RecordType::SRV, 65_535);
    assert!(!long.metadata.truncation && long.answers.len() == 400);
}

#[tokio::test]
async fn what_is_no_question_for_endpoints_gives_none_away() {
    let endpoints = Endpoints::default();
    endpoints.declare(&state(&[("web", &["10.0.0.1:80"], true)]));
    for (name, kind) in [
        ("_http._tcp.ns.web.80.", RecordType::A),
        ("_http._tcp.ns.web.80.", RecordType::AAAA),
        ("0a000001.ipv4.", RecordType::AAAA),
        ("0a000001.ipv4.", RecordType::TXT),
    ] {
        let answer = asked(&endpoints, name, kind, 512);
        assert_eq!(
            (answer.metadata.response_code, answer.answers.len()),
            (ResponseCode::NoError, 0),
            "{name}"
        );
    }
    for name in ["ns.web.80.", ".", "example.com.", "zz.ipv4.", "0a00000100.ipv4.", "1.ipv7."] {
        assert_eq!(
            asked(&endpoints, name, RecordType::A, 512).metadata.response_code,
            ResponseCode::ServFail,
            "{name}"
        );
    }
    for garbage in [&b""[..], b"x", &[0; 12], &[0xff; 40]] {
        if let Some(answer) = endpoints.answer(garbage, 512) {
            assert!(Message::from_vec(&answer).unwrap().answers.is_empty());
        }
    }
}
