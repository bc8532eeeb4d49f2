//! Old workers that do not end, because their clients do not.

use feed_tests::{NginxBinary, Request, eventually};

use super::{FILE, routes, serving_a};
use crate::world::World;

#[tokio::test]
async fn reloads_wait_while_too_many_old_workers_linger() {
    let Some(nginx) = NginxBinary::newer() else { return };
    let world = World::start().await;
    let feed = serving_a(&nginx, &world)
        .flag("--nginx-keepalive-seconds", "1")
        .flag("--nginx-max-shutting-down-workers", "1")
        .ready()
        .await;
    let held = Request::get("a.test", "/").header("X-Answer-Hold", "yes");
    let mut hosts = vec![("a.test", "a")];
    let mut requests = Vec::new();
    for (lingering, host) in [(1.0, "one.test"), (2.0, "two.test")] {
        let before = world.backends["a"].requests();
        let (address, held) = (feed.address(), held.clone());
        requests.push(tokio::spawn(async move { held.send(address).await }));
        eventually("the request is held", async || match world.backends["a"].requests() - before {
            1.. => Ok(()),
            none => Err(none),
        })
        .await;
        hosts.push((host, "b"));
        feed.write_manifest(FILE, &routes(&world, &hosts));
        feed.wait_served_by("b", host, "/").await;
        eventually("the old workers that linger", async || {
            match feed.metric("feed_ingress_nginx_shutting_down_workers").await {
                Some(count) if (count - lingering).abs() < 0.5 => Ok(()),
                count => Err(format!("{count:?}")),
            }
        })
        .await;
    }

    hosts.push(("three.test", "b"));
    feed.write_manifest(FILE, &routes(&world, &hosts));
    eventually("the reload waits", async || {
        let log = feed.log();
        if log.contains("A reload waits until old workers have finished") { Ok(()) } else { Err(log) }
    })
    .await;
    assert_eq!(feed.get("three.test", "/").await.status, 404);
    assert_eq!(feed.admin("/health").await.unwrap().status, 200, "waiting is no fault");
    world.backends["a"].release();
    feed.wait_served_by("b", "three.test", "/").await;
    world.backends["a"].release();
    for request in requests {
        assert_eq!(request.await.unwrap().unwrap().status, 200);
    }
}
