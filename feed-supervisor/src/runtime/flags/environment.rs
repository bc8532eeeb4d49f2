//! How flags may be spelled: with one dash, as environment variables, and switches with or without a value.

use std::ffi::{OsStr, OsString};

use clap::parser::ValueSource;
use clap::{ArgMatches, Command};

use super::error::Stop;

/// Lets every switch be given as `--flag`, `--flag=true` and `--flag=false`.
pub fn with_switches(command: Command) -> Command {
    command.mut_subcommands(|subcommand| {
        subcommand.mut_args(|arg| {
            let is_switch =
                arg.get_value_names().is_some_and(|names| names.iter().any(|name| name == "BOOL"));
            if !is_switch {
                return arg;
            }
            arg.num_args(0..=1).require_equals(true).default_missing_value("true")
        })
    })
}

/// Turns `-ingress-port`, as the older feed spelled it, into `--ingress-port`; leaves `-h` and `-V` alone.
pub fn modern_spelling(word: OsString) -> OsString {
    let is_old = word.to_str().is_some_and(|text| {
        let mut letters = text.bytes();
        letters.next() == Some(b'-')
            && letters.next().is_some_and(|byte| byte.is_ascii_lowercase())
            && letters.next().is_some()
    });
    if !is_old {
        return word;
    }
    let mut modern = OsString::from("-");
    modern.push(word);
    modern
}

/// The name of a flag's variable: `FEED_INGRESS_PORT` of `ingress-port`.
pub fn variable_name(flag: &str) -> String {
    format!("FEED_{}", flag.to_ascii_uppercase().replace('-', "_"))
}

/// Parses the words; flags that are not among them are taken from the environment.
pub fn matches(
    command: &Command,
    mut words: Vec<OsString>,
    variable: impl Fn(&str) -> Option<OsString>,
) -> Result<ArgMatches, Stop> {
    let given = command.clone().try_get_matches_from(&words).map_err(|error| Stop::of_clap(&error, &[]))?;
    let (flags, from_environment) = flags_from_environment(command, &given, variable);
    // The subcommand is the first word after the program's name, since no flag may stand before it.
    let position = words.len().min(2);
    words.splice(position..position, flags);
    command.clone().try_get_matches_from(words).map_err(|error| Stop::of_clap(&error, &from_environment))
}

/// The words `--flag=value` for every variable that is set and whose flag was not given, and these flags' names.
fn flags_from_environment(
    command: &Command,
    given: &ArgMatches,
    variable: impl Fn(&str) -> Option<OsString>,
) -> (Vec<OsString>, Vec<String>) {
    let Some((name, given)) = given.subcommand() else { return (Vec::new(), Vec::new()) };
    let flags = command.find_subcommand(name).into_iter().flat_map(Command::get_arguments);
    flags
        .filter(|flag| given.value_source(flag.get_id().as_str()) != Some(ValueSource::CommandLine))
        .filter_map(|flag| {
            let long = flag.get_long()?;
            let value = variable(&variable_name(long))?;
            Some((assignment(long, &value), long.to_owned()))
        })
        .unzip()
}

fn assignment(flag: &str, value: &OsStr) -> OsString {
    let mut word = OsString::from(format!("--{flag}="));
    word.push(value);
    word
}
