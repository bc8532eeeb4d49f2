//! Deletions, and what holds them back.

use feed_tests::eventually;

use crate::world::{cname, hosts, keeper, route53, wait_records};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn half_of_the_ingresses_gone_deletes_nothing_until_somebody_says_so() {
    let route53 = route53().await;
    let (kept, gone) = (hosts(0..15), hosts(15..40));
    let ours = |hosts: &[String]| hosts.iter().map(|host| cname(host)).collect::<Vec<_>>();
    let mut feed = keeper(&route53);
    feed.write_manifest("namespace.yaml", "");
    feed.write_ingresses(&[("kept", "internal", &kept), ("gone", "internal", &gone)]);
    feed.start();
    wait_records(&route53, "Z1", [ours(&kept), ours(&gone)].concat()).await;
    assert_eq!(feed.plan(&[]).status.code(), Some(0));

    feed.write_ingresses(&[("kept", "internal", &kept)]);
    eventually("the guard speaks", async || {
        let (status, text) = feed.admin("/health").await;
        let said = status == 500
            && text.starts_with("25 of our 40 records have no Ingress any more")
            && text.contains("--max-deletion-percent=100");
        if said { Ok(()) } else { Err(text) }
    })
    .await;
    assert_eq!(route53.records("Z1").len(), 40);
    assert_eq!(feed.metric("route53_held_back_deletions{zone=\"example.com\"}").await, Some(25.0));
    assert_eq!(feed.admin("/readiness").await.0, 200);

    let plan = feed.plan(&[]);
    let text = String::from_utf8(plan.stdout).unwrap();
    assert_eq!(plan.status.code(), Some(2));
    assert_eq!(text.lines().filter(|line| line.starts_with("held back  example.com")).count(), 25, "{text}");
    assert!(text.ends_with("0 to create, 0 to change, 0 to delete, 25 held back.\n"), "{text}");

    // What is new goes through all the same.
    let more = [kept.clone(), hosts(50..51)].concat();
    feed.write_ingresses(&[("kept", "internal", &more)]);
    wait_records(&route53, "Z1", [ours(&more), ours(&gone)].concat()).await;

    assert!(feed.stop().await.success());
    let feed = feed.flag("--max-deletion-percent=100").started();
    wait_records(&route53, "Z1", ours(&more)).await;
    eventually("all is well again", async || match feed.admin("/health").await {
        (200, _) => Ok(()),
        (_, text) => Err(text),
    })
    .await;
}

#[tokio::test]
async fn the_last_ingress_gone_leaves_its_records() {
    let route53 = route53().await;
    let feed = keeper(&route53).flag("--max-deletion-percent=100");
    feed.write_ingresses(&[("web", "internal", &["a.example.com", "b.example.com"])]);
    let feed = feed.started();
    let both = vec![cname("a.example.com"), cname("b.example.com")];
    wait_records(&route53, "Z1", both.clone()).await;
    feed.write_manifest("ingresses.yaml", "");
    eventually("it is held back", async || {
        let status = feed.status().await;
        let said =
            status["held_back"].as_str().is_some_and(|text| text.starts_with("There is no Ingress at all"));
        if said { Ok(()) } else { Err(status) }
    })
    .await;
    wait_records(&route53, "Z1", both).await;
    assert_eq!(feed.admin("/health").await.0, 200);

    // One is enough to know that the others are meant to be gone.
    feed.write_ingresses(&[("web", "internal", &["c.example.com"])]);
    wait_records(&route53, "Z1", vec![cname("c.example.com")]).await;
}
