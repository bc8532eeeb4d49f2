//! Ports and addresses that no other test has, in this process or another.

use std::net::{Ipv4Addr, Ipv6Addr, TcpListener};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

/// Below the range from which the kernel takes the ports of outgoing connections, so that none of them is in the way.
const FIRST: u32 = 20_000;
const COUNT: u32 = 10_000;

/// A port for a server that must be told its port. It is claimed until this process ends: the claim is an abstract unix
/// socket, which the kernel gives to one process at a time and takes back by itself.
pub fn free_port() -> u16 {
    static CLAIMS: Mutex<Vec<UnixListener>> = Mutex::new(Vec::new());
    static NEXT: AtomicU32 = AtomicU32::new(0);
    for _ in 0..COUNT {
        let offset = std::process::id().wrapping_mul(97).wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed));
        let port = u16::try_from(FIRST + offset % COUNT).unwrap();
        let name = SocketAddr::from_abstract_name(format!("feed-tests-port-{port}")).unwrap();
        if let Ok(claim) = UnixListener::bind_addr(&name)
            && TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).is_ok()
            && is_free_on_ipv6(port)
        {
            CLAIMS.lock().unwrap().push(claim);
            return port;
        }
    }
    panic!("no free port between {FIRST} and {}", FIRST + COUNT);
}

fn is_free_on_ipv6(port: u16) -> bool {
    match TcpListener::bind((Ipv6Addr::UNSPECIFIED, port)) {
        Ok(_) => true,
        Err(error) => error.kind() != std::io::ErrorKind::AddrInUse,
    }
}

/// A loopback address inside the service range of the control plane (127.96.0.0/16) that this process has not handed out
/// yet: a Service may have it as its `ClusterIP`, and a backend may listen on it.
pub fn loopback_address() -> Ipv4Addr {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    // Static ClusterIPs come from the lower part of the range; the API server hands out the upper part first.
    let offset = std::process::id().wrapping_mul(31).wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed));
    let [_, _, third, fourth] = (256 + offset % 16_000).to_be_bytes();
    Ipv4Addr::new(127, 96, third, fourth)
}
