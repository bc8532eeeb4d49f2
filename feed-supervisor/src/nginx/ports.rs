//! Whether nginx's ports are free, before nginx is started.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, TcpListener};

/// Why a port cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PortError {
    /// Somebody else listens on it.
    #[error("port {port} is in use by another process; stop that, or choose another port with {flag}")]
    InUse {
        /// The port.
        port: u16,
        /// The flag that sets it.
        flag: &'static str,
    },
    /// It is for the privileged.
    #[error(
        "port {port} may not be listened on: {source}; grant CAP_NET_BIND_SERVICE, or choose another port with {flag}"
    )]
    Refused {
        /// The port.
        port: u16,
        /// The flag that sets it.
        flag: &'static str,
        /// Why not.
        source: io::Error,
    },
}

/// Checks that nginx could listen on that port of every address, by doing so for a moment.
pub fn check_free(port: u16, flag: &'static str) -> Result<(), PortError> {
    let bound = match TcpListener::bind((Ipv6Addr::UNSPECIFIED, port)) {
        Err(error) if !is_about_port(&error) => TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)),
        bound => bound,
    };
    match bound {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => Err(PortError::InUse { port, flag }),
        Err(source) => Err(PortError::Refused { port, flag, source }),
    }
}

/// Whether the kernel lets IPv6 be listened on.
pub fn has_ipv6() -> bool {
    TcpListener::bind((Ipv6Addr::UNSPECIFIED, 0)).is_ok()
}

/// Whether it is the port that cannot be used, rather than IPv6.
fn is_about_port(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::AddrInUse | io::ErrorKind::PermissionDenied)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_that_is_in_use_is_named() {
        let holder = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap();
        let port = holder.local_addr().unwrap().port();
        let error = check_free(port, "--ingress-port").unwrap_err().to_string();
        assert_eq!(
            error,
            format!(
                "port {port} is in use by another process; stop that, or choose another port with --ingress-port"
            )
        );
        drop(holder);
        check_free(port, "--ingress-port").unwrap();
    }
}
