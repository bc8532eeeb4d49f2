//! A name server for `ExternalName` Services.

use std::net::{Ipv4Addr, SocketAddr};

use tokio::net::UdpSocket;
use tokio::task::JoinHandle;

use crate::ports::loopback_address;

/// A DNS server that gives every name the same IPv4 address, and no IPv6 address, until it is dropped.
#[derive(Debug)]
pub struct Dns {
    address: SocketAddr,
    server: JoinHandle<()>,
}

impl Dns {
    /// Listens on a loopback address of its own.
    pub async fn start(answer: Ipv4Addr) -> Self {
        let socket = UdpSocket::bind((loopback_address(), 0)).await.unwrap();
        let address = socket.local_addr().unwrap();
        Self { address, server: tokio::spawn(serve(socket, answer)) }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Dns {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn serve(socket: UdpSocket, answer: Ipv4Addr) {
    let mut buffer = [0; 512];
    loop {
        let Ok((length, client)) = socket.recv_from(&mut buffer).await else { continue };
        if let Some(response) = response(&buffer[..length], answer) {
            socket.send_to(&response, client).await.ok();
        }
    }
}

/// RFC 1035, section 4: the header, the question again, and one resource record.
fn response(query: &[u8], answer: Ipv4Addr) -> Option<Vec<u8>> {
    const HEADER: usize = 12;
    const TYPE_A: [u8; 2] = [0, 1];
    let name = query.get(HEADER..)?.iter().position(|byte| *byte == 0)? + 1;
    let question = query.get(HEADER..HEADER + name + 4)?;
    let is_a = question[name..name + 2] == TYPE_A;
    let mut response = query[..2].to_vec();
    response.extend([0x84, 0x00, 0, 1, 0, u8::from(is_a), 0, 0, 0, 0]);
    response.extend(question);
    if is_a {
        // The name of the question; A, IN; 60 seconds; four bytes.
        response.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4]);
        response.extend(answer.octets());
    }
    Some(response)
}
