//! Credentials that AWS does not take any more.

use std::fs;
use std::time::Duration;

use feed_tests::{Elb, Feed, FeedBuilder, NginxBinary, eventually, eventually_within};

use super::{ELB, wait_said, wait_targets};

/// A feed that has no credentials yet.
fn feed(elb: &Elb, nginx: &NginxBinary) -> FeedBuilder {
    Feed::builder(nginx)
        .command("elb")
        .flag("--frontend-resync-period", "1s")
        .flag(ELB.flag.0, ELB.flag.1)
        .flag("--drain-delay", "2s")
        .flag("--instance-id", ELB.target)
        .variable("AWS_ENDPOINT_URL", &elb.url())
        .variable("AWS_EC2_METADATA_DISABLED", "true")
}

fn keys_file(id: &str) -> String {
    format!("[default]\naws_access_key_id = {id}\naws_secret_access_key = secret\n")
}

/// The keys with which was signed since the calls were taken last.
fn keys(elb: &Elb) -> Vec<String> {
    elb.calls().into_iter().map(|call| call.key).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_credentials_file_that_was_replaced_is_read_again() {
    let Some(nginx) = NginxBinary::system() else { return };
    let elb = Elb::start().await;
    ELB.create(&elb);
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), keys_file("FILEOLD")).unwrap();
    let path = file.path().to_str().unwrap();
    let feed = feed(&elb, &nginx).variable("AWS_SHARED_CREDENTIALS_FILE", path).ready().await;
    assert!(keys(&elb).iter().all(|key| key == "FILEOLD"));

    elb.refuse_key("FILEOLD");
    wait_said(&feed, "/health", 500, &["ExpiredToken"]).await;
    // It stays registered, and is ready.
    assert_eq!(elb.targets("edge").len(), 1);
    assert_eq!(feed.admin("/readiness").await.unwrap().status, 200);
    fs::write(file.path(), keys_file("FILENEW")).unwrap();
    eventually_within(Duration::from_mins(1), "the new key is used", async || {
        match feed.admin("/health").await.unwrap() {
            health if health.status == 200 => Ok(()),
            health => Err(health.text()),
        }
    })
    .await;
    elb.calls();
    elb.take_out("edge", ELB.target);
    wait_targets(&elb, "edge", &[(ELB.target, "healthy")]).await;
    assert!(keys(&elb).iter().all(|key| key == "FILENEW"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_that_was_revoked_is_asked_for_again_and_not_in_a_loop() {
    let Some(nginx) = NginxBinary::system() else { return };
    let elb = Elb::start().await;
    ELB.create(&elb);
    let token = tempfile::NamedTempFile::new().unwrap();
    fs::write(token.path(), "token").unwrap();
    let feed = feed(&elb, &nginx)
        .variable("AWS_WEB_IDENTITY_TOKEN_FILE", token.path().to_str().unwrap())
        .variable("AWS_ROLE_ARN", "arn:aws:iam::000000000001:role/feed")
        .ready()
        .await;
    let asked = elb.count("AssumeRoleWithWebIdentity");
    assert!((1..=2).contains(&asked), "{asked}");
    for number in 1..=asked {
        elb.refuse_key(&format!("GIVEN{number}"));
    }
    eventually("others are asked for", async || match elb.count("AssumeRoleWithWebIdentity") {
        count if count > asked => Ok(()),
        count => Err(count),
    })
    .await;
    elb.take_out("edge", ELB.target);
    wait_targets(&elb, "edge", &[(ELB.target, "healthy")]).await;
    wait_said(&feed, "/health", 200, &[]).await;

    // Whatever is given is refused from now on.
    for number in 1..1000 {
        elb.refuse_key(&format!("GIVEN{number}"));
    }
    elb.calls();
    wait_said(&feed, "/health", 500, &["ExpiredToken"]).await;
    eventually("some calls are made", async || match elb.count("DescribeLoadBalancers") {
        count if count > 8 => Ok(()),
        count => Err(count),
    })
    .await;
    let asked = elb.count("AssumeRoleWithWebIdentity");
    assert!((1..=8).contains(&asked), "{asked}");
    assert_eq!(elb.targets("edge").len(), 1, "it is not left because of that");
}
