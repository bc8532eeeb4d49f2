use std::sync::{Arc, Mutex};

use futures::FutureExt;
use opentelemetry_sdk::error::OTelSdkError;
use tracing_subscriber::layer::SubscriberExt;

use super::*;

/// Fails as long as it is told to.
#[derive(Clone, Debug, Default)]
struct Scripted(Arc<AtomicBool>);

impl Exporter for Scripted {
    async fn export(&self, _: Vec<SpanData>) -> OTelSdkResult {
        if self.0.load(Ordering::Relaxed) {
            Err(OTelSdkError::InternalFailure("away".into()))
        } else {
            Ok(())
        }
    }
}

/// Keeps the levels of what is logged.
#[derive(Clone, Default)]
struct Levels(Arc<Mutex<Vec<tracing::Level>>>);

impl<S: Subscriber> Layer<S> for Levels {
    fn on_event(&self, event: &tracing::Event<'_>, _: tracing_subscriber::layer::Context<'_, S>) {
        self.0.lock().unwrap().push(*event.metadata().level());
    }
}

#[test]
fn a_collector_that_goes_away_is_told_once_and_so_is_its_return() {
    let (exporter, levels) = (Scripted::default(), Levels::default());
    let observed = Observed { exporter: exporter.clone(), away: AtomicBool::new(false) };
    tracing::subscriber::with_default(tracing_subscriber::registry().with(levels.clone()), || {
        for away in [false, true, true, false, false, true] {
            exporter.0.store(away, Ordering::Relaxed);
            assert_eq!(observed.export(Vec::new()).now_or_never().unwrap().is_err(), away);
        }
    });
    assert_eq!(*levels.0.lock().unwrap(), [tracing::Level::WARN, tracing::Level::INFO, tracing::Level::WARN]);
}
