//! Endpoints that come and go: nginx asks those that are there, and no request is lost on the way.

use std::time::{Duration, Instant};

use feed_tests::{Backend, Dns, Feed, FeedBuilder, Load, NginxBinary, Request, eventually_within};
use serde_json::{Value, json};

use crate::backends::{headless, slice};
use crate::world::{World, manifest, route};

const CLASS: &str = "test";

/// How soon nginx asks endpoints that are new, and none that are gone. nginx itself looks once a second; the rest is for a busy machine.
const SOON: Duration = Duration::from_secs(3);

/// Whether that nginx follows endpoints without a reload.
fn follows(nginx: &NginxBinary) -> bool {
    nginx.version >= (1, 27, 3)
}

/// `pods.test` leads to the headless Service `pods`, whose ready endpoints are these.
fn pods(app_protocol: &str, ready: &[&Backend]) -> Vec<Value> {
    let mut service = headless("pods");
    service["spec"]["ports"][0]["appProtocol"] = json!(app_protocol);
    let mut objects = vec![service, route("pods", CLASS, "pods.test", "pods")];
    objects.extend(ready.iter().map(|pod| slice("pods", pod, true)));
    objects
}

/// A reload a day, but for three.
fn with_small_budget(nginx: &NginxBinary) -> FeedBuilder {
    Feed::builder(nginx).flag("--nginx-update-burst", "1").flag("--nginx-update-period", "24h")
}

/// Waits until ten requests in a row are answered so.
async fn answered_soon(feed: &Feed, host: &str, is_right: impl Fn(u16, &str) -> bool) {
    eventually_within(SOON, "the endpoints that are asked", async || {
        for _ in 0..10 {
            let response = feed.get(host, "/").await;
            let backend = if response.status == 200 { response.echo().backend } else { String::new() };
            if !is_right(response.status, &backend) {
                return Err(format!("{} {backend}", response.status));
            }
        }
        Ok(())
    })
    .await;
}

async fn reloads(feed: &Feed) -> f64 {
    feed.metric("feed_ingress_reloads").await.unwrap()
}

#[tokio::test]
async fn endpoints_are_followed_although_the_budget_is_spent() {
    for nginx in NginxBinary::all() {
        for (app_protocol, is_grpc) in [("http", false), ("grpc", true)] {
            let start =
                async |name| if is_grpc { Backend::grpc(name).await } else { Backend::http(name).await };
            let (one, two, three) = (start("one").await, start("two").await, start("three").await);
            let feed =
                with_small_budget(&nginx).manifest("all.yaml", &manifest(&pods(app_protocol, &[&one])));
            let feed = feed.ready().await;
            answered_soon(&feed, "pods.test", |_, backend| backend == "one").await;
            let before = reloads(&feed).await;
            let steps: [&[&Backend]; 7] =
                [&[&two], &[&two, &three], &[&three], &[], &[&one], &[], &[&one, &two]];
            for ready in steps {
                feed.write_manifest("all.yaml", &manifest(&pods(app_protocol, ready)));
                let names: Vec<&str> = ready.iter().map(|pod| pod.name()).collect();
                answered_soon(&feed, "pods.test", |status, backend| match names[..] {
                    [] => status == 503,
                    _ => names.contains(&backend),
                })
                .await;
            }
            let reloads = reloads(&feed).await - before;
            assert!(if follows(&nginx) { reloads < 0.5 } else { reloads > 0.5 }, "{reloads} reloads");
        }
    }
}

