//! A start with everything there already: time, memory, and whether every host answers.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use feed_tests::{Connection, ControlPlane, Feed, NginxBinary, Request};

use crate::bare::BareNginx;
use crate::objects::{backends, host, ingress, list, services};
use crate::{ratio, resident_mb, unlimited};

const INGRESSES: [usize; 2] = [1_000, 5_000];

pub(crate) async fn measure(nginx: &NginxBinary) {
    println!("Start with Ingresses of one host and three Prefix paths, whose Services ten of them share");
    println!(
        "{:>10} {:>12} {:>12} {:>7} {:>12} {:>14}  one request to each host",
        "ingresses", "last host", "bare nginx", "ratio", "nginx MB", "feed-ingress MB"
    );
    let Some(control_plane) = ControlPlane::start().await else {
        println!("skipped: there is no control plane (see above)");
        return;
    };
    for ingresses in INGRESSES {
        let namespace = control_plane.namespace().await;
        let _backends = backends(ingresses).await;
        let mut objects = services(ingresses);
        objects.extend((0..ingresses).map(|number| ingress(number, namespace.name(), None)));
        namespace.kubectl(&["create", "--filename", "-"], &list(&objects));

        let start = Instant::now();
        let feed = unlimited(nginx).kubernetes(&namespace).spawn();
        let elapsed = until_answered(start, &feed, ingresses - 1).await;
        let (master, own) = (resident_mb(feed.nginx_master()), resident_mb(feed.process()));
        let answers = one_request_to_each(&feed, ingresses).await;
        let bare = BareNginx::start(nginx, &feed).await.started_in;
        println!(
            "{ingresses:>10} {elapsed:>12.1?} {bare:>12.1?} {:>7.2} {master:>12.0} {own:>15.0}  {answers:?}",
            ratio(elapsed, bare)
        );
        drop(feed);
        namespace.kubectl(&["delete", "ingresses,services", "--all", "--wait=false"], "");
    }
}

async fn until_answered(start: Instant, feed: &Feed, number: usize) -> Duration {
    let request = Request::get(&host(number), "/");
    loop {
        if feed.send(&request).await.is_ok_and(|response| response.status == 200) {
            return start.elapsed();
        }
        assert!(start.elapsed() < Duration::from_mins(2), "{}", feed.log());
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// How many hosts answered with which status.
async fn one_request_to_each(feed: &Feed, hosts: usize) -> BTreeMap<u16, usize> {
    let mut answers = BTreeMap::new();
    let mut connection = Connection::open(feed.address()).await.unwrap();
    for number in 0..hosts {
        let response = connection.send(&Request::get(&host(number), "/api/x")).await.unwrap();
        *answers.entry(response.status).or_default() += 1;
        if response.closes() {
            connection = Connection::open(feed.address()).await.unwrap();
        }
    }
    answers
}
