//! One line of nginx's log of requests.

use std::str::Split;
use std::time::Duration;

use super::mark::RouteMark;

/// A request, as nginx logs it.
///
/// The line is `\r`, the fields of [`Record::FIELDS`] with tabs between them, and `\n`. nginx escapes every control
/// character in a value (`escape=default`), so that neither can be in one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    /// The route whose location was reached; `None` where none was.
    pub mark: Option<RouteMark>,
    /// The request's host as nginx chose the server by it; `None` where nobody declared it.
    pub host: Option<&'a str>,
    /// The status that was sent; 0 where the client went away before.
    pub status: u16,
    /// Bytes that the client sent.
    pub received: u64,
    /// Bytes that were sent to the client.
    pub sent: u64,
    /// From the request's first byte to the answer's last; nginx counts milliseconds.
    pub time: Duration,
    upstreams: [&'a str; 4],
}

/// What one endpoint was asked for a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attempt<'a> {
    /// Its address with the port. Where nginx had no endpoint to ask, this is the upstream's name.
    pub address: &'a str,
    /// What it answered; `None` where it did not.
    pub status: Option<u16>,
    /// Bytes that were sent to it.
    pub sent: u64,
    /// Bytes that it sent.
    pub received: u64,
}

impl<'a> Record<'a> {
    /// nginx's variables, in order. The first two are our own: see `templates/nginx.conf.j2`.
    pub const FIELDS: [&'static str; 10] = [
        "$feed_route",
        "$feed_host",
        "$status",
        "$request_length",
        "$bytes_sent",
        "$request_time",
        "$upstream_addr",
        "$upstream_status",
        "$upstream_bytes_sent",
        "$upstream_bytes_received",
    ];

    /// Reads a line, without the characters at its ends; `None` if it is none of ours.
    pub fn parse(line: &'a [u8]) -> Option<Self> {
        let line = std::str::from_utf8(line).ok().filter(|line| line.is_ascii())?;
        let mut fields = line.split('\t');
        let record = Self {
            mark: match present(fields.next()?) {
                None => None,
                Some(mark) => Some(RouteMark::parse(mark)?),
            },
            host: present(fields.next()?),
            status: fields.next()?.parse().ok()?,
            received: fields.next()?.parse().ok()?,
            sent: fields.next()?.parse().ok()?,
            time: seconds(fields.next()?)?,
            upstreams: [fields.next()?, fields.next()?, fields.next()?, fields.next()?],
        };
        fields.next().is_none().then_some(record)
    }

    /// The endpoints that were asked, in order; more than one where the first did not answer.
    pub fn attempts(&self) -> impl Iterator<Item = Attempt<'a>> + use<'a> {
        let [addresses, statuses, sent, received] = self.upstreams.map(list);
        let number = |text: Option<&str>| text.and_then(|text| text.parse().ok()).unwrap_or(0);
        let (mut statuses, mut sent, mut received) = (statuses, sent, received);
        addresses.filter_map(present).map(move |address| Attempt {
            address,
            status: statuses.next().and_then(|status| status.parse().ok()),
            sent: number(sent.next()),
            received: number(received.next()),
        })
    }
}

/// nginx writes `-` for a variable without a value, and nothing for an empty one.
fn present(field: &str) -> Option<&str> {
    (!matches!(field, "" | "-")).then_some(field)
}

/// A time in seconds with three digits behind the point.
fn seconds(time: &str) -> Option<Duration> {
    let (seconds, thousandths) = time.split_once('.')?;
    let thousandths = (thousandths.len() == 3).then(|| thousandths.parse::<u64>().ok())??;
    Duration::from_secs(seconds.parse().ok()?).checked_add(Duration::from_millis(thousandths))
}

/// The values of a variable about upstreams: one for each that was asked, `, ` between those of one upstream, ` : ` where
/// nginx went on to another one by an internal redirect (`ngx_http_upstream_module`).
fn list(values: &str) -> impl Iterator<Item = &str> {
    let all: Split<'_, &str> = values.split(" : ");
    all.flat_map(|values| values.split(", "))
}

#[cfg(test)]
mod tests;
