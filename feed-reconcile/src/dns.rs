//! DNS records in step with the Ingresses: which records there should be, and what to change so that there are.
//!
//! [`desired()`] gives each host to a zone and an endpoint; [`plan()`] compares that with what the zones hold;
//! [`batch`] cuts the changes into calls that Route 53 accepts. Nothing here calls anybody.

pub mod batch;
pub mod desired;
pub mod endpoint;
pub mod keeper;
pub mod name;
pub mod plan;
pub mod protect;
pub mod record;
pub mod registry;
pub mod zone;

pub use batch::{Batch, BatchLimits, batches};
pub use desired::{Caution, DesiredName, DesiredRecords, Problem, Unopened, desired};
pub use endpoint::{Endpoint, Endpoints, Target};
pub use name::RecordName;
pub use plan::{
    Action, Change, HeldBack, HeldBackReason, NameChange, Plan, Rules, View, ZonePlan, guard, plan,
};
pub use protect::Protected;
pub use record::{RecordData, RecordSet, RecordType, RoutingPolicy};
pub use registry::{InvalidOwnerId, OwnerId};
pub use zone::{HostedZone, Visibility, ZoneId, ZoneRecords, Zones};

#[cfg(test)]
mod model;
#[cfg(test)]
mod tests;