#[tokio::test]
async fn a_new_headless_service_is_served_although_the_budget_is_spent() {
    for nginx in NginxBinary::all() {
        let world = World::start().await;
        let pod = Backend::http("pod").await;
        let mut objects = [world.services(), vec![route("a", CLASS, "a.test", "a")]].concat();
        let feed = with_small_budget(&nginx).manifest("all.yaml", &manifest(&objects)).ready().await;
        // What spends it, and what waits for the next day.
        for host in ["b.test", "c.test"] {
            objects.push(route(&host.replace('.', "-"), CLASS, host, "b"));
            feed.write_manifest("all.yaml", &manifest(&objects));
            if host == "b.test" {
                feed.wait_served_by("b", "b.test", "/").await;
            }
        }
        objects.extend(pods("http", &[]));
        feed.write_manifest("all.yaml", &manifest(&objects));
        answered_soon(&feed, "pods.test", |status, _| status == 503).await;
        objects.push(slice("pods", &pod, true));
        feed.write_manifest("all.yaml", &manifest(&objects));
        answered_soon(&feed, "pods.test", |_, backend| backend == "pod").await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rollout_under_load_loses_no_request() {
    for nginx in NginxBinary::all() {
        let mut running = vec![Backend::http("pod-0").await, Backend::http("pod-1").await];
        let objects = |ready: &[Backend]| manifest(&pods("http", &ready.iter().collect::<Vec<_>>()));
        let feed = with_small_budget(&nginx).manifest("all.yaml", &objects(&running)).ready().await;
        answered_soon(&feed, "pods.test", |status, _| status == 200).await;
        let load = Load::start(feed.address(), &Request::get("pods.test", "/"), 8);
        for number in 2..8 {
            let new = Backend::http(&format!("pod-{number}")).await;
            running.push(new);
            feed.write_manifest("all.yaml", &objects(&running));
            eventually_within(SOON, "the new pod is asked", async || {
                match running.last().map(Backend::requests) {
                    Some(0) | None => Err("no request"),
                    Some(_) => Ok(()),
                }
            })
            .await;
            // The oldest is not ready any more, and goes when nobody asks it.
            let old = running.remove(0);
            feed.write_manifest("all.yaml", &objects(&running));
            let mut last = (old.requests(), Instant::now());
            eventually_within(2 * SOON, "the old pod is asked no more", async || {
                if old.requests() != last.0 {
                    last = (old.requests(), Instant::now());
                }
                if last.1.elapsed() > Duration::from_millis(300) { Ok(()) } else { Err(format!("{last:?}")) }
            })
            .await;
        }
        let report = load.stop().await;
        assert_eq!(report.answers.keys().collect::<Vec<_>>(), [&200], "{report:?}");
        // An older nginx closes idle connections at a reload, whatever is asked on them.
        assert!(report.failures.is_empty() || !follows(&nginx), "{report:?}");
    }
}

#[tokio::test]
async fn nginx_keeps_its_endpoints_while_feed_ingress_is_away() {
    for nginx in NginxBinary::all() {
        let (one, two) = (Backend::http("one").await, Backend::http("two").await);
        let feed = with_small_budget(&nginx).manifest("all.yaml", &manifest(&pods("http", &[&one])));
        let mut feed = feed.ready().await;
        answered_soon(&feed, "pods.test", |_, backend| backend == "one").await;
        feed.kill();
        let begun = Instant::now();
        eventually_within(2 * SOON, "nginx has looked in vain", async || {
            assert_eq!(feed.get("pods.test", "/").await.echo().backend, "one");
            if begun.elapsed() > SOON { Ok(()) } else { Err("not yet") }
        })
        .await;
        feed.write_manifest("all.yaml", &manifest(&pods("http", &[&two])));
        feed.start();
        answered_after_restart(&feed).await;
        if follows(&nginx) {
            feed.wait_ready().await;
            assert!(reloads(&feed).await < 0.5, "the name server is where it was");
        }
    }
}

#[tokio::test]
async fn an_old_worker_asks_the_endpoints_of_now() {
    let Some(nginx) = NginxBinary::newer().filter(follows) else { return };
    let (one, two, world) = (Backend::http("one").await, Backend::http("two").await, World::start().await);
    let with = |pod: &Backend, host: &str| {
        let other = route(&host.replace('.', "-"), CLASS, host, "a");
        manifest(&[world.services(), pods("http", &[pod]), vec![other]].concat())
    };
    let feed = Feed::builder(&nginx).manifest("all.yaml", &with(&one, "before.test")).ready().await;
    answered_soon(&feed, "pods.test", |_, backend| backend == "one").await;
    let request = Request::get("pods.test", "/");
    let mut idle = request.connect(feed.address()).await.unwrap();
    assert_eq!(idle.send(&request).await.unwrap().echo().backend, "one");
    feed.write_manifest("all.yaml", &with(&one, "after.test"));
    feed.wait_served_by("a", "after.test", "/").await;
    feed.write_manifest("all.yaml", &with(&two, "after.test"));
    drop(one);
    let begun = Instant::now();
    eventually_within(2 * SOON, "old workers have looked again", async || {
        if begun.elapsed() > SOON { Ok(()) } else { Err("not yet") }
    })
    .await;
    let last = idle.send(&request).await.unwrap();
    assert_eq!((last.echo().backend.as_str(), last.header("connection")), ("two", Some("close")));
}

async fn answered_after_restart(feed: &Feed) {
    eventually_within(5 * SOON, "the endpoints of now", async || {
        let response = feed.get("pods.test", "/").await;
        let backend =
            if response.status == 200 { response.echo().backend } else { response.status.to_string() };
        if backend == "two" { Ok(()) } else { Err(backend) }
    })
    .await;
}

#[tokio::test]
async fn external_names_are_still_asked_of_their_own_name_servers() {
    for nginx in NginxBinary::all() {
        let world = World::start().await;
        let (outside, pod) = (&world.backends["a"], Backend::http("pod").await);
        let dns = Dns::start(outside.ip()).await;
        let ports = json!([{"name": "http", "port": outside.port()}]);
        let spec = json!({"type": "ExternalName", "externalName": "outside.example.com", "ports": ports});
        let service =
            json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "outside"}, "spec": spec});
        let objects =
            [pods("http", &[&pod]), vec![service, route("outside", CLASS, "outside.test", "outside")]];
        let feed = Feed::builder(&nginx).manifest("all.yaml", &manifest(&objects.concat()));
        let feed =
            feed.argument("--allow-external-name").flag("--nginx-resolver", &dns.address().to_string());
        let feed = feed.ready().await;
        answered_soon(&feed, "pods.test", |_, backend| backend == "pod").await;
        assert_eq!(feed.get("outside.test", "/x").await.echo().backend, "a");
    }
}

