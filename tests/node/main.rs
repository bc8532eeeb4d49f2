//! The manifests on a real Kubernetes node: kubelet, kube-proxy, containerd, with requests coming all the time.
//!
//! Each test has a cluster of its own (`tests/node/start`), one at a time. They run where `FEED_NODE_TESTS` asks for them:
//! `make test-node`. `FEED_PROXY_MODE` is kube-proxy's mode in those that do not say it themselves.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "here a failed expectation is a failed test"
)]

mod backends;
mod cluster;
mod components;
mod install;
mod load;
