//! Elastic Load Balancing, both of its APIs: which load balancers there are, and what their tags say.

use std::collections::{BTreeMap, BTreeSet};

use aws_config::SdkConfig;
use aws_sdk_elasticloadbalancing as classic;
use aws_sdk_elasticloadbalancingv2 as v2;
use aws_sdk_elasticloadbalancingv2::types::{IpAddressType, LoadBalancerTypeEnum};
use feed_reconcile::desired::Scheme;

use super::CallError;
use super::calls::AwsCalls;
use super::renew::AgainWithOthers;
use super::whole::WholeAnswers;
use each::EachForItself;

mod each;

/// Codes that say that a load balancer is not there.
pub const NOT_THERE: &[&str] = &[
    "LoadBalancerNotFound",
    "LoadBalancerNotFoundException",
    "AccessPointNotFound",
    "AccessPointNotFoundException",
];

/// Codes that AWS may give to the marker of a page whose first load balancer was deleted.
const NO_SUCH_PAGE: &[&str] = &[
    "LoadBalancerNotFound",
    "LoadBalancerNotFoundException",
    "AccessPointNotFound",
    "AccessPointNotFoundException",
    "ValidationError",
    "InvalidMarker",
];

/// The tag that says for which frontend of a cluster a load balancer is.
pub const FRONTEND_TAG: &str = "sky.uk/KubernetesClusterFrontend";

/// The tag that says for which ingress class a load balancer is.
pub const CLASS_TAG: &str = "sky.uk/KubernetesClusterIngressClass";

/// Which of the two APIs.
#[derive(Clone, Copy, Debug)]
enum Api {
    Classic,
    V2,
}

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
    /// Its tags, where they were asked for.
    pub tags: BTreeMap<String, String>,
    /// The ids of the instances that are registered with a classic load balancer.
    pub instances: BTreeSet<String>,
}

/// The load balancers that there are, as far as AWS tells. Each fails for itself: one that is deleted while they are listed is
/// not there, and those whose tags cannot be read do not hide the others.
#[derive(Clone, Debug, Default)]
pub struct Inventory {
    /// Those whose tags are known.
    pub balancers: Vec<LoadBalancer>,
    /// What has failed: some may be missing.
    pub failures: Vec<CallError>,
}

impl Inventory {
    /// All that have these tags.
    ///
    /// # Errors
    ///
    /// When some may be missing.
    fn tagged(self, tags: &[(&str, &str)]) -> Result<Vec<LoadBalancer>, CallError> {
        match self.failures.into_iter().next() {
            Some(failure) => Err(failure),
            None => Ok(self.balancers.into_iter().filter(|it| it.has(tags)).collect()),
        }
    }
}

impl LoadBalancer {
    /// Whether it has all of these tags.
    pub fn has(&self, tags: &[(&str, &str)]) -> bool {
        tags.iter().all(|(key, value)| self.tags.get(*key).is_some_and(|held| held == value))
    }
}

impl Balancers {
    /// Clients with these settings.
    pub fn new(config: &SdkConfig, calls: &AwsCalls) -> Self {
        let classic = classic::config::Builder::from(config).interceptor(calls.clone());
        let v2 = v2::config::Builder::from(config).interceptor(calls.clone());
        let classic = classic.retry_classifier(AgainWithOthers);
        let v2 = v2.retry_classifier(AgainWithOthers);
        Self {
            classic: classic::Client::from_conf(classic.interceptor(WholeAnswers).build()),
            v2: v2::Client::from_conf(v2.interceptor(WholeAnswers).build()),
        }
    }

    /// All classic load balancers, with their tags.
    ///
    /// # Errors
    ///
    /// When none can be listed.
    pub async fn classic(&self) -> Result<Inventory, CallError> {
        let (all, failure) = self.listed(Api::Classic).await?;
        Ok(self.with_tags(Api::Classic, all, failure).await)
    }

    /// The classic load balancers that have all of these tags.
    pub async fn classic_tagged(&self, tags: &[(&str, &str)]) -> Result<Vec<LoadBalancer>, CallError> {
        self.classic().await?.tagged(tags)
    }

    /// A classic load balancer, without its tags; `None` when it is not there.
    pub async fn classic_named(&self, name: &str) -> Result<Option<LoadBalancer>, CallError> {
        let mut pages =
            self.classic.describe_load_balancers().load_balancer_names(name).into_paginator().send();
        while let Some(page) = pages.next().await {
            let page = match page {
                Ok(page) => page,
                Err(error) => {
                    let error = CallError::of(format!("DescribeLoadBalancers of {name} (classic)"), &error);
                    return if error.is_any_of(NOT_THERE) { Ok(None) } else { Err(error) };
                }
            };
            let mut described = page.load_balancer_descriptions().iter();
            if let Some(found) = described.find(|it| it.load_balancer_name() == Some(name)) {
                return Ok(Some(describe_classic(found)));
            }
        }
        Ok(None)
    }

    /// All network load balancers, with their tags.
    ///
    /// # Errors
    ///
    /// When none can be listed.
    pub async fn network(&self) -> Result<Inventory, CallError> {
        let (mut all, failure) = self.listed(Api::V2).await?;
        all.retain(|it| it.is_network);
        Ok(self.with_tags(Api::V2, all, failure).await)
    }

    /// All network and application load balancers, without their tags.
    pub async fn v2(&self) -> Result<Vec<LoadBalancer>, CallError> {
        match self.listed(Api::V2).await? {
            (_, Some(failure)) => Err(failure),
            (all, None) => Ok(all),
        }
    }

