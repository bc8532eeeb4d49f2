//! crossplane, a parser of nginx's configuration that owes nothing to feed.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde::Deserialize;

use crate::tools::crossplane_python;

/// A directive with its parameters, and its block if it has one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub struct Directive {
    /// Its name.
    pub directive: String,
    /// Its parameters, without quotes.
    pub args: Vec<String>,
    /// What its braces enclose.
    pub block: Option<Vec<Directive>>,
}

/// A running parser.
#[derive(Debug)]
pub struct Crossplane {
    python: Child,
    questions: ChildStdin,
    answers: BufReader<ChildStdout>,
    file: tempfile::NamedTempFile,
}

#[derive(Deserialize)]
struct Answer {
    errors: Vec<String>,
    directives: Vec<Directive>,
}

impl Crossplane {
    /// Starts it; `None` when it cannot be had.
    pub fn start() -> Option<Self> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("crossplane/parse.py");
        let mut command = Command::new(crossplane_python()?);
        let mut python = command.arg(script).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let questions = python.stdin.take().unwrap();
        let answers = BufReader::new(python.stdout.take().unwrap());
        Some(Self { python, questions, answers, file: tempfile::NamedTempFile::new().unwrap() })
    }

    /// The directives of a configuration; an error when they are not what nginx would take.
    pub fn parse(&mut self, configuration: &str) -> Result<Vec<Directive>, Vec<String>> {
        std::fs::write(self.file.path(), configuration).unwrap();
        writeln!(self.questions, "{}", self.file.path().display()).unwrap();
        let mut line = String::new();
        self.answers.read_line(&mut line).unwrap();
        let mut answer: Answer = serde_json::from_str(&line).unwrap();
        answer.directives.iter_mut().for_each(Directive::unescape);
        if answer.errors.is_empty() { Ok(answer.directives) } else { Err(answer.errors) }
    }
}

impl Drop for Crossplane {
    fn drop(&mut self) {
        self.python.kill().ok();
        self.python.wait().ok();
    }
}

impl Directive {
    /// crossplane leaves a backslash that stands for itself as it is written: twice.
    fn unescape(&mut self) {
        for argument in &mut self.args {
            *argument = argument.replace("\\\\", "\\");
        }
        self.block.iter_mut().flatten().for_each(Self::unescape);
    }
}
