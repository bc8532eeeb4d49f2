//! The JSON of `/status`.
//!
//! | field | meaning |
//! | --- | --- |
//! | `generation`, `routes`, `age_seconds` | the configuration that nginx was last known to serve, and for how long; `null` before |
//! | `ready`, `problems` | whether requests may be sent here, and everything that `/health` or `/readiness` complains of |
//! | `nginx` | `mode` (`child` or `sidecar`), `pid` of its master while it runs, `version` |
//! | `cluster_state_age_seconds` | for how long the cluster may have changed unseen; `null` before everything was listed |
//! | `ingresses` | how many are adopted |
//! | `diagnostics` | problems in the cluster's objects: `code`, `severity`, `object`, `field`, `message`, `help`, `related` |
//! | `certificates` | those in use: `secret` (`null` of the default one), the `names` that it is for, `not_after`, and the `problem` because of which it is not served |
//! | `frontends` | the load balancers in front: `kind` (the subcommand), `attached`, `expected`, `balancers` (`name`, `state`, the last call's `error`), the `endpoints` (`scheme`, `endpoint`) that Ingress status names, and `remarks` |
//! | `last_failure` | the last configuration that was not confirmed, as in `reloads`; `null` if there was none |
//! | `reloads` | how the last configurations ended, the newest first: `generation`, `at`, `kind` (`start` or `reload`), `outcome`, `duration_seconds`, `routes`, and where it failed `text` (nginx's own), `line` and the `ingresses` behind it |

use feed_reconcile::diagnostic::Diagnostic;
use serde::Serialize;
use serde_json::{Value, json};

use super::{Board, Past};

/// What is known of nginx.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NginxPage {
    /// `child` or `sidecar`.
    pub mode: &'static str,
    /// The id of its master, while it runs.
    pub pid: Option<i32>,
    /// Its version.
    pub version: Option<String>,
}

impl Board {
    /// The value that `/status` shows.
    pub fn page(
        &self,
        nginx: &NginxPage,
        cluster_state_age_seconds: Option<f64>,
        frontends: &Value,
    ) -> Value {
        let not_ready = self.health.not_ready();
        let mut problems = self.health.unhealthy();
        problems.extend(
            not_ready.iter().filter(|reason| !problems.contains(reason)).cloned().collect::<Vec<_>>(),
        );
        let shown = self.shown();
        let served = shown.served;
        json!({
            "generation": served.map(|served| served.generation),
            "routes": served.map(|served| served.routes),
            "age_seconds": served.map(|served| served.since.elapsed().as_secs_f64()),
            "ready": not_ready.is_empty(),
            "problems": problems,
            "nginx": nginx,
            "cluster_state_age_seconds": cluster_state_age_seconds,
            "ingresses": shown.ingresses,
            "diagnostics": self.diagnostics.borrow().iter().map(diagnostic).collect::<Vec<_>>(),
            "certificates": &*shown.certificates,
            "frontends": frontends,
            "last_failure": shown.failure.as_ref().map(past),
            "reloads": shown.history.iter().map(past).collect::<Vec<_>>(),
        })
    }
}

fn past(past: &Past) -> Value {
    let mut value = json!({
        "generation": past.generation,
        "at": past.at.to_string(),
        "kind": if past.starts { "start" } else { "reload" },
        "outcome": past.outcome.as_str(),
        "duration_seconds": past.took.as_secs_f64(),
        "routes": past.routes,
    });
    if let (Some(text), Some(fields)) = (&past.text, value.as_object_mut()) {
        fields.insert("text".into(), json!(text));
        fields.insert("line".into(), json!(past.blame.line));
        fields.insert("ingresses".into(), json!(past.blame.ingresses));
    }
    value
}

fn diagnostic(diagnostic: &Diagnostic) -> Value {
    json!({
        "code": diagnostic.code,
        "severity": diagnostic.code.severity(),
        "object": { "kind": diagnostic.object.kind, "name": diagnostic.object.name },
        "field": diagnostic.field,
        "message": diagnostic.message,
        "help": diagnostic.help,
        "related": diagnostic.related.as_ref().map(|object| json!({ "kind": object.kind, "name": object.name })),
    })
}
