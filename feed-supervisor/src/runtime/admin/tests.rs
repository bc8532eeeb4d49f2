use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::*;
use crate::runtime::health::Condition;
use crate::runtime::metrics::Untyped;

async fn start(health: &Health) -> SocketAddr {
    let mut metrics = Metrics::new("feed_test");
    metrics.registry_mut().register("reloads", "Reloads", Untyped::<u64>::default());
    let pages = Pages {
        health: health.clone(),
        metrics: Arc::new(metrics),
        status: Arc::new(|| json!({"generation": 7, "routes": 3})),
    };
    let admin = Admin::bind(0).await.unwrap();
    let port = admin.local_addr().unwrap().port();
    tokio::spawn(admin.serve(pages));
    (Ipv4Addr::LOCALHOST, port).into()
}

/// The whole answer, without the date.
async fn get(address: SocketAddr, path: &str, headers: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: feed\r\nConnection: close\r\n{headers}\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer.lines().filter(|line| !line.starts_with("date: ")).flat_map(|line| [line, "\n"]).collect()
}

#[tokio::test]
async fn health_and_readiness_say_ok() {
    let address = start(&Health::new()).await;
    for path in ["/health", "/readiness", "/alive"] {
        let answer = get(address, path, "").await;
        insta::allow_duplicates! {
            insta::assert_snapshot!(answer, @r"
                HTTP/1.1 200 OK
                content-type: text/plain; charset=utf-8
                content-length: 3
                connection: close

                ok
                ");
        }
    }
}

#[tokio::test]
async fn health_says_what_is_wrong() {
    let health = Health::new();
    let address = start(&health).await;
    health.report("configuration", Condition::Unhealthy("nginx refused the configuration.".to_owned()));
    health.report("nginx", Condition::Down("nginx died.".to_owned()));
    health.report("frontend", Condition::NotReady("Draining.".to_owned()));
    insta::assert_snapshot!(get(address, "/health", "").await, @r"
        HTTP/1.1 500 Internal Server Error
        content-type: text/plain; charset=utf-8
        content-length: 45
        connection: close

        nginx refused the configuration.
        nginx died.
        ");
    insta::assert_snapshot!(get(address, "/readiness", "").await, @r"
        HTTP/1.1 503 Service Unavailable
        content-type: text/plain; charset=utf-8
        content-length: 22
        connection: close

        Draining.
        nginx died.
        ");
    assert!(get(address, "/alive", "").await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn metrics_come_in_the_format_that_is_asked_for() {
    let address = start(&Health::new()).await;
    insta::assert_snapshot!(get(address, "/metrics", "").await, @r"
        HTTP/1.1 200 OK
        content-type: text/plain; version=0.0.4; charset=utf-8
        content-length: 87
        connection: close

        # HELP feed_test_reloads Reloads.
        # TYPE feed_test_reloads untyped
        feed_test_reloads 0
        ");
    let open_metrics = "Accept: application/openmetrics-text; version=1.0.0\r\n";
    insta::assert_snapshot!(get(address, "/metrics", open_metrics).await, @r"
        HTTP/1.1 200 OK
        content-type: application/openmetrics-text; version=1.0.0; charset=utf-8
        content-length: 93
        connection: close

        # HELP feed_test_reloads Reloads.
        # TYPE feed_test_reloads unknown
        feed_test_reloads 0
        # EOF
        ");
}

#[tokio::test]
async fn status_is_json() {
    let address = start(&Health::new()).await;
    insta::assert_snapshot!(get(address, "/status", "").await, @r#"
        HTTP/1.1 200 OK
        content-type: application/json
        content-length: 37
        connection: close

        {
          "generation": 7,
          "routes": 3
        }
        "#);
}

#[tokio::test]
async fn other_paths_are_not_found() {
    let address = start(&Health::new()).await;
    assert!(get(address, "/", "").await.starts_with("HTTP/1.1 404"));
}

#[tokio::test]
async fn a_port_in_use_is_one_sentence() {
    let first = Admin::bind(0).await.unwrap();
    let port = first.local_addr().unwrap().port();
    let error = Admin::bind(port).await.unwrap_err().to_string();
    let expected = format!(
        "cannot listen on port {port} for health and metrics: Address already in use (os error 98); \
         choose another one with --health-port"
    );
    assert_eq!(error, expected);
}
