//! SIGKILL for nginx's master, a worker, or feed-ingress itself.

use std::time::{Duration, Instant};

use feed_tests::{Load, NginxBinary, Request, eventually, parent_of};
use nix::sys::signal::Signal;

use super::{FILE, routes, serving_a};
use crate::world::World;

#[tokio::test]
async fn a_killed_worker_is_replaced() {
    for nginx in NginxBinary::all() {
        let world = World::start().await;
        let feed = serving_a(&nginx, &world).ready().await;
        let (master, workers) = (feed.nginx_master(), feed.nginx_workers());
        workers[0].kill();
        eventually("another worker", async || match feed.nginx_workers() {
            now if now.len() == 1 && now != workers => Ok(()),
            now => Err(format!("{now:?}")),
        })
        .await;
        feed.wait_served_by("a", "a.test", "/").await;
        feed.wait_ready().await;
        assert_eq!(feed.nginx_master(), master);
        feed.write_manifest(FILE, &routes(&world, &[("a.test", "a"), ("b.test", "b")]));
        feed.wait_served_by("b", "b.test", "/").await;
    }
}

#[tokio::test]
async fn a_killed_master_is_replaced_and_its_workers_are_ended() {
    for nginx in NginxBinary::all() {
        let world = World::start().await;
        let feed = serving_a(&nginx, &world).ready().await;
        let (master, workers) = (feed.nginx_master(), feed.nginx_workers());
        master.kill();
        let new = eventually("another master", async || match feed.nginx_masters()[..] {
            [new] if new != master => Ok(new),
            ref masters => Err(format!("{masters:?}")),
        })
        .await;
        eventually("workers of the new master, and no others", async || match feed.nginx_workers() {
            now if !now.is_empty() && now.iter().all(|worker| parent_of(*worker) == Some(new)) => Ok(()),
            now => Err(format!("{now:?}, once {workers:?}")),
        })
        .await;
        feed.wait_served_by("a", "a.test", "/").await;
        feed.wait_ready().await;
        feed.write_manifest(FILE, &routes(&world, &[("a.test", "a"), ("b.test", "b")]));
        feed.wait_served_by("b", "b.test", "/").await;
        assert_eq!(feed.nginx_master(), new);
    }
}

#[tokio::test]
async fn a_master_that_keeps_dying_ends_feed() {
    let Some(nginx) = NginxBinary::system() else { return };
    let world = World::start().await;
    let mut feed = serving_a(&nginx, &world).flag("--nginx-max-restarts", "2").ready().await;
    let process = feed.process();
    eventually("feed-ingress gives up", async || {
        for master in feed.nginx_masters() {
            master.kill();
        }
        if feed_tests::is_running(process) { Err(feed.log()) } else { Ok(()) }
    })
    .await;
    let status = feed.wait_exit(Duration::from_secs(1)).await;
    assert!(!status.success(), "{status}");
    assert_eq!(feed.nginx_workers(), [], "nobody is left behind");
}

#[tokio::test]
async fn a_killed_feed_is_not_missed_and_takes_nginx_over_again() {
    for nginx in NginxBinary::all() {
        let world = World::start().await;
        let mut feed = serving_a(&nginx, &world).ready().await;
        let (master, workers) = (feed.nginx_master(), feed.nginx_workers());
        let load = Load::start(feed.address(), &Request::get("a.test", "/"), 4);
        feed.kill();
        let before = world.backends["a"].requests();
        eventually("requests are served without feed", async || {
            match world.backends["a"].requests() - before {
                100.. => Ok(()),
                few => Err(few),
            }
        })
        .await;
        feed.start();
        feed.wait_ready().await;
        let report = load.stop().await;
        assert_eq!(report.failures, [""; 0]);
        assert_eq!(report.answers.keys().copied().collect::<Vec<_>>(), [200]);
        assert_eq!(
            (feed.nginx_master(), feed.nginx_workers()),
            (master, workers),
            "neither restarted nor reloaded"
        );

        feed.write_manifest(FILE, &routes(&world, &[("a.test", "a"), ("b.test", "b")]));
        feed.wait_served_by("b", "b.test", "/").await;
        assert_eq!(feed.nginx_master(), master);
    }
}

#[tokio::test]
async fn what_changed_while_feed_was_dead_is_served_afterwards() {
    let Some(nginx) = NginxBinary::newer() else { return };
    let world = World::start().await;
    let mut feed = serving_a(&nginx, &world).ready().await;
    let master = feed.nginx_master();
    feed.kill();
    feed.write_manifest(FILE, &routes(&world, &[("a.test", "b")]));
    feed.start();
    feed.wait_served_by("b", "a.test", "/").await;
    feed.wait_ready().await;
    assert_eq!(feed.nginx_master(), master);
}

#[tokio::test]
async fn a_feed_whose_nginx_died_with_it_starts_another() {
    let Some(nginx) = NginxBinary::newer() else { return };
    let world = World::start().await;
    let mut feed = serving_a(&nginx, &world).ready().await;
    let master = feed.nginx_master();
    feed.kill();
    // Its workers go on serving, and hold the port.
    master.kill();
    feed.start();
    feed.wait_ready().await;
    feed.wait_served_by("a", "a.test", "/").await;
    let new = feed.nginx_master();
    assert!(feed.nginx_workers().iter().all(|worker| parent_of(*worker) == Some(new)));
}

#[tokio::test]
async fn a_term_signal_ends_both_after_the_requests_in_flight() {
    for nginx in NginxBinary::all() {
        let world = World::start().await;
        let mut feed = serving_a(&nginx, &world).flag("--drain-delay", "2s").ready().await;
        let request = Request::get("a.test", "/").header("X-Answer-Hold", "yes");
        let mut connection = request.connect(feed.address()).await.unwrap();
        let begun = connection.begin(&request).await.unwrap();
        let told_at = Instant::now();
        feed.signal(Signal::SIGTERM);
        // Others learn late of the end: until then everything is served as before, changes included.
        feed.write_manifest(FILE, &routes(&world, &[("a.test", "a"), ("b.test", "b")]));
        feed.wait_served_by("b", "b.test", "/").await;
        assert_eq!(feed.admin("/readiness").await.unwrap().status, 200);
        eventually("it is not ready any more", async || match feed.admin("/readiness").await {
            Ok(response) if response.status == 503 => Ok(()),
            // It may be quick.
            Err(_) => Ok(()),
            Ok(response) => Err(response.status),
        })
        .await;
        assert!(told_at.elapsed() >= Duration::from_secs(2), "the drain delay");
        world.backends["a"].release();
        assert_eq!(connection.finish(begun).await.unwrap().echo().backend, "a");
        drop(connection);
        let status = feed.wait_exit(Duration::from_secs(20)).await;
        assert_eq!(status.code(), Some(0), "{}", feed.log());
        assert_eq!(feed.nginx_masters(), []);
        assert_eq!(feed.nginx_workers(), []);
    }
}
