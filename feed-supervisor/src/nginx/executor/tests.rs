use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::*;
use crate::nginx::fixture::{PATIENCE, Place, eventually};
use crate::nginx::process;

#[tokio::test]
async fn nginx_is_started_reloaded_and_keeps_serving() {
    let place = Place::new();
    let mut process = place.child().await;
    process.start(place.version(1, "one", "")).await;
    assert_eq!(place.get().await, "one");
    let known = process.nginx.known.borrow().clone();
    assert_eq!(known.master.unwrap().pid(), place.master().unwrap());
    assert!(known.version.unwrap() >= Version::OLDEST);

    let old = process::accepting_workers(place.master().unwrap());
    let generation = Generation(2);
    process.command(Command::Write(place.version(2, "two", ""))).await;
    process.command(Command::Name(generation)).await;
    assert_eq!(process.command(Command::Reload(generation)).await, Event::Finished(Ok(())));
    assert!(
        old.iter().all(|worker| !process::accepts(*worker)),
        "confirmed means that no old worker accepts"
    );
    assert_eq!(place.get().await, "two");
}

#[tokio::test]
async fn a_refusal_is_told_in_nginx_own_words() {
    let place = Place::new();
    let mut process = place.child().await;
    process.start(place.version(1, "one", "")).await;
    process.command(Command::Write(place.version(2, "two", "no_such_thing on;"))).await;
    process.command(Command::Name(Generation(2))).await;
    let refused = process.command(Command::Reload(Generation(2))).await;
    let expected =
        format!("unknown directive \"no_such_thing\" in {}/nginx.conf:13", place.workdir.display());
    assert_eq!(refused, Event::Emergency(expected));
    assert_eq!(process.command(Command::Name(Generation(1))).await, Event::Finished(Ok(())));
    assert_eq!(place.get().await, "one");
}

#[tokio::test]
async fn the_test_before_the_first_start_refuses_in_nginx_own_words() {
    let place = Place::new();
    let mut process = place.child().await;
    process.command(Command::Write(place.version(1, "one", "no_such_thing on;"))).await;
    let refused = process.command(Command::Test(Generation(1))).await;
    let expected =
        format!("unknown directive \"no_such_thing\" in {}/generations/1.conf:13", place.workdir.display());
    assert_eq!(refused, Event::Finished(Err(expected)));
}

#[tokio::test]
async fn a_start_that_fails_tells_why() {
    let place = Place::new();
    let mut process = place.child().await;
    let holder = std::net::TcpListener::bind(("0.0.0.0", place.http_port)).unwrap();
    process.command(Command::Write(place.version(1, "one", ""))).await;
    process.command(Command::Name(Generation(1))).await;
    let failed = process.command(Command::Start(Some(Generation(1)))).await;
    let expected = format!("bind() to 0.0.0.0:{} failed (98: Address already in use)", place.http_port);
    assert_eq!(failed, Event::Finished(Err(expected)));
    assert!(process.nginx.known.borrow().master.is_none());
    drop(holder);
    assert_eq!(
        process.command(Command::Start(Some(Generation(1)))).await,
        Event::Started { confirmed: true }
    );
}

#[tokio::test]
async fn a_killed_master_is_noticed_and_its_workers_give_way_to_a_new_one() {
    let place = Place::new();
    let mut process = place.child().await;
    process.start(place.version(1, "one", "")).await;
    let master = place.master().unwrap();
    let workers = process::accepting_workers(master);
    kill(master, Signal::SIGKILL).unwrap();
    let Event::Died(how) = process.outcome().await else { panic!() };
    assert_eq!(how, format!("its master process {master} has ended: signal: 9 (SIGKILL)"));
    assert_eq!(place.get().await, "one", "the workers live on");
    assert_eq!(process::leftover_workers(Some(master), &place.workdir), workers);

    assert_eq!(
        process.command(Command::Start(Some(Generation(1)))).await,
        Event::Started { confirmed: true }
    );
    assert!(workers.iter().all(|worker| !process::accepts(*worker)));
    assert_ne!(place.master(), Some(master));
    assert_eq!(place.get().await, "one");
}

#[tokio::test]
async fn a_killed_worker_is_nginx_own_business() {
    let place = Place::new();
    let mut process = place.child().await;
    process.start(place.version(1, "one", "")).await;
    let master = place.master().unwrap();
    let workers = process::accepting_workers(master);
    kill(workers[0], Signal::SIGKILL).unwrap();
    eventually("another worker", || {
        let now = process::accepting_workers(master);
        !now.is_empty() && now != workers
    })
    .await;
    assert_eq!(place.get().await, "one");
    assert!(process.outcomes.try_recv().is_err(), "nothing is told");
}

