//! What the end-to-end tests are made of: real servers on loopback, and clients that see every byte.
//!
//! Nothing here knows how feed works: the real binary is started with flags and looked at from outside. Whatever a test
//! starts runs inside a [`Sandbox`], which ends it.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    reason = "here a failed expectation is a failed test"
)]

mod aws;
mod backend;
mod balancer;
mod certificate;
mod client;
mod collector;
mod control_plane;
mod crossplane;
mod dns;
mod elb;
mod eventually;
mod feed;
mod feed_dns;
mod gorb;
mod http1;
mod load;
mod merlin;
mod metrics;
mod network;
mod nginx;
mod ports;
mod process;
mod proxy;
mod push_gateway;
mod route53;
mod sandbox;
mod tmpfs;
mod tools;

pub use aws::AwsEmulator;
pub use backend::{Backend, Echo};
pub use balancer::TcpBalancer;
pub use certificate::TestCertificate;
pub use client::{Begun, Connection, Http2Response, Request, Response, TlsClient, TlsConnection, send_http2};
pub use collector::{Collector, Span};
pub use control_plane::{ControlPlane, Namespace, Write};
pub use crossplane::{Crossplane, Directive};
pub use dns::Dns;
pub use elb::{Elb, ElbCall, ElbFault};
pub use eventually::{eventually, eventually_within};
pub use feed::{Feed, FeedBuilder};
pub use feed_dns::FeedDns;
pub use gorb::{Gorb, GorbCall};
pub use load::{Load, LoadReport};
pub use merlin::{HealthCheck, Merlin, MerlinCall, MerlinPeer, RealServer};
pub use metrics::{Family, parse_metrics, promtool_complaints};
pub use network::{ENDPOINTS, in_network_namespace};
pub use nginx::{NginxBinary, PlainNginx};
pub use ports::{free_port, loopback_address};
pub use process::{Process, is_running, parent_of, processes_in, title_of};
pub use proxy::Proxy;
pub use push_gateway::{PushGateway, ScriptedGateway};
pub use route53::{Call, Data as RecordData, Fault, Record, Route53};
pub use sandbox::Sandbox;
pub use tmpfs::Tmpfs;
pub use tools::{dns_binary, ingress_binary};
