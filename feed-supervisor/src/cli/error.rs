//! What is wrong with a command line, in one sentence.

use clap::error::{ContextKind, ContextValue, ErrorKind};

use super::environment::variable_name;

/// What is wrong with a command line. The text has three lines at the most.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UsageError {
    /// A flag is unknown, or its value is wrong.
    #[error("{0}")]
    Words(String),
    /// Nothing to do.
    #[error("a command is needed: none, static, bootstrap, render or check")]
    MissingCommand,
    /// No class to serve.
    #[error("--ingress-class is required: it names the class of the Ingresses to serve")]
    MissingClass,
    /// No port to serve on.
    #[error("--ingress-port is required: it is the port on which nginx takes requests")]
    MissingPort,
    /// Nothing to read.
    #[error("--manifests is required: it is the directory whose YAML files are read")]
    MissingManifests,
    /// Nothing to write into Ingress status.
    #[error("static needs --internal-hostname, --external-hostname or both: Ingress status names them")]
    MissingHostname,
    /// Nobody to ask for the address of an external name.
    #[error("--allow-external-name needs --nginx-resolver: the name server that nginx asks")]
    MissingResolver,
    /// Two places to take the objects from.
    #[error("--manifests and --kubeconfig exclude each other: the objects come from files or from a cluster")]
    TwoSources,
    /// One port for two purposes.
    #[error("--{one} and --{other} must be different ports")]
    SamePort {
        /// A flag.
        one: &'static str,
        /// The other flag.
        other: &'static str,
    },
    /// The class is no part of a Lease's name.
    #[error("--lease-name is required, since `feed-ingress-{class}` cannot be the name of a Lease")]
    LeaseName {
        /// The ingress class.
        class: String,
    },
}

/// Why parsing ended without a result.
pub(super) enum Stop {
    /// Help or version was asked for.
    Print(String),
    /// The command line is wrong.
    Usage(UsageError),
}

impl Stop {
    /// Sorts out what clap reports; the flags in `from_environment` were not given as flags.
    pub(super) fn of_clap(error: &clap::Error, from_environment: &[String]) -> Self {
        match error.kind() {
            ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => Self::Print(error.render().to_string()),
            _ => Self::Usage(UsageError::of_clap(error, from_environment)),
        }
    }
}

impl UsageError {
    /// clap's first paragraph in one line, where the value came from, and clap's tip.
    pub(super) fn of_clap(error: &clap::Error, from_environment: &[String]) -> Self {
        if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
            return Self::MissingCommand;
        }
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
