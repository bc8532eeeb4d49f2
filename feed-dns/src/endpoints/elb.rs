//! Elastic Load Balancing: both of its APIs.

use aws_config::SdkConfig;
use feed_supervisor::runtime::aws::CallError;
use feed_supervisor::runtime::aws::balancers::{Balancers, FRONTEND_TAG};
use feed_supervisor::runtime::aws::calls::AwsCalls;

use super::{Found, LoadBalancers, Wanted};

/// Elastic Load Balancing: classic load balancers, and network and application ones.
#[derive(Clone, Debug)]
pub struct Elb(Balancers);

impl Elb {
    /// Clients with these settings.
    pub fn new(config: &SdkConfig, calls: &AwsCalls) -> Self {
        Self(Balancers::new(config, calls))
    }

    async fn find_v2(&self, wanted: &Wanted, found: &mut Found) -> Result<(), CallError> {
        let (named, mut others): (Vec<_>, Vec<_>) =
            self.0.v2().await?.into_iter().partition(|it| wanted.alb_names.contains(&it.name));
        for name in &wanted.alb_names {
            if !named.iter().any(|it| it.name == *name) {
                found.problems.push(format!("There is no load balancer named {name}."));
            }
        }
        for it in named {
            found.add(it);
        }
        if let Some(value) = &wanted.label_value {
            others.retain(|it| it.is_network);
            let tagged = self.0.v2_tagged(others, &[(FRONTEND_TAG, value)]).await?;
            for it in tagged {
                found.add(it);
            }
        }
        Ok(())
    }
}

impl LoadBalancers for Elb {
    async fn find(&self, wanted: &Wanted) -> Result<Found, CallError> {
        let mut found = Found::default();
        if let Some(value) = &wanted.label_value {
            let classic = self.0.classic_tagged(&[(FRONTEND_TAG, value)]).await?;
            for it in classic {
                found.add(it);
            }
        }
        self.find_v2(wanted, &mut found).await?;
        Ok(found)
    }
}
