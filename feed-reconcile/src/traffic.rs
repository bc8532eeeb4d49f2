//! Requests, as nginx logs them, counted by route and by endpoint.
//!
//! nginx writes a line for each request ([`Record`]); its location says which route it belongs to by a [`RouteMark`], and
//! the [`Ledger`] finds the labels. What becomes a label is declared by an Ingress, a Service or an EndpointSlice, never
//! sent by a client.

mod counts;
mod endpoints;
mod ledger;
mod mark;
mod record;
mod retired;
mod routes;

pub use counts::{Class, EndpointCounts, Latency, RouteCounts};
pub use ledger::{Ledger, NO_ROUTE, UNDECLARED};
pub use mark::RouteMark;
pub use record::{Attempt, Record};
