//! Elastic Load Balancing: both of its APIs.

use aws_config::SdkConfig;
use feed_reconcile::dns::keeper::Found;
use feed_supervisor::runtime::aws::CallError;
use feed_supervisor::runtime::aws::balancers::{Balancers, CLASS_TAG, FRONTEND_TAG, LoadBalancer};
use feed_supervisor::runtime::aws::calls::AwsCalls;

use super::{LoadBalancers, Wanted, add};

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
                found.missing.push(format!("There is no load balancer named {name}."));
            }
        }
        // Without a class their tags need not be known.
        let named = if wanted.class.is_some() { self.0.v2_tagged(named, &[]).await? } else { named };
        take(found, named, wanted);
        if let Some(value) = &wanted.label_value {
            others.retain(|it| it.is_network);
            take(found, self.0.v2_tagged(others, &[(FRONTEND_TAG, value)]).await?, wanted);
        }
        Ok(())
    }
}

/// Adds those of these load balancers that are of the wanted class, or of none.
fn take(found: &mut Found, balancers: Vec<LoadBalancer>, wanted: &Wanted) {
    for it in balancers {
        match (it.tags.get(CLASS_TAG), &wanted.class) {
            (Some(class), Some(wanted)) if class != wanted => found.warnings.push(format!(
                "The load balancer {} gets no records, since its tag {CLASS_TAG} is {class}, not {wanted} (--ingress-class).",
                it.name
            )),
            _ => add(found, it),
        }
    }
}

impl LoadBalancers for Elb {
    async fn find(&self, wanted: &Wanted) -> Result<Found, CallError> {
        let mut found = Found::default();
        if let Some(value) = &wanted.label_value {
            take(&mut found, self.0.classic_tagged(&[(FRONTEND_TAG, value)]).await?, wanted);
        }
        self.find_v2(wanted, &mut found).await?;
        Ok(found)
    }
}
