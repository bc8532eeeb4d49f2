//! Against the scripted Route 53.

mod cost;
mod faults;
mod foreign;
mod guard;
mod signals;
