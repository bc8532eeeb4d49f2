//! A configuration that nginx refuses.

use feed_tests::{NginxBinary, eventually};

use super::{FILE, routes, serving_a};
use crate::world::World;

/// With buckets of this size nginx refuses a long host, without saying where it stands.
const SMALL_BUCKETS: [&str; 2] = ["--nginx-server-names-hash-bucket-size", "64"];

const LONG: &str = "a-label-of-some-forty-characters-to-fill-it.another-label-of-the-same-sort.test";

#[tokio::test]
async fn the_last_confirmed_configuration_stays() {
    for nginx in NginxBinary::all() {
        let world = World::start().await;
        let feed = serving_a(&nginx, &world).flag(SMALL_BUCKETS[0], SMALL_BUCKETS[1]);
        let mut feed = feed.ready().await;
        let (master, confirmed) = (feed.nginx_master(), feed.configuration());
        feed.write_manifest(FILE, &routes(&world, &[("a.test", "a"), (LONG, "b")]));
        eventually("nginx's own words are in /status", async || {
            let failure = feed.status().await["last_failure"].to_string();
            if failure.contains("server_names_hash") { Ok(()) } else { Err(failure) }
        })
        .await;
        assert_eq!(feed.get("a.test", "/").await.echo().backend, "a");
        assert_eq!(feed.configuration(), confirmed, "the name that nginx reads leads to what was confirmed");

        // Neither a death of nginx nor one of feed brings the refused one back.
        feed.kill();
        assert_eq!(feed.get("a.test", "/").await.echo().backend, "a");
        feed.start();
        feed.wait_served_by("a", "a.test", "/").await;
        assert_eq!(feed.nginx_master(), master);
        master.kill();
        feed.wait_served_by("a", "a.test", "/").await;

        feed.write_manifest(FILE, &routes(&world, &[("a.test", "c")]));
        feed.wait_served_by("c", "a.test", "/").await;
        eventually("it is healthy again", async || {
            let health = feed.admin("/health").await.unwrap();
            if health.status == 200 { Ok(()) } else { Err(health.text()) }
        })
        .await;
    }
}
