//! Against the scripted Route 53.

mod balancers;
mod cost;
mod credentials;
mod faults;
mod foreign;
mod guard;
mod owners;
mod refusals;
mod signals;
mod zones;
