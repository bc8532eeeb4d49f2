//! Requests are neither lost nor counted twice when something goes wrong.

use std::fs;
use std::path::PathBuf;

use feed_tests::{Connection, Feed, NginxBinary, Request, Tmpfs, eventually};
use nix::sys::signal::Signal;

use super::expect_requests;
use crate::world::{World, manifest, route};

const FILE: &str = "all.yaml";

fn routes(world: &World, hosts: &[&str]) -> String {
    let mut objects = world.services();
    objects.extend(hosts.iter().map(|host| route(&host.replace('.', "-"), "test", host, "a")));
    manifest(&objects)
}

async fn serving(nginx: &NginxBinary, world: &World) -> Feed {
    let feed = Feed::builder(nginx).flag("--nginx-update-burst", "100");
    feed.manifest(FILE, &routes(world, &["a.test"])).ready().await
}

async fn requests(feed: &Feed, count: u32) {
    for _ in 0..count {
        assert_eq!(feed.get("a.test", "/").await.status, 200);
    }
}

fn log(feed: &Feed) -> PathBuf {
    feed.workdir().join("requests/requests.log")
}

#[tokio::test]
async fn counts_survive_reloads_and_old_workers_are_heard() {
    for nginx in NginxBinary::all() {
        let world = World::start().await;
        let feed = serving(&nginx, &world).await;
        requests(&feed, 5).await;
        // One that an old worker ends.
        let held = Request::get("a.test", "/").header("X-Answer-Hold", "yes");
        let mut connection = held.connect(feed.address()).await.unwrap();
        let begun = connection.begin(&held).await.unwrap();
        let generation = feed.metric("feed_ingress_configuration_generation").await;
        feed.write_manifest(FILE, &routes(&world, &["a.test", "b.test"]));
        eventually("the next generation", async || {
            let now = feed.metric("feed_ingress_configuration_generation").await;
            if now > generation { Ok(()) } else { Err(format!("{now:?}")) }
        })
        .await;
        requests(&feed, 4).await;
        world.backends["a"].release();
        connection.finish(begun).await.unwrap();
        expect_requests(&feed, 10).await;
    }
}

#[tokio::test]
async fn what_a_killed_feed_had_not_read_is_counted_by_the_next() {
    for nginx in NginxBinary::all() {
        let world = World::start().await;
        let mut feed = serving(&nginx, &world).await;
        requests(&feed, 100).await;
        expect_requests(&feed, 100).await;
        feed.kill();
        let before = fs::metadata(log(&feed)).unwrap().len();
        requests(&feed, 900).await;
        eventually("nginx has written all of it", async || {
            let lines = fs::read_to_string(log(&feed)).unwrap().matches("a.test").count();
            if lines >= 900 { Ok(()) } else { Err(lines) }
        })
        .await;
        assert!(fs::metadata(log(&feed)).unwrap().len() > before);
        feed.start();
        feed.wait_ready().await;
        expect_requests(&feed, 900).await;
    }
}

#[tokio::test]
async fn a_truncated_log_goes_on_being_counted() {
    for nginx in NginxBinary::all() {
        let world = World::start().await;
        let feed = serving(&nginx, &world).await;
        requests(&feed, 100).await;
        expect_requests(&feed, 100).await;
        // As logrotate's copytruncate does it.
        fs::File::options().write(true).open(log(&feed)).unwrap().set_len(0).unwrap();
        requests(&feed, 50).await;
        expect_requests(&feed, 150).await;
        assert!(feed.log().contains("log of requests was truncated"), "{}", feed.log());
        requests(&feed, 500).await;
        expect_requests(&feed, 650).await;
    }
}

#[tokio::test]
async fn nginx_may_die_and_come_back() {
    for nginx in NginxBinary::all() {
        let world = World::start().await;
        let feed = serving(&nginx, &world).await;
        requests(&feed, 5).await;
        let master = feed.nginx_master();
        master.kill();
        eventually("another master", async || match feed.nginx_masters()[..] {
            [new] if new != master => Ok(()),
            ref masters => Err(format!("{masters:?}")),
        })
        .await;
        feed.wait_ready().await;
        requests(&feed, 4).await;
        expect_requests(&feed, 9).await;
    }
}

