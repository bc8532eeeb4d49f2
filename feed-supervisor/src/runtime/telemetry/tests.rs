use std::sync::{Arc, Mutex};

use serde_json::Value;

use super::*;

/// What is logged by `emit`.
fn logged(format: LogFormat, verbosity: Verbosity, emit: impl FnOnce()) -> String {
    #[derive(Clone, Default)]
    struct Buffer(Arc<Mutex<Vec<u8>>>);
    impl io::Write for Buffer {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let buffer = Buffer::default();
    let writer = buffer.clone();
    let subscriber = subscriber(Logging { verbosity, format }, move || writer.clone());
    tracing::subscriber::with_default(subscriber, emit);
    String::from_utf8(buffer.0.lock().unwrap().clone()).unwrap()
}

#[test]
fn text_has_level_message_and_fields() {
    let line = logged(LogFormat::Text, Verbosity::Normal, || tracing::info!(generation = 7, "Confirmed."));
    assert!(line.ends_with(" INFO Confirmed. generation=7\n"), "{line}");
}

#[test]
fn a_line_does_not_tell_the_spans_around_it() {
    for format in [LogFormat::Text, LogFormat::Json] {
        let line = logged(format, Verbosity::Debug, || {
            tracing::info_span!("reload", secret = 1).in_scope(|| tracing::info!("Inside."));
        });
        assert_eq!(line.lines().count(), 1, "{line}");
        assert!(line.contains("Inside.") && !line.contains("secret") && !line.contains("reload"), "{line}");
    }
}

#[test]
fn json_is_one_object_a_line() {
    let lines = logged(LogFormat::Json, Verbosity::Normal, || {
        tracing::info!(generation = 7, "Confirmed.");
        tracing::error!(error = "two\nlines", "Refused.");
    });
    let objects: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(objects.len(), 2, "{lines}");
    assert_eq!(objects[0]["level"], "INFO");
    assert_eq!(objects[0]["message"], "Confirmed.");
    assert_eq!(objects[0]["generation"], 7);
    assert_eq!(objects[1]["error"], "two\nlines");
}

#[test]
fn libraries_say_less_than_we_do() {
    let emit = || {
        tracing::debug!("ours debug");
        tracing::info!("ours info");
        tracing::debug!(target: "hyper::client", "theirs debug");
        tracing::info!(target: "hyper::client", "theirs info");
        tracing::warn!(target: "hyper::client", "theirs warn");
        tracing::warn!(target: "kube_runtime::watcher", "watch warn");
    };
    let said = |verbosity| -> Vec<String> {
        let lines = logged(LogFormat::Json, verbosity, emit);
        let message =
            |line| serde_json::from_str::<Value>(line).unwrap()["message"].as_str().unwrap().to_owned();
        lines.lines().map(message).collect()
    };
    assert_eq!(said(Verbosity::Normal), ["ours info", "theirs warn"]);
    assert_eq!(said(Verbosity::Debug), ["ours debug", "ours info", "theirs info", "theirs warn"]);
}
