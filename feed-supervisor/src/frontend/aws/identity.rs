//! Who we are for a load balancer: an EC2 instance, or an IP address.

use std::net::IpAddr;

use feed_reconcile::membership::Failure;
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::runtime::aws::metadata::MetadataService;

/// Who we are: what the flags say, and otherwise the metadata service, which is asked when it is needed first.
#[derive(Debug)]
pub(in crate::frontend) struct Identity {
    metadata: MetadataService,
    instance_id: Fact,
    instance_ip: Fact,
}

/// Something that does not change any more once it is known.
#[derive(Debug)]
struct Fact(Mutex<Known>);

#[derive(Debug)]
enum Known {
    Nothing,
    Value(String),
    Failed { at: Instant, why: String },
}

impl Identity {
    /// With an instance's id and an address, where they are given.
    pub(super) fn new(id: Option<String>, address: Option<IpAddr>) -> Self {
        Self {
            metadata: MetadataService::new(),
            instance_id: Fact::new(id),
            instance_ip: Fact::new(address.map(|address| address.to_string())),
        }
    }

    /// The id of the EC2 instance.
    pub(in crate::frontend) async fn instance_id(&self) -> Result<String, Failure> {
        self.instance_id.get(async || checked_id(self.metadata.instance_id().await?)).await.map_err(|why| {
            unknown(&format!("the id of this EC2 instance is not known, as the metadata service does not tell it ({why}): --instance-id gives it"))
        })
    }

    /// The address at which target groups of addresses reach us.
    pub(in crate::frontend) async fn instance_ip(&self) -> Result<String, Failure> {
        self.instance_ip.get(async || checked_ip(self.metadata.local_ipv4().await?)).await.map_err(|why| {
            unknown(&format!("the IP address of this pod is not known, as the metadata service does not tell it ({why}): --instance-ip gives it"))
        })
    }
}

fn unknown(why: &str) -> Failure {
    Failure { why: why.to_owned(), refused: true }
}

fn checked_id(id: String) -> Result<String, String> {
    let is_id = id.starts_with("i-") && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    if is_id { Ok(id) } else { Err(format!("{id:?} is no id of an instance")) }
}

fn checked_ip(address: String) -> Result<String, String> {
    match address.parse::<IpAddr>() {
        Ok(_) => Ok(address),
        Err(_) => Err(format!("{address:?} is no IP address")),
    }
}

impl Fact {
    fn new(value: Option<String>) -> Self {
        Self(Mutex::new(value.map_or(Known::Nothing, Known::Value)))
    }

    /// The value. Those who have waited while it was asked for share the answer, so that many load balancers do not ask one
    /// after another.
    async fn get(&self, ask: impl AsyncFnOnce() -> Result<String, String>) -> Result<String, String> {
        let since = Instant::now();
        let mut known = self.0.lock().await;
        match &*known {
            Known::Value(value) => return Ok(value.clone()),
            Known::Failed { at, why } if *at >= since => return Err(why.clone()),
            Known::Nothing | Known::Failed { .. } => {}
        }
        let answer = ask().await;
        *known = match &answer {
            Ok(value) => Known::Value(value.clone()),
            Err(why) => Known::Failed { at: Instant::now(), why: why.clone() },
        };
        answer
    }
}

#[cfg(test)]
mod tests;
