//! Credentials that AWS does not take any more.

use std::fs;
use std::time::Duration;

use feed_tests::{Elb, eventually_within};

use crate::world::{cname, keeper, route53, wait_records};

/// Requests that were refused.
const REFUSED: &str =
    "aws_requests_total{service=\"Route 53\",operation=\"ChangeResourceRecordSets\",outcome=\"403\"}";

/// Web identity: the token service gives others when it is asked.
#[tokio::test]
async fn a_token_that_was_revoked_is_asked_for_again() {
    let (route53, sts) = (route53().await, Elb::start().await);
    let token = tempfile::NamedTempFile::new().unwrap();
    fs::write(token.path(), "token").unwrap();
    let feed = keeper(&route53)
        .variable("AWS_ACCESS_KEY_ID", "")
        .variable("AWS_SECRET_ACCESS_KEY", "")
        .variable("AWS_ENDPOINT_URL_STS", &sts.url())
        .variable("AWS_WEB_IDENTITY_TOKEN_FILE", token.path().to_str().unwrap())
        .variable("AWS_ROLE_ARN", "arn:aws:iam::000000000001:role/feed");
    feed.write_ingresses(&[("web", "internal", &["a.example.com"])]);
    let feed = feed.started();
    wait_records(&route53, "Z1", vec![cname("a.example.com")]).await;
    let asked = sts.count("AssumeRoleWithWebIdentity");
    assert!(asked >= 1);
    for number in 1..=asked {
        route53.refuse_key(&format!("GIVEN{number}"));
    }
    feed.write_ingresses(&[("web", "internal", &["a.example.com", "b.example.com"])]);
    wait_records(&route53, "Z1", vec![cname("a.example.com"), cname("b.example.com")]).await;
    assert!(sts.count("AssumeRoleWithWebIdentity") > asked);

    // Whatever is given is refused: no record is deleted because of that, and the service is not stormed.
    for number in 1..1000 {
        route53.refuse_key(&format!("GIVEN{number}"));
    }
    sts.calls();
    feed.write_ingresses(&[("web", "internal", &["a.example.com", "b.example.com", "c.example.com"])]);
    eventually_within(Duration::from_mins(1), "it is tried again", async || {
        match sts.count("AssumeRoleWithWebIdentity") {
            asked if asked >= 3 => Ok(()),
            asked => Err(asked),
        }
    })
    .await;
    wait_records(&route53, "Z1", vec![cname("a.example.com"), cname("b.example.com")]).await;
    let asked = sts.count("AssumeRoleWithWebIdentity");
    assert!(asked <= 8, "{asked}");
    assert!(feed.metric(REFUSED).await.is_some_and(|refused| refused >= 3.0));
}

#[tokio::test]
async fn a_credentials_file_that_was_replaced_is_read_again() {
    let route53 = route53().await;
    let file = tempfile::NamedTempFile::new().unwrap();
    let write = |id: &str| {
        let text = format!("[default]\naws_access_key_id = {id}\naws_secret_access_key = secret\n");
        fs::write(file.path(), text).unwrap();
    };
    write("DNSOLD");
    let feed = keeper(&route53)
        .variable("AWS_ACCESS_KEY_ID", "")
        .variable("AWS_SECRET_ACCESS_KEY", "")
        .variable("AWS_SHARED_CREDENTIALS_FILE", file.path().to_str().unwrap());
    feed.write_ingresses(&[("web", "internal", &["a.example.com"])]);
    let feed = feed.started();
    wait_records(&route53, "Z1", vec![cname("a.example.com")]).await;
    route53.refuse_key("DNSOLD");
    write("DNSNEW");
    feed.write_ingresses(&[("web", "internal", &["a.example.com", "b.example.com"])]);
    wait_records(&route53, "Z1", vec![cname("a.example.com"), cname("b.example.com")]).await;
    eventually_within(Duration::from_mins(1), "all is well", async || match feed.admin("/health").await {
        (200, _) => Ok(()),
        other => Err(format!("{other:?}")),
    })
    .await;
}