#[tokio::test]
async fn endpoints_are_counted_by_their_addresses() {
    for nginx in NginxBinary::all() {
        let (one, two) = (Backend::http("one").await, Backend::http("two").await);
        let feed = Feed::builder(&nginx).manifest("all.yaml", &manifest(&pods("http", &[&one])));
        let feed = feed.flag("--nginx-update-burst", "100").ready().await;
        answered_soon(&feed, "pods.test", |_, backend| backend == "one").await;
        feed.write_manifest("all.yaml", &manifest(&pods("http", &[&two])));
        answered_soon(&feed, "pods.test", |_, backend| backend == "two").await;
        for pod in [&one, &two] {
            let (address, expected) = (pod.address(), pod.requests());
            let sample = format!(
                "feed_ingress_endpoint_requests{{name=\"default.pods.80\",endpoint=\"{address}\",code=\"2xx\"}}"
            );
            eventually_within(2 * SOON, "the requests are counted", async || {
                let counted = feed.metric(&sample).await.unwrap_or_default();
                let expected = f64::from(u32::try_from(expected).unwrap());
                if (counted - expected).abs() < 0.5 {
                    Ok(())
                } else {
                    Err(format!("{counted} of {expected}"))
                }
            })
            .await;
        }
        feed.write_manifest("all.yaml", &manifest(&pods("http", &[])));
        answered_soon(&feed, "pods.test", |status, _| status == 503).await;
        eventually_within(2 * SOON, "503 is counted for the route", async || {
            let sample = "feed_ingress_ingress_requests{host=\"pods.test\",path=\"/\",code=\"5xx\"}";
            if feed.metric(sample).await.unwrap_or_default() > 9.0 { Ok(()) } else { Err("not yet") }
        })
        .await;
    }
}

#[tokio::test]
async fn a_service_may_have_more_endpoints_than_a_datagram_holds() {
    const COUNT: usize = 300;
    for nginx in NginxBinary::all() {
        // It answers on every address of the loopback network.
        let pod = Backend::http_at("pod", "0.0.0.0:0".parse().unwrap()).await;
        let endpoint =
            |number: usize| json!({"addresses": [format!("127.91.{}.{}", number / 250, number % 250 + 1)]});
        let objects = |count: usize| {
            let mut objects = pods("http", &[]);
            objects.push(json!({
                "apiVersion": "discovery.k8s.io/v1",
                "kind": "EndpointSlice",
                "metadata": {"name": "pods-many", "labels": {"kubernetes.io/service-name": "pods"}},
                "addressType": "IPv4",
                "endpoints": (0..count).map(endpoint).collect::<Vec<_>>(),
                "ports": [{"name": "http", "port": pod.port()}],
            }));
            manifest(&objects)
        };
        // One at first, so that they outgrow the memory that nginx has for them too.
        let feed = with_small_budget(&nginx).manifest("all.yaml", &objects(1)).ready().await;
        answered_soon(&feed, "pods.test", |status, _| status == 200).await;
        feed.write_manifest("all.yaml", &objects(COUNT));
        eventually_within(5 * SOON, "all endpoints are asked", async || {
            for _ in 0..COUNT / 2 {
                assert_eq!(feed.get("pods.test", "/").await.status, 200);
            }
            let metrics = feed.metrics().await;
            let answered = |line: &&str| {
                line.starts_with("feed_ingress_endpoint_requests{") && line.contains("code=\"2xx\"")
            };
            let asked = metrics.lines().filter(answered).count();
            if asked == COUNT { Ok(()) } else { Err(format!("{asked} were asked")) }
        })
        .await;
    }
}
