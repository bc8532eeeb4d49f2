//! OpenMetrics 1.0 made into Prometheus text 0.0.4.
//!
//! What differs, of what `prometheus-client` writes: counters are described by their full name, `_total` included;
//! `unknown` is called `untyped`; units are not described; the end is not marked. Exemplars, which only OpenMetrics has,
//! are used nowhere.

/// The same metrics in the older format.
pub(super) fn from_open_metrics(open_metrics: &str) -> String {
    let mut text = String::with_capacity(open_metrics.len());
    let mut help: Option<(&str, &str)> = None;
    for line in open_metrics.lines() {
        if let Some(description) = line.strip_prefix("# HELP ") {
            help = description.split_once(' ');
        } else if let Some(description) = line.strip_prefix("# TYPE ") {
            let (name, metric_type) = description.split_once(' ').unwrap_or((description, "unknown"));
            describe(&mut text, name, help.take().map(|(_, help)| help), metric_type);
        } else if !line.starts_with('#') {
            text.extend([line, "\n"]);
        }
    }
    text
}

fn describe(text: &mut String, name: &str, help: Option<&str>, open_metrics_type: &str) {
    let (suffix, text_type) = match open_metrics_type {
        "counter" => ("_total", "counter"),
        "info" => ("_info", "gauge"),
        "unknown" => ("", "untyped"),
        other => ("", other),
    };
    if let Some(help) = help {
        text.extend(["# HELP ", name, suffix, " ", help, "\n"]);
    }
    text.extend(["# TYPE ", name, suffix, " ", text_type, "\n"]);
}
