//! The request matrix: tables of Ingresses, requests and what must become of these, in `matrix/*.yaml`.

mod outcome;

use feed_tests::{Feed, Request};
use serde::Deserialize;
use serde_json::Value;

use crate::world::{Source, World, everywhere, ingress};
use outcome::Outcome;

#[derive(Deserialize)]
struct Table {
    #[serde(default)]
    flags: Vec<String>,
    rows: Vec<Row>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    about: String,
    /// The API server refuses it.
    #[serde(default)]
    only: Option<Only>,
    ingress: Value,
    requests: Vec<String>,
    /// The codes that `/status` must show for this Ingress, in any order.
    #[serde(default)]
    diagnostics: Vec<String>,
}

#[derive(Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
enum Only {
    Manifests,
}

impl Table {
    /// Those of its rows that can come from that source, with the names of their Ingresses.
    fn rows(&self, source: Source) -> impl Iterator<Item = (String, &Row)> {
        let possible = move |row: &&Row| source == Source::Manifests || row.only.is_none();
        self.rows.iter().filter(possible).enumerate().map(|(number, row)| {
            let name = row.ingress["metadata"]["name"].as_str();
            (name.map_or_else(|| format!("row-{number}"), str::to_owned), row)
        })
    }

    fn objects(&self, world: &World, source: Source, class: &str) -> Vec<Value> {
        let number_of_a = world.backends["a"].port().to_string();
        let mut objects = world.services();
        for (name, row) in self.rows(source) {
            let written_out = row.ingress.to_string().replace("\"NUMBER_OF_A\"", &number_of_a);
            objects.push(ingress(&name, class, serde_json::from_str(&written_out).unwrap()));
        }
        objects
    }
}

async fn run(table: &str) {
    let table: Table = serde_saphyr::from_str(table).unwrap();
    let flags: Vec<&str> = table.flags.iter().map(String::as_str).collect();
    let objects = |world: &World, source: Source, class: &str| table.objects(world, source, class);
    everywhere(&flags, objects, async |_, feed, source| {
        let mut wrong = Vec::new();
        for (name, row) in table.rows(source) {
            wrong.extend(wrong_answers(feed, row).await);
            wrong.extend(wrong_diagnostics(feed, &name, row).await);
        }
        assert!(wrong.is_empty(), "{source:?}:\n{}\n{}", wrong.join("\n"), feed.configuration());
    })
    .await;
}

async fn wrong_answers(feed: &Feed, row: &Row) -> Vec<String> {
    let mut wrong = Vec::new();
    for line in &row.requests {
        let (request, expected) = line.split_once(" -> ").unwrap();
        let response = feed.send(&parse_request(request)).await.unwrap();
        if !expected.split(" or ").any(|outcome| Outcome::parse(outcome).is(&response)) {
            wrong.push(format!("{}: {line}: {} {:?}", row.about, response.status, response.text()));
        }
    }
    wrong
}

fn parse_request(text: &str) -> Request {
    match text.split(' ').collect::<Vec<_>>()[..] {
        ["from", source, host, target] => {
            Request::get(host, target).from_address(source.parse::<std::net::IpAddr>().unwrap())
        }
        [host, target] => Request::get(host, target),
        _ => panic!("not a request: {text}"),
    }
}

async fn wrong_diagnostics(feed: &Feed, name: &str, row: &Row) -> Option<String> {
    let status = feed.status().await;
    let mut codes: Vec<&str> = status["diagnostics"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|diagnostic| diagnostic["object"]["name"].as_str().unwrap().ends_with(&format!("/{name}")))
        .map(|diagnostic| diagnostic["code"].as_str().unwrap())
        .collect();
    codes.sort_unstable();
    let mut expected: Vec<&str> = row.diagnostics.iter().map(String::as_str).collect();
    expected.sort_unstable();
    (codes != expected).then(|| format!("{}: diagnostics {codes:?} instead of {expected:?}", row.about))
}

#[tokio::test]
async fn routes() {
    run(include_str!("matrix/routes.yaml")).await;
}

#[tokio::test]
async fn hosts_that_nobody_declared() {
    run(include_str!("matrix/default-host.yaml")).await;
}

#[tokio::test]
async fn defaults_from_flags() {
    run(include_str!("matrix/flags.yaml")).await;
}
