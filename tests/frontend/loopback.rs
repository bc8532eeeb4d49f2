//! Addresses of interfaces, as `ip` shows them.

use std::process::Command;

/// Whether an interface has the address.
pub(crate) fn has_address(interface: &str, address: &str) -> bool {
    addresses(interface).iter().any(|line| line.contains(&format!(" {address} ")))
}

/// What `ip` says of an interface's addresses, one a line.
pub(crate) fn addresses(interface: &str) -> Vec<String> {
    let output = Command::new("ip").args(["-oneline", "address", "show", "dev", interface]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

/// Runs a command that may not fail.
pub(crate) fn run(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}
