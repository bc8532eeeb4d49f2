//! `feed-dns`: keeps Route 53's records in step with Kubernetes Ingresses.

use std::error::Error;
use std::io::{self, Write};
use std::process::ExitCode;

use feed_dns::app::{self, AppError};
use feed_dns::cli::{self, Command};
use feed_dns::config::{Config, PlanOutput};
use feed_supervisor::runtime::settings::Verbosity;
use feed_supervisor::runtime::telemetry;
use tokio::runtime::Runtime;
use tracing::error;

/// `plan` found something to change.
const CHANGES: u8 = 2;

fn main() -> ExitCode {
    match cli::parse(std::env::args_os(), |name| std::env::var_os(name)) {
        Err(usage) => complain(&usage, usage.exit_code),
        Ok(Command::Print(text)) => print(&text),
        Ok(Command::Run(config)) => keep(*config),
        Ok(Command::Plan(config, output)) => match plan(*config, output) {
            Ok(true) => ExitCode::from(CHANGES),
            Ok(false) => ExitCode::SUCCESS,
            Err(error) => complain(error.as_ref(), 1),
        },
    }
}

fn keep(config: Config) -> ExitCode {
    let runtime = match Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => return complain(&error, 1),
    };
    let spans = config.spans.as_ref();
    let spans = match telemetry::init_with_spans(config.logging, spans, "feed-dns", runtime.handle()) {
        Ok(spans) => spans,
        Err(error) => return complain(&error, 1),
    };
    let code = match runtime.block_on(app::run(config)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            error!("{error}");
            ExitCode::FAILURE
        }
    };
    spans.end();
    code
}

/// A plan is read by people and programs: nothing is logged but with --debug.
fn plan(config: Config, output: PlanOutput) -> Result<bool, Box<dyn Error>> {
    if config.logging.verbosity == Verbosity::Debug {
        telemetry::init(config.logging)?;
    }
    match Runtime::new()?.block_on(app::plan(config, output, &mut io::stdout().lock())) {
        // Who reads only the beginning does not want to be told so.
        Err(AppError::Print(error)) if error.kind() == io::ErrorKind::BrokenPipe => Ok(true),
        planned => Ok(planned?),
    }
}

fn print(text: &str) -> ExitCode {
    match io::stdout().lock().write_all(text.as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => complain(&error, 1),
    }
}

/// Says in one sentence what is wrong.
fn complain(error: &dyn Error, code: u8) -> ExitCode {
    // Where not even that can be said, the exit code must do.
    let _said = writeln!(io::stderr(), "feed-dns: {error}");
    ExitCode::from(code)
}
