//! `gorb`: virtual services of IPVS that Gorb manages. Each of them is a load balancer to us, and we are one of its
//! backends: of full weight while we serve, 0 while we drain, and gone in the end.

mod api;
mod loopback;

use std::collections::BTreeSet;

use feed_reconcile::membership::{Failure, Standing};

use self::api::{Api, ApiError, Backend};
use self::loopback::{Loopback, LoopbackError};
use super::{Call, Frontend, Listing};
use crate::config::{GorbFrontend, GorbService};

/// Virtual services that Gorb manages.
#[derive(Debug)]
pub struct Gorb {
    api: Api,
    frontend: GorbFrontend,
    loopback: Option<Loopback>,
}

impl Gorb {
    /// The virtual services that were asked for.
    pub fn new(frontend: &GorbFrontend) -> Self {
        Self {
            api: Api::new(&frontend.endpoint),
            loopback: frontend.loopback.as_ref().map(Loopback::new),
            frontend: frontend.clone(),
        }
    }

    fn service(&self, name: &str) -> Result<&GorbService, Failure> {
        self.frontend
            .services
            .iter()
            .find(|service| service.name == name)
            .ok_or_else(|| Failure { why: format!("{name} is none of the virtual services"), refused: true })
    }

    /// Where Gorb has what it knows of us.
    fn path(&self, service: &GorbService) -> String {
        let name = &service.name;
        format!("/service/{name}/node-{name}-{}", self.frontend.instance_ip)
    }

    async fn standing(&self, name: &str) -> Result<Standing, Failure> {
        let service = self.service(name)?;
        let wanted = Backend::new(&self.frontend, service, self.frontend.weight);
        let Some(found) = self.api.get(&self.path(service)).await.map_err(|error| failed(&error))? else {
            return Ok(Standing::Absent);
        };
        if found.weight == Some(0) {
            return Ok(Standing::Draining);
        }
        if let Some(difference) = wanted.difference(&found) {
            return Ok(Standing::Outdated(difference.to_owned()));
        }
        Ok(match &self.loopback {
            Some(loopback) => match loopback.missing().await.map_err(|error| not_sent(&error))? {
                Some(missing) => Standing::Outdated(missing),
                None => Standing::InService,
            },
            None => Standing::InService,
        })
    }

    async fn register(&self, name: &str) -> Result<(), Failure> {
        let service = self.service(name)?;
        if let Some(loopback) = &self.loopback {
            loopback.set_up().await.map_err(|error| not_sent(&error))?;
        }
        let (path, backend) =
            (self.path(service), Backend::new(&self.frontend, service, self.frontend.weight));
        match self.api.get(&path).await.map_err(|error| failed(&error))? {
            None => self.api.put(&path, &backend).await.map_err(|error| failed(&error)),
            Some(found) if backend.needs_replacing(&found) => {
                // Only the weight can be changed. Where the rest is wrong, requests do not reach us.
                self.api.delete(&path).await.map_err(|error| failed(&error))?;
                self.api.put(&path, &backend).await.map_err(|error| failed(&error))
            }
            // It may send requests already, whatever comes of this.
            Some(_) => self
                .api
                .patch(&path, &backend)
                .await
                .map(drop)
                .map_err(|error| Failure { refused: false, ..failed(&error) }),
        }
    }

    async fn drain(&self, name: &str) -> Result<(), Failure> {
        let service = self.service(name)?;
        let backend = Backend::new(&self.frontend, service, 0);
        self.api.patch(&self.path(service), &backend).await.map(drop).map_err(|error| failed(&error))
    }

    async fn delete(&self, name: &str) -> Result<(), Failure> {
        let service = self.service(name)?;
        self.api.delete(&self.path(service)).await.map_err(|error| failed(&error))
    }
}

impl Frontend for Gorb {
    fn endpoints<'a>(&'a self, _: &'a BTreeSet<String>) -> Call<'a, Listing> {
        let balancers = self.frontend.services.iter().map(|service| service.name.clone()).collect();
        Box::pin(async {
            // What the virtual services are called is known without Gorb.
            let failures = self.api.check().await.err().map(|error| error.to_string());
            Ok(Listing { balancers, failures: failures.into_iter().collect(), ..Listing::default() })
        })
    }

    fn observe<'a>(&'a self, name: &'a str) -> Call<'a, Standing> {
        Box::pin(self.standing(name))
    }

    fn attach<'a>(&'a self, name: &'a str) -> Call<'a, ()> {
        Box::pin(self.register(name))
    }

    fn detach<'a>(&'a self, name: &'a str) -> Call<'a, ()> {
        Box::pin(self.drain(name))
    }

    fn release<'a>(&'a self, name: &'a str) -> Call<'a, ()> {
        Box::pin(self.delete(name))
    }

    fn clean_up(&self) -> Call<'_, ()> {
        Box::pin(async {
            match &self.loopback {
                Some(loopback) => loopback.take_down().await.map_err(|error| not_sent(&error)),
                None => Ok(()),
            }
        })
    }
}

/// A call has failed: where Gorb has answered, nothing has changed there.
fn failed(error: &ApiError) -> Failure {
    Failure { why: error.to_string(), refused: matches!(error, ApiError::Refused { .. }) }
}

/// Something has failed on this machine, before anything was sent.
fn not_sent(error: &LoopbackError) -> Failure {
    Failure { why: error.to_string(), refused: true }
}

#[cfg(test)]
mod tests;
