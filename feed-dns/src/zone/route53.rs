//! Route 53.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use aws_config::SdkConfig;
use aws_sdk_route53::Client;
use aws_sdk_route53::config::StalledStreamProtectionConfig;
use aws_sdk_route53::config::timeout::TimeoutConfig;
use aws_sdk_route53::error::{BuildError, SdkError};
use aws_sdk_route53::operation::change_resource_record_sets::ChangeResourceRecordSetsError;
use aws_sdk_route53::types::{self, ChangeAction, ChangeBatch, ResourceRecord, ResourceRecordSet, RrType};
use feed_reconcile::dns::keeper::{Outcome, Refused};
use feed_reconcile::dns::registry::is_entry;
use feed_reconcile::dns::{
    Action, Batch, Change, HostedZone, RecordData, RecordName, RecordSet, RecordType, RoutingPolicy,
    Visibility, ZoneId, ZoneRecords,
};
use feed_supervisor::runtime::aws::calls::AwsCalls;
use feed_supervisor::runtime::aws::limit::{Ticket, Turns};
use feed_supervisor::runtime::aws::renew::AgainWithOthers;
use feed_supervisor::runtime::aws::{CallError, limited_http_client};

use super::HostedZones;

mod attempts;

use attempts::Attempts;

/// Requests a second that Route 53 answers an account ("Quotas" of its developer guide); more are throttled.
const REQUESTS_PER_SECOND: NonZeroU32 = NonZeroU32::new(5).unwrap();

/// How long one request may take, once it has had its turn.
const LONGEST_REQUEST: Duration = Duration::from_secs(15);

/// Record sets in one page of a listing: the most that Route 53 gives.
const PAGE_SIZE: i32 = 300;

/// Route 53; clones share its quota.
#[derive(Clone, Debug)]
pub struct Route53 {
    client: Client,
    turns: Turns,
}

impl Route53 {
    /// A client with these settings, but kept to Route 53's quota.
    pub fn new(config: &SdkConfig, calls: &AwsCalls) -> Self {
        let turns = Turns::new(REQUESTS_PER_SECOND);
        // The client itself would count the time in the queue.
        let config = aws_sdk_route53::config::Builder::from(config)
            .http_client(limited_http_client(&turns, ticket, LONGEST_REQUEST))
            .timeout_config(TimeoutConfig::disabled())
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
            .interceptor(calls.clone())
            .retry_classifier(AgainWithOthers);
        Self { client: Client::from_conf(config.build()), turns }
    }

    /// The turns of its requests.
    pub fn turns(&self) -> &Turns {
        &self.turns
    }
}

/// Changes go before everything else; zones are opened before they are listed, since hosts are given to zones by their names.
fn ticket(method: &str, uri: &str) -> Ticket {
    let path = uri.split_once("/hostedzone/").map_or("", |(_, rest)| rest);
    let zone = path.split(['/', '?']).next().unwrap_or_default();
    let rank = match (method, path.contains("/rrset"), path.contains("name=")) {
        ("POST", ..) => 0,
        (_, false, _) => 1,
        (_, true, false) => 2,
        (_, true, true) => 3,
    };
    Ticket { rank, subject: zone.to_owned() }
}

impl HostedZones for Route53 {
    async fn open(&self, id: &ZoneId) -> Result<HostedZone, CallError> {
        let operation = || format!("GetHostedZone of zone {id}");
        let answer = self.client.get_hosted_zone().id(id.as_str()).send().await;
        let answer = answer.map_err(|error| CallError::of(operation(), &error))?;
        let zone = answer.hosted_zone().ok_or_else(|| broken(operation(), "the answer names no zone"))?;
        let private = zone.config().is_some_and(types::HostedZoneConfig::private_zone);
        Ok(HostedZone {
            id: id.clone(),
            name: RecordName::new(zone.name()),
            visibility: if private { Visibility::Private } else { Visibility::Public },
        })
    }