#[tokio::test]
async fn a_stopped_feed_misses_nothing() {
    for nginx in NginxBinary::all() {
        let world = World::start().await;
        let feed = serving(&nginx, &world).await;
        feed.signal(Signal::SIGSTOP);
        let mut connection = Connection::open(feed.address()).await.unwrap();
        for _ in 0..2000 {
            assert_eq!(connection.send(&Request::get("a.test", "/")).await.unwrap().status, 200);
        }
        let written = eventually("nginx writes while nobody reads", async || {
            let written = fs::metadata(log(&feed)).unwrap().len();
            if written > 100_000 { Ok(written) } else { Err(written) }
        })
        .await;
        feed.signal(Signal::SIGCONT);
        expect_requests(&feed, 2000).await;
        let log = fs::metadata(log(&feed)).unwrap();
        let occupied = std::os::unix::fs::MetadataExt::blocks(&log) * 512;
        assert!(log.len() >= written && occupied <= 16 << 10, "{occupied} bytes of {} are left", log.len());
    }
}

#[tokio::test]
async fn a_removed_log_is_opened_again() {
    for nginx in NginxBinary::all() {
        let world = World::start().await;
        let feed = serving(&nginx, &world).await;
        requests(&feed, 5).await;
        fs::remove_file(log(&feed)).unwrap();
        // nginx still writes these to the file that has no name.
        requests(&feed, 4).await;
        eventually("the log is there again", async || fs::metadata(log(&feed))).await;
        expect_requests(&feed, 9).await;
        eventually("nginx writes to it", async || {
            requests(&feed, 1).await;
            if fs::metadata(log(&feed)).unwrap().len() > 0 { Ok(()) } else { Err("nothing") }
        })
        .await;
        fs::remove_dir_all(log(&feed).parent().unwrap()).unwrap();
        eventually("the log is there again with its directory", async || fs::metadata(log(&feed))).await;
        requests(&feed, 3).await;
        let served = u32::try_from(world.backends["a"].requests()).unwrap();
        expect_requests(&feed, served).await;
        assert!(feed.log().contains("log of requests was removed"), "{}", feed.log());
    }
}

#[tokio::test]
async fn without_room_requests_are_served_and_it_is_said() {
    for nginx in NginxBinary::all() {
        let world = World::start().await;
        let mut feed = Feed::builder(&nginx).manifest(FILE, &routes(&world, &["a.test"])).build();
        let Some(room) = Tmpfs::mount(&feed.workdir().join("requests"), "1m") else { return };
        feed.start();
        feed.wait_ready().await;
        requests(&feed, 5).await;
        expect_requests(&feed, 5).await;
        // As much as there is room for.
        let filled = fs::write(room.path().join("filler"), vec![b'x'; 2 << 20]);
        assert!(filled.is_err());
        health(&feed, "no room is left for nginx's log of requests").await;
        let mut connection = Connection::open(feed.address()).await.unwrap();
        for _ in 0..1000 {
            assert_eq!(connection.send(&Request::get("a.test", "/")).await.unwrap().status, 200);
        }
        assert_eq!(feed.admin("/readiness").await.unwrap().status, 200, "requests are served");
        eventually("nginx says it", async || {
            let log = feed.log();
            if log.contains("No space left on device") { Ok(()) } else { Err(log) }
        })
        .await;
        fs::remove_file(room.path().join("filler")).unwrap();
        health(&feed, "ok").await;
        let before = counted(&feed).await;
        assert!(before < 1005.0, "{before}");
        eventually("requests are counted again", async || {
            requests(&feed, 1).await;
            let now = counted(&feed).await;
            if now > before { Ok(()) } else { Err(now) }
        })
        .await;
        drop(feed);
        drop(room);
    }
}

async fn counted(feed: &Feed) -> f64 {
    super::samples(feed, "ingress_requests").await.values().sum()
}

async fn health(feed: &Feed, expected: &str) {
    eventually(&format!("health says {expected}"), async || {
        let text = feed.admin("/health").await.unwrap().text();
        if text.contains(expected) { Ok(()) } else { Err(text) }
    })
    .await;
}

#[tokio::test]
async fn what_clients_make_up_is_no_label() {
    let Some(nginx) = NginxBinary::newer() else { return };
    let world = World::start().await;
    let feed = serving(&nginx, &world).await;
    let mut connection = Connection::open(feed.address()).await.unwrap();
    for number in 0..3000 {
        let host = ["a.test".to_owned(), format!("h{number}.test"), format!("{}.x", "h".repeat(number))];
        let path = format!("/{number}\\%22%0a?{}", "q".repeat(number % 100));
        let request = Request::get(&host[number % 3], path).header("User-Agent", &format!("{number}"));
        connection.send(&request).await.unwrap();
    }
    let labels = ["host=*,path=none,code=4xx", "host=a.test,path=/,code=2xx"];
    super::expect(&feed, "ingress_requests", &[(labels[0], 2000.0), (labels[1], 1000.0)]).await;
    let series = feed.metrics().await.lines().filter(|line| line.contains("_ingress_requests{")).count();
    assert_eq!(series, 10);
}
