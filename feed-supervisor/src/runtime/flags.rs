//! How flags are read, and those that both binaries have.
//!
//! Here and in the command lines themselves `clap` is known, nowhere else. Doc comments of the flags are the help.

#![expect(clippy::doc_markdown, reason = "doc comments are the help, which shows no backticks")]

mod cluster;
mod environment;
mod error;
mod lease;
mod process;
mod reports;
pub mod value;

pub use cluster::{AdoptionArgs, ClusterArgs};
pub use environment::{matches, modern_spelling, variable_name, with_switches};
pub use error::{FlagError, Stop};
pub use lease::LeaseArgs;
pub use process::ProcessArgs;
pub use reports::ReportArgs;

/// What `--help` says of all flags. The example is a flag of that binary.
pub fn spelling(example: &str) -> String {
    format!(
        "Every flag is an environment variable too: {} is --{example}. The flag wins.\n\
         Durations are written 500ms, 30s, 5m, 1h30m. A switch is set by --flag or --flag=true, and unset by\n\
         --flag=false.",
        variable_name(example)
    )
}
