//! Sizes that follow from what is served.

use crate::desired::DesiredState;
use crate::host::Host;
use crate::options::NginxOptions;

/// Idle connections that a worker keeps to all backends together, where their number is ours to choose.
///
/// nginx allocates the slots of every upstream in advance, some 160 bytes each, and never takes an idle backend
/// connection back for a client: without a bound a thousand upstreams would use up the worker's connections.
const IDLE_CONNECTIONS: u32 = 32_768;

/// The most idle connections to one upstream.
const KEEPALIVE_MAX: u32 = 512;

/// The fewest: fewer would open a connection for every other request.
const KEEPALIVE_MIN: u32 = 4;

/// Connections for clients and requests beside the idle ones.
const CLIENT_CONNECTIONS: u32 = 1024;

/// Files beside connections: listening sockets, logs, temporary files.
const OTHER_FILES: u32 = 512;

/// Sizes that follow from what is served. They grow in powers of two, so that few changes alter them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Capacity {
    /// Idle connections to each upstream, per worker.
    pub(super) keepalive: u32,
    pub(super) worker_connections: u32,
    /// What `worker_rlimit_nofile` is set to.
    pub(super) open_files: u64,
    pub(super) server_names_hash_bucket_size: u32,
    pub(super) server_names_hash_max_size: u32,
    /// The same of the map from the names of TLS handshakes.
    pub(super) handshake_hash_bucket_size: u32,
    pub(super) handshake_hash_max_size: u32,
}

impl Capacity {
    pub(super) fn of(state: &DesiredState, options: &NginxOptions) -> Self {
        let upstreams = u32::try_from(state.upstreams.len()).unwrap_or(u32::MAX).max(1);
        let upstreams = upstreams.checked_next_power_of_two().unwrap_or(u32::MAX);
        let keepalive = options
            .backend_keepalive_count
            .unwrap_or_else(|| (IDLE_CONNECTIONS / upstreams).clamp(KEEPALIVE_MIN, KEEPALIVE_MAX));
        let worker_connections = options.worker_connections.unwrap_or_else(|| {
            let idle = upstreams.saturating_mul(keepalive);
            let wanted =
                if idle <= CLIENT_CONNECTIONS / 2 { 0 } else { idle.saturating_add(CLIENT_CONNECTIONS) };
            let allowed =
                options.open_file_limit.map_or(u32::MAX, |limit| u32::try_from(limit).unwrap_or(u32::MAX));
            wanted.min(allowed.saturating_sub(OTHER_FILES)).max(CLIENT_CONNECTIONS)
        });
        let open_files = u64::from(worker_connections) + u64::from(OTHER_FILES);
        Self {
            keepalive,
            worker_connections,
            open_files: options.open_file_limit.map_or(open_files, |limit| open_files.min(limit)),
            server_names_hash_bucket_size: options
                .server_names_hash_bucket_size
                .unwrap_or_else(|| bucket_size(state.servers.keys())),
            server_names_hash_max_size: options
                .server_names_hash_max_size
                .unwrap_or_else(|| hash_max_size(state.servers.len())),
            handshake_hash_bucket_size: bucket_size(state.servers.keys()),
            handshake_hash_max_size: hash_max_size(state.servers.len()).max(2048),
        }
    }
}

/// Kilobytes of the shared memory of an upstream whose endpoints are followed: nginx needs some 500 bytes for each, and while
/// they change both the old and the new ones. It grows in powers of two, so that few changes alter it.
pub(super) fn zone_size(endpoints: usize) -> usize {
    64 * endpoints.div_ceil(32).max(1).next_power_of_two()
}

/// The names that share a bucket of the hash. With two buckets a name, so many in one of them is next to impossible;
/// where nginx finds no size at which they fit, it warns at each reload.
const NAMES_IN_A_BUCKET: usize = 8;

/// The size of a bucket that holds so many of the longest name: nginx keeps a name with a pointer and a length,
/// aligned to 8 bytes, and ends the bucket with another pointer; 64 is a cache line.
fn bucket_size<'a>(hosts: impl Iterator<Item = &'a Host>) -> u32 {
    let longest = hosts.map(|host| host.as_str().len()).max().unwrap_or(0);
    let name = 8 + (longest + 2).next_multiple_of(8);
    u32::try_from((NAMES_IN_A_BUCKET * name + 8).next_multiple_of(64)).unwrap_or(u32::MAX)
}

fn hash_max_size(hosts: usize) -> u32 {
    u32::try_from(hosts.saturating_mul(2))
        .ok()
        .and_then(u32::checked_next_power_of_two)
        .unwrap_or(u32::MAX)
        .max(512)
}
