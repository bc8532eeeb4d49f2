//! nginx in the neighbouring container: feed-ingress shares with it a directory and the process ids, nothing else.

use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use feed_tests::{
    Feed, FeedBuilder, Load, NginxBinary, Process, Request, TestCertificate, TlsClient, eventually,
    is_running,
};
use nix::sys::signal::Signal;

use crate::traffic::expect_requests;
use crate::world::{World, manifest, route};

/// A feed whose nginx is somebody else's, and that neighbour.
struct Pod {
    feed: Feed,
    nginx: NginxBinary,
    world: World,
}

impl Pod {
    /// The init container has run; nothing is started yet.
    async fn bootstrapped(nginx: &NginxBinary) -> Self {
        Self::bootstrapped_with(nginx, Feed::builder(nginx)).await
    }

    async fn bootstrapped_with(nginx: &NginxBinary, builder: FeedBuilder) -> Self {
        let world = World::start().await;
        let builder = builder.flag("--nginx-update-burst", "100").flag("--drain-delay", "2s");
        let mut feed = builder.manifest("routes.yaml", &routes(&world, "a")).build();
        let pid_file = feed.workdir().join("neighbour.pid");
        feed.add_arguments(&["--nginx-pid-file", pid_file.to_str().unwrap()]);
        let output = feed.run("bootstrap");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Self { feed, nginx: nginx.clone(), world }
    }

    /// Starts the neighbour's nginx as its container does.
    fn start_nginx(&self) -> Process {
        let log = fs::File::options()
            .create(true)
            .append(true)
            .open(self.feed.sandbox().join("nginx.log"))
            .unwrap();
        let mut command = self.nginx_command();
        command.args(["-g", "daemon off;"]).stderr(log);
        self.feed.sandbox().spawn(&mut command)
    }

    fn nginx_command(&self) -> Command {
        let mut command = self.feed.sandbox().command(&self.nginx.path);
        command.args(["-e", "stderr", "-p"]).arg(self.feed.workdir());
        command.arg("-c").arg(self.feed.workdir().join("nginx.conf"));
        command
    }

    async fn started(nginx: &NginxBinary) -> (Self, Process) {
        let mut pod = Self::bootstrapped(nginx).await;
        let master = pod.start_nginx();
        pod.feed.start();
        pod.feed.wait_ready().await;
        pod.feed.wait_served_by("a", "a.test", "/").await;
        (pod, master)
    }
}

fn routes(world: &World, backend: &str) -> String {
    let mut objects = world.services();
    objects.push(route("route", "test", "a.test", backend));
    manifest(&objects)
}

async fn is_healthy(feed: &Feed) -> Result<(), String> {
    match Request::get("localhost", "/health").send(feed.status_address()).await {
        Ok(response) if response.status == 200 => Ok(()),
        Ok(response) => Err(response.text()),
        Err(error) => Err(error.to_string()),
    }
}

#[tokio::test]
async fn nginx_starts_before_feed_and_serves_only_the_status_port() {
    for nginx in NginxBinary::all() {
        let mut pod = Pod::bootstrapped(&nginx).await;
        pod.start_nginx();
        eventually("nginx answers health checks", async || is_healthy(&pod.feed).await).await;
        assert!(pod.feed.send(&Request::get("a.test", "/")).await.is_err(), "no port for requests yet");
        pod.feed.start();
        pod.feed.wait_served_by("a", "a.test", "/").await;
        pod.feed.wait_ready().await;
        pod.feed.write_manifest("routes.yaml", &routes(&pod.world, "b"));
        pod.feed.wait_served_by("b", "a.test", "/").await;
    }
}

#[tokio::test]
async fn feed_may_start_before_nginx() {
    let Some(nginx) = NginxBinary::newer() else { return };
    let mut pod = Pod::bootstrapped(&nginx).await;
    pod.feed.start();
    eventually("it is not ready", async || match pod.feed.admin("/readiness").await {
        Ok(response) if response.status == 503 => Ok(()),
        Ok(response) => Err(response.status.to_string()),
        Err(error) => Err(error.to_string()),
    })
    .await;
    pod.start_nginx();
    pod.feed.wait_ready().await;
    pod.feed.wait_served_by("a", "a.test", "/").await;
}

#[tokio::test]
async fn the_neighbours_restart_is_followed() {
    for nginx in NginxBinary::all() {
        let (pod, master) = Pod::started(&nginx).await;
        master.signal(Signal::SIGQUIT);
        eventually("nginx has ended", async || if is_running(master) { Err("it runs") } else { Ok(()) })
            .await;
        eventually("it is not ready", async || match pod.feed.admin("/readiness").await.unwrap().status {
            503 => Ok(()),
            status => Err(status),
        })
        .await;
        let new = pod.start_nginx();
        pod.feed.wait_ready().await;
        pod.feed.wait_served_by("a", "a.test", "/").await;
        pod.feed.write_manifest("routes.yaml", &routes(&pod.world, "b"));
        pod.feed.wait_served_by("b", "a.test", "/").await;
        assert_eq!(pod.feed.nginx_master(), new);
    }
}

#[tokio::test]
async fn feeds_own_restart_is_not_noticed() {
    for nginx in NginxBinary::all() {
        let (mut pod, master) = Pod::started(&nginx).await;
        let workers = pod.feed.nginx_workers();
        let load = Load::start(pod.feed.address(), &Request::get("a.test", "/"), 4);
        pod.feed.kill();
        pod.feed.start();
        pod.feed.wait_ready().await;
        assert_eq!(load.stop().await.failures, [""; 0]);
        assert_eq!((pod.feed.nginx_master(), pod.feed.nginx_workers()), (master, workers));
    }
}

