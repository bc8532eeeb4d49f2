//! Answers that were cut off.

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::AfterDeserializationInterceptorContextRef;
use aws_smithy_runtime_api::client::orchestrator::Metadata;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;

/// Refuses answers of the query protocol that lack their end: the SDK takes a document that is cut off for a whole one, and
/// what is missing would look as if it were gone.
#[derive(Clone, Copy, Debug)]
pub(super) struct WholeAnswers;

#[derive(Debug, thiserror::Error)]
#[error("the answer was cut off")]
struct CutOff;

impl Intercept for WholeAnswers {
    fn name(&self) -> &'static str {
        "WholeAnswers"
    }

    fn read_after_deserialization(
        &self,
        context: &AfterDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let answer = context.response();
        let Some(operation) = config.load::<Metadata>().map(Metadata::name) else { return Ok(()) };
        let is_whole =
            |body: &[u8]| body.trim_ascii_end().ends_with(format!("</{operation}Response>").as_bytes());
        match answer.body().bytes() {
            Some(body) if answer.status().is_success() && !is_whole(body) => Err(CutOff.into()),
            _ => Ok(()),
        }
    }
}
