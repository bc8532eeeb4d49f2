//! `nginx -t`: whether nginx would start with a configuration.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;
use tokio::time::timeout;

use super::logs;
use super::probe::Version;

/// How long nginx may take to read a configuration: the largest that was measured takes a bit more than a minute.
const PATIENCE: Duration = Duration::from_mins(5);

/// Lets nginx read a configuration without serving it. The error is nginx's own text.
pub async fn test(
    binary: &Path,
    version: Version,
    configuration: &Path,
    workdir: &Path,
) -> Result<(), String> {
    let mut command = Command::new(binary);
    command.arg("-t").arg("-c").arg(configuration).arg("-p").arg(workdir);
    if version.has_error_log_option() {
        command.args(["-e", "stderr"]);
    }
    command.current_dir(workdir).stdin(Stdio::null()).kill_on_drop(true);
    match timeout(PATIENCE, command.output()).await {
        Ok(Ok(output)) if output.status.success() => Ok(()),
        Ok(Ok(output)) => {
            let text = String::from_utf8_lossy(&output.stderr);
            let complaint = text.lines().filter_map(logs::Line::parse).find(logs::Line::is_emergency);
            Err(complaint.map_or_else(|| text.trim().to_owned(), |line| line.text))
        }
        Ok(Err(error)) => Err(format!("nginx -t cannot be run: {error}")),
        Err(_) => Err(format!("nginx -t has not ended within {PATIENCE:?}")),
    }
}
