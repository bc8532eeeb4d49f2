//! Target groups of network and application load balancers.

use aws_sdk_elasticloadbalancingv2::types::{
    self, TargetDescription, TargetHealth, TargetHealthReasonEnum as Reason, TargetHealthStateEnum as State,
    TargetTypeEnum,
};
use feed_reconcile::membership::{Failure, Standing};

use super::Aws;
use crate::runtime::aws::CallError;

/// Codes that say that there is nothing to leave.
const NOT_THERE: &[&str] = &["TargetGroupNotFound", "TargetGroupNotFoundException", "InvalidTarget"];

/// Codes that AWS may give to the marker of a page whose first group was deleted.
const NO_SUCH_PAGE: &[&str] =
    &["TargetGroupNotFound", "TargetGroupNotFoundException", "ValidationError", "InvalidMarker"];

/// A group that we can be a target of.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::frontend) struct TargetGroup {
    pub(in crate::frontend) name: String,
    arn: String,
    targets: Targets,
}

#[cfg(test)]
impl TargetGroup {
    pub(in crate::frontend) fn of_addresses(name: &str) -> Self {
        Self { name: name.to_owned(), arn: format!("arn of {name}"), targets: Targets::Addresses }
    }
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
}

impl TargetGroups {
    pub(in crate::frontend) fn new(aws: Aws) -> Self {
        Self { aws }
    }

    /// All groups of the region, or those before the page that failed, and why. It takes fewer calls than to ask for those of
    /// each load balancer, and one that is missing does not hide the others.
    pub(in crate::frontend) async fn all(&self) -> (Vec<Described>, Option<CallError>) {
        let (mut all, mut failure) = self.pages().await;
        if failure.as_ref().is_some_and(|failure| failure.is_any_of(NO_SUCH_PAGE)) {
            // What the next page begins with was deleted.
            (all, failure) = self.pages().await;
        }
        (all, failure)
    }

    async fn pages(&self) -> (Vec<Described>, Option<CallError>) {
        let mut pages = self.aws.looking.v2.describe_target_groups().into_paginator().send();
        let mut all = Vec::new();
        while let Some(page) = pages.next().await {
            match page {
                Ok(page) => all.extend(page.target_groups().iter().map(describe)),
                Err(error) => {
                    return (all, Some(CallError::of("DescribeTargetGroups".to_owned(), &error)));
                }
            }
        }
        (all, None)
    }

    /// How the group sees us.
    pub(in crate::frontend) async fn observe(&self, group: &TargetGroup) -> Result<Standing, Failure> {
        let target = self.target(group).await?;
        let call = self.aws.looking.v2.describe_target_health().target_group_arn(&group.arn);
        let answer = match call.targets(target).send().await {
            Ok(answer) => answer,
            Err(error) => {
                let error = CallError::of(format!("DescribeTargetHealth of {}", group.name), &error);
                return match error {
                    error if error.is_any_of(NOT_THERE) => Ok(Standing::Absent),
                    error if error.is_denied() => Ok(Standing::Unseen(Failure::from(error).why)),
                    error => Err(error.into()),
                };
            }
        };
        let Some(health) = answer.target_health_descriptions().first().and_then(|it| it.target_health())
        else {
            return Ok(Standing::Absent);
        };
        // A group that no load balancer uses says so of every target.
        if health.reason() == Some(&Reason::NotInUse) && !self.lists(group).await? {
            return Ok(Standing::Absent);
        }
        Ok(standing(&group.name, health))
    }

    /// Whether we are among the group's targets.
    async fn lists(&self, group: &TargetGroup) -> Result<bool, Failure> {
        let target = self.target(group).await?;
        let answer = self.aws.looking.v2.describe_target_health().target_group_arn(&group.arn).send().await;
        let answer = answer
            .map_err(|error| CallError::of(format!("DescribeTargetHealth of {}", group.name), &error))?;
        let mut targets = answer.target_health_descriptions().iter().filter_map(|it| it.target());
        Ok(targets.any(|found| found.id() == target.id()))
    }

    pub(in crate::frontend) async fn register(&self, group: &TargetGroup) -> Result<(), Failure> {
        let target = self.target(group).await?;
        let call = self.aws.changing.v2.register_targets().target_group_arn(&group.arn).targets(target);
        let answer = call.send().await;
        answer.map_err(|error| CallError::of(format!("RegisterTargets of {}", group.name), &error))?;
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
fn standing(group: &str, health: &TargetHealth) -> Standing {
    let state = health.state();
    match (state, health.reason()) {
        (Some(State::Healthy), _) | (Some(State::Unavailable), Some(Reason::HealthCheckDisabled)) => {
            return Standing::InService;
        }
        (Some(State::Draining), _) => return Standing::Draining,
        (_, Some(Reason::NotRegistered)) | (Some(State::Unused), None) => return Standing::Absent,
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
