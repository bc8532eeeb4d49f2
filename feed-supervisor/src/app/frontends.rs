//! The frontend that was asked for, and what the machine that joins and leaves has to know.

use std::time::Duration;

use feed_reconcile::apply::Running;
use feed_reconcile::membership::Settings;

use crate::config::{AwsBalancers, Config, Frontend, Joining};
use crate::frontend;
use crate::frontend::fixed::Fixed;
use crate::frontend::gorb::Gorb;
use crate::frontend::merlin::Merlin;
use crate::runtime::aws::calls::AwsCalls;
use crate::runtime::metrics::Metrics;

/// The name that operators know it by.
pub(super) fn kind(frontend: &Frontend) -> &'static str {
    match frontend {
        Frontend::None(_) => "none",
        Frontend::Static(_) => "static",
        Frontend::Aws(balancers) => match balancers.balancers {
            AwsBalancers::Elb(_) => "elb",
            AwsBalancers::Nlb(_) => "nlb",
            AwsBalancers::Alb(_) => "alb",
        },
        Frontend::Merlin(_) => "merlin",
        Frontend::Gorb(_) => "gorb",
    }
}

/// The frontend, which counts its calls where it makes any.
pub(super) async fn open(config: &Config, metrics: &mut Metrics) -> Box<dyn frontend::Frontend> {
    match &config.frontend {
        Frontend::None(_) => Box::new(Fixed::default()),
        Frontend::Static(balancers) => Box::new(Fixed { endpoints: balancers.endpoints.clone() }),
        Frontend::Aws(balancers) => frontend::aws::open(balancers, &AwsCalls::register(metrics)).await,
        Frontend::Merlin(merlin) => Box::new(Merlin::new(merlin, config.nginx.status_port())),
        Frontend::Gorb(gorb) => Box::new(Gorb::new(gorb)),
    }
}

/// What the machine has to know, where nginx ran like that when the process began.
pub(super) fn settings(config: &Config, found: Running) -> Settings {
    /// Of those that are neither joined nor left.
    const NOTHING: Joining = Joining {
        resync_period: Duration::from_hours(1),
        ready_timeout: Duration::ZERO,
        drain_delay: Duration::ZERO,
        expected: 0,
    };
    let joining = config.frontend.joining().unwrap_or(&NOTHING);
    Settings {
        resync_period: joining.resync_period,
        ready_timeout: joining.ready_timeout,
        drain_delay: joining.drain_delay,
        notice: config.frontend.notice(),
        grace_period: config.shutdown_grace_period,
        expected: joining.expected,
        fewer_are_ready: matches!(&config.frontend, Frontend::Aws(aws) if matches!(aws.balancers, AwsBalancers::Alb(_))),
        // IPVS keeps an entry of weight 0 until it is removed.
        releases: matches!(config.frontend, Frontend::Merlin(_) | Frontend::Gorb(_)),
        drains_fully: matches!(&config.frontend, Frontend::Aws(aws) if matches!(aws.balancers, AwsBalancers::Nlb(_))),
        taken_over: found != Running::No,
    }
}