#[tokio::test]
async fn the_neighbour_is_told_when_it_may_end() {
    let Some(nginx) = NginxBinary::newer() else { return };
    let (mut pod, master) = Pod::started(&nginx).await;
    let drained = pod.feed.workdir().join("drained");
    let request = Request::get("a.test", "/").header("X-Answer-Hold", "yes");
    let mut connection = request.connect(pod.feed.address()).await.unwrap();
    let begun = connection.begin(&request).await.unwrap();
    assert!(!drained.exists());
    let told_at = Instant::now();
    pod.feed.signal(Signal::SIGTERM);
    eventually("it is not ready", async || match pod.feed.admin("/readiness").await.unwrap().status {
        503 => Ok(()),
        status => Err(status),
    })
    .await;
    assert!(told_at.elapsed() >= Duration::from_secs(2), "others know of the end");
    assert!(!drained.exists(), "a request is in flight");
    pod.world.backends["a"].release();
    connection.finish(begun).await.unwrap();
    drop(connection);
    let status = pod.feed.wait_exit(Duration::from_secs(20)).await;
    assert_eq!(status.code(), Some(0), "{}", pod.feed.log());
    assert!(drained.exists());
    assert!(is_running(master), "a neighbour's nginx is not feed's to stop");

    pod.feed.start();
    pod.feed.wait_ready().await;
    assert!(!drained.exists(), "it was about another life");
}

#[tokio::test]
async fn clients_that_keep_their_connections_busy_are_sent_away_before_the_neighbour_may_end() {
    let Some(nginx) = NginxBinary::newer() else { return };
    let (mut pod, master) = Pod::started(&nginx).await;
    let drained = pod.feed.workdir().join("drained");
    let held = Request::get("a.test", "/").header("X-Answer-Hold", "yes");
    let mut connection = held.connect(pod.feed.address()).await.unwrap();
    let begun = connection.begin(&held).await.unwrap();
    let request = Request::get("a.test", "/");
    let mut busy = request.connect(pod.feed.address()).await.unwrap();
    pod.feed.signal(Signal::SIGINT);
    // Connections that are there are asked to go by closing them after an answer.
    eventually("the client is sent away", async || match busy.send(&request).await {
        Ok(response) if response.status == 200 => Err("it is served on".to_owned()),
        Ok(response) => panic!("{}", response.status),
        Err(_) => Ok(()),
    })
    .await;
    assert!(!drained.exists(), "a request is in flight");
    pod.world.backends["a"].release();
    connection.finish(begun).await.unwrap();
    drop(connection);
    let status = pod.feed.wait_exit(Duration::from_secs(20)).await;
    assert_eq!(status.code(), Some(0), "{}", pod.feed.log());
    assert!(drained.exists());
    assert!(is_running(master));
}

#[tokio::test]
async fn a_process_that_only_has_nginxs_pid_is_left_alone() {
    let Some(nginx) = NginxBinary::newer() else { return };
    let mut pod = Pod::bootstrapped(&nginx).await;
    let stranger = pod.feed.sandbox().spawn(pod.feed.sandbox().command("sleep").arg("1000"));
    fs::write(pod.feed.workdir().join("neighbour.pid"), format!("{}\n", stranger.0)).unwrap();
    pod.feed.start();
    eventually("it is not ready", async || match pod.feed.admin("/readiness").await {
        Ok(response) if response.status == 503 => Ok(()),
        Ok(response) => Err(response.status.to_string()),
        Err(error) => Err(error.to_string()),
    })
    .await;
    pod.start_nginx();
    pod.feed.wait_ready().await;
    pod.feed.wait_served_by("a", "a.test", "/").await;
    assert!(is_running(stranger), "SIGHUP would have ended it");
}

#[tokio::test]
async fn the_neighbours_requests_are_counted() {
    for nginx in NginxBinary::all() {
        let (mut pod, master) = Pod::started(&nginx).await;
        let served = |pod: &Pod| u32::try_from(pod.world.backends["a"].requests()).unwrap();
        assert_eq!(pod.feed.get("a.test", "/").await.status, 200);
        expect_requests(&pod.feed, served(&pod)).await;
        master.signal(Signal::SIGQUIT);
        eventually("nginx has ended", async || if is_running(master) { Err("it runs") } else { Ok(()) })
            .await;
        pod.start_nginx();
        pod.feed.wait_served_by("a", "a.test", "/").await;
        expect_requests(&pod.feed, served(&pod)).await;
        pod.feed.kill();
        let before = served(&pod);
        assert_eq!(pod.feed.get("a.test", "/").await.status, 200);
        pod.feed.start();
        pod.feed.wait_ready().await;
        expect_requests(&pod.feed, served(&pod) - before).await;
    }
}

#[tokio::test]
async fn a_neighbour_serves_tls_without_having_the_certificates_mounted() {
    for nginx in NginxBinary::all() {
        let default = TestCertificate::new(&["default.test"]);
        let mut pod = Pod::bootstrapped_with(&nginx, Feed::builder(&nginx).tls(&default)).await;
        pod.start_nginx();
        pod.feed.start();
        pod.feed.wait_ready().await;
        let client = TlsClient::to("a.test").protocols(&["h2"]);
        let connection = client.connect(pod.feed.tls_address()).await.unwrap();
        assert_eq!((connection.certificate(), connection.protocol().as_deref()), (default.der, Some("h2")));
    }
}
