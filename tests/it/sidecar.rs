//! nginx in the neighbouring container: feed-ingress shares with it a directory and the process ids, nothing else.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use feed_tests::{
    Feed, FeedBuilder, Load, NginxBinary, Process, Request, TestCertificate, TlsClient, eventually,
    ingress_binary, is_running, parent_of, processes_in, title_of,
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
        assert!(!pod.feed.log().contains("shareProcessNamespace"), "{}", pod.feed.log());
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

/// The script of a container, by its first words, for this workdir.
fn script(begin: &str, workdir: &Path) -> String {
    let manifest = include_str!("../../manifests/sidecar.yaml");
    let begin = format!("              {begin}");
    let lines = manifest
        .lines()
        .skip_while(|line| !line.starts_with(&begin))
        .take_while(|line| line.starts_with("              "));
    let script = lines.map(str::trim).collect::<Vec<_>>().join("\n");
    script.replace("/var/run/feed-ingress", workdir.to_str().unwrap())
}

/// What nginx's container runs, for this pod.
fn container(pod: &Pod) -> Command {
    let script = script("nginx -e stderr", &pod.feed.workdir());
    let script = script.replace("nginx -e", &format!("{} -e", pod.nginx.path.display()));
    // A shell can trap nothing that is ignored when it starts, as SIGQUIT is in what runs in the background of another shell.
    let mut command = pod.feed.sandbox().command("env");
    command.args(["--default-signal=QUIT", "sh", "-c"]).arg(script);
    command
}

/// The other container goes on when feed-ingress is killed, and ends as feed-ingress does otherwise.
#[tokio::test]
async fn a_killed_feed_is_started_again_in_its_container() {
    let Some(nginx) = NginxBinary::newer() else { return };
    let script = script("trap 'ending=yes", Path::new("unused")).replace("feed-ingress \"$@\"", "\"$@\"");
    let builder =
        Feed::builder(&nginx).through(&["env", "--default-signal=TERM", "sh", "-c", &script, "feed-ingress"]);
    let mut pod = Pod::bootstrapped_with(&nginx, builder).await;
    pod.start_nginx();
    pod.feed.start();
    pod.feed.wait_ready().await;
    let shell = pod.feed.process();
    let child = || {
        let all = processes_in(pod.feed.sandbox().path());
        all.into_iter().find(|process| {
            parent_of(*process) == Some(shell) && title_of(*process).contains("--ingress-class")
        })
    };
    let first = child().unwrap();
    first.kill();
    let second = eventually("it is started again", async || match child() {
        Some(process) if process != first => Ok(process),
        other => Err(format!("{other:?}")),
    })
    .await;
    pod.feed.wait_ready().await;
    assert!(is_running(shell) && is_running(second));
    pod.feed.write_manifest("routes.yaml", &routes(&pod.world, "b"));
    pod.feed.wait_served_by("b", "a.test", "/").await;
    pod.feed.signal(Signal::SIGTERM);
    let status = pod.feed.wait_exit(Duration::from_secs(20)).await;
    assert_eq!(status.code(), Some(0), "{}", pod.feed.log());
    assert!(pod.feed.workdir().join("drained").exists());
}

/// A wrong flag is for Kubernetes to tell.
#[tokio::test]
async fn a_feed_that_ends_by_itself_ends_its_container() {
    let script = script("trap 'ending=yes", Path::new("unused"))
        .replace("feed-ingress \"$@\"", &format!("{} \"$@\"", ingress_binary().display()));
    let mut shell = Command::new("sh");
    let output = shell.args(["-c", &script, "feed-ingress", "static", "--no-such-flag"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", String::from_utf8_lossy(&output.stderr));
}

/// What ends a container is the image's choice. Whatever it is, nothing is cut off.
#[tokio::test]
async fn the_neighbours_container_finishes_its_requests() {
    for (nginx, signal) in
        NginxBinary::all().into_iter().zip([Signal::SIGTERM, Signal::SIGQUIT].into_iter().cycle())
    {
        let mut pod = Pod::bootstrapped(&nginx).await;
        let mut container = container(&pod).spawn().unwrap();
        pod.feed.start();
        pod.feed.wait_ready().await;
        pod.feed.wait_served_by("a", "a.test", "/").await;
        let request = Request::get("a.test", "/").header("X-Answer-Hold", "yes");
        let mut connection = request.connect(pod.feed.address()).await.unwrap();
        let begun = connection.begin(&request).await.unwrap();
        pod.feed.kill();
        Process::of(&container).signal(signal);
        eventually("nginx takes nothing new", async || {
            match Request::get("a.test", "/").send(pod.feed.address()).await {
                Err(_) => Ok(()),
                Ok(response) => Err(response.status),
            }
        })
        .await;
        assert_eq!(container.try_wait().unwrap(), None, "a request is in flight");
        pod.world.backends["a"].release();
        assert_eq!(connection.finish(begun).await.unwrap().status, 200);
        drop(connection);
        let outcome = tokio::task::spawn_blocking(move || container.wait().unwrap()).await.unwrap();
        assert!(outcome.success(), "{outcome}");
    }
}

/// Its end is the container's, which the kubelet then starts again.
#[tokio::test]
async fn the_neighbours_container_ends_with_nginx() {
    let Some(nginx) = NginxBinary::newer() else { return };
    let pod = Pod::bootstrapped(&nginx).await;
    let mut container = container(&pod).spawn().unwrap();
    eventually("nginx answers health checks", async || is_healthy(&pod.feed).await).await;
    pod.feed.nginx_master().kill();
    let outcome = tokio::task::spawn_blocking(move || container.wait().unwrap()).await.unwrap();
    assert!(!outcome.success(), "{outcome}");
}

/// What the Service goes by: with nothing confirmed nginx is not ready, and then it is, whatever becomes of feed-ingress.
#[tokio::test]
async fn nginx_says_itself_whether_it_is_ready() {
    for nginx in NginxBinary::all() {
        let mut pod = Pod::bootstrapped(&nginx).await;
        let master = pod.start_nginx();
        let status_port = pod.feed.status_address();
        let readiness = async || match Request::get("localhost", "/readiness").send(status_port).await {
            Ok(response) => response.status,
            Err(_) => 0,
        };
        let expect = async |status| {
            eventually(&format!("nginx's readiness is {status}"), async || match readiness().await {
                found if found == status => Ok(()),
                found => Err(found),
            })
            .await;
        };
        expect(503).await;
        pod.feed.start();
        pod.feed.wait_ready().await;
        expect(200).await;
        pod.feed.kill();
        master.signal(Signal::SIGQUIT);
        eventually("nginx has ended", async || if is_running(master) { Err("it runs") } else { Ok(()) })
            .await;
        expect(0).await;
        pod.start_nginx();
        expect(200).await;
        assert_eq!(pod.feed.get("a.test", "/").await.status, 200);
        // As in a new pod.
        fs::remove_file(pod.feed.workdir().join("confirmed")).unwrap();
        assert!(pod.feed.run("bootstrap").status.success());
        assert_eq!(readiness().await, 503);
    }
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
        for _ in 0..900 {
            assert_eq!(pod.feed.get("a.test", "/").await.status, 200);
        }
        let log = pod.feed.workdir().join("requests/requests.log");
        eventually("nginx has written all of it", async || {
            let lines = fs::read_to_string(&log).unwrap().matches("a.test").count();
            if lines >= 900 { Ok(()) } else { Err(lines) }
        })
        .await;
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
