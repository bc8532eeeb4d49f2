//! Stand-ins and builders for the end-to-end tests.
