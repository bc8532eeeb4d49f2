//! nginx's log of requests.

use std::fs;

use feed_tests::{Feed, NginxBinary, Request, eventually};
use nix::sys::signal::Signal;

use crate::world::{World, manifest, route};

fn serving_a(nginx: &NginxBinary, world: &World) -> feed_tests::FeedBuilder {
    let objects = [world.services(), vec![route("a", "test", "a.test", "a")]].concat();
    Feed::builder(nginx).manifest("all.yaml", &manifest(&objects)).argument("--access-log")
}

fn lines(feed: &Feed, file: &str) -> Vec<String> {
    let text = fs::read_to_string(feed.workdir().join("logs").join(file)).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

/// Has the log written out and opened anew; returns what was in it.
async fn rotated(feed: &Feed, name: &str, expected: usize) -> Vec<String> {
    let logs = feed.workdir().join("logs");
    fs::rename(logs.join("access.log"), logs.join(name)).unwrap();
    feed.signal(Signal::SIGUSR1);
    eventually("the log is opened anew", async || {
        let written = lines(feed, name);
        if logs.join("access.log").exists() && written.len() >= expected {
            Ok(written)
        } else {
            Err(format!("{written:#?}"))
        }
    })
    .await
}

#[tokio::test]
async fn each_request_is_a_line_of_the_older_feeds_format() {
    for nginx in NginxBinary::all() {
        let world = World::start().await;
        let feed =
            serving_a(&nginx, &world).flag("--nginx-log-headers", "X-Request-ID,X-Other").ready().await;
        let hostile = "x\" X-Other=\"forged\\";
        let request = Request::get("a.test", "/path?q=1").header("X-Request-ID", hostile);
        let request = request.header("User-Agent", "agent").header("Referer", "http://r/");
        assert_eq!(feed.send(&request).await.unwrap().status, 200);
        assert_eq!(feed.get("unknown.test", "/").await.status, 404);
        for path in ["/health", "/basic_status", "/generation", "/nothing"] {
            Request::get("localhost", path).send(feed.status_address()).await.unwrap();
        }
        let written = rotated(&feed, "first.log", 2).await;
        let [first, second] = &written[..] else { panic!("{written:#?}") };
        let (before, rest) = first.split_once(" [").unwrap();
        let (time, rest) = rest.split_once("] ").unwrap();
        assert_eq!((before, time.len()), ("127.0.0.1 - -", "2026-01-02T03:04:05+00:00".len()));
        let (told, timings) = rest.split_once("rt=").unwrap();
        let length = feed.send(&request).await.unwrap().body.len();
        assert_eq!(
            told,
            format!(
                r#""GET /path?q=1 HTTP/1.1" 200 X-Request-ID="x\x22 X-Other=\x22forged\x5C" X-Other="-" {length}"http://r/" "agent" "a.test" uip="{}" ust="200" "#,
                world.backends["a"].address()
            )
        );
        let timings: Vec<_> = timings.split([' ', '=', '"']).filter(|part| !part.is_empty()).collect();
        assert_eq!((timings[1], timings[3], timings[5]), ("uct", "uht", "urt"), "{timings:?}");
        assert!(
            second.contains(r#""GET / HTTP/1.1" 404 "#) && second.contains(r#""unknown.test""#),
            "{second}"
        );

        // What was sent since is in the new file, and feed still runs.
        assert_eq!(rotated(&feed, "second.log", 1).await.len(), 1);
        assert!(feed.log().contains("SIGUSR1: nginx opens its logs anew."), "{}", feed.log());
    }
}

#[tokio::test]
async fn a_users_name_forges_no_field() {
    for nginx in NginxBinary::all() {
        let world = World::start().await;
        let feed = serving_a(&nginx, &world).ready().await;
        // alice; a b [then] "GET /; "; tab; alice@example.com
        let names = [
            "YWxpY2U6eA==",
            "YSBiIFt0aGVuXSAiR0VUIC86eA==",
            "Ijp4",
            "YQliOng=",
            "YWxpY2VAZXhhbXBsZS5jb206eA==",
        ];
        for name in names {
            let request = Request::get("a.test", "/").header("Authorization", &format!("Basic {name}"));
            assert_eq!(feed.send(&request).await.unwrap().status, 200);
        }
        let written = rotated(&feed, "users.log", names.len()).await;
        let users: Vec<_> = written.iter().map(|line| line.split_once(" [").unwrap().0).collect();
        let expected =
            ["alice", "?", "?", "?", "alice@example.com"].map(|name| format!("127.0.0.1 - {name}"));
        assert_eq!(users, expected);
    }
}

#[tokio::test]
async fn a_neighbours_nginx_logs_into_the_shared_workdir() {
    let Some(nginx) = NginxBinary::newer() else { return };
    let world = World::start().await;
    let mut feed = serving_a(&nginx, &world).build();
    let pid_file = feed.workdir().join("neighbour.pid");
    feed.add_arguments(&["--nginx-pid-file", pid_file.to_str().unwrap()]);
    let output = feed.run("bootstrap");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut command = feed.sandbox().command(&nginx.path);
    command.args(["-e", "stderr", "-g", "daemon off;", "-p"]).arg(feed.workdir());
    feed.sandbox().spawn(command.arg("-c").arg(feed.workdir().join("nginx.conf")));
    feed.start();
    feed.wait_served_by("a", "a.test", "/").await;
    assert!(!rotated(&feed, "first.log", 1).await.is_empty());
}

#[tokio::test]
async fn nothing_is_logged_without_being_asked_for() {
    let Some(nginx) = NginxBinary::newer() else { return };
    let feed = Feed::builder(&nginx).flag("--nginx-log-headers", "X-Request-ID").ready().await;
    assert_eq!(feed.get("a.test", "/").await.status, 404);
    assert!(!feed.workdir().join("logs").exists());
    assert!(!feed.configuration().contains("upstream_info"), "{}", feed.configuration());
}
