//! Signals that people send: none loses a request, or leaves nginx behind.

use std::time::Duration;

use feed_tests::{Feed, Load, NginxBinary, Process, Request, eventually, is_running, processes_in};
use nix::sys::signal::Signal;

use crate::world::{World, manifest, route};

fn serving(world: &World, nginx: &NginxBinary) -> feed_tests::FeedBuilder {
    let mut objects = world.services();
    objects.push(route("a", "test", "a.test", "a"));
    Feed::builder(nginx).manifest("all.yaml", &manifest(&objects)).flag("--drain-delay", "0s")
}

/// Waits until the log has so many lines with that text.
async fn said(feed: &Feed, text: &str, times: usize) {
    eventually(&format!("the log says {text:?} {times} times"), async || {
        match feed.log().matches(text).count() {
            found if found >= times => Ok(()),
            found => Err(format!("{found}\n{}", feed.log())),
        }
    })
    .await;
}

#[tokio::test]
async fn a_hang_up_has_everything_computed_again_and_loses_nothing() {
    for nginx in NginxBinary::all() {
        let world = World::start().await;
        let feed = serving(&world, &nginx).ready().await;
        let (master, workers) = (feed.nginx_master(), feed.nginx_workers());
        let reloads = feed.metric("feed_ingress_reloads").await;
        let load = Load::start(feed.address(), &Request::get("a.test", "/"), 4);
        for time in 1..=3 {
            // To the whole process group, as a shell does it.
            Process(-feed.process().0).signal(Signal::SIGHUP);
            said(&feed, "SIGHUP: everything is looked at and computed again.", time).await;
        }
        feed.wait_served_by("a", "a.test", "/").await;
        feed.wait_ready().await;
        let report = load.stop().await;
        assert_eq!(report.failures, [""; 0]);
        assert_eq!(report.answers.keys().copied().collect::<Vec<_>>(), [200]);
        assert_eq!((feed.nginx_master(), feed.nginx_workers()), (master, workers), "equal bytes, no reload");
        assert_eq!(feed.metric("feed_ingress_reloads").await, reloads);
    }
}

#[tokio::test]
async fn signals_at_any_moment_lose_no_change() {
    let Some(nginx) = NginxBinary::newer() else { return };
    let world = World::start().await;
    let mut feed = serving(&world, &nginx).flag("--nginx-update-burst", "100").spawn();
    // As soon as anything is there: before the first configuration.
    eventually("it has begun", async || if feed.log().is_empty() { Err("no line yet") } else { Ok(()) })
        .await;
    for signal in [Signal::SIGHUP, Signal::SIGUSR1, Signal::SIGUSR2, Signal::SIGHUP] {
        feed.signal(signal);
    }
    feed.wait_ready().await;
    for index in 0..5 {
        let host = format!("b{index}.test");
        let mut objects = world.services();
        objects.extend([route("a", "test", "a.test", "a"), route("b", "test", &host, "b")]);
        feed.write_manifest("all.yaml", &manifest(&objects));
        for signal in [Signal::SIGHUP, Signal::SIGUSR1, Signal::SIGUSR2] {
            feed.signal(signal);
            feed.nginx_master().signal(Signal::SIGHUP);
        }
        feed.wait_served_by("b", &host, "/").await;
    }
    feed.wait_ready().await;
    feed.signal(Signal::SIGTERM);
    assert_eq!(feed.wait_exit(Duration::from_secs(20)).await.code(), Some(0), "{}", feed.log());
}

#[tokio::test]
async fn a_quit_signal_drains_and_none_but_a_second_term_cuts_that_short() {
    for nginx in NginxBinary::all() {
        let world = World::start().await;
        let mut feed = serving(&world, &nginx).ready().await;
        let request = Request::get("a.test", "/").header("X-Answer-Hold", "yes");
        let mut connection = request.connect(feed.address()).await.unwrap();
        let begun = connection.begin(&request).await.unwrap();
        feed.signal(Signal::SIGQUIT);
        said(&feed, "SIGQUIT: draining.", 1).await;
        for signal in [Signal::SIGHUP, Signal::SIGUSR1, Signal::SIGUSR2, Signal::SIGQUIT] {
            feed.signal(signal);
        }
        said(&feed, "SIGQUIT: draining.", 2).await;
        assert!(is_running(feed.process()));
        world.backends["a"].release();
        assert_eq!(connection.finish(begun).await.unwrap().echo().backend, "a");
        drop(connection);
        assert_eq!(feed.wait_exit(Duration::from_secs(20)).await.code(), Some(0), "{}", feed.log());
        assert_eq!((feed.nginx_masters(), feed.nginx_workers()), (vec![], vec![]));
    }
}

#[tokio::test]
async fn with_its_terminal_closed_it_leaves_and_takes_nginx_along() {
    let Some(nginx) = NginxBinary::system() else { return };
    let world = World::start().await;
    // A terminal that lives as long as this program.
    let terminal = [
        "python3",
        "-c",
        "import pty, signal, sys; signal.signal(signal.SIGHUP, signal.SIG_DFL); pty.spawn(sys.argv[1:])",
    ];
    let mut feed = serving(&world, &nginx).through(&terminal).ready().await;
    let program = |feed: &Feed| {
        let mut programs = processes_in(feed.sandbox().path());
        programs.retain(|process| feed_tests::parent_of(*process) == Some(feed.process()));
        programs
    };
    let [process] = program(&feed)[..] else { panic!("one feed-ingress expected") };

    // By hand it is what it always is.
    process.signal(Signal::SIGHUP);
    said(&feed, "SIGHUP: everything is looked at and computed again.", 1).await;
    feed.wait_served_by("a", "a.test", "/").await;
    assert!(is_running(process));

    let request = Request::get("a.test", "/").header("X-Answer-Hold", "yes");
    let mut connection = request.connect(feed.address()).await.unwrap();
    let begun = connection.begin(&request).await.unwrap();
    feed.kill();
    eventually("it is not ready any more", async || match feed.admin("/readiness").await {
        Ok(response) if response.status == 200 => Err("it is"),
        _ => Ok(()),
    })
    .await;
    world.backends["a"].release();
    assert_eq!(connection.finish(begun).await.unwrap().echo().backend, "a");
    drop(connection);
    eventually("nothing is left", async || match processes_in(feed.sandbox().path())[..] {
        [] => Ok(()),
        ref left => Err(format!("{left:?}")),
    })
    .await;
}
