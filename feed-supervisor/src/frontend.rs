//! Through what the clients come.
//!
//! `none` and `static` have nothing to join or to leave: others look after their load balancers, if there are any.

use feed_reconcile::desired::Scheme;
use feed_reconcile::options::Endpoint;
use serde_json::{Value, json};

use crate::config::Frontend;

/// What `/status` shows of the frontends.
pub fn page(frontend: &Frontend) -> Value {
    match frontend {
        Frontend::None => json!([]),
        Frontend::Static(balancers) => {
            let page = |(scheme, endpoint): &(Scheme, Endpoint)| {
                let endpoint = match endpoint {
                    Endpoint::Ip(address) => address.to_string(),
                    Endpoint::Name(host) => host.to_string(),
                };
                json!({ "kind": "static", "scheme": scheme.as_str(), "endpoint": endpoint })
            };
            balancers.endpoints.iter().map(page).collect()
        }
    }
}
