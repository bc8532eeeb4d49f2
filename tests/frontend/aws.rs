//! `elb`, `nlb` and `alb`.

mod credentials;
mod denied;
mod discovery;
mod emulators;
mod faults;
mod foreign;
mod identity;
mod killed;
mod life;
mod proxy;
mod shutdown;
mod status;
mod tags;

use feed_tests::{Backend, Elb, Feed, FeedBuilder, NginxBinary, eventually};
use serde_json::json;

/// The tags of our load balancers.
pub(crate) const OURS: [(&str, &str); 2] =
    [("sky.uk/KubernetesClusterFrontend", "main"), ("sky.uk/KubernetesClusterIngressClass", "test")];

/// Who we are, by our flags.
const INSTANCE: &str = "i-0123456789abcdef0";
const ADDRESS: &str = "10.1.2.3";

/// A kind of frontend, with what the tests ask of all kinds alike.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kind {
    pub(crate) command: &'static str,
    flag: (&'static str, &'static str),
    drain: &'static str,
    /// How it is registered, and how it is not any more.
    pub(crate) register: &'static str,
    pub(crate) deregister: &'static str,
    pub(crate) observe: &'static str,
    /// What `/status` calls a load balancer, where the target is registered, and who the target is.
    pub(crate) balancer: &'static str,
    pub(crate) holder: &'static str,
    pub(crate) target: &'static str,
}

pub(crate) const ELB: Kind = Kind {
    command: "elb",
    flag: ("--elb-frontend-tag-value", "main"),
    drain: "--drain-delay",
    register: "RegisterInstancesWithLoadBalancer",
    deregister: "DeregisterInstancesFromLoadBalancer",
    observe: "DescribeInstanceHealth",
    balancer: "edge",
    holder: "edge",
    target: INSTANCE,
};

pub(crate) const NLB: Kind = Kind {
    command: "nlb",
    flag: ("--nlb-frontend-tag-value", "main"),
    drain: "--drain-delay",
    register: "RegisterTargets",
    deregister: "DeregisterTargets",
    observe: "DescribeTargetHealth",
    balancer: "edge",
    holder: "web",
    target: ADDRESS,
};

pub(crate) const ALB: Kind = Kind {
    command: "alb",
    flag: ("--alb-target-group-names", "web"),
    drain: "--alb-target-group-deregistration-delay",
    balancer: "web",
    target: INSTANCE,
    ..NLB
};

pub(crate) const KINDS: [Kind; 3] = [ELB, NLB, ALB];

impl Kind {
    /// The load balancer `edge` in front of the class `test`, with the target group `web`.
    pub(crate) fn create(&self, elb: &Elb) {
        match self.command {
            "elb" => elb.create_classic("edge", "internal", &OURS),
            "nlb" => {
                elb.create_network("edge", "internal", &OURS);
                elb.create_group("web", "ip", &["edge"]);
            }
            _ => {
                elb.create_application("edge", "internal");
                elb.create_group("web", "instance", &["edge"]);
            }
        }
    }

    /// A `feed-ingress` that looks for it often, and that leaves it within 2 seconds.
    pub(crate) fn feed(&self, elb: &Elb, nginx: &NginxBinary) -> FeedBuilder {
        feed(&elb.url(), nginx)
            .command(self.command)
            .flag(self.flag.0, self.flag.1)
            .flag(self.drain, "2s")
            .flag("--instance-id", INSTANCE)
            .flag("--instance-ip", ADDRESS)
    }
}

/// A `feed-ingress` whose AWS is at that URL.
pub(crate) fn feed(url: &str, nginx: &NginxBinary) -> FeedBuilder {
    Feed::builder(nginx)
        .flag("--frontend-resync-period", "1s")
        .variable("AWS_ENDPOINT_URL", url)
        .variable("AWS_ACCESS_KEY_ID", "000000000001")
        .variable("AWS_SECRET_ACCESS_KEY", "secret")
}

/// A manifest of a Service, and of the Ingress that leads `a.test` to it.
pub(crate) fn route(backend: &Backend) -> String {
    let service = json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": backend.name()},
        "spec": {"clusterIP": backend.ip(), "ports": [{"name": "http", "port": backend.port()}]},
    });
    let to = json!({"service": {"name": backend.name(), "port": {"name": "http"}}});
    let path = json!({"path": "/", "pathType": "Prefix", "backend": to});
    let ingress = json!({
        "apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": "a"},
        "spec": {"ingressClassName": "test", "rules": [{"host": "a.test", "http": {"paths": [path]}}]},
    });
    json!({"apiVersion": "v1", "kind": "List", "items": [service, ingress]}).to_string()
}

/// Waits until a load balancer or a target group has these targets, as `ID STATE`.
#[track_caller]
pub(crate) fn wait_targets(elb: &Elb, holder: &str, expected: &[(&str, &str)]) -> impl Future<Output = ()> {
    eventually(&format!("the targets of {holder}"), async move || {
        let found = elb.targets(holder);
        let as_expected = found.len() == expected.len()
            && expected.iter().all(|(id, state)| found.get(*id).is_some_and(|found| found == state));
        if as_expected { Ok(()) } else { Err(format!("{found:?}")) }
    })
}

/// Waits until `/health` or `/readiness` has that status and says all of these.
#[track_caller]
pub(crate) fn wait_said(
    feed: &Feed,
    page: &str,
    status: u16,
    expected: &[&str],
) -> impl Future<Output = String> {
    eventually(&format!("{page} is {status} and says {expected:?}"), async move || {
        let answer = feed.admin(page).await.map_err(|error| error.to_string())?;
        let (found, text) = (answer.status, answer.text());
        if found == status && expected.iter().all(|it| text.contains(it)) {
            Ok(text)
        } else {
            Err(format!("{found} {text}"))
        }
    })
}

/// Waits until the log says all of these.
#[track_caller]
pub(crate) fn wait_logged(feed: &Feed, expected: &[&str]) -> impl Future<Output = ()> {
    eventually(&format!("the log says {expected:?}"), async move || {
        let log = feed.log();
        if expected.iter().all(|it| log.contains(it)) { Ok(()) } else { Err(log) }
    })
}
