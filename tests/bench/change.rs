//! An isolated change: until its configuration is live, against bare nginx's reload of the same file.

use std::time::{Duration, Instant};

use feed_tests::{Feed, NginxBinary, eventually_within, parent_of, processes_in, title_of};

use crate::bare::BareNginx;
use crate::objects::{ingress, list, services};
use crate::{median, ratio, token, unlimited, until_other_token};

const HOSTS: [usize; 3] = [100, 1_000, 10_000];
const CHANGES: usize = 7;
const PATIENCE: Duration = Duration::from_mins(2);

pub(crate) async fn measure(nginx: &NginxBinary) {
    println!(
        "One changed Ingress: from the file's change to the new generation, against SIGHUP to the new token of bare nginx"
    );
    println!("{:>8} {:>12} {:>12} {:>7}", "hosts", "feed", "bare nginx", "ratio");
    for hosts in HOSTS {
        let mut builder = unlimited(nginx).manifest("services.json", &list(&services(hosts)));
        for number in 0..hosts {
            builder = builder.manifest(&format!("{number}.json"), &ingress(number, "test", None).to_string());
        }
        let feed = builder.spawn();
        ready(&feed).await;
        let mut bare = BareNginx::start(nginx, &feed).await;
        let (mut with_feed, mut without) = (Vec::new(), Vec::new());
        for change in 0..CHANGES {
            with_feed.push(change_one(&feed, hosts / 2, change).await);
            without.push(bare.reload(change).await);
        }
        let (with_feed, without) = (median(with_feed), median(without));
        println!("{hosts:>8} {with_feed:>12.1?} {without:>12.1?} {:>7.2}", ratio(with_feed, without));
    }
    println!();
}

async fn change_one(feed: &Feed, number: usize, change: usize) -> Duration {
    let changed = ingress(number, "test", Some(&format!("/change-{change}"))).to_string();
    let old = token(feed.status_address()).await.unwrap();
    let start = Instant::now();
    feed.write_manifest(&format!("{number}.json"), &changed);
    let elapsed = until_other_token(start, feed.status_address(), &old).await;
    settled(feed).await;
    elapsed
}

pub(crate) async fn ready(feed: &Feed) {
    eventually_within(PATIENCE, "feed-ingress is ready", async || match feed.admin("/readiness").await {
        Ok(response) if response.status == 200 => Ok(()),
        Ok(response) => Err(response.text()),
        Err(error) => Err(format!("{error}\n{}", feed.log())),
    })
    .await;
}

/// Waits until the old workers are gone, so that each change begins alike.
pub(crate) async fn settled(feed: &Feed) {
    let master = feed.nginx_master();
    eventually_within(PATIENCE, "the old workers are gone", async || {
        let mut workers = processes_in(feed.sandbox().path());
        workers.retain(|process| parent_of(*process) == Some(master));
        if workers.len() == 1 {
            Ok(())
        } else {
            Err(format!("{:?}", workers.into_iter().map(title_of).collect::<Vec<_>>()))
        }
    })
    .await;
}
