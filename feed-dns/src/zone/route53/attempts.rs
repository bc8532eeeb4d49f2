//! What became of a call's earlier tries.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use aws_sdk_route53::config::interceptors::FinalizerInterceptorContextRef;
use aws_sdk_route53::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_route53::error::BoxError;

/// Notes that a try may have been carried out although it was not answered as it should: what is refused later may be
/// refused because of that.
#[derive(Debug)]
pub(super) struct Attempts(pub(super) Arc<AtomicBool>);

impl Intercept for Attempts {
    fn name(&self) -> &'static str {
        "Attempts"
    }

    fn read_after_attempt(
        &self,
        context: &FinalizerInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let failed = context.output_or_error().is_none_or(|result| result.is_err());
        let refused = context.response().is_some_and(|answer| answer.status().is_client_error());
        if failed && !refused {
            self.0.store(true, Ordering::Relaxed);
        }
        Ok(())
    }
}
