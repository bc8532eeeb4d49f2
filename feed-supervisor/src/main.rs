//! `feed-ingress`: serves Kubernetes Ingresses with nginx.

use std::error::Error;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use feed_supervisor::cli::{self, Command};
use feed_supervisor::config::{BootstrapConfig, CheckConfig, Config, NginxFacts, RenderConfig};
use feed_supervisor::nginx::probe;
use feed_supervisor::output::UntilClosed;
use feed_supervisor::runtime::telemetry;
use feed_supervisor::{app, bootstrap, check, render};
use tokio::runtime::Runtime;
use tracing::{error, info};

/// How long threads may take to end that work on files.
const LAST_THREADS: Duration = Duration::from_secs(1);

/// What the command line asks for is wrong or not there.
const USAGE: u8 = 2;

fn main() -> ExitCode {
    match cli::parse(std::env::args_os(), |name| std::env::var_os(name)) {
        Err(error) => complain(&error, USAGE),
        Ok(Command::Print(text)) => print(&text),
        Ok(Command::Run(config)) => serve(*config),
        Ok(Command::Bootstrap(config)) => match telemetry::init(config.logging) {
            Ok(()) => exit_code(write_first_configuration(&config)),
            Err(error) => complain(&error, 1),
        },
        Ok(Command::Render(config)) => print_configuration(&config),
        Ok(Command::Check(config)) => print_diagnostics(&config),
    }
}

fn serve(config: Config) -> ExitCode {
    let runtime = match Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => return complain(&error, 1),
    };
    match telemetry::init_with_spans(config.logging, config.spans.as_ref(), "feed-ingress", runtime.handle())
    {
        Ok(spans) => {
            let ended = runtime.block_on(app::run(config));
            let code = exit_code(ended.map_err(Box::from));
            spans.end();
            // A thread that waits for a file system that does not answer is not waited for.
            runtime.shutdown_timeout(LAST_THREADS);
            code
        }
        Err(error) => complain(&error, 1),
    }
}

fn write_first_configuration(config: &BootstrapConfig) -> Result<(), Box<dyn Error>> {
    let first = bootstrap::bootstrap(&config.nginx)?;
    info!("nginx can start with {first}.");
    Ok(())
}

fn print(text: &str) -> ExitCode {
    match UntilClosed::new(io::stdout()).write_all(text.as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => complain(&error, 1),
    }
}

fn print_configuration(config: &RenderConfig) -> ExitCode {
    let mut out = UntilClosed::new(io::stdout().lock());
    let facts = facts(&config.nginx.binary);
    match render::render(config, facts, &mut out, &mut io::stderr().lock()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => complain(&error, USAGE),
    }
}

/// What is printed is for the nginx that is installed here, and for any nginx where there is none; beyond that it does
/// not depend on the machine.
fn facts(binary: &Path) -> NginxFacts {
    let version = Runtime::new().ok().and_then(|runtime| runtime.block_on(probe::version(binary)).ok());
    let knows = |feature: fn(probe::Version) -> bool| version.is_some_and(feature);
    NginxFacts {
        ipv6: true,
        keepalive_min_timeout: knows(probe::Version::has_keepalive_min_timeout),
        http2_directive: knows(probe::Version::has_http2_directive),
        open_file_limit: None,
        endpoint_resolver: None,
    }
}

fn print_diagnostics(config: &CheckConfig) -> ExitCode {
    match check::check(config, &mut UntilClosed::new(io::stdout().lock())) {
        Ok(counts) if counts.errors == 0 => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => complain(&error, USAGE),
    }
}

/// Logs the error, if there is one.
fn exit_code(ended: Result<(), Box<dyn Error>>) -> ExitCode {
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            error!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Says in one sentence what is wrong.
fn complain(error: &dyn Error, code: u8) -> ExitCode {
    // Where not even that can be said, the exit code must do.
    let _said = writeln!(io::stderr(), "feed-ingress: {error}");
    ExitCode::from(code)
}