    async fn list(&self, id: &ZoneId) -> Result<ZoneRecords, CallError> {
        let mut records = Vec::new();
        let mut page =
            self.client.list_resource_record_sets().hosted_zone_id(id.as_str()).max_items(PAGE_SIZE);
        loop {
            let operation = || format!("ListResourceRecordSets of zone {id}");
            let answer = page.clone().send().await.map_err(|error| CallError::of(operation(), &error))?;
            // Comes last in the answer. The SDK takes a document that is cut off for a whole one.
            if answer.max_items == 0 {
                return Err(broken(operation(), "the answer was cut off"));
            }
            records.extend(answer.resource_record_sets.iter().map(record_set));
            if !answer.is_truncated {
                return Ok(records.into_iter().collect());
            }
            page = page
                .set_start_record_name(answer.next_record_name)
                .set_start_record_type(answer.next_record_type)
                .set_start_record_identifier(answer.next_record_identifier);
        }
    }

    async fn change(&self, id: &ZoneId, batch: &Batch) -> Outcome {
        let operation = || format!("ChangeResourceRecordSets of zone {id}");
        let batch = match change_batch(batch) {
            Ok(batch) => batch,
            Err(error) => {
                let reasons = vec![error.to_string()];
                return Outcome::Refused(Refused { reasons, ..Refused::default() });
            }
        };
        let unknown = Arc::new(AtomicBool::new(false));
        let call = self.client.change_resource_record_sets().hosted_zone_id(id.as_str()).change_batch(batch);
        let answer = call.customize().interceptor(Attempts(Arc::clone(&unknown))).send().await;
        let Err(error) = answer else { return Outcome::Accepted };
        let unknown = unknown.load(Ordering::Relaxed);
        let refused = |reasons, denied| Outcome::Refused(Refused { reasons, denied, after_unknown: unknown });
        if let Some(reasons) = refusal(&error) {
            return refused(reasons, false);
        }
        let error = CallError::of(operation(), &error);
        if error.refused && error.code.is_some() && !error.is_any_of(NOT_OF_A_CHANGE) {
            return refused(vec![error.to_string()], error.is_any_of(DENIED));
        }
        Outcome::Failed { why: error.to_string(), unknown }
    }
}

/// Codes of refusals that lie in no single change: of the caller, the zone, or the moment.
const NOT_OF_A_CHANGE: &[&str] = &[
    "AuthFailure",
    "ExpiredToken",
    "ExpiredTokenException",
    "IncompleteSignature",
    "InvalidAccessKeyId",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "InvalidToken",
    "LimitExceeded",
    "MissingAuthenticationToken",
    "NoSuchHostedZone",
    "OptInRequired",
    "PriorRequestNotComplete",
    "RequestExpired",
    "RequestLimitExceeded",
    "RequestThrottled",
    "RequestTimeTooSkewed",
    "SignatureDoesNotMatch",
    "SlowDown",
    "ThrottledException",
    "Throttling",
    "ThrottlingException",
    "TooManyRequestsException",
    "UnrecognizedClientException",
];

/// Codes of refusals for lack of permission, which may be of one name, type or action, or of the whole zone.
const DENIED: &[&str] = &["AccessDenied", "AccessDeniedException", "NotAuthorized", "UnauthorizedOperation"];

fn broken(operation: String, message: &str) -> CallError {
    CallError { operation, code: None, message: message.to_owned(), refused: false }
}

/// What is wrong with a batch, where that is why the call failed; not empty then.
///
/// Route 53 says it in two forms: as an error like all others, whose message lists the reasons in brackets, and as a
/// document of its own, which the SDK does not understand.
fn refusal(error: &SdkError<ChangeResourceRecordSetsError>) -> Option<Vec<String>> {
    let SdkError::ServiceError(error) = error else { return None };
    if let ChangeResourceRecordSetsError::InvalidChangeBatch(batch) = error.err() {
        let messages = batch.messages().to_vec();
        let message = batch.message().unwrap_or("no reason is given").to_owned();
        return Some(if messages.is_empty() { vec![message] } else { messages });
    }
    let body = std::str::from_utf8(error.raw().body().bytes()?).ok()?;
    let (_, document) = body.split_once("<InvalidChangeBatch")?;
    let messages = document.split("<Message>").skip(1).filter_map(|rest| rest.split_once("</Message>"));
    let messages: Vec<String> = messages.map(|(message, _)| unescaped(message)).collect();
    Some(if messages.is_empty() { vec!["no reason is given".to_owned()] } else { messages })
}

