//! Route 53's XML.

use roxmltree::{Document, Node};

use super::record::{Data, Record};
use super::zone::{Change, Zone};

const NAMESPACE: &str = "https://route53.amazonaws.com/doc/2013-04-01/";

/// The changes of a `ChangeResourceRecordSetsRequest`.
pub(super) fn changes(body: &str) -> Vec<Change> {
    let document = Document::parse(body).unwrap();
    document
        .descendants()
        .filter(|node| node.has_tag_name((NAMESPACE, "Change")))
        .map(|node| {
            let set = child(node, "ResourceRecordSet").unwrap();
            let text = |name| child(set, name).and_then(|node| node.text()).unwrap_or_default();
            let data = match child(set, "AliasTarget") {
                Some(target) => {
                    let text = |name| child(target, name).and_then(|node| node.text()).unwrap_or_default();
                    let health = text("EvaluateTargetHealth") == "true";
                    Data::Alias(text("HostedZoneId").to_owned(), text("DNSName").to_owned(), health)
                }
                None => Data::Values(text("TTL").parse().unwrap(), values(set)),
            };
            let action = child(node, "Action").and_then(|node| node.text()).unwrap_or_default().to_owned();
            Change { action, record: Record::new(text("Type"), text("Name"), data) }
        })
        .collect()
}

fn values(set: Node<'_, '_>) -> Vec<String> {
    set.descendants()
        .filter(|node| node.has_tag_name((NAMESPACE, "Value")))
        .map(|node| node.text().unwrap_or_default().to_owned())
        .collect()
}

fn child<'a, 'b>(node: Node<'a, 'b>, name: &str) -> Option<Node<'a, 'b>> {
    node.children().find(|child| child.has_tag_name((NAMESPACE, name)))
}

pub(super) fn hosted_zone(id: &str, zone: &Zone) -> String {
    let (name, private) = (&zone.name, zone.private);
    format!(
        "<GetHostedZoneResponse xmlns=\"{NAMESPACE}\"><HostedZone><Id>/hostedzone/{id}</Id><Name>{name}</Name>\
         <CallerReference>1</CallerReference><Config><PrivateZone>{private}</PrivateZone></Config></HostedZone>\
         </GetHostedZoneResponse>"
    )
}

/// A page of records; the first of the next page, if there is one, is named at its end.
pub(super) fn listing(page: &[&Record], next: Option<&Record>, max_items: usize) -> String {
    let sets: String = page.iter().map(|record| record_set(record)).collect();
    let next_fields = next.map(|record| {
        let identifier = record.set_identifier.as_ref();
        let identifier = identifier.map(|it| format!("<NextRecordIdentifier>{it}</NextRecordIdentifier>"));
        format!(
            "<NextRecordName>{}</NextRecordName><NextRecordType>{}</NextRecordType>{}",
            record.name,
            record.kind,
            identifier.unwrap_or_default()
        )
    });
    format!(
        "<ListResourceRecordSetsResponse xmlns=\"{NAMESPACE}\"><ResourceRecordSets>{sets}</ResourceRecordSets>\
         <IsTruncated>{}</IsTruncated>{}<MaxItems>{max_items}</MaxItems></ListResourceRecordSetsResponse>",
        next.is_some(),
        next_fields.unwrap_or_default()
    )
}

fn record_set(record: &Record) -> String {
    let identifier = record.set_identifier.as_ref();
    let identifier = identifier.map(|it| format!("<SetIdentifier>{it}</SetIdentifier>")).unwrap_or_default();
    let data = match &record.data {
        Data::Alias(zone, target, health) => format!(
            "<AliasTarget><HostedZoneId>{zone}</HostedZoneId><DNSName>{target}</DNSName>\
             <EvaluateTargetHealth>{health}</EvaluateTargetHealth></AliasTarget>"
        ),
        Data::Values(ttl, values) => {
            let value = |value: &String| {
                let value = value.replace('&', "&amp;").replace('<', "&lt;");
                format!("<ResourceRecord><Value>{value}</Value></ResourceRecord>")
            };
            let values: String = values.iter().map(value).collect();
            format!("<TTL>{ttl}</TTL><ResourceRecords>{values}</ResourceRecords>")
        }
    };
    format!(
        "<ResourceRecordSet><Name>{}</Name><Type>{}</Type>{identifier}{}{data}</ResourceRecordSet>",
        record.name, record.kind, record.routing
    )
}

/// A change is never more than accepted here: it stays pending for ever.
pub(super) fn pending() -> String {
    format!(
        "<ChangeResourceRecordSetsResponse xmlns=\"{NAMESPACE}\"><ChangeInfo><Id>/change/C1</Id>\
         <Status>PENDING</Status><SubmittedAt>2026-01-01T00:00:00Z</SubmittedAt></ChangeInfo>\
         </ChangeResourceRecordSetsResponse>"
    )
}

pub(super) fn error(code: &str, message: &str) -> String {
    format!(
        "<ErrorResponse xmlns=\"{NAMESPACE}\"><Error><Type>Sender</Type><Code>{code}</Code>\
         <Message>{message}</Message></Error><RequestId>1</RequestId></ErrorResponse>"
    )
}

/// Route 53 has two forms for this.
pub(super) fn invalid_change_batch(messages: &[String]) -> String {
    if let [message] = messages {
        return error("InvalidChangeBatch", &format!("[{message}]"));
    }
    let messages = messages.join("</Message><Message>");
    format!(
        "<InvalidChangeBatch xmlns=\"{NAMESPACE}\"><Messages><Message>{messages}</Message></Messages>\
         <RequestId>1</RequestId></InvalidChangeBatch>"
    )
}
