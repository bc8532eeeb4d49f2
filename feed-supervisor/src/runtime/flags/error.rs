//! What is wrong with flags, in one sentence.

use clap::error::{ContextKind, ContextValue, ErrorKind};

use super::environment::variable_name;

/// What is wrong with flags. The text has three lines at the most.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FlagError {
    /// A flag is unknown, or its value is wrong.
    #[error("{0}")]
    Words(String),
    /// Two places to take the objects from.
    #[error("--manifests and --kubeconfig exclude each other: the objects come from files or from a cluster")]
    TwoSources,
    /// A label with two values.
    #[error("--pushgateway-label gives `{name}` more than once")]
    RepeatedLabel {
        /// The label's name.
        name: String,
    },
    /// A label that metrics have already.
    #[error("--pushgateway-label gives `{name}`, which is a label of this program's own metrics")]
    TakenLabel {
        /// The label's name.
        name: String,
    },
    /// The name is none of a Lease.
    #[error("--lease-name is required, since `{name}` cannot be the name of a Lease")]
    LeaseName {
        /// The name that it would have.
        name: String,
    },
}

/// Why reading flags ended without a result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stop {
    /// Help or version was asked for.
    Print(String),
    /// There is no subcommand, and one is needed.
    MissingCommand,
    /// The flags are wrong.
    Usage(FlagError),
}

impl Stop {
    /// Sorts out what clap reports; the flags in `from_environment` were not given as flags.
    pub fn of_clap(error: &clap::Error, from_environment: &[String]) -> Self {
        match error.kind() {
            ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => Self::Print(error.render().to_string()),
            ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => Self::MissingCommand,
            _ => Self::Usage(FlagError::of_clap(error, from_environment)),
        }
    }
}

impl FlagError {
    /// clap's first paragraph in one line, where the value came from, and clap's tip.
    fn of_clap(error: &clap::Error, from_environment: &[String]) -> Self {
        let text = error.render().to_string();
        let mut paragraphs =
            text.split("\n\n").map(|text| text.split_whitespace().collect::<Vec<_>>().join(" "));
        let mut message = paragraphs.next().unwrap_or_default();
        if let Some(plain) = message.strip_prefix("error: ") {
            message = plain.to_owned();
        }
        if let Some(source) = source(error, from_environment) {
            message = format!("{message} ({source})");
        }
        if let Some(tip) = paragraphs.find(|text| text.starts_with("tip: ")) {
            message = format!("{message}\n{tip}");
        }
        Self::Words(message)
    }
}

/// The variable that a wrong value came from. Kubernetes itself sets one of ours, for a Service named `feed-ingress`.
fn source(error: &clap::Error, from_environment: &[String]) -> Option<String> {
    let ContextValue::String(argument) = error.get(ContextKind::InvalidArg)? else { return None };
    let named = argument.trim_start_matches('-').split([' ', '[']).next();
    let flag = from_environment.iter().find(|flag| named == Some(flag))?;
    let name = variable_name(flag);
    let is_service_link = matches!(error.get(ContextKind::InvalidValue),
        Some(ContextValue::String(value)) if value.contains("://"));
    Some(if is_service_link {
        format!(
            "from {name}, which Kubernetes sets for a Service of that name: use `enableServiceLinks: false`"
        )
    } else {
        format!("from {name}")
    })
}
