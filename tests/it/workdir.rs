//! Directories that nginx's workers, which are another user's where its master is root's, may not enter.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use feed_tests::{Feed, NginxBinary, Request, eventually, eventually_within};

use crate::world::{World, manifest, route};

fn mode(directory: &Path, mode: u32) {
    fs::set_permissions(directory, Permissions::from_mode(mode)).unwrap();
}

fn serving(nginx: &NginxBinary, world: &World) -> feed_tests::FeedBuilder {
    let objects = [world.services(), vec![route("a", "test", "a.test", "a")]].concat();
    Feed::builder(nginx).manifest("all.yaml", &manifest(&objects))
}

async fn upload(feed: &Feed) -> u16 {
    let request = Request::new("POST", "/").header("Host", "a.test").body("x".repeat(300_000));
    feed.send(&request).await.unwrap().status
}

#[tokio::test]
async fn a_closed_directory_is_told_in_one_sentence_until_it_is_open() {
    if !nix::unistd::geteuid().is_root() {
        return;
    }
    for nginx in NginxBinary::all() {
        let world = World::start().await;
        for (closed, open) in [("workdir", 0o711), ("", 0o755)] {
            let mut feed = serving(&nginx, &world).build();
            let directory = feed.sandbox().join(closed);
            let directory = directory.canonicalize().unwrap();
            mode(&directory, 0o700);
            feed.start();
            feed.wait_ready().await;
            let expected = format!("may not enter {}, so", directory.display());
            eventually("the log and /health say so", async || {
                let health = feed.admin("/health").await.unwrap();
                let said = feed.log().matches(&expected).count() == 1;
                if said && health.status == 500 && health.text().contains(&expected) {
                    Ok(())
                } else {
                    Err(format!("{} {}", health.text(), feed.log()))
                }
            })
            .await;
            assert_eq!(feed.get("a.test", "/").await.status, 200);
            mode(&directory, open);
            eventually_within(Duration::from_secs(30), "it is healthy", async || {
                match feed.admin("/health").await.unwrap() {
                    health if health.status == 200 => Ok(()),
                    health => Err(health.text()),
                }
            })
            .await;
            assert_eq!(upload(&feed).await, 200);
        }
    }
}

#[tokio::test]
async fn an_open_directory_is_not_told_of() {
    for nginx in NginxBinary::all() {
        let world = World::start().await;
        let mut feed = serving(&nginx, &world).argument("--access-log").build();
        mode(&feed.workdir(), 0o711);
        feed.start();
        feed.wait_ready().await;
        assert_eq!(upload(&feed).await, 200);
        eventually("it is healthy", async || match feed.admin("/health").await.unwrap() {
            health if health.status == 200 => Ok(()),
            health => Err(health.text()),
        })
        .await;
        assert!(!feed.log().contains("may not enter"), "{}", feed.log());
    }
}
