//! `none` and `static`: others look after the load balancers, if there are any.

use std::collections::BTreeSet;

use feed_reconcile::desired::Scheme;
use feed_reconcile::membership::Standing;
use feed_reconcile::options::Endpoint;

use super::{Call, Frontend, Listing};

/// Load balancers that we neither join nor leave.
#[derive(Clone, Debug, Default)]
pub struct Fixed {
    /// What Ingress status says.
    pub endpoints: BTreeSet<(Scheme, Endpoint)>,
}

impl Frontend for Fixed {
    fn endpoints<'a>(&'a self, _: &'a BTreeSet<String>) -> Call<'a, Listing> {
        let listing = Listing { endpoints: self.endpoints.clone(), ..Listing::default() };
        Box::pin(async { Ok(listing) })
    }

    fn observe<'a>(&'a self, _: &'a str) -> Call<'a, Standing> {
        Box::pin(async { Ok(Standing::InService) })
    }

    fn attach<'a>(&'a self, _: &'a str) -> Call<'a, ()> {
        Box::pin(async { Ok(()) })
    }

    fn detach<'a>(&'a self, _: &'a str) -> Call<'a, ()> {
        Box::pin(async { Ok(()) })
    }
}
