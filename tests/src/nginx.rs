//! nginx without feed: its binaries, and a server with a configuration that the test wrote.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::sys::signal::Signal;

use crate::process::Process;
use crate::sandbox::Sandbox;
use crate::tools;

/// A binary of nginx.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NginxBinary {
    /// Its path.
    pub path: PathBuf,
    /// Its version, for instance 1.30.6.
    pub version: (u32, u32, u32),
}

impl NginxBinary {
    /// The one that the machine has: on Debian 12 it is 1.22.
    pub fn system() -> Option<Self> {
        tools::system_nginx().map(Self::at)
    }

    /// One that knows `keepalive_min_timeout`, 1.30 or newer.
    pub fn newer() -> Option<Self> {
        tools::newer_nginx().map(Self::at)
    }

    /// Both.
    pub fn all() -> Vec<Self> {
        Self::system().into_iter().chain(Self::newer()).collect()
    }

    fn at(path: &Path) -> Self {
        let output = Command::new(path).arg("-v").output().unwrap();
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        let version = text.split_once("nginx/").and_then(|(_, rest)| parse_version(rest));
        let version = version.unwrap_or_else(|| panic!("{}: no version in {text:?}", path.display()));
        Self { path: path.to_owned(), version }
    }

    /// Whether it is 1.27.4 or newer, which can keep an old worker's idle connections open for a while.
    pub fn knows_keepalive_min_timeout(&self) -> bool {
        self.version >= (1, 27, 4)
    }
}

fn parse_version(text: &str) -> Option<(u32, u32, u32)> {
    let mut numbers = text.split(|c: char| !c.is_ascii_digit()).map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?, numbers.next()?.ok()?))
}

/// A running nginx with a configuration of the test's own.
#[derive(Debug)]
pub struct PlainNginx {
    sandbox: Sandbox,
    binary: NginxBinary,
    master: Process,
}

impl PlainNginx {
    /// What `nginx -t` says about the contents of `http{}`: its complaints, or nothing.
    pub fn test(binary: &NginxBinary, http: &str) -> Result<(), String> {
        let sandbox = Sandbox::new("nginx-test");
        write(&sandbox, http);
        let output = nginx(&sandbox, binary).arg("-t").output().unwrap();
        if output.status.success() {
            Ok(())
        } else {
            Err(String::from_utf8_lossy(&output.stderr).into_owned())
        }
    }

    /// Starts nginx with these contents of `http{}`.
    pub fn start(binary: &NginxBinary, http: &str) -> Self {
        let sandbox = Sandbox::new("nginx");
        write(&sandbox, http);
        let log = fs::File::create(sandbox.join("log")).unwrap();
        let master = sandbox.spawn(nginx(&sandbox, binary).args(["-g", "daemon off;"]).stderr(log));
        Self { sandbox, binary: binary.clone(), master }
    }

    /// Replaces the contents of `http{}` and lets nginx load them.
    pub fn reload(&self, http: &str) {
        write(&self.sandbox, http);
        self.master.signal(Signal::SIGHUP);
    }

    /// The binary that it runs.
    pub fn binary(&self) -> &NginxBinary {
        &self.binary
    }
}

const MAIN: &str = "pid nginx.pid;\nevents {}\n";

/// Nothing is written outside the sandbox.
const HTTP: &str = "\
access_log off;
client_body_temp_path temp-body;
proxy_temp_path temp-proxy;
fastcgi_temp_path temp-fastcgi;
uwsgi_temp_path temp-uwsgi;
scgi_temp_path temp-scgi;
";

fn write(sandbox: &Sandbox, http: &str) {
    let part = sandbox.join("nginx.conf.part");
    fs::write(&part, format!("{MAIN}http {{\n{HTTP}{http}\n}}\n")).unwrap();
    fs::rename(part, sandbox.join("nginx.conf")).unwrap();
}

fn nginx(sandbox: &Sandbox, binary: &NginxBinary) -> Command {
    let mut command = sandbox.command(&binary.path);
    command.args(["-e", "stderr", "-p"]).arg(sandbox.path()).arg("-c").arg(sandbox.join("nginx.conf"));
    command
}
