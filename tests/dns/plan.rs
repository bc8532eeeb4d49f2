//! `feed-dns plan`.

use std::process::Command;

use feed_tests::{Record, dns_binary};
use serde_json::Value;

use crate::world::{hosts, keeper, operations, route53};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_tells_what_would_be_done_and_does_nothing() {
    let route53 = route53().await;
    route53.put("Z1", Record::values("CNAME", "old.example.com", &["lb.example.net"]));
    route53.put("Z1", Record::values("A", "moved.example.com", &["192.0.2.1"]));
    let feed = keeper(&route53);
    feed.write_ingresses(&[("web", "internal", &["*.example.com", "moved.example.com", "nowhere.test"])]);
    let before = route53.records("Z1");

    let plan = feed.plan(&[]);
    assert_eq!(plan.status.code(), Some(2), "{}", String::from_utf8_lossy(&plan.stderr));
    assert_eq!(String::from_utf8(plan.stdout).unwrap(), "\
ACTION  ZONE         NAME               TYPE   NOW                         WANTED                      INGRESS
create  example.com  *.example.com      CNAME  -                           lb.example.net (TTL 300 s)  shop/web
delete  example.com  moved.example.com  A      192.0.2.1 (TTL 300 s)       -                           shop/web
create  example.com  moved.example.com  CNAME  -                           lb.example.net (TTL 300 s)  shop/web
delete  example.com  old.example.com    CNAME  lb.example.net (TTL 300 s)  -                           -

warning[HostInNoZone]: `nowhere.test` gets no DNS record, since it lies in none of the zones (example.com).
  in: Ingress shop/web, spec.rules
  help: Give its zone with `--r53-hosted-zone`, or choose another host.
2 to create, 0 to change, 2 to delete.
");
    assert_eq!(String::from_utf8(plan.stderr).unwrap(), "");

    let json = feed.plan(&["--output=json"]);
    assert_eq!(json.status.code(), Some(2));
    let json: Value = serde_json::from_slice(&json.stdout).unwrap();
    let changes = json["changes"].as_array().unwrap();
    let actions: Vec<_> = changes.iter().map(|change| change["action"].as_str().unwrap()).collect();
    assert_eq!(actions, ["create", "delete", "create", "delete"]);
    assert_eq!(changes[1]["now"]["values"][0], "192.0.2.1");
    assert_eq!(json["diagnostics"][0]["code"], "HostInNoZone");
    assert_eq!(json["held_back"], Value::Null);

    assert_eq!(route53.records("Z1"), before);
    assert!(!operations(&route53).contains(&"ChangeResourceRecordSets"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_a_terminal_it_says_the_same_as_into_a_pipe() {
    let route53 = route53().await;
    let feed = keeper(&route53);
    feed.write_ingresses(&[("web", "internal", &hosts(0..3))]);
    let piped = feed.plan(&[]);

    let (environment, arguments) = feed.command_line();
    let words: Vec<String> = arguments.iter().map(|word| format!("'{word}'")).collect();
    let line = format!("'{}' plan {}", dns_binary().display(), words.join(" "));
    let terminal = Command::new("script")
        .args(["--quiet", "--return", "--command", &line, "/dev/null"])
        .envs(environment)
        .output()
        .unwrap();
    assert_eq!(terminal.status.code(), Some(2));
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap().replace("\r\n", "\n");
    assert_eq!(text(terminal.stdout), text(piped.stdout));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_exit_code_tells_changes_from_none_and_from_errors() {
    let route53 = route53().await;
    let feed = keeper(&route53);
    feed.write_ingresses(&[("web", "internal", &["a.example.com"])]);
    assert_eq!(feed.plan(&[]).status.code(), Some(2));
    route53.put("Z1", Record::values("CNAME", "a.example.com", &["lb.example.net"]));
    let none = feed.plan(&[]);
    assert_eq!(none.status.code(), Some(0));
    assert_eq!(String::from_utf8(none.stdout).unwrap(), "No changes.\n");

    let errors = [
        (vec!["--no-such-flag"], "unexpected argument '--no-such-flag' found"),
        (vec!["--output=yaml"], "invalid value 'yaml'"),
        (vec!["--elb-label-value=feed"], "exclude each other"),
    ];
    for (flags, expected) in errors {
        let plan = feed.plan(&flags);
        let said = String::from_utf8(plan.stderr).unwrap();
        assert_eq!(plan.status.code(), Some(1), "{flags:?}: {said}");
        assert!(said.starts_with("feed-dns: ") && said.contains(expected), "{flags:?}: {said}");
        assert!(said.lines().count() <= 3, "{said}");
        assert_eq!(plan.stdout, [0_u8; 0]);
    }
    let missing = feed.plan(&["--r53-hosted-zone=ZNONE"]);
    let said = String::from_utf8(missing.stderr).unwrap();
    assert_eq!(missing.status.code(), Some(1), "{said}");
    assert!(said.starts_with("feed-dns: GetHostedZone of zone ZNONE failed: NoSuchHostedZone"), "{said}");
    assert_eq!(String::from_utf8(missing.stdout).unwrap(), "No changes.\n", "the others are shown");
    std::fs::remove_dir_all(feed.manifests()).unwrap();
    assert_eq!(feed.plan(&[]).status.code(), Some(1));
}
