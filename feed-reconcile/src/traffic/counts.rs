//! Numbers of one route, and of one endpoint.

use std::time::Duration;

/// The hundreds of a status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "said by their names")]
pub enum Class {
    Informational,
    Success,
    Redirection,
    ClientError,
    ServerError,
}

impl Class {
    /// All of them, in order.
    pub const ALL: [Self; 5] =
        [Self::Informational, Self::Success, Self::Redirection, Self::ClientError, Self::ServerError];

    /// The class of a status; one that there is not counts with its next neighbour, since each request counts.
    pub fn of(status: u16) -> Self {
        match status {
            0..200 => Self::Informational,
            200..300 => Self::Success,
            300..400 => Self::Redirection,
            400..500 => Self::ClientError,
            500.. => Self::ServerError,
        }
    }

    /// As the label `code` has it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Informational => "1xx",
            Self::Success => "2xx",
            Self::Redirection => "3xx",
            Self::ClientError => "4xx",
            Self::ServerError => "5xx",
        }
    }
}

/// Numbers by the class of the status.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct ByClass {
    informational: u64,
    success: u64,
    redirection: u64,
    client_error: u64,
    server_error: u64,
}

impl ByClass {
    fn count(&mut self, class: Class) {
        let number = match class {
            Class::Informational => &mut self.informational,
            Class::Success => &mut self.success,
            Class::Redirection => &mut self.redirection,
            Class::ClientError => &mut self.client_error,
            Class::ServerError => &mut self.server_error,
        };
        *number += 1;
    }

    fn get(&self, class: Class) -> u64 {
        match class {
            Class::Informational => self.informational,
            Class::Success => self.success,
            Class::Redirection => self.redirection,
            Class::ClientError => self.client_error,
            Class::ServerError => self.server_error,
        }
    }

    fn total(&self) -> u64 {
        Class::ALL.into_iter().map(|class| self.get(class)).sum()
    }
}

/// How long requests took.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Latency {
    /// Requests in each bucket, those above the last bound at the end; empty before the first.
    buckets: Box<[u64]>,
    time: Duration,
}

impl Latency {
    fn count(&mut self, time: Duration, bounds: &[Duration]) {
        if self.buckets.is_empty() {
            self.buckets = vec![0; bounds.len() + 1].into();
        }
        let bucket = bounds.partition_point(|bound| *bound < time);
        if let Some(bucket) = self.buckets.get_mut(bucket) {
            *bucket += 1;
        }
        self.time = self.time.saturating_add(time);
    }

    /// Requests in each bucket and not in the one before, those above the last bound at the end.
    pub fn buckets(&self) -> &[u64] {
        &self.buckets
    }

    /// All their times together.
    pub fn time(&self) -> Duration {
        self.time
    }
}

/// What clients asked of one route.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RouteCounts {
    requests: ByClass,
    /// Bytes from clients.
    pub received: u64,
    /// Bytes to clients.
    pub sent: u64,
    /// How long they took.
    pub latency: Latency,
}

impl RouteCounts {
    /// Requests with such a status.
    pub fn requests(&self, class: Class) -> u64 {
        self.requests.get(class)
    }

    /// All requests.
    pub fn total(&self) -> u64 {
        self.requests.total()
    }

    pub(super) fn count(&mut self, record: &super::Record<'_>, bounds: &[Duration]) {
        self.requests.count(Class::of(record.status));
        self.received = self.received.saturating_add(record.received);
        self.sent = self.sent.saturating_add(record.sent);
        self.latency.count(record.time, bounds);
    }
}

/// What one endpoint was asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EndpointCounts {
    requests: ByClass,
    /// Bytes from the endpoint.
    pub received: u64,
    /// Bytes to the endpoint.
    pub sent: u64,
}

impl EndpointCounts {
    /// Requests that it answered so.
    pub fn requests(&self, class: Class) -> u64 {
        self.requests.get(class)
    }

    /// All requests.
    pub fn total(&self) -> u64 {
        self.requests.total()
    }

    pub(super) fn count(&mut self, attempt: &super::Attempt<'_>, class: Class) {
        self.requests.count(class);
        self.received = self.received.saturating_add(attempt.received);
        self.sent = self.sent.saturating_add(attempt.sent);
    }
}
