//! Target groups of network and application load balancers.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use aws_sdk_elasticloadbalancingv2::types::{
    self, TargetDescription, TargetHealth, TargetHealthReasonEnum as Reason, TargetHealthStateEnum as State,
    TargetTypeEnum,
};
use feed_reconcile::membership::{Failure, Standing};

use super::Aws;
use crate::runtime::aws::CallError;

/// Codes that say that there is nothing to leave.
const NOT_THERE: &[&str] = &["TargetGroupNotFound", "TargetGroupNotFoundException", "InvalidTarget"];

/// A group that we can be a target of.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::frontend) struct TargetGroup {
    pub(in crate::frontend) name: String,
    arn: String,
    targets: Targets,
}

/// What its targets are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Targets {
    Instances,
    Addresses,
}

/// A group as AWS describes it.
#[derive(Clone, Debug)]
pub(in crate::frontend) struct Described {
    pub(in crate::frontend) name: String,
    /// Or why we cannot be a target: a sentence.
    pub(in crate::frontend) group: Result<TargetGroup, String>,
    /// Of the load balancers that use it.
    pub(in crate::frontend) balancer_arns: Vec<String>,
}

/// AWS's target groups.
#[derive(Debug)]
pub(in crate::frontend) struct TargetGroups {
    pub(in crate::frontend) aws: Aws,
    /// ARNs of the groups in which this process has registered itself.
    registered: Mutex<BTreeSet<String>>,
}

impl TargetGroups {
    pub(in crate::frontend) fn new(aws: Aws) -> Self {
        Self { aws, registered: Mutex::default() }
    }

    /// All groups of the region. It takes fewer calls than to ask for those of each load balancer, and one that is missing
    /// does not hide the others.
    pub(in crate::frontend) async fn all(&self) -> Result<Vec<Described>, CallError> {
        let mut pages = self.aws.looking.v2.describe_target_groups().into_paginator().send();
        let mut all = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| CallError::of("DescribeTargetGroups".to_owned(), &error))?;
            all.extend(page.target_groups().iter().map(describe));
        }
        Ok(all)
    }

    /// How the group sees us.
    pub(in crate::frontend) async fn observe(&self, group: &TargetGroup) -> Result<Standing, Failure> {
        let target = self.target(group).await?;
        let call = self.aws.looking.v2.describe_target_health().target_group_arn(&group.arn).targets(target);
        let answer = match call.send().await {
            Ok(answer) => answer,
            Err(error) => {
                let error = CallError::of(format!("DescribeTargetHealth of {}", group.name), &error);
                return if error.is_any_of(NOT_THERE) { Ok(Standing::Absent) } else { Err(error.into()) };
            }
        };
        let health = answer.target_health_descriptions().first().and_then(|it| it.target_health());
        let has_registered =
            self.registered.lock().unwrap_or_else(PoisonError::into_inner).contains(&group.arn);
        Ok(health.map_or(Standing::Absent, |health| standing(&group.name, health, has_registered)))
    }

    pub(in crate::frontend) async fn register(&self, group: &TargetGroup) -> Result<(), Failure> {
        let target = self.target(group).await?;
        let call = self.aws.changing.v2.register_targets().target_group_arn(&group.arn).targets(target);
        let answer = call.send().await;
        answer.map_err(|error| CallError::of(format!("RegisterTargets of {}", group.name), &error))?;
        self.registered.lock().unwrap_or_else(PoisonError::into_inner).insert(group.arn.clone());
        Ok(())
    }

    pub(in crate::frontend) async fn deregister(&self, group: &TargetGroup) -> Result<(), Failure> {
        let target = self.target(group).await?;
        let call = self.aws.changing.v2.deregister_targets().target_group_arn(&group.arn).targets(target);
        if let Err(error) = call.send().await {
            let error = CallError::of(format!("DeregisterTargets of {}", group.name), &error);
            if !error.is_any_of(NOT_THERE) {
                return Err(error.into());
            }
        }
        self.registered.lock().unwrap_or_else(PoisonError::into_inner).remove(&group.arn);
        Ok(())
    }

    /// Without a port, which is then the group's own, in all calls alike.
    async fn target(&self, group: &TargetGroup) -> Result<TargetDescription, Failure> {
        let id = match group.targets {
            Targets::Instances => self.aws.identity.instance_id().await?,
            Targets::Addresses => self.aws.identity.instance_ip().await?,
        };
        Ok(TargetDescription::builder().id(id).build())
    }
}

fn describe(group: &types::TargetGroup) -> Described {
    let name = group.target_group_name().unwrap_or_default().to_owned();
    let targets = match group.target_type() {
        Some(TargetTypeEnum::Instance) => Ok(Targets::Instances),
        Some(TargetTypeEnum::Ip) => Ok(Targets::Addresses),
        other => Err(format!(
            "the target group {name} is not joined: its target type is {}, and only instance and ip are possible",
            other.map_or("unknown", TargetTypeEnum::as_str)
        )),
    };
    let arn = group.target_group_arn().unwrap_or_default().to_owned();
    let group_of = |targets| TargetGroup { name: name.clone(), arn, targets };
    Described {
        group: targets.map(group_of),
        name: name.clone(),
        balancer_arns: group.load_balancer_arns().to_vec(),
    }
}

/// What a target's health says, by the states and reasons of the ELB API's `TargetHealth`.
///
/// A group that no load balancer uses says so of every target, whether it is registered or not.
fn standing(group: &str, health: &TargetHealth, has_registered: bool) -> Standing {
    let state = health.state();
    match (state, health.reason()) {
        (Some(State::Healthy), _) | (Some(State::Unavailable), Some(Reason::HealthCheckDisabled)) => {
            return Standing::InService;
        }
        (Some(State::Draining), _) => return Standing::Draining,
        (_, Some(Reason::NotRegistered)) | (Some(State::Unused), None) => return Standing::Absent,
        (Some(State::Unused), Some(Reason::NotInUse)) if !has_registered => return Standing::Absent,
        _ => {}
    }
    let state = state.map_or("unknown", State::as_str);
    let why = health.description().or(health.reason().map(Reason::as_str));
    Standing::Settling(why.map_or_else(
        || format!("in the target group {group} it is {state}"),
        |why| format!("in the target group {group} it is {state}: {}", why.trim_end_matches('.')),
    ))
}

#[cfg(test)]
mod tests;
