//! Against the scripted Route 53.

mod balancers;
mod cost;
mod faults;
mod foreign;
mod guard;
mod owners;
mod refusals;
mod signals;
mod zones;
