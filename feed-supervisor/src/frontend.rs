//! Through what the clients come: one implementation of [`Frontend`] for each kind, and one [`runner`] that joins and leaves.
//!
//! No frontend decides or waits: when to call it, and how often, is [`feed_reconcile::membership`]'s business.

mod alb;
pub mod aws;
mod elb;
pub mod fixed;
pub mod gorb;
pub mod merlin;
mod nlb;
mod page;
pub mod runner;
pub mod vip;

use std::collections::BTreeSet;

use feed_reconcile::desired::Scheme;
use feed_reconcile::membership::{Failure, Standing};
use feed_reconcile::options::Endpoint;
use futures::future::BoxFuture;

/// What a call to a load balancer comes to.
pub type Call<'a, T> = BoxFuture<'a, Result<T, Failure>>;

/// One kind of load balancers. Every call has a time limit of its own, and can be repeated without harm.
pub trait Frontend: Send + Sync {
    /// Finds the load balancers that we belong to. These may know us: what became of them is told too.
    fn endpoints<'a>(&'a self, known: &'a BTreeSet<String>) -> Call<'a, Listing>;

    /// Looks how a load balancer sees us.
    fn observe<'a>(&'a self, name: &'a str) -> Call<'a, Standing>;

    /// Registers with a load balancer.
    fn attach<'a>(&'a self, name: &'a str) -> Call<'a, ()>;

    /// Makes a load balancer send nothing new.
    fn detach<'a>(&'a self, name: &'a str) -> Call<'a, ()>;

    /// Removes what a load balancer still has of us once the requests are done; only where that is something else than
    /// to detach.
    fn release<'a>(&'a self, _name: &'a str) -> Call<'a, ()> {
        Box::pin(async { Ok(()) })
    }

    /// Undoes on this machine what attaching has changed.
    fn clean_up(&self) -> Call<'_, ()> {
        Box::pin(async { Ok(()) })
    }
}

/// The load balancers that we belong to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    /// The names by which they are attached to.
    pub balancers: Vec<String>,
    /// Those that know us, and are not ours any more: we stay until somebody takes us out.
    pub former: Vec<String>,
    /// Those that know us, and are others' by now: we leave them.
    pub foreign: Vec<String>,
    /// What has failed all the same: sentences. It is listed again soon.
    pub failures: Vec<String>,
    /// Whether some may be missing because of that.
    pub incomplete: bool,
    /// Whether some of the endpoints may be missing, for that or another reason.
    pub endpoints_incomplete: bool,
    /// What Ingress status says, by the `sky.uk/frontend-scheme` of the Ingresses.
    pub endpoints: BTreeSet<(Scheme, Endpoint)>,
    /// What is odd about them: sentences.
    pub remarks: Vec<String>,
    /// Why some that should be there are not among them: sentences. Unhealthy, though the others serve.
    pub faults: Vec<String>,
}
