use std::collections::BTreeMap;

use feed_reconcile::dns::ZoneId;

use super::*;

fn parse_words(line: &str, variables: &[(&str, &str)]) -> Result<Command, Usage> {
    let variables: BTreeMap<_, _> = variables.iter().copied().collect();
    let words = std::iter::once("feed-dns").chain(line.split(' ').filter(|word| !word.is_empty()));
    parse(words.map(OsString::from), |name| variables.get(name).map(OsString::from))
}

fn run(line: &str, variables: &[(&str, &str)]) -> Config {
    match parse_words(line, variables) {
        Ok(Command::Run(config)) => *config,
        other => panic!("`{line}` gave {other:?}"),
    }
}

const TAGGED: &str = "--r53-hosted-zone=Z1 --elb-label-value=feed";
const PUSHING: &str = "--r53-hosted-zone=Z1 --elb-label-value=feed --pushgateway=http://push.test";
const GIVEN: &str = "--r53-hosted-zone=Z1 --internal-hostname=lb.example.com";

/// Every flag: what it is added to, a value that is not its default, and a text that the debug form of the configuration
/// then holds and otherwise does not.
const FLAGS: &[(&str, &str, &str, &str)] = &[
    (TAGGED, "r53-hosted-zone", "/hostedzone/Z2,Z3", r#"ZoneId("Z2"), ZoneId("Z3")]"#),
    (TAGGED, "owner-id", "prod/eu", r#"owner: Some(OwnerId("prod/eu"))"#),
    (TAGGED, "max-deletion-percent", "7", "max_deletion_percent: 7"),
    ("--r53-hosted-zone=Z1 --alb-names=a", "elb-label-value", "x", r#"label_value: Some("x")"#),
    (TAGGED, "alb-names", "b,a", r#"alb_names: {"a", "b"}"#),
    ("--r53-hosted-zone=Z1 --external-hostname=a", "internal-hostname", "In.Net.", r#"RecordName("in.net")"#),
    (GIVEN, "external-hostname", "out.net", r#"RecordName("out.net")"#),
    (GIVEN, "cname-ttl", "90s", "ttl_seconds: 90"),
    (TAGGED, "elb-region", "us-east-1", r#"region: "us-east-1""#),
    (TAGGED, "aws-api-retries", "9", "retries: 9"),
    (TAGGED, "kubeconfig", "/k/config", r#"Kubernetes { kubeconfig: Some("/k/config") }"#),
    (TAGGED, "manifests", "/m", r#"source: Manifests("/m")"#),
    (TAGGED, "resync-period", "1h", "resync_period: 3600s"),
    (TAGGED, "ingress-class", "ours", r#"class: Some("ours")"#),
    (TAGGED, "include-classless-ingresses", "true", "include_classless: true"),
    (TAGGED, "ingress-controller-namespace-selectors", "a=b", r#"LabelSelector { name: "a", value: "b" }"#),
    (TAGGED, "match-all-namespace-selectors", "true", "match_all_namespace_selectors: true"),
    (TAGGED, "lease-name", "mine", r#"name: "mine""#),
    (TAGGED, "lease-namespace", "edge", r#"namespace: Some("edge")"#),
    (TAGGED, "lease-duration", "30s", "duration: 30s"),
    (TAGGED, "health-port", "12083", "health_port: 12083"),
    (TAGGED, "debug", "true", "verbosity: Debug"),
    (TAGGED, "log-format", "json", "format: Json"),
    (TAGGED, "pushgateway", "http://push.test/x/", r#"path: "/x/""#),
    (PUSHING, "pushgateway-interval", "90", "interval: 90s"),
    (PUSHING, "pushgateway-label", "a=b", r#"labels: {"a": "b"}"#),
    (TAGGED, "otlp-endpoint", "http://[::1]:4317", r#"endpoint: "http://[::1]:4317""#),
];

#[test]
fn verify_cli() {
    command().debug_assert();
}

#[test]
fn every_flag_reaches_the_configuration_in_every_spelling() {
    for (base, flag, value, expected) in FLAGS {
        let without = format!("{:?}", run(base, &[]));
        assert!(!without.contains(expected), "{expected} is the default: {without}");
        let mut spellings = vec![
            format!("{:?}", run(&format!("{base} --{flag}={value}"), &[])),
            format!("{:?}", run(&format!("{base} -{flag}={value}"), &[])),
        ];
        if !base.contains(flag) {
            spellings.push(format!("{:?}", run(base, &[(&flags::variable_name(flag), value)])));
        }
        for with in spellings {
            assert!(with.contains(expected), "--{flag}={value} should give {expected}: {with}");
        }
    }
}

#[test]
fn the_table_holds_every_flag_and_plan_has_one_more() {
    let flags = |name: &str| -> Vec<String> {
        let command = command();
        let flags = command.find_subcommand(name).unwrap().get_arguments();
        let mut flags: Vec<_> = flags.filter_map(|flag| flag.get_long().map(str::to_owned)).collect();
        flags.sort();
        flags
    };
    let mut listed: Vec<String> = FLAGS.iter().map(|row| row.1.to_owned()).collect();
    listed.sort();
    assert_eq!(flags("run"), listed);
    listed.push("output".to_owned());
    listed.sort();
    assert_eq!(flags("plan"), listed);
}

#[test]
fn defaults_are_those_of_the_documentation() {
    insta::assert_debug_snapshot!(run(TAGGED, &[]));
}

#[test]
fn variables_are_enough() {
    let config = run(
        "",
        &[("FEED_R53_HOSTED_ZONE", "Z1,Z2"), ("FEED_ELB_LABEL_VALUE", "feed"), ("POD_NAMESPACE", "edge")],
    );
    assert_eq!(config.zones, [ZoneId::new("Z1"), ZoneId::new("Z2")]);
    assert_eq!(config.lease.namespace.as_deref(), Some("edge"));
}

#[test]
fn plan_takes_the_same_flags() {
    for (words, output) in [("", PlanOutput::Table), ("--output=json", PlanOutput::Json)] {
        let Ok(Command::Plan(config, found)) = parse_words(&format!("plan {TAGGED} {words}"), &[]) else {
            panic!("no plan")
        };
        assert_eq!((*config, found), (run(TAGGED, &[]), output));
    }
}

#[test]
fn mistakes_get_one_sentence() {
    let mistakes = [
        "",
        "--r53-hosted-zone=Z1",
        "--elb-label-value=feed",
        "--r53-hosted-zone=example.com --elb-label-value=feed",
        "--r53-hosted-zone= --elb-label-value=feed",
        "--r53-hosted-zone=Z1 --elb-label-value=feed --internal-hostname=a",
        "--r53-hosted-zone=Z1 --alb-names=feed --external-hostname=a",
        "--r53-hosted-zone=Z1 --internal-hostname=192.0.2.1",
        "--r53-hosted-zone=Z1 --internal-hostname=*.example.com",
        "--r53-hosted-zone=Z1 --internal-hostname=a --cname-ttl=1500ms",
        "--r53-hosted-zone=Z1 --elb-label-value=feed --max-deletion-percent=101",
        "--r53-hosted-zone=Z1 --elb-label-value=feed --aws-api-retries=-1",
        "--r53-hosted-zone=Z1 --elb-label-value=feed --elb-region=",
        "--r53-hosted-zone=Z1 --elb-label-value=",
        "--r53-hosted-zone=Z1 --elb-label-value=feed --manifests=m --kubeconfig=k",
        "--r53-hosted-zone=Z1 --elb-label-value=feed --resync-period=15",
        "--r53-hosted-zone=Z1 --elb-label-values=feed",
        "--r53-hosted-zone=Z1 --elb-label-value=feed surplus",
        "--r53-hosted-zone=Z1 --elb-label-value=feed --output=json",
        "plan",
        "plan --r53-hosted-zone=Z1 --elb-label-value=feed --output=yaml",
    ]
    .map(|line| {
        let usage = parse_words(line, &[]).expect_err(line);
        let error = usage.to_string();
        assert!(error.lines().count() <= 3, "{error}");
        format!("{line}\n  {} (exit {})\n", error.replace('\n', "\n  "), usage.exit_code)
    });
    insta::assert_snapshot!(mistakes.concat());
}

#[test]
fn help_and_version_are_printed() {
    let printed = |line: &str| match parse_words(line, &[]) {
        Ok(Command::Print(text)) => text,
        other => panic!("`{line}` gave {other:?}"),
    };
    assert_eq!(printed("--version"), format!("feed-dns {VERSION}\n"));
    assert_eq!(printed("-V"), printed("--version"));
    insta::assert_snapshot!(printed("--help"));
    assert!(printed("plan --help").contains("--output <FORM>"));
}

#[test]
fn the_readme_has_every_flag_with_its_default() {
    let readme = include_str!("../../../README.md");
    let rows: Vec<&str> =
        readme.lines().skip_while(|line| !line.starts_with("| flag of feed-dns ")).skip(2).collect();
    let listed: Vec<String> = rows
        .iter()
        .take_while(|line| line.starts_with('|'))
        .map(|line| line.split('|').skip(1).take(2).map(str::trim).collect::<Vec<_>>().join(" "))
        .collect();
    let command = command();
    let flags = command.find_subcommand(RUN).unwrap().get_arguments();
    let own = ["Zones", "What records point to", "AWS"];
    let expected: Vec<String> = flags
        .filter(|flag| flag.get_help_heading().is_some_and(|heading| own.contains(&heading)))
        .map(|flag| {
            let default = flag.get_default_values().first();
            let default = default.map_or_else(String::new, |value| format!(" `{}`", value.display()));
            format!("`--{}`{default}", flag.get_long().unwrap())
        })
        .collect();
    assert_eq!(listed.iter().map(|row| row.trim()).collect::<Vec<_>>(), expected);
}

#[test]
fn the_labels_of_every_metric_are_taken() {
    let readme = include_str!("../../../README.md");
    let table = readme.lines().skip_while(|line| !line.starts_with("| metric of feed-dns"));
    let names = table.filter_map(|line| line.strip_prefix("| `")?.split_once('`')?.0.split_once('{'));
    let labels: std::collections::BTreeSet<&str> =
        names.flat_map(|(_, labels)| labels.trim_end_matches('}').split(',')).collect();
    let is_own = |label: &&str| feed_supervisor::runtime::push::may_be_label(label);
    let own: Vec<_> = labels.into_iter().filter(is_own).collect();
    assert_eq!(own, crate::metrics::OWN_LABELS);
}