    /// Those of these network and application load balancers that have all of these tags.
    pub async fn v2_tagged(
        &self,
        among: Vec<LoadBalancer>,
        tags: &[(&str, &str)],
    ) -> Result<Vec<LoadBalancer>, CallError> {
        self.with_tags(Api::V2, among, None).await.tagged(tags)
    }

    /// The network and application load balancers with these ARNs that are there, without their tags.
    pub async fn v2_by_arn(&self, arns: &[String]) -> (Vec<LoadBalancer>, Vec<CallError>) {
        let (mut all, mut asking) = (Vec::new(), EachForItself::new(arns));
        while let Some(arns) = asking.next() {
            let operation = about("DescribeLoadBalancers", &arns);
            let call = self.v2.describe_load_balancers().set_load_balancer_arns(Some(arns.clone()));
            let answer = call.send().await.map_err(|error| CallError::of(operation, &error));
            if let Some(told) = asking.done(arns, answer) {
                all.extend(told.load_balancers().iter().map(describe_v2));
            }
        }
        (all, asking.failures())
    }

    /// All pages; or those before the one that failed, and why.
    async fn listed(&self, api: Api) -> Result<(Vec<LoadBalancer>, Option<CallError>), CallError> {
        let (mut all, mut failure) = self.pages(api).await;
        if failure.as_ref().is_some_and(|failure| failure.is_any_of(NO_SUCH_PAGE)) {
            // What the next page begins with was deleted.
            (all, failure) = self.pages(api).await;
        }
        match failure {
            Some(failure) if all.is_empty() => Err(failure),
            failure => Ok((all, failure)),
        }
    }

    async fn pages(&self, api: Api) -> (Vec<LoadBalancer>, Option<CallError>) {
        let mut all = Vec::new();
        match api {
            Api::Classic => {
                let mut pages = self.classic.describe_load_balancers().into_paginator().send();
                while let Some(page) = pages.next().await {
                    match page {
                        Ok(page) => {
                            all.extend(page.load_balancer_descriptions().iter().map(describe_classic));
                        }
                        Err(error) => {
                            let operation = "DescribeLoadBalancers (classic)".to_owned();
                            return (all, Some(CallError::of(operation, &error)));
                        }
                    }
                }
            }
            Api::V2 => {
                let mut pages = self.v2.describe_load_balancers().into_paginator().send();
                while let Some(page) = pages.next().await {
                    match page {
                        Ok(page) => all.extend(page.load_balancers().iter().map(describe_v2)),
                        Err(error) => {
                            let operation = "DescribeLoadBalancers".to_owned();
                            return (all, Some(CallError::of(operation, &error)));
                        }
                    }
                }
            }
        }
        (all, None)
    }

    async fn with_tags(&self, api: Api, all: Vec<LoadBalancer>, failure: Option<CallError>) -> Inventory {
        let mut tags: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
        let ids: Vec<String> = all.iter().map(|it| it.id.clone()).collect();
        let mut asking = EachForItself::new(&ids);
        while let Some(ids) = asking.next() {
            let told = self.tags(api, ids.clone()).await;
            tags.extend(asking.done(ids, told).into_iter().flatten());
        }
        let with_tags = |it: LoadBalancer| Some(LoadBalancer { tags: tags.remove(&it.id)?, ..it });
        Inventory {
            balancers: all.into_iter().filter_map(with_tags).collect(),
            failures: failure.into_iter().chain(asking.failures()).collect(),
        }
    }

    async fn tags(
        &self,
        api: Api,
        ids: Vec<String>,
    ) -> Result<Vec<(String, BTreeMap<String, String>)>, CallError> {
        match api {
            Api::Classic => {
                let operation = format!("{} (classic)", about("DescribeTags", &ids));
                let answer = self.classic.describe_tags().set_load_balancer_names(Some(ids)).send().await;
                let answer = answer.map_err(|error| CallError::of(operation, &error))?;
                let told = answer.tag_descriptions().iter().map(|it| {
                    let tags = it.tags().iter().map(|tag| pair(Some(tag.key()), tag.value()));
                    (it.load_balancer_name().unwrap_or_default().to_owned(), tags.collect())
                });
                Ok(told.collect())
            }
            Api::V2 => {
                let operation = about("DescribeTags", &ids);
                let answer = self.v2.describe_tags().set_resource_arns(Some(ids)).send().await;
                let answer = answer.map_err(|error| CallError::of(operation, &error))?;
                let told = answer.tag_descriptions().iter().map(|it| {
                    let tags = it.tags().iter().map(|tag| pair(tag.key(), tag.value()));
                    (it.resource_arn().unwrap_or_default().to_owned(), tags.collect())
                });
                Ok(told.collect())
            }
        }
    }
}

fn pair(key: Option<&str>, value: Option<&str>) -> (String, String) {
    (key.unwrap_or_default().to_owned(), value.unwrap_or_default().to_owned())
}

/// What a call is about: one load balancer by name, or how many.
fn about(operation: &str, ids: &[String]) -> String {
    match ids {
        [id] => format!("{operation} of {}", name_in(id)),
        ids => format!("{operation} of {} load balancers", ids.len()),
    }
}

/// A load balancer's name, which is the last but one part of an ARN.
pub fn name_in(id: &str) -> &str {
    if id.starts_with("arn:") { id.rsplit('/').nth(1).unwrap_or(id) } else { id }
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
        tags: BTreeMap::new(),
        instances: it.instances().iter().filter_map(|it| it.instance_id().map(str::to_owned)).collect(),
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
        tags: BTreeMap::new(),
        instances: BTreeSet::new(),
    }
}

#[cfg(test)]
mod tests;
