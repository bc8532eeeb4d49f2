//! Parsers of metrics that owe nothing to feed: Prometheus's promtool, and its client for Python.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use serde::Deserialize;

use crate::tools;

/// A family of metrics, as the parser has understood it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Family {
    /// Its name; a counter's without `_total`.
    pub name: String,
    /// `counter`, `gauge`, `histogram` or `unknown`.
    #[serde(rename = "type")]
    pub kind: String,
    /// What it is.
    pub help: String,
    /// For each sample its name, its labels and its value.
    pub samples: Vec<(String, BTreeMap<String, String>, String)>,
}

/// What `promtool check metrics` has to say about metrics in Prometheus's text format: nothing, if all is well. `None` when
/// there is no promtool.
pub fn promtool_complaints(text: &str) -> Option<String> {
    let mut command = Command::new(tools::prometheus_folder()?.join("promtool"));
    let (succeeded, said) = filter(command.args(["check", "metrics"]), text);
    assert!(succeeded || !said.is_empty(), "promtool fails without a word");
    Some(said)
}

/// The families in a text of that format, `text` or `openmetrics`; an error where the format is not kept to. `None` when
/// there is no parser.
pub fn parse_metrics(format: &str, text: &str) -> Option<Result<Vec<Family>, String>> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("openmetrics/parse.py");
    let mut command = Command::new(tools::openmetrics_python()?);
    let (succeeded, said) = filter(command.arg(script).arg(format), text);
    if !succeeded {
        return Some(Err(said));
    }
    Some(Ok(said.lines().map(|line| serde_json::from_str(line).unwrap()).collect()))
}

/// Whether a program that was given a text has succeeded, and what it said.
fn filter(command: &mut Command, text: &str) -> (bool, String) {
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let (mut stdin, text) = (child.stdin.take().unwrap(), text.to_owned());
    let writer = std::thread::spawn(move || stdin.write_all(text.as_bytes()));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap().ok();
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(said).unwrap())
}
