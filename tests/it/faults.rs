//! What is served while something is broken, and afterwards.

mod api_server;
mod manifests;
mod old_workers;
mod processes;
mod quarantine;
mod refused;

use feed_tests::{Feed, FeedBuilder, NginxBinary};

use crate::world::{World, manifest, route};

/// The ingress class of a feed that reads manifests.
const CLASS: &str = "test";

/// The file that [`serving_a`] writes.
const FILE: &str = "routes.yaml";

/// A feed, not started yet, with `a.test` leading to the backend `a`; it never waits before a reload.
fn serving_a(nginx: &NginxBinary, world: &World) -> FeedBuilder {
    let feed = Feed::builder(nginx).manifest(FILE, &routes(world, &[("a.test", "a")]));
    feed.flag("--nginx-update-burst", "100")
}

/// All Services, and an Ingress for each host.
fn routes(world: &World, hosts: &[(&str, &str)]) -> String {
    let mut objects = world.services();
    objects.extend(hosts.iter().map(|(host, backend)| route(host, CLASS, host, backend)));
    manifest(&objects)
}
