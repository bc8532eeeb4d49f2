//! The machine that keeps zones in step with Ingresses: what is called when, and what follows from each answer.
//!
//! [`Keeper`] decides; its caller carries out each [`Command`] and reports with an [`Event`] what came of it, whatever the
//! order. Each zone is looked after for itself: one that cannot be opened, listed or changed holds up no other. A zone has
//! at most one reading call and one changing call under way.
//!
//! What Ingresses ask for goes out at once; what none asks for any more is deleted once the cluster has been quiet for a
//! moment, so that the guard against deleting too much sees all of a namespace go.

mod decide;
mod machine;
mod pauses;
mod search;
mod split;
mod view;
mod writer;
mod zone;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::batch::Batch;
use super::endpoint::Endpoint;
use super::plan::{Action, Rules};
use super::record::{RecordData, RecordSet};
use super::zone::{HostedZone, ZoneId, ZoneRecords};
use crate::desired::{IngressSummary, Scheme};
use crate::key::ObjectName;

pub use machine::Keeper;
pub use view::{Stage, ZoneView};

/// What does not change while the process runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// How often zones are listed and load balancers looked for although nothing has changed.
    pub resync_period: Duration,
    /// What decides besides the Ingresses.
    pub rules: Rules,
}

/// The adopted Ingresses in brief.
pub type Ingresses = Arc<BTreeMap<ObjectName, IngressSummary>>;

/// The load balancers that were found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// Where records may point to; several may have one scheme.
    pub endpoints: Vec<(Scheme, Endpoint)>,
    /// What was asked for and is not there, or not of use: sentences.
    pub missing: Vec<String>,
    /// What else an operator should know: sentences.
    pub warnings: Vec<String>,
}

/// Something that has happened.
#[derive(Clone, Debug)]
pub enum Event {
    /// These are the Ingresses now.
    Ingresses(Ingresses),
    /// [`Command::Find`] has been carried out, or could not be: a sentence.
    Found(Result<Found, String>),
    /// [`Command::Open`] has been carried out, or could not be: a sentence.
    Opened(ZoneId, Result<HostedZone, String>),
    /// [`Command::List`] has been carried out, or could not be: a sentence.
    Listed(ZoneId, Result<ZoneRecords, String>),
    /// [`Command::Change`] has been carried out, or not.
    Changed(ZoneId, Outcome),
    /// An operator wants everything to be looked at again.
    LookAgain,
    /// The time of [`Keeper::wake_at`] has come.
    Woken,
}

/// What became of a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// All of it was made.
    Accepted,
    /// Nothing of it was made, and one of the changes may be why.
    Refused(Refused),
    /// The call failed, for a reason that lies in none of the changes.
    Failed {
        /// A sentence.
        why: String,
        /// Whether it may have been carried out all the same.
        unknown: bool,
    },
}

/// A refusal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Refused {
    /// What is said of it; not empty.
    pub reasons: Vec<String>,
    /// Whether it is a matter of permissions, which may concern the whole zone.
    pub denied: bool,
    /// Whether an earlier try of the same call may have been carried out, so that the refusal may be its consequence.
    pub after_unknown: bool,
}

/// Something to be done. Each is reported back with the [`Event`] of its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Find the load balancers.
    Find,
    /// Ask what a zone is called.
    Open(ZoneId),
    /// List all of a zone's record sets.
    List(ZoneId),
    /// Make all changes of the batch, or none.
    Change(ZoneId, Batch),
}

/// Something that people should be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// Route 53 has made these changes.
    Changed(HostedZone, Vec<Line>),
    /// A change was refused: of these record sets, for this reason.
    Refused(HostedZone, Vec<Line>, String),
    /// Every change of a zone is refused, for this reason.
    Denied(HostedZone, String),
    /// A call for a zone, or (`None`) for the load balancers, failed and will be made again: a sentence.
    Failed(Option<ZoneId>, String),
    /// A call whose outcome is not known may have been carried out: the zone is listed again.
    Unknown(HostedZone, String),
    /// Another writer changes these names back each time: they are left alone from now on.
    Contested(HostedZone, Vec<String>),
}

/// One record set that was, or was to be, changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// What happens to it.
    pub action: Action,
    /// The record set as it is then; deleted, as it was.
    pub record: RecordSet,
    /// What it said before.
    pub before: Option<RecordData>,
    /// The Ingress that asks for it.
    pub ingress: Option<ObjectName>,
}

#[cfg(test)]
mod cloud;
#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;
