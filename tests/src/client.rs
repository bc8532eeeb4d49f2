//! An HTTP/1.1 client that sends what it is told to, byte for byte.

mod connection;
mod http2;
mod request;
mod response;
mod tls;

pub use connection::{Begun, Connection};
pub use http2::{Http2Response, send_http2};
pub use request::Request;
pub use response::Response;
pub use tls::{TlsClient, TlsConnection};
