//! Elastic Load Balancing: both of its APIs.

use std::collections::BTreeSet;

use aws_config::SdkConfig;
use aws_sdk_elasticloadbalancing as classic;
use aws_sdk_elasticloadbalancingv2 as v2;
use aws_sdk_elasticloadbalancingv2::types::{IpAddressType, LoadBalancerTypeEnum};
use feed_supervisor::runtime::aws::CallError;
use feed_supervisor::runtime::aws::calls::AwsCalls;

use super::{Described, Found, LoadBalancers, TAG, Wanted};

/// Load balancers whose tags one `DescribeTags` call may ask for, in either API.
const TAGS_AT_ONCE: usize = 20;

/// Elastic Load Balancing: classic load balancers, and network and application ones.
#[derive(Clone, Debug)]
pub struct Elb {
    classic: classic::Client,
    v2: v2::Client,
}

impl Elb {
    /// Clients with these settings.
    pub fn new(config: &SdkConfig, calls: &AwsCalls) -> Self {
        let classic = classic::config::Builder::from(config).interceptor(calls.clone()).build();
        let v2 = v2::config::Builder::from(config).interceptor(calls.clone()).build();
        Self { classic: classic::Client::from_conf(classic), v2: v2::Client::from_conf(v2) }
    }

    async fn find_classic(&self, label_value: &str, found: &mut Found) -> Result<(), CallError> {
        let described = self.describe_classic().await?;
        let ids: Vec<String> = described.iter().map(|it| it.id.clone()).collect();
        let tagged = self.tagged_classic(&ids, label_value).await?;
        for it in described.into_iter().filter(|it| tagged.contains(&it.id)) {
            found.add(it);
        }
        Ok(())
    }

    async fn describe_classic(&self) -> Result<Vec<Described>, CallError> {
        let mut pages = self.classic.describe_load_balancers().into_paginator().send();
        let mut described = Vec::new();
        while let Some(page) = pages.next().await {
            let page =
                page.map_err(|error| CallError::of("DescribeLoadBalancers (classic)".to_owned(), &error))?;
            described.extend(page.load_balancer_descriptions().iter().map(describe_classic));
        }
        Ok(described)
    }

    async fn tagged_classic(&self, names: &[String], value: &str) -> Result<BTreeSet<String>, CallError> {
        let mut tagged = BTreeSet::new();
        for names in names.chunks(TAGS_AT_ONCE) {
            let call = self.classic.describe_tags().set_load_balancer_names(Some(names.to_vec()));
            let answer = call.send().await;
            let answer =
                answer.map_err(|error| CallError::of("DescribeTags (classic)".to_owned(), &error))?;
            let ours = answer.tag_descriptions().iter().filter(|description| {
                description.tags().iter().any(|tag| tag.key() == TAG && tag.value() == Some(value))
            });
            tagged.extend(ours.filter_map(|description| description.load_balancer_name().map(str::to_owned)));
        }
        Ok(tagged)
    }

    async fn find_v2(&self, wanted: &Wanted, found: &mut Found) -> Result<(), CallError> {
        let all = self.describe_v2().await?;
        let (named, others): (Vec<_>, Vec<_>) =
            all.into_iter().partition(|(_, it)| wanted.alb_names.contains(&it.name));
        for name in &wanted.alb_names {
            if !named.iter().any(|(_, it)| it.name == *name) {
                found.problems.push(format!("There is no load balancer named {name}."));
            }
        }
        for (_, it) in named {
            found.add(it);
        }
        if let Some(value) = &wanted.label_value {
            let network = others.into_iter().filter(|(kind, _)| *kind == Some(LoadBalancerTypeEnum::Network));
            let network: Vec<Described> = network.map(|(_, it)| it).collect();
            let ids: Vec<String> = network.iter().map(|it| it.id.clone()).collect();
            let tagged = self.tagged_v2(&ids, value).await?;
            for it in network.into_iter().filter(|it| tagged.contains(&it.id)) {
                found.add(it);
            }
        }
        Ok(())
    }

    async fn describe_v2(&self) -> Result<Vec<(Option<LoadBalancerTypeEnum>, Described)>, CallError> {
        let mut pages = self.v2.describe_load_balancers().into_paginator().send();
        let mut described = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| CallError::of("DescribeLoadBalancers".to_owned(), &error))?;
            described.extend(page.load_balancers().iter().map(|it| (it.r#type().cloned(), describe_v2(it))));
        }
        Ok(described)
    }

    async fn tagged_v2(&self, arns: &[String], value: &str) -> Result<BTreeSet<String>, CallError> {
        let mut tagged = BTreeSet::new();
        for arns in arns.chunks(TAGS_AT_ONCE) {
            let answer = self.v2.describe_tags().set_resource_arns(Some(arns.to_vec())).send().await;
            let answer = answer.map_err(|error| CallError::of("DescribeTags".to_owned(), &error))?;
            let ours = answer.tag_descriptions().iter().filter(|description| {
                description.tags().iter().any(|tag| tag.key() == Some(TAG) && tag.value() == Some(value))
            });
            tagged.extend(ours.filter_map(|description| description.resource_arn().map(str::to_owned)));
        }
        Ok(tagged)
    }
}

impl LoadBalancers for Elb {
    async fn find(&self, wanted: &Wanted) -> Result<Found, CallError> {
        let mut found = Found::default();
        if let Some(value) = &wanted.label_value {
            self.find_classic(value, &mut found).await?;
        }
        self.find_v2(wanted, &mut found).await?;
        Ok(found)
    }
}

fn describe_classic(it: &classic::types::LoadBalancerDescription) -> Described {
    let text = |text: Option<&str>| text.map(str::to_owned);
    let name = it.load_balancer_name().unwrap_or_default().to_owned();
    Described {
        id: name.clone(),
        name,
        scheme: text(it.scheme()),
        dns_name: text(it.dns_name()),
        zone_id: text(it.canonical_hosted_zone_name_id()),
        dual_stack: false,
    }
}

fn describe_v2(it: &v2::types::LoadBalancer) -> Described {
    let text = |text: Option<&str>| text.map(str::to_owned);
    Described {
        id: it.load_balancer_arn().unwrap_or_default().to_owned(),
        name: it.load_balancer_name().unwrap_or_default().to_owned(),
        scheme: it.scheme().map(|scheme| scheme.as_str().to_owned()),
        dns_name: text(it.dns_name()),
        zone_id: text(it.canonical_hosted_zone_id()),
        dual_stack: matches!(
            it.ip_address_type(),
            Some(IpAddressType::Dualstack | IpAddressType::DualstackWithoutPublicIpv4)
        ),
    }
}
