//! An HTTP/1.1 client that sends what it is told to, byte for byte.

mod connection;
mod request;
mod response;
mod tls;

pub use connection::{Begun, Connection};
pub use request::Request;
pub use response::Response;
pub use tls::{TlsClient, TlsConnection};
