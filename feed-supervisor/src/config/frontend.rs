//! Through what the clients come.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use feed_reconcile::desired::Scheme;
use feed_reconcile::options::Endpoint;

use super::{GorbFrontend, MerlinFrontend};

/// Through what the clients come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frontend {
    /// Nothing that we know of; with the time that those who send requests may take to learn of our end.
    None(Duration),
    /// Load balancers that others look after.
    Static(StaticFrontend),
    /// Load balancers of AWS.
    Aws(AwsFrontend),
    /// Virtual services of IPVS that Merlin manages.
    Merlin(MerlinFrontend),
    /// Virtual services of IPVS that Gorb manages.
    Gorb(GorbFrontend),
}

impl Frontend {
    /// Whether Ingress status is written.
    pub fn writes_status(&self) -> bool {
        match self {
            Self::None(_) | Self::Gorb(_) => false,
            Self::Static(_) | Self::Aws(_) | Self::Merlin(_) => true,
        }
    }

    /// How long those who send requests may take to learn of our end, where we cannot tell them.
    pub fn notice(&self) -> Duration {
        match self {
            Self::None(notice) => *notice,
            Self::Static(balancers) => balancers.notice,
            Self::Aws(_) | Self::Merlin(_) | Self::Gorb(_) => Duration::ZERO,
        }
    }

    /// How its load balancers are joined and left, if they are.
    pub fn joining(&self) -> Option<&Joining> {
        match self {
            Self::None(_) | Self::Static(_) => None,
            Self::Aws(balancers) => Some(&balancers.joining),
            Self::Merlin(merlin) => Some(&merlin.joining),
            Self::Gorb(gorb) => Some(&gorb.joining),
        }
    }
}

/// Load balancers that others look after; Ingress status names them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StaticFrontend {
    /// Their names or addresses, with the `sky.uk/frontend-scheme` of the Ingresses that they serve; at least one.
    pub endpoints: BTreeSet<(Scheme, Endpoint)>,
    /// How long they may take to learn of our end.
    pub notice: Duration,
}

/// How load balancers are joined and left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Joining {
    /// How often they are listed and looked at although nothing has happened.
    pub resync_period: Duration,
    /// How long one may take until it sends requests.
    pub ready_timeout: Duration,
    /// How long one may go on sending requests after we have left it.
    pub drain_delay: Duration,
    /// With fewer of them something is wrong; 0 where that is not checked.
    pub expected: usize,
}

/// Load balancers of AWS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AwsFrontend {
    /// Where they are.
    pub region: String,
    /// Which of them are ours.
    pub balancers: AwsBalancers,
    /// The id of the EC2 instance; without it, the metadata service is asked.
    pub instance_id: Option<String>,
    /// The address at which target groups of addresses reach us; without it, the metadata service is asked.
    pub instance_ip: Option<IpAddr>,
    /// How they are joined and left.
    pub joining: Joining,
}

/// Which of AWS's load balancers are ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AwsBalancers {
    /// Classic load balancers with these tags.
    Elb(FrontendTags),
    /// Network load balancers with these tags.
    Nlb(FrontendTags),
    /// Target groups of these names; at least one.
    Alb(BTreeSet<String>),
}

/// The tags by which a load balancer says whom it belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FrontendTags {
    /// The value of `sky.uk/KubernetesClusterFrontend`.
    pub frontend: String,
    /// The value of `sky.uk/KubernetesClusterIngressClass`.
    pub class: String,
}
