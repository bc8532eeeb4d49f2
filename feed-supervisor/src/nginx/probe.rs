//! Which nginx this is.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::process::Command;
use tokio::time::timeout;

/// How long nginx may take to tell its version.
const PATIENCE: Duration = Duration::from_secs(10);

/// nginx's version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(pub u32, pub u32, pub u32);

impl Version {
    /// The oldest that our configuration is tested with: that of the oldest distribution still cared for (Ubuntu 20.04).
    pub const OLDEST: Self = Self(1, 18, 0);

    /// The first with `keepalive_min_timeout`.
    const KEEPALIVE_MIN_TIMEOUT: Self = Self(1, 27, 4);

    /// The first whose upstreams can follow a name server.
    const FOLLOWS_ENDPOINTS: Self = Self(1, 27, 3);

    /// The first with the directive `http2`.
    const HTTP2_DIRECTIVE: Self = Self(1, 25, 1);

    /// The first with the option `-e`, for where to write errors before the configuration is read.
    const ERROR_LOG_OPTION: Self = Self(1, 19, 5);

    /// Reads `1.30.6`; what follows the numbers does not matter.
    pub fn parse(text: &str) -> Option<Self> {
        let numbers = text.split(|letter: char| !(letter.is_ascii_digit() || letter == '.')).next()?;
        let mut numbers = numbers.split('.').map(|number| number.parse().ok());
        Some(Self(numbers.next()??, numbers.next()??, numbers.next()??))
    }

    /// Whether a reload can be made without failing a single request.
    pub fn has_keepalive_min_timeout(self) -> bool {
        self >= Self::KEEPALIVE_MIN_TIMEOUT
    }

    /// Whether its upstreams can follow a name server.
    pub fn follows_endpoints(self) -> bool {
        self >= Self::FOLLOWS_ENDPOINTS
    }

    /// Whether it knows the directive `http2`.
    pub fn has_http2_directive(self) -> bool {
        self >= Self::HTTP2_DIRECTIVE
    }

    pub(super) fn has_error_log_option(self) -> bool {
        self >= Self::ERROR_LOG_OPTION
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.0, self.1, self.2)
    }
}

/// Why nginx cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    /// There is no such program.
    #[error("there is no nginx: {} is not found; install nginx, or name it with --nginx-binary", _0.display())]
    Missing(PathBuf),
    /// It cannot be started.
    #[error("{} cannot be executed: {source}; name another nginx with --nginx-binary", binary.display())]
    NotExecutable {
        /// The program.
        binary: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// It did not tell a version.
    #[error("{} is not an nginx: it answers {answer:?} to -v; name another one with --nginx-binary", binary.display())]
    Unknown {
        /// The program.
        binary: PathBuf,
        /// What it said.
        answer: String,
    },
    /// It lacks what the configuration needs.
    #[error("{} is nginx {version}, which is too old: {} or newer is needed", binary.display(), Version::OLDEST)]
    TooOld {
        /// The program.
        binary: PathBuf,
        /// Its version.
        version: Version,
    },
}

/// Asks the program for its version.
pub async fn version(binary: &Path) -> Result<Version, ProbeError> {
    let mut command = Command::new(binary);
    let output = timeout(PATIENCE, command.arg("-v").kill_on_drop(true).output()).await;
    let binary = binary.to_owned();
    let output = match output {
        Ok(Ok(output)) => output,
        Ok(Err(error)) if error.kind() == io::ErrorKind::NotFound => return Err(ProbeError::Missing(binary)),
        Ok(Err(source)) => return Err(ProbeError::NotExecutable { binary, source }),
        Err(_) => return Err(ProbeError::Unknown { binary, answer: "nothing".into() }),
    };
    let answer = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    // `nginx version: nginx/1.30.6 (Ubuntu)`; builds of others put their own name before the slash.
    let version =
        answer.strip_prefix("nginx version: ").and_then(|rest| Version::parse(rest.split_once('/')?.1));
    match version {
        None => Err(ProbeError::Unknown { binary, answer }),
        Some(version) if version < Version::OLDEST => Err(ProbeError::TooOld { binary, version }),
        Some(version) => Ok(version),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn versions_are_read_and_compared() {
        assert_eq!(Version::parse("1.30.6"), Some(Version(1, 30, 6)));
        assert_eq!(Version::parse("1.22.1 (Ubuntu)"), Some(Version(1, 22, 1)));
        assert_eq!(Version::parse("1.21.4.1"), Some(Version(1, 21, 4)));
        for broken in ["", "1.2", "nginx", "1.x.3"] {
            assert_eq!(Version::parse(broken), None, "{broken:?}");
        }
        assert!(Version(1, 27, 3).follows_endpoints() && !Version(1, 27, 2).follows_endpoints());
        assert!(Version(1, 27, 4).has_keepalive_min_timeout());
        assert!(Version(1, 30, 0).has_keepalive_min_timeout());
        assert!(!Version(1, 27, 3).has_keepalive_min_timeout());
        assert!(!Version(1, 22, 1).has_keepalive_min_timeout());
        assert!(Version(1, 25, 1).has_http2_directive() && !Version(1, 25, 0).has_http2_directive());
    }

    #[tokio::test]
    async fn the_installed_nginx_tells_its_version() {
        assert!(version(Path::new("nginx")).await.unwrap() >= Version::OLDEST);
    }

    /// A program that says this when it is asked for its version.
    fn program(directory: &Path, says: &str, mode: u32) -> PathBuf {
        let path = directory.join("nginx");
        std::fs::write(&path, format!("#!/bin/sh\necho '{says}' >&2\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        path
    }

    #[tokio::test]
    async fn what_is_no_usable_nginx_is_a_sentence() {
        let directory = tempfile::tempdir().unwrap();
        let missing = directory.path().join("missing");
        let error = version(&missing).await.unwrap_err().to_string();
        assert!(error.starts_with("there is no nginx: "), "{error}");

        for (says, mode, expected) in [
            (
                "nginx version: nginx/1.17.9",
                0o755,
                "is nginx 1.17.9, which is too old: 1.18.0 or newer is needed",
            ),
            ("hello", 0o755, r#"is not an nginx: it answers "hello" to -v"#),
            ("nginx version: nginx/1.30.6", 0o644, "cannot be executed: "),
        ] {
            let error = version(&program(directory.path(), says, mode)).await.unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }
}
