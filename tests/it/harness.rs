//! The parts that the other tests trust: they must see what they claim to see.

use std::net::Ipv4Addr;

use feed_tests::{
    Backend, ControlPlane, Load, NginxBinary, PlainNginx, Request, Sandbox, eventually, free_port,
    processes_in,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

fn forwarding(port: u16, backend: &Backend) -> String {
    format!(
        "server {{ listen 127.0.0.1:{port}; location / {{ proxy_http_version 1.1; proxy_pass http://{}; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $http_connection; }} }}",
        backend.address()
    )
}

async fn wait_listening(port: u16) {
    eventually("nginx listens", async || tokio::net::TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await)
        .await;
}

#[tokio::test]
async fn a_request_reaches_the_backend_byte_for_byte() {
    let Some(nginx) = NginxBinary::system() else { return };
    let backend = Backend::http("echo").await;
    let port = free_port();
    let _nginx = PlainNginx::start(&nginx, &forwarding(port, &backend));
    wait_listening(port).await;

    let target = "/a%2Fb/%20/../c?x=%2F&y";
    let request = Request::get("example.com", target).header("X-Case", " kept ").from_address([127, 0, 0, 5]);
    let response = request.send(([127, 0, 0, 1], port).into()).await.unwrap();
    let echo = response.echo();
    assert_eq!((response.status, echo.backend.as_str(), echo.target.as_str()), (200, "echo", target));
    assert_eq!(echo.header("x-case"), Some("kept"));
    assert_eq!(backend.requests(), 1);

    let request =
        Request::new("POST", "/").header("Host", "x").body("12345").header("X-Answer-Status", "404");
    let response =
        request.header("X-Answer-Location", "/there").send(([127, 0, 0, 1], port).into()).await.unwrap();
    assert_eq!(
        (response.status, response.header("location"), response.echo().body_length),
        (404, Some("/there"), 5)
    );
}

#[tokio::test]
async fn an_upgraded_connection_carries_what_is_sent() {
    let Some(nginx) = NginxBinary::system() else { return };
    let backend = Backend::http("echo").await;
    let port = free_port();
    let _nginx = PlainNginx::start(&nginx, &forwarding(port, &backend));
    wait_listening(port).await;

    let request =
        Request::get("example.com", "/").header("Connection", "upgrade").header("Upgrade", "websocket");
    let mut connection = request.connect(([127, 0, 0, 1], port).into()).await.unwrap();
    assert_eq!(connection.send(&request).await.unwrap().status, 101);
    let stream = connection.stream();
    stream.write_all(b"ping").await.unwrap();
    stream.flush().await.unwrap();
    let mut answer = [0; 4];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"ping");
}

#[tokio::test]
async fn a_grpc_backend_answers_with_trailers() {
    let Some(nginx) = NginxBinary::system() else { return };
    let backend = Backend::grpc("grpc").await;
    let port = free_port();
    let http = format!(
        "server {{ listen 127.0.0.1:{port}; location / {{ grpc_pass grpc://{}; }} }}",
        backend.address()
    );
    let _nginx = PlainNginx::start(&nginx, &http);
    wait_listening(port).await;

    let request = Request::new("POST", "/service/Method")
        .header("Host", "example.com")
        .header("TE", "trailers")
        .body("1234");
    let response = request.send(([127, 0, 0, 1], port).into()).await.unwrap();
    assert_eq!((response.echo().version.as_str(), response.echo().body_length), ("HTTP/2.0", 4));
    assert_eq!(response.trailers, [("grpc-status".to_owned(), "0".to_owned())]);
}

#[tokio::test]
async fn a_tls_backend_says_which_name_was_asked_for() {
    let Some(nginx) = NginxBinary::system() else { return };
    let backend = Backend::tls("tls").await;
    let port = free_port();
    let http = format!(
        "server {{ listen 127.0.0.1:{port}; location / {{ proxy_pass https://{}; proxy_ssl_server_name on; proxy_ssl_name $host; }} }}",
        backend.address()
    );
    let _nginx = PlainNginx::start(&nginx, &http);
    wait_listening(port).await;

    let response = Request::get("example.com", "/").send(([127, 0, 0, 1], port).into()).await.unwrap();
    assert_eq!(response.echo().server_name.as_deref(), Some("example.com"));
}

#[tokio::test]
async fn the_newer_nginx_knows_keepalive_min_timeout() {
    for nginx in NginxBinary::all() {
        let answer = PlainNginx::test(&nginx, "keepalive_min_timeout 30s;");
        assert_eq!(answer.is_ok(), nginx.knows_keepalive_min_timeout(), "{nginx:?}: {answer:?}");
    }
    if let Some(newer) = NginxBinary::newer() {
        assert!(newer.knows_keepalive_min_timeout(), "{newer:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn load_counts_answers_and_failures() {
    let Some(nginx) = NginxBinary::system() else { return };
    let backend = Backend::http("echo").await;
    let port = free_port();
    let server = PlainNginx::start(&nginx, &forwarding(port, &backend));
    wait_listening(port).await;

    let request = Request::get("example.com", "/");
    let load = Load::start(([127, 0, 0, 1], port).into(), &request, 8);
    eventually("some requests are answered", async || match backend.requests() {
        1000.. => Ok(()),
        few => Err(few),
    })
    .await;
    drop(server);
    let report = load.stop().await;
    assert!(report.answers[&200] > 900, "{report:?}");
    assert!(!report.failures.is_empty(), "a server that is killed answers nobody: {report:?}");
}

#[tokio::test]
async fn a_sandbox_ends_orphans_too() {
    let sandbox = Sandbox::new("orphan");
    let script = "sleep 1000 & echo started";
    let output =
        sandbox.command("sh").args(["-c", script]).stdout(std::process::Stdio::null()).status().unwrap();
    assert!(output.success());
    let path = sandbox.path().to_owned();
    assert_eq!(processes_in(&path).len(), 1);
    drop(sandbox);
    assert_eq!(processes_in(&path), []);
    assert!(!path.exists());
}

#[tokio::test]
async fn a_backend_listens_on_its_services_cluster_ip() {
    let Some(control_plane) = ControlPlane::shared().await else { return };
    let namespace = control_plane.namespace().await;
    let backend = Backend::http("echo").await;
    namespace.apply(&format!(
        "{{apiVersion: v1, kind: Service, metadata: {{name: echo}}, spec: {{clusterIP: {}, ports: [{{port: {}}}]}}}}",
        backend.ip(),
        backend.port()
    ));
    let address = namespace
        .kubectl(&["get", "service", "echo", "-o", "jsonpath={.spec.clusterIP}:{.spec.ports[0].port}"], "");
    let response = Request::get("example.com", "/").send(address.parse().unwrap()).await.unwrap();
    assert_eq!(response.echo().backend, "echo");
}

#[tokio::test]
async fn a_killed_api_server_comes_back_with_its_objects() {
    let Some(control_plane) = ControlPlane::start().await else { return };
    let namespace = control_plane.namespace().await;
    control_plane.kill_api_server();
    assert!(namespace.try_kubectl(&["get", "configmaps"], "").is_err());
    control_plane.start_api_server().await;
    control_plane.compact().await;
    control_plane.kubectl(&["get", "namespace", namespace.name()], "");
}
