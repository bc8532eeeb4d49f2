//! The templates' values for the log of requests and for traces.

use minijinja::Value;

use super::token;
use crate::options::{AccessLog, HeaderName, Tracer, Tracing};

/// Nothing where there is no log.
pub(super) fn access_log(log: Option<&AccessLog>) -> Value {
    let header = |name: &HeaderName| {
        Value::from_pairs([("name", token::header(name)), ("variable", token::header_variable(name))])
    };
    log.map_or(Value::from(()), |log| {
        Value::from_pairs([
            ("file", token::file(&format!("{}/access.log", log.directory))),
            ("headers", Value::from(log.headers.iter().map(header).collect::<Vec<_>>())),
        ])
    })
}

/// Nothing where nothing is traced.
pub(super) fn tracing(tracing: Option<&Tracing>) -> Value {
    let Some(Tracing { modules, tracer }) = tracing else { return Value::from(()) };
    let module = ("module", token::file(&format!("{modules}/{}", tracer.module())));
    match tracer {
        Tracer::OpenTracing { plugin, config } => Value::from_pairs([
            module,
            ("collector", Value::from(())),
            ("plugin", token::file(plugin)),
            ("config", token::file(config)),
        ]),
        Tracer::OpenTelemetry(collector) => {
            Value::from_pairs([module, ("collector", token::collector(collector))])
        }
    }
}

#[cfg(test)]
mod tests;
