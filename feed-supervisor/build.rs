//! Tells the program which git commit it was built from; outside a checkout, `unknown`.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

fn main() -> io::Result<()> {
    let mut cargo = io::stdout().lock();
    writeln!(cargo, "cargo::rerun-if-changed=build.rs")?;
    let commit = if is_checkout() {
        // HEAD's log changes with every commit, checkout and reset; HEAD itself only when the branch does.
        for file in ["HEAD", "logs/HEAD"] {
            let path = git(&["rev-parse", "--git-path", file]).map(PathBuf::from);
            if let Some(path) = path.filter(|path| path.exists()) {
                writeln!(cargo, "cargo::rerun-if-changed={}", path.display())?;
            }
        }
        git(&["rev-parse", "--short=12", "HEAD"])
    } else {
        None
    };
    writeln!(cargo, "cargo::rustc-env=FEED_COMMIT={}", commit.as_deref().unwrap_or("unknown"))
}

/// Whether the workspace is itself a git checkout, rather than a copy inside somebody else's.
fn is_checkout() -> bool {
    let workspace = Path::new("..").canonicalize().ok();
    workspace.is_some() && git(&["rev-parse", "--show-toplevel"]).map(PathBuf::from) == workspace
}

fn git(args: &[&str]) -> Option<String> {
    let output = Command::new("git").args(args).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    (output.status.success() && !text.trim().is_empty()).then(|| text.trim().to_owned())
}
