//! Its HTTP.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt, BufStream};
use tokio::net::{TcpListener, TcpStream};

use super::record::Data;
use super::{Call, Fault, State, xml};
use crate::http1::{read_body, read_head};

/// Route 53's quota for an account.
const REQUESTS_A_SECOND: usize = 5;

/// A client that keeps to the quota may still be early by the jitter of a loaded machine.
const QUOTA_WINDOW: Duration = Duration::from_millis(800);

pub(super) async fn serve(listener: TcpListener, state: Arc<Mutex<State>>) {
    while let Ok((stream, _)) = listener.accept().await {
        let state = Arc::clone(&state);
        tokio::spawn(async move { converse(stream, &state).await.ok() });
    }
}

async fn converse(stream: TcpStream, state: &Mutex<State>) -> std::io::Result<()> {
    let mut stream = BufStream::new(stream);
    while let Some(head) = read_head(&mut stream).await? {
        let body = read_body(&mut stream, &head, false).await?;
        let body = String::from_utf8(body.bytes).unwrap();
        let latency = state.lock().unwrap().latency;
        tokio::time::sleep(latency).await;
        let key = head.header("authorization").and_then(|it| it.split(['=', '/']).nth(1)).unwrap_or_default();
        let answer = state.lock().unwrap().answer(&head.first_line, &body, key);
        let (status, answer) = match answer {
            Answer::Text(status, answer) => (status, answer),
            Answer::Closed => return Ok(()),
            Answer::Never => {
                // The client gives up, and closes.
                stream.read_u8().await.ok();
                return Ok(());
            }
        };
        let length = answer.len();
        let answer = format!(
            "HTTP/1.1 {status} Answer\r\nContent-Type: text/xml\r\nContent-Length: {length}\r\n\r\n{answer}"
        );
        stream.write_all(answer.as_bytes()).await?;
        stream.flush().await?;
    }
    Ok(())
}

/// What comes of a request.
enum Answer {
    /// The status and body.
    Text(u16, String),
    /// The connection is closed.
    Closed,
    /// Nothing.
    Never,
}

impl State {
    fn answer(&mut self, first_line: &str, body: &str, key: &str) -> Answer {
        if self.refused_keys.iter().any(|refused| refused == key) {
            return Answer::Text(403, xml::error("ExpiredToken", "The token has expired"));
        }
        let target = first_line.split(' ').nth(1).unwrap_or_default();
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
        let (operation, zone) = match (first_line.split(' ').next(), segments.as_slice()) {
            (Some("GET"), [_, "hostedzone", zone]) => ("GetHostedZone", *zone),
            (Some("GET"), [_, "hostedzone", zone, "rrset"]) => ("ListResourceRecordSets", *zone),
            (Some("POST"), [_, "hostedzone", zone, "rrset"]) => ("ChangeResourceRecordSets", *zone),
            _ => return Answer::Text(404, xml::error("UnknownOperation", first_line)),
        };
        let changes = if operation.starts_with("Change") { xml::changes(body) } else { Vec::new() };
        let mut call =
            Call { operation, zone: zone.to_owned(), changes: changes.len(), status: 0, at: Instant::now() };
        let fault = self.faults.iter().position(|(of, _)| *of == operation);
        let fault = fault.and_then(|index| self.faults.remove(index)).map(|(_, fault)| fault);
        let lasting = self.lasting.iter().find(|(id, of, _)| id == zone && *of == operation);
        let fault = fault.or(lasting.map(|(_, _, fault)| *fault));
        let (status, answer) = match (self.is_throttled(call.at), fault) {
            (true, _) => (400, xml::error("Throttling", "Rate exceeded")),
            (false, Some(Fault::Error(status, code))) => (status, xml::error(code, "as the test asked for")),
            (false, Some(Fault::Hang)) => (0, String::new()),
            _ if !self.zones.contains_key(zone) => {
                (404, xml::error("NoSuchHostedZone", &format!("No hosted zone found with ID: {zone}")))
            }
            _ => self.carry_out(operation, zone, query, &changes),
        };
        call.status = status;
        self.calls.push(call);
        match fault {
            Some(Fault::Unanswered) => Answer::Closed,
            Some(Fault::Hang) => Answer::Never,
            Some(Fault::Lost) => Answer::Text(502, String::new()),
            _ => Answer::Text(status, answer),
        }
    }

    fn is_throttled(&mut self, now: Instant) -> bool {
        self.recent.retain(|at| now.duration_since(*at) < QUOTA_WINDOW);
        let throttled = self.recent.len() >= REQUESTS_A_SECOND;
        self.recent.push_back(now);
        self.throttled += usize::from(throttled);
        throttled
    }

    fn carry_out(
        &mut self,
        operation: &str,
        id: &str,
        query: &str,
        changes: &[super::zone::Change],
    ) -> (u16, String) {
        let zone = self.zones.get_mut(id).unwrap();
        match operation {
            "GetHostedZone" => (200, xml::hosted_zone(id, zone)),
            "ListResourceRecordSets" => {
                let asked = parameter(query, "maxitems").and_then(|text| text.parse().ok()).unwrap_or(300);
                let size = self.page_size.min(asked);
                let (name, kind) = (parameter(query, "name"), parameter(query, "type"));
                let identifier = parameter(query, "identifier");
                let records = zone.records_from(name.as_deref(), kind.as_deref(), identifier.as_deref());
                let (page, rest) = records.split_at(size.min(records.len()));
                (200, xml::listing(page, rest.first().copied(), size))
            }
            _ if zone.read_only => {
                let message = "User is not authorized to perform: route53:ChangeResourceRecordSets";
                (403, xml::error("AccessDenied", message))
            }
            _ if self.denied.iter().any(|denied| denied.zone == id && denied.concerns(changes)) => {
                let message = "User is not authorized to perform: route53:ChangeResourceRecordSets";
                (403, xml::error("AccessDenied", message))
            }
            _ if !unknown_targets(&self.unknown_targets, changes).is_empty() => {
                (400, xml::invalid_change_batch(&unknown_targets(&self.unknown_targets, changes)))
            }
            _ => match zone.change(changes) {
                Ok(()) => (200, xml::pending()),
                Err(messages) => (400, xml::invalid_change_batch(&messages)),
            },
        }
    }
}

impl super::Denied {
    fn concerns(&self, changes: &[super::zone::Change]) -> bool {
        let name = |it: &super::zone::Change| it.record.name.trim_end_matches('.').to_owned();
        changes.iter().any(|it| (self.is_denied)(&it.action, &name(it), &it.record.kind))
    }
}

/// What is said of aliases whose target is not known: at most three of them are named.
fn unknown_targets(unknown: &[String], changes: &[super::zone::Change]) -> Vec<String> {
    let messages = changes.iter().filter_map(|change| match &change.record.data {
        Data::Alias(zone, target, _) if change.action != "DELETE" && unknown.contains(target) => Some(format!(
            "Tried to create an alias that targets {target}, type {} in zone {zone}, but that target was not found",
            change.record.kind
        )),
        _ => None,
    });
    messages.take(3).collect()
}

/// A parameter of a query, percent-decoded.
fn parameter(query: &str, name: &str) -> Option<String> {
    let value = query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))?;
    let mut bytes = Vec::new();
    let mut rest = value.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let digits = [rest.next().unwrap(), rest.next().unwrap()];
            bytes.push(u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap());
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}