/// XML text as it is meant.
fn unescaped(text: &str) -> String {
    let entities =
        [("&lt;", "<"), ("&gt;", ">"), ("&apos;", "'"), ("&#39;", "'"), ("&quot;", "\""), ("&amp;", "&")];
    entities.iter().fold(text.to_owned(), |text, (entity, character)| text.replace(entity, character))
}

/// A record set as it is listed. The values of records that are never changed are left out.
fn record_set(listed: &ResourceRecordSet) -> RecordSet {
    let record_type = RecordType::new(listed.r#type().as_str());
    let data = match listed.alias_target() {
        Some(target) => RecordData::Alias {
            dns_name: target.dns_name().to_owned(),
            zone_id: target.hosted_zone_id().to_owned(),
            evaluate_target_health: target.evaluate_target_health(),
        },
        None => RecordData::Values {
            ttl_seconds: listed.ttl().and_then(|ttl| u64::try_from(ttl).ok()).unwrap_or_default(),
            values: listed
                .resource_records()
                .iter()
                .map(types::ResourceRecord::value)
                .filter(|value| record_type.is_address() || is_entry(value))
                .map(str::to_owned)
                .collect(),
        },
    };
    RecordSet { name: RecordName::new(listed.name()), record_type, data, routing: routing_policy(listed) }
}

fn routing_policy(listed: &ResourceRecordSet) -> Option<RoutingPolicy> {
    let policies = [
        (listed.traffic_policy_instance_id().is_some(), RoutingPolicy::TrafficPolicy),
        (listed.weight().is_some(), RoutingPolicy::Weighted),
        (listed.region().is_some(), RoutingPolicy::Latency),
        (listed.failover().is_some(), RoutingPolicy::Failover),
        (listed.geo_location().is_some(), RoutingPolicy::Geolocation),
        (listed.geo_proximity_location().is_some(), RoutingPolicy::Geoproximity),
        (listed.cidr_routing_config().is_some(), RoutingPolicy::IpBased),
        (listed.multi_value_answer().is_some(), RoutingPolicy::MultivalueAnswer),
        (listed.set_identifier().is_some() || listed.health_check_id().is_some(), RoutingPolicy::Other),
    ];
    policies.into_iter().find_map(|(is_there, policy)| is_there.then_some(policy))
}

fn change_batch(batch: &Batch) -> Result<ChangeBatch, BuildError> {
    let changes = batch.changes.iter().flat_map(|change| &change.changes).map(change);
    ChangeBatch::builder().set_changes(Some(changes.collect::<Result<_, _>>()?)).build()
}

fn change(change: &Change) -> Result<types::Change, BuildError> {
    let action = match change.action {
        Action::Create => ChangeAction::Create,
        Action::Upsert => ChangeAction::Upsert,
        Action::Delete => ChangeAction::Delete,
    };
    let record = &change.record;
    let written = ResourceRecordSet::builder()
        .name(record.name.as_str())
        .r#type(RrType::from(record.record_type.as_str()));
    let written = match &record.data {
        RecordData::Alias { dns_name, zone_id, evaluate_target_health } => written.alias_target(
            types::AliasTarget::builder()
                .dns_name(dns_name)
                .hosted_zone_id(zone_id)
                .evaluate_target_health(*evaluate_target_health)
                .build()?,
        ),
        RecordData::Values { ttl_seconds, values } => {
            let values = values.iter().map(|value| ResourceRecord::builder().value(value).build());
            written
                .ttl(i64::try_from(*ttl_seconds).unwrap_or(i64::MAX))
                .set_resource_records(Some(values.collect::<Result<_, _>>()?))
        }
    };
    types::Change::builder().action(action).resource_record_set(written.build()?).build()
}

#[cfg(test)]
mod tests;
