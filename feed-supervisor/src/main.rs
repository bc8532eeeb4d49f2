//! feed-ingress
fn main() {}
