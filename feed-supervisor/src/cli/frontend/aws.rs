//! Flags of AWS's load balancers.

use std::net::IpAddr;
use std::time::Duration;

use clap::builder::NonEmptyStringValueParser;

use super::{DrainArgs, DrainDelay, ResyncArgs, Surroundings};
use crate::cli::{UsageError, value};
use crate::config::{AwsBalancers, AwsFrontend, Frontend, FrontendTags, Joining};

/// How long a target group that is named may take until it sends requests.
const TARGET_GROUP_READY_TIMEOUT: Duration = Duration::from_mins(5);

/// More load balancers than an account may have.
const MOST_BALANCERS: u32 = 10_000;

#[derive(clap::Args)]
#[command(next_help_heading = "AWS (elb, nlb, alb)")]
struct AwsArgs {
    /// Region of the load balancers.
    #[arg(long, value_name = "REGION", default_value = "eu-west-1", value_parser = value::region)]
    region: String,
    /// Id of this EC2 instance, for elb and for target groups of instances [default: asked of the metadata service]
    #[arg(long, value_name = "ID", value_parser = value::instance_id)]
    instance_id: Option<String>,
    /// Address of this pod, for target groups of IP addresses [default: asked of the metadata service]
    #[arg(long, value_name = "IP", value_parser = value::address)]
    instance_ip: Option<IpAddr>,
}

impl AwsArgs {
    fn resolve(self, balancers: AwsBalancers, joining: Joining) -> Frontend {
        let Self { region, instance_id, instance_ip } = self;
        Frontend::Aws(AwsFrontend { region, balancers, instance_id, instance_ip, joining })
    }
}

#[derive(clap::Args)]
#[command(next_help_heading = "Classic load balancers (elb)")]
pub(in crate::cli) struct ElbArgs {
    /// Join the classic load balancers whose tag sky.uk/KubernetesClusterFrontend has this value, and whose tag
    /// sky.uk/KubernetesClusterIngressClass is --ingress-class. Required.
    #[arg(long, value_name = "VALUE", value_parser = NonEmptyStringValueParser::new())]
    elb_frontend_tag_value: Option<String>,
    /// With fewer load balancers than this, nothing is ready; 0 to not check that.
    #[arg(long, value_name = "COUNT", default_value = "0", value_parser = value::number(0, MOST_BALANCERS))]
    elb_expected_number: u32,
    /// How long a load balancer may take until it sends requests; then it is unhealthy, and waited for.
    #[arg(long, value_name = "DURATION", default_value = "5m", value_parser = value::duration)]
    elb_ready_timeout: Duration,
    #[command(flatten)]
    drain: DrainArgs,
    #[command(flatten)]
    resync: ResyncArgs,
    #[command(flatten)]
    aws: AwsArgs,
}

impl ElbArgs {
    pub(in crate::cli) fn resolve(self, around: Surroundings<'_>) -> Result<Frontend, UsageError> {
        let Self { elb_frontend_tag_value, elb_expected_number, elb_ready_timeout, drain, resync, aws } =
            self;
        let tags = tags(elb_frontend_tag_value, "elb", around)?;
        let joining = Joining {
            resync_period: resync.frontend_resync_period,
            ready_timeout: elb_ready_timeout,
            drain_delay: drain.delay(DrainDelay::Asked),
            expected: elb_expected_number as usize,
        };
        Ok(aws.resolve(AwsBalancers::Elb(tags), joining))
    }
}

#[derive(clap::Args)]
#[command(next_help_heading = "Network load balancers (nlb)")]
pub(in crate::cli) struct NlbArgs {
    /// Join the target groups of the network load balancers whose tag sky.uk/KubernetesClusterFrontend has this value,
    /// and whose tag sky.uk/KubernetesClusterIngressClass is --ingress-class. Required.
    #[arg(long, value_name = "VALUE", value_parser = NonEmptyStringValueParser::new())]
    nlb_frontend_tag_value: Option<String>,
    /// With fewer load balancers than this, nothing is ready; 0 to not check that.
    #[arg(long, value_name = "COUNT", default_value = "0", value_parser = value::number(0, MOST_BALANCERS))]
    nlb_expected_number: u32,
    /// How long a target group may take until it is healthy; then it is unhealthy, and waited for.
    #[arg(long, value_name = "DURATION", default_value = "5m", value_parser = value::duration)]
    nlb_ready_timeout: Duration,
    #[command(flatten)]
    drain: DrainArgs,
    #[command(flatten)]
    resync: ResyncArgs,
    #[command(flatten)]
    aws: AwsArgs,
}

impl NlbArgs {
    pub(in crate::cli) fn resolve(self, around: Surroundings<'_>) -> Result<Frontend, UsageError> {
        let Self { nlb_frontend_tag_value, nlb_expected_number, nlb_ready_timeout, drain, resync, aws } =
            self;
        let tags = tags(nlb_frontend_tag_value, "nlb", around)?;
        let joining = Joining {
            resync_period: resync.frontend_resync_period,
            ready_timeout: nlb_ready_timeout,
            drain_delay: drain.delay(DrainDelay::Network),
            expected: nlb_expected_number as usize,
        };
        Ok(aws.resolve(AwsBalancers::Nlb(tags), joining))
    }
}

#[derive(clap::Args)]
#[command(next_help_heading = "Target groups by name (alb)")]
pub(in crate::cli) struct AlbArgs {
    /// Target groups to join, separated by commas. May be repeated. Required.
    #[arg(long, value_name = "NAMES", value_delimiter = ',', value_parser = value::target_group)]
    alb_target_group_names: Vec<String>,
    /// How long a target group that was left may go on sending requests: its deregistration delay.
    #[arg(long, value_name = "DURATION", default_value = "300s", value_parser = value::delay)]
    alb_target_group_deregistration_delay: Duration,
    #[command(flatten)]
    resync: ResyncArgs,
    #[command(flatten)]
    aws: AwsArgs,
}

impl AlbArgs {
    pub(in crate::cli) fn resolve(self) -> Result<Frontend, UsageError> {
        let Self { alb_target_group_names, alb_target_group_deregistration_delay, resync, aws } = self;
        if alb_target_group_names.is_empty() {
            return Err(UsageError::MissingTargetGroups);
        }
        let names: std::collections::BTreeSet<_> = alb_target_group_names.into_iter().collect();
        let joining = Joining {
            resync_period: resync.frontend_resync_period,
            ready_timeout: TARGET_GROUP_READY_TIMEOUT,
            drain_delay: alb_target_group_deregistration_delay,
            expected: names.len(),
        };
        Ok(aws.resolve(AwsBalancers::Alb(names), joining))
    }
}

fn tags(
    value: Option<String>,
    kind: &'static str,
    around: Surroundings<'_>,
) -> Result<FrontendTags, UsageError> {
    let frontend = value.ok_or(UsageError::MissingTagValue { kind })?;
    Ok(FrontendTags { frontend, class: around.class.to_owned() })
}
