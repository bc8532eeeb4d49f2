//! Elastic Load Balancing, both of its APIs: which load balancers there are, and what their tags say.

use std::collections::BTreeSet;

use aws_config::SdkConfig;
use aws_sdk_elasticloadbalancing as classic;
use aws_sdk_elasticloadbalancingv2 as v2;
use aws_sdk_elasticloadbalancingv2::types::{IpAddressType, LoadBalancerTypeEnum};
use feed_reconcile::desired::Scheme;

use super::CallError;
use super::calls::AwsCalls;
use super::whole::WholeAnswers;

/// The tag that says for which frontend of a cluster a load balancer is.
pub const FRONTEND_TAG: &str = "sky.uk/KubernetesClusterFrontend";

/// The tag that says for which ingress class a load balancer is.
pub const CLASS_TAG: &str = "sky.uk/KubernetesClusterIngressClass";

/// Load balancers whose tags one `DescribeTags` call may ask for, in either API; and those that one
/// `DescribeLoadBalancers` call may ask for by ARN.
const AT_ONCE: usize = 20;

/// Clients of both APIs.
#[derive(Clone, Debug)]
pub struct Balancers {
    /// Of classic load balancers.
    pub classic: classic::Client,
    /// Of network and application load balancers.
    pub v2: v2::Client,
}

/// A load balancer as AWS describes it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LoadBalancer {
    /// A classic load balancer's name, or the others' ARN: what calls name it by.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Whether it is a network load balancer.
    pub is_network: bool,
    /// `None` where AWS does not tell it.
    pub scheme: Option<Scheme>,
    /// Not empty.
    pub dns_name: Option<String>,
    /// The hosted zone of its DNS name; not empty.
    pub zone_id: Option<String>,
    /// Whether it has IPv6 addresses too.
    pub dual_stack: bool,
}

impl Balancers {
    /// Clients with these settings.
    pub fn new(config: &SdkConfig, calls: &AwsCalls) -> Self {
        let classic = classic::config::Builder::from(config).interceptor(calls.clone());
        let v2 = v2::config::Builder::from(config).interceptor(calls.clone());
        Self {
            classic: classic::Client::from_conf(classic.interceptor(WholeAnswers).build()),
            v2: v2::Client::from_conf(v2.interceptor(WholeAnswers).build()),
        }
    }

    /// The classic load balancers that have all of these tags.
    pub async fn classic_tagged(&self, tags: &[(&str, &str)]) -> Result<Vec<LoadBalancer>, CallError> {
        let mut pages = self.classic.describe_load_balancers().into_paginator().send();
        let mut all = Vec::new();
        while let Some(page) = pages.next().await {
            let page =
                page.map_err(|error| CallError::of("DescribeLoadBalancers (classic)".to_owned(), &error))?;
            all.extend(page.load_balancer_descriptions().iter().map(describe_classic));
        }
        let tagged = self.tagged_classic(&ids(&all), tags).await?;
        all.retain(|it| tagged.contains(&it.id));
        Ok(all)
    }

    async fn tagged_classic(
        &self,
        names: &[String],
        tags: &[(&str, &str)],
    ) -> Result<BTreeSet<String>, CallError> {
        let mut tagged = BTreeSet::new();
        for names in names.chunks(AT_ONCE) {
            let call = self.classic.describe_tags().set_load_balancer_names(Some(names.to_vec()));
            let answer = call.send().await;
            let answer =
                answer.map_err(|error| CallError::of("DescribeTags (classic)".to_owned(), &error))?;
            let ours = answer.tag_descriptions().iter().filter(|described| {
                let held = described.tags();
                tags.iter().all(|(key, value)| {
                    held.iter().any(|tag| tag.key() == *key && tag.value().unwrap_or_default() == *value)
                })
            });
            tagged.extend(ours.filter_map(|it| it.load_balancer_name().map(str::to_owned)));
        }
        Ok(tagged)
    }

    /// All network and application load balancers.
    pub async fn v2(&self) -> Result<Vec<LoadBalancer>, CallError> {
        let mut pages = self.v2.describe_load_balancers().into_paginator().send();
        let mut all = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| CallError::of("DescribeLoadBalancers".to_owned(), &error))?;
            all.extend(page.load_balancers().iter().map(describe_v2));
        }
        Ok(all)
    }

    /// The network and application load balancers with these ARNs.
    pub async fn v2_by_arn(&self, arns: &[String]) -> Result<Vec<LoadBalancer>, CallError> {
        let mut all = Vec::new();
        for arns in arns.chunks(AT_ONCE) {
            let answer =
                self.v2.describe_load_balancers().set_load_balancer_arns(Some(arns.to_vec())).send().await;
            let answer = answer.map_err(|error| CallError::of("DescribeLoadBalancers".to_owned(), &error))?;
            all.extend(answer.load_balancers().iter().map(describe_v2));
        }
        Ok(all)
    }

    /// Those of these network and application load balancers that have all of these tags.
    pub async fn v2_tagged(
        &self,
        mut among: Vec<LoadBalancer>,
        tags: &[(&str, &str)],
    ) -> Result<Vec<LoadBalancer>, CallError> {
        let mut tagged = BTreeSet::new();
        for arns in ids(&among).chunks(AT_ONCE) {
            let answer = self.v2.describe_tags().set_resource_arns(Some(arns.to_vec())).send().await;
            let answer = answer.map_err(|error| CallError::of("DescribeTags".to_owned(), &error))?;
            let ours = answer.tag_descriptions().iter().filter(|described| {
                let held = described.tags();
                tags.iter().all(|(key, value)| {
                    held.iter().any(|tag| tag.key() == Some(key) && tag.value().unwrap_or_default() == *value)
                })
            });
            tagged.extend(ours.filter_map(|it| it.resource_arn().map(str::to_owned)));
        }
        among.retain(|it| tagged.contains(&it.id));
        Ok(among)
    }
}

fn ids(balancers: &[LoadBalancer]) -> Vec<String> {
    balancers.iter().map(|it| it.id.clone()).collect()
}

fn text(text: Option<&str>) -> Option<String> {
    text.filter(|text| !text.is_empty()).map(str::to_owned)
}

fn scheme(text: Option<&str>) -> Option<Scheme> {
    [Scheme::Internal, Scheme::InternetFacing].into_iter().find(|scheme| text == Some(scheme.as_str()))
}

fn describe_classic(it: &classic::types::LoadBalancerDescription) -> LoadBalancer {
    let name = it.load_balancer_name().unwrap_or_default().to_owned();
    LoadBalancer {
        id: name.clone(),
        name,
        is_network: false,
        scheme: scheme(it.scheme()),
        dns_name: text(it.dns_name()),
        zone_id: text(it.canonical_hosted_zone_name_id()),
        dual_stack: false,
    }
}

fn describe_v2(it: &v2::types::LoadBalancer) -> LoadBalancer {
    LoadBalancer {
        id: it.load_balancer_arn().unwrap_or_default().to_owned(),
        name: it.load_balancer_name().unwrap_or_default().to_owned(),
        is_network: it.r#type() == Some(&LoadBalancerTypeEnum::Network),
        scheme: scheme(it.scheme().map(v2::types::LoadBalancerSchemeEnum::as_str)),
        dns_name: text(it.dns_name()),
        zone_id: text(it.canonical_hosted_zone_id()),
        dual_stack: matches!(
            it.ip_address_type(),
            Some(IpAddressType::Dualstack | IpAddressType::DualstackWithoutPublicIpv4)
        ),
    }
}

#[cfg(test)]
mod tests;
