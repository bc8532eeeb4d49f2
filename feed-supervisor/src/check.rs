//! `check`: what is wrong with a directory's manifests, told as a compiler would.

use std::io::{self, Write};

use feed_reconcile::diagnostic::{Diagnostic, Diagnostics, Field, Severity};
use feed_reconcile::key::{ObjectKey, ObjectKind};
use feed_reconcile::options::Options;
use feed_reconcile::reconcile::reconcile;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::certificates::examiner::Examiner;
use crate::config::{CheckConfig, CheckOutput};
use crate::runtime::source::manifests::locator::Location;
use crate::runtime::source::manifests::{Loaded, ManifestError};

/// Why a directory could not be checked.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// There is nothing to read.
    #[error(transparent)]
    Manifests(#[from] ManifestError),
    /// Nobody takes what is printed.
    #[error("cannot print the diagnostics: {0}")]
    Print(#[from] io::Error),
}

/// What a check found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// How many things are not served.
    pub errors: usize,
    /// How many are served, but not quite as they were asked for.
    pub warnings: usize,
}

/// A diagnostic, where it is, and where the other object is that has a part in it.
#[derive(Debug)]
struct Finding<'a> {
    location: Option<Location>,
    diagnostic: &'a Diagnostic,
    message: &'a str,
    related: Option<(&'a ObjectKey, Option<Location>)>,
}

/// Prints what is wrong with the manifests of a directory.
pub fn check(config: &CheckConfig, out: &mut impl Write) -> Result<Counts, CheckError> {
    let loaded = Loaded::read(&config.manifests)?;
    let mut snapshot = loaded.snapshot.clone();
    Examiner::default().examine(&mut snapshot, &config.options, Timestamp::now());
    let options = Options { assume_assigned: true, ..config.options.clone() };
    let reconciled = reconcile(&snapshot, &options);
    let diagnostics: Diagnostics = loaded.diagnostics.union(&reconciled.diagnostics).cloned().collect();
    let findings = locate(&loaded, &diagnostics);
    let counts = count(&diagnostics);
    match config.output {
        CheckOutput::Text => write_text(&findings, out)?,
        CheckOutput::Json => write_json(&findings, counts, out)?,
    }
    out.flush()?;
    Ok(counts)
}

/// Prints the diagnostics as a compiler would, in the order of their places.
pub(crate) fn print(loaded: &Loaded, diagnostics: &Diagnostics, out: &mut impl Write) -> io::Result<()> {
    write_text(&locate(loaded, diagnostics), out)
}

fn locate<'a>(loaded: &Loaded, diagnostics: &'a Diagnostics) -> Vec<Finding<'a>> {
    let mut locator = loaded.locator();
    let mut findings: Vec<_> = diagnostics
        .iter()
        .map(|diagnostic| {
            let location = locator.diagnostic(diagnostic);
            let message = without_place(&diagnostic.message, location.as_ref());
            let related = diagnostic.related.as_ref();
            let related = related.map(|object| (object, locator.field(object, &Field::default())));
            Finding { location, diagnostic, message, related }
        })
        .collect();
    findings.sort_by(|one, other| (&one.location, one.diagnostic).cmp(&(&other.location, other.diagnostic)));
    findings
}

/// The message of a manifest that does not parse begins with the place, which is told already.
fn without_place<'a>(message: &'a str, location: Option<&Location>) -> &'a str {
    let place = location
        .map(|Location { position, .. }| format!("Line {}, column {}: ", position.line, position.column));
    place.and_then(|place| message.strip_prefix(&place)).unwrap_or(message)
}

fn count(diagnostics: &Diagnostics) -> Counts {
    let errors = diagnostics.iter().filter(|it| it.code.severity() == Severity::Error).count();
    Counts { errors, warnings: diagnostics.len() - errors }
}

/// `FILE:LINE:COLUMN: SEVERITY[CODE]: MESSAGE`, and below it what helps to mend it.
fn write_text(findings: &[Finding<'_>], out: &mut impl Write) -> io::Result<()> {
    for Finding { location, diagnostic, message, related } in findings {
        let Diagnostic { object, field, code, help, .. } = diagnostic;
        if let Some(location) = location {
            write!(out, "{location}: ")?;
        }
        writeln!(out, "{}[{code}]: {message}", severity_name(code.severity()))?;
        match (object.kind, field.0.is_empty()) {
            (ObjectKind::Manifest, _) => {}
            (_, true) => writeln!(out, "  in: {object}")?,
            (_, false) => writeln!(out, "  in: {object}, {field}")?,
        }
        match related {
            None => {}
            Some((object, None)) => writeln!(out, "  see: {object}")?,
            Some((object, Some(location))) => writeln!(out, "  see: {object} ({location})")?,
        }
        if let Some(help) = help {
            writeln!(out, "  help: {help}")?;
        }
    }
    Ok(())
}

/// One JSON document; its shape is in the README and is kept within a major version.
fn write_json(findings: &[Finding<'_>], counts: Counts, out: &mut impl Write) -> io::Result<()> {
    let diagnostics: Vec<_> = findings
        .iter()
        .map(|Finding { location, diagnostic, message, related }| {
            json!({
                "severity": diagnostic.code.severity(),
                "code": diagnostic.code,
                "location": location.as_ref().map(location_json),
                "object": object_json(&diagnostic.object),
                "field": diagnostic.field,
                "message": message,
                "help": diagnostic.help,
                "related": related.as_ref().map(|(object, location)| json!({
                    "object": object_json(object),
                    "location": location.as_ref().map(location_json),
                })),
            })
        })
        .collect();
    let document =
        json!({ "diagnostics": diagnostics, "errors": counts.errors, "warnings": counts.warnings });
    writeln!(out, "{document:#}")
}

fn severity_name(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    }
}

fn location_json(location: &Location) -> Value {
    json!({
        "file": location.path.to_string_lossy(),
        "line": location.position.line,
        "column": location.position.column,
    })
}

/// As in `/status`.
fn object_json(object: &ObjectKey) -> Value {
    json!({ "kind": object.kind, "name": object.name })
}

#[cfg(test)]
mod tests;
