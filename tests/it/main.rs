//! End-to-end tests: the real binary, the real nginx, a real control plane.

mod harness;
