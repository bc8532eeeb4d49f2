//! A network of a test's own.

use std::net::Ipv4Addr;
use std::process::Command;

use crate::tools::needed;

/// Says to the test program that it runs in the namespace already.
const INSIDE: &str = "FEED_TESTS_NETWORK_NAMESPACE";

/// The API server refuses loopback addresses in an `EndpointSlice`. These are documentation's (RFC 5737).
pub const ENDPOINTS: [Ipv4Addr; 2] = [Ipv4Addr::new(198, 51, 100, 1), Ipv4Addr::new(198, 51, 100, 2)];

/// Runs the test of that name once more with mounts of its own, in a network namespace whose `lo` has the addresses of [`ENDPOINTS`]: `true` there,
/// and `false` outside once that has been done. Only root can.
pub fn in_network_namespace(test: &str) -> bool {
    if std::env::var_os(INSIDE).is_some() {
        run(Command::new("ip").args(["link", "set", "lo", "up"]));
        for address in ENDPOINTS {
            run(Command::new("ip").args(["address", "add", &address.to_string(), "dev", "lo"]));
        }
        return true;
    }
    let root = nix::unistd::geteuid().is_root();
    if needed(root.then_some(()).ok_or_else(|| format!("{test}: only root makes network namespaces")))
        .is_some()
    {
        let mut command = Command::new("unshare");
        command
            .args(["--net", "--mount"])
            .arg(std::env::current_exe().unwrap())
            .args(["--exact", test])
            .env(INSIDE, "yes");
        run(&mut command);
    }
    false
}

fn run(command: &mut Command) {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let text = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&text));
}
