//! The README's tables say what the program does.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use feed_reconcile::diagnostic::{Code, Severity};
use jiff::Timestamp;

use super::super::command;
use crate::board::{Board, NginxPage};
use crate::certificates::overview::Entry;
use crate::metrics::{IngressMetrics, register_old_workers};
use crate::runtime::health::Health;
use crate::runtime::metrics::{Format, Metrics};
use crate::runtime::push::may_be_label;
use crate::runtime::source::freshness::Freshness;
use crate::traffic::Traffic;

const README: &str = include_str!("../../../../README.md");

/// Codes of diagnostics that `feed-ingress` has no use for.
const OF_DNS: &[Code] = &[
    Code::MissingFrontendScheme,
    Code::HostInNoZone,
    Code::ConflictingFrontendScheme,
    Code::NoLoadBalancer,
    Code::RoutingPolicyInTheWay,
    Code::CnameNotPossible,
    Code::ReservedHost,
    Code::DelegatedHost,
    Code::RecordOfAnother,
    Code::ContestedRecord,
    Code::RecordRefused,
];

/// The first cells of the table whose head begins with that text, without backquotes.
fn rows(head: &str) -> Vec<Vec<String>> {
    let lines = README.lines().skip_while(|line| !line.starts_with(head)).skip(2);
    lines
        .take_while(|line| line.starts_with('|'))
        .map(|line| line.split('|').skip(1).map(|cell| cell.trim().replace('`', "")).collect())
        .collect()
}

#[test]
fn flags() {
    let command = command();
    let mut expected = String::new();
    let mut heading = None;
    for flag in command.find_subcommand("bootstrap").unwrap().get_arguments() {
        if flag.get_help_heading() != heading {
            heading = flag.get_help_heading();
            let title = heading.unwrap();
            write!(expected, "\n### {title}\n\n| flag | default | meaning |\n| --- | --- | --- |\n").unwrap();
        }
        let help = flag.get_help().unwrap().to_string();
        let (meaning, default) = match help.split_once(" [default: ") {
            Some((meaning, default)) => (meaning, default.trim_end_matches(']').to_owned()),
            None => (
                help.as_str(),
                flag.get_default_values()
                    .first()
                    .map_or_else(String::new, |value| format!("`{}`", value.display())),
            ),
        };
        let values: Vec<_> =
            flag.get_possible_values().iter().map(|value| value.get_name().to_owned()).collect();
        let meaning = match meaning.trim_end_matches('.') {
            meaning if values.iter().all(|value| meaning.contains(value)) => meaning.to_owned(),
            meaning => format!("{meaning}: {}", values.join(" or ")),
        };
        writeln!(expected, "| `--{}` | {default} | {meaning} |", flag.get_long().unwrap()).unwrap();
    }
    assert!(README.contains(&expected), "the README's section on flags should hold:\n{expected}");
}

#[test]
fn diagnostics() {
    let severity = |code: &Code| match code.severity() {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    let expected: Vec<_> = Code::ALL
        .iter()
        .filter(|code| !OF_DNS.contains(code))
        .map(|code| (code.to_string(), severity(code).to_owned()))
        .collect();
    let listed: Vec<_> = rows("| code ").into_iter().map(|row| (row[0].clone(), row[1].clone())).collect();
    assert_eq!(listed, expected);
}

#[tokio::test]
async fn metrics() {
    let mut metrics = Metrics::new("feed_ingress");
    let ingress = IngressMetrics::register(&mut metrics, &Health::new(), &Freshness::of(&BTreeSet::new()));
    ingress.configuration_confirmed(1, 1);
    let certificates: Arc<[Entry]> = Arc::new([Entry {
        secret: None,
        names: Vec::new(),
        not_after: Some(Timestamp::now()),
        problem: None,
    }]);
    ingress.certificates(&certificates);
    register_old_workers(&mut metrics, || 0);
    Traffic::register(&mut metrics, &[Duration::from_secs(1)]);
    let text = metrics.encode(Format::Text).unwrap();
    let types = text.lines().filter_map(|line| line.strip_prefix("# TYPE feed_ingress_")?.split(' ').next());
    // Counted by the clients of Kubernetes and AWS and by the pusher, which are not always there.
    let elsewhere = ["api_requests_total", "aws_requests_total", "pushes_total"];
    let expected: BTreeSet<_> = types.chain(elsewhere).map(str::to_owned).collect();
    let listed: BTreeSet<_> =
        rows("| metric ").iter().map(|row| row[0].split('{').next().unwrap().to_owned()).collect();
    assert_eq!(listed, expected);
}

#[tokio::test]
async fn status() {
    let (health, mut metrics) = (Health::new(), Metrics::new("feed_ingress"));
    let ingress = IngressMetrics::register(&mut metrics, &health, &Freshness::of(&BTreeSet::new()));
    let nginx = NginxPage { mode: "child", pid: None, version: None };
    let page = Board::new(health, ingress).page(&nginx, None, &serde_json::Value::Null);
    let fields: BTreeSet<_> = page.as_object().unwrap().keys().cloned().collect();
    let listed = rows("| field | meaning |").into_iter();
    let listed: BTreeSet<_> =
        listed.flat_map(|row| row[0].split(", ").map(str::to_owned).collect::<Vec<_>>()).collect();
    assert_eq!(listed, fields);
}

#[test]
fn the_labels_of_every_metric_are_taken() {
    let table = README.lines().skip_while(|line| !line.starts_with("| metric ")).skip(2);
    let names = table.take_while(|line| *line != "## feed-dns");
    let names = names.filter_map(|line| line.strip_prefix("| `")?.split_once('`')?.0.split_once('{'));
    let labels: BTreeSet<&str> =
        names.flat_map(|(_, labels)| labels.trim_end_matches('}').split(',')).collect();
    let is_own = |label: &&str| may_be_label(label);
    let own: Vec<_> = labels.into_iter().filter(is_own).collect();
    assert_eq!(own, crate::metrics::OWN_LABELS);
}
