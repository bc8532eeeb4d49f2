//! A file system that is soon full.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::tools::needed;

/// A tmpfs, until it is dropped.
#[derive(Debug)]
pub struct Tmpfs(PathBuf);

impl Tmpfs {
    /// Mounts one of that size, such as `1m`, which all may write to. Only root can.
    pub fn mount(directory: &Path, size: &str) -> Option<Self> {
        fs::create_dir_all(directory).unwrap();
        let options = format!("size={size},mode=1777");
        let mut command = Command::new("mount");
        command.args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(directory);
        let mounted = command.status().is_ok_and(|status| status.success());
        let mounted = mounted.then(|| Self(directory.to_owned()));
        needed(mounted.ok_or_else(|| "a tmpfs cannot be mounted here; only root can".to_owned()))
    }

    /// Where it is mounted.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Tmpfs {
    fn drop(&mut self) {
        let _unmounted = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}