#[tokio::test]
async fn a_running_nginx_is_taken_over_with_its_log() {
    let place = Place::new();
    let mut first = place.child().await;
    first.start(place.version(1, "one", "")).await;
    let master = place.master().unwrap();
    // The master has spoken with the first process, so that its next line is lost.
    first.command(Command::Write(place.version(2, "two", "no_such_thing on;"))).await;
    first.command(Command::Name(Generation(2))).await;
    let Event::Emergency(_) = first.command(Command::Reload(Generation(2))).await else { panic!() };
    drop(first);

    let mut second = place.process(Mode::Child(place.program().await));
    let found = second.nginx.take_over().await.unwrap();
    assert_eq!(found.running, Running::Yes(Some(Generation(1))));
    assert_eq!((found.named, found.last), (Some(Generation(2)), Generation(2)));
    assert_eq!(found.confirmed.map(|version| version.generation), Some(Generation(1)));
    assert!(found.startable);
    second.run();
    let refused = second.command(Command::Reload(Generation(2))).await;
    assert!(matches!(refused, Event::Emergency(_)), "{refused:?}");
    second.command(Command::Write(place.version(3, "three", ""))).await;
    second.command(Command::Name(Generation(3))).await;
    assert_eq!(second.command(Command::Reload(Generation(3))).await, Event::Finished(Ok(())));
    assert_eq!((place.get().await.as_str(), place.master()), ("three", Some(master)));

    kill(master, Signal::SIGKILL).unwrap();
    let died = second.outcome().await;
    assert_eq!(
        died,
        Event::Died(format!("its master process {master} is gone")),
        "though it is no child of ours"
    );
}

#[tokio::test]
async fn a_start_takes_over_what_runs() {
    let place = Place::new();
    let mut first = place.child().await;
    first.start(place.version(1, "one", "")).await;
    let master = place.master();
    drop(first);
    let mut second = place.child().await;
    assert_eq!(second.command(Command::Start(Some(Generation(1)))).await, Event::Started { confirmed: true });
    assert_eq!(place.master(), master);
}

#[tokio::test]
async fn a_pid_that_is_no_nginx_of_ours_is_left_alone() {
    let place = Place::new();
    let files = place.files();
    files.prepare().unwrap();
    for pid in [Pid::this(), Pid::from_raw(1), Pid::from_raw(i32::MAX)] {
        std::fs::write(place.pid_file(), format!("{pid}\n")).unwrap();
        assert!(Master::find(&place.pid_file(), None).unwrap().is_none(), "{pid}");
    }
    for broken in ["", "x", "-1", "0"] {
        std::fs::write(place.pid_file(), broken).unwrap();
        assert!(Master::find(&place.pid_file(), None).unwrap().is_none(), "{broken:?}");
    }

    let other = Place::new();
    let mut process = other.child().await;
    process.start(other.version(1, "one", "")).await;
    std::fs::write(place.pid_file(), other.master().unwrap().to_string()).unwrap();
    assert!(Master::find(&place.pid_file(), Some(&files.live())).unwrap().is_none(), "another one's nginx");
    assert!(Master::find(&place.pid_file(), None).unwrap().is_some());
}

#[tokio::test]
async fn a_neighbour_is_waited_for_and_told_what_to_serve() {
    let place = Place::new();
    let mut process = place.process(Mode::Sidecar);
    process.run();
    process.commands.send(Command::Start(None)).unwrap();

    let neighbour = place.child().await;
    process
        .nginx
        .files
        .write(
            Generation(0),
            place.version(0, "boot", "").configuration.content.parts(Generation(0)),
            std::iter::empty(),
        )
        .unwrap();
    process.nginx.files.name(Generation(0)).unwrap();
    let (mut master, _complaint) = place.program().await.start(&neighbour.nginx.follower).unwrap();
    assert_eq!(process.outcome().await, Event::Started { confirmed: false });
    assert!(process.nginx.known.borrow().version.is_some());

    process.command(Command::Write(place.version(1, "one", ""))).await;
    process.command(Command::Name(Generation(1))).await;
    assert_eq!(process.command(Command::Reload(Generation(1))).await, Event::Finished(Ok(())));

    master.quit().unwrap();
    master.gone().await;
    assert_eq!(process.outcome().await, Event::Died(format!("its master process {} is gone", master.pid())));
    process.commands.send(Command::Start(Some(Generation(1)))).unwrap();
    (master, _) = place.program().await.start(&neighbour.nginx.follower).unwrap();
    assert_eq!(process.outcome().await, Event::Started { confirmed: true });
    assert_eq!(place.get().await, "one");
    master.terminate().unwrap();
    timeout(PATIENCE, master.gone()).await.unwrap();
}
