//! Zones, load balancers and AWS's clients.

use std::time::Duration;

use feed_reconcile::desired::Scheme;
use feed_reconcile::dns::{Endpoint, Endpoints, InvalidOwnerId, OwnerId, RecordName, Rules, Target, ZoneId};
use feed_reconcile::host::Host;
use feed_supervisor::runtime::flags::value;

use super::UsageError;
use crate::config::{AwsConfig, FrontendConfig};
use crate::endpoints::Wanted;

#[derive(clap::Args)]
#[command(next_help_heading = "Zones")]
pub(super) struct ZoneArgs {
    /// Id of a hosted zone to keep. May be repeated. Required.
    #[arg(long, value_name = "ID", value_delimiter = ',', value_parser = zone_id)]
    r53_hosted_zone: Vec<ZoneId>,
    /// Delete nothing in a pass that would delete more than this share of our records, and more than 10 of them.
    #[arg(long, value_name = "PERCENT", default_value = "50", value_parser = value::number(0, 100))]
    max_deletion_percent: u32,
    /// Touch only records that a TXT record beside them says are this owner's, and make that with each: external-dns's
    /// registry, without its prefixes and suffixes. Without it, what points to our load balancers is ours.
    #[arg(long, value_name = "ID", value_parser = owner_id)]
    owner_id: Option<OwnerId>,
}

impl ZoneArgs {
    pub(super) fn resolve(self) -> Result<(Vec<ZoneId>, Rules), UsageError> {
        let Self { r53_hosted_zone, max_deletion_percent, owner_id } = self;
        if r53_hosted_zone.is_empty() {
            return Err(UsageError::MissingZone);
        }
        let max_deletion_percent = u8::try_from(max_deletion_percent).unwrap_or(100);
        Ok((r53_hosted_zone, Rules { max_deletion_percent, owner: owner_id }))
    }
}

#[derive(clap::Args)]
#[command(next_help_heading = "What records point to")]
pub(super) struct FrontendArgs {
    /// Classic and network load balancers whose tag sky.uk/KubernetesClusterFrontend has this value, by ALIAS records.
    #[arg(long, value_name = "VALUE", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    elb_label_value: Option<String>,
    /// Application load balancers of these names, by ALIAS records. May be repeated.
    #[arg(long, value_name = "NAME", value_delimiter = ',', value_parser = clap::builder::NonEmptyStringValueParser::new())]
    alb_names: Vec<String>,
    /// Hostname for Ingresses whose sky.uk/frontend-scheme is internal, by CNAME records.
    #[arg(long, value_name = "HOST", value_parser = hostname)]
    internal_hostname: Option<Host>,
    /// Hostname for Ingresses whose sky.uk/frontend-scheme is internet-facing, by CNAME records.
    #[arg(long, value_name = "HOST", value_parser = hostname)]
    external_hostname: Option<Host>,
    /// How long answers from CNAME records may be kept. Whole seconds.
    #[arg(long, value_name = "DURATION", default_value = "5m", value_parser = time_to_live)]
    cname_ttl: u32,
}

impl FrontendArgs {
    pub(super) fn resolve(self, class: Option<String>) -> Result<FrontendConfig, UsageError> {
        let Self { elb_label_value, alb_names, internal_hostname, external_hostname, cname_ttl } = self;
        let discovered = elb_label_value
            .as_ref()
            .map(|_| "elb-label-value")
            .or_else(|| (!alb_names.is_empty()).then_some("alb-names"));
        let given = internal_hostname
            .as_ref()
            .map(|_| "internal-hostname")
            .or_else(|| external_hostname.as_ref().map(|_| "external-hostname"));
        match (discovered, given) {
            (None, None) => Err(UsageError::MissingFrontend),
            (Some(discovered), Some(given)) => Err(UsageError::TwoFrontends { discovered, given }),
            (Some(_), None) => Ok(FrontendConfig::Discovered(Wanted {
                label_value: elb_label_value,
                alb_names: alb_names.into_iter().collect(),
                class,
            })),
            (None, Some(_)) => {
                let target = Target::Hostname { ttl_seconds: cname_ttl };
                let endpoint =
                    |host: &Host| Endpoint { dns_name: RecordName::from(host), target: target.clone() };
                let internal = internal_hostname.iter().map(|host| (Scheme::Internal, endpoint(host)));
                let external = external_hostname.iter().map(|host| (Scheme::InternetFacing, endpoint(host)));
                Ok(FrontendConfig::Given(Endpoints::new(internal.chain(external))))
            }
        }
    }
}

#[derive(clap::Args)]
#[command(next_help_heading = "AWS")]
pub(super) struct AwsArgs {
    /// Region of the load balancers.
    #[arg(long, value_name = "REGION", default_value = "eu-west-1", value_parser = value::region)]
    elb_region: String,
    /// How often a call that was throttled or failed on AWS's side is tried again.
    #[arg(long, value_name = "COUNT", default_value = "5", value_parser = value::number(0, 100))]
    aws_api_retries: u32,
}

impl AwsArgs {
    pub(super) fn resolve(self) -> AwsConfig {
        AwsConfig { region: self.elb_region, retries: self.aws_api_retries }
    }
}

fn zone_id(text: &str) -> Result<ZoneId, &'static str> {
    let id = ZoneId::new(text.trim());
    let valid = !id.as_str().is_empty()
        && id.as_str().len() <= 32
        && id.as_str().bytes().all(|byte| byte.is_ascii_alphanumeric());
    valid.then_some(id).ok_or("must be the id of a hosted zone, such as Z2FDTNDATAQYW2, not its name")
}

fn owner_id(text: &str) -> Result<OwnerId, InvalidOwnerId> {
    OwnerId::new(text)
}

fn hostname(text: &str) -> Result<Host, &'static str> {
    let host = Host::new(text.strip_suffix('.').unwrap_or(text)).ok();
    host.filter(|host| host.wildcard_suffix().is_none())
        .ok_or("must be a DNS name, as a CNAME has no address")
}

/// A time to live is a whole number of seconds, 2,147,483,647 at the most (RFC 2181 section 8).
fn time_to_live(text: &str) -> Result<u32, &'static str> {
    let whole = |duration: &Duration| duration.subsec_nanos() == 0;
    let seconds = value::duration(text).ok().filter(whole).and_then(|it| i32::try_from(it.as_secs()).ok());
    seconds.map(i32::unsigned_abs).ok_or("must be whole seconds, such as 60s or 5m")
}
