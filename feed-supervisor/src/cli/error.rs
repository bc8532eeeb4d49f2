//! What is wrong with a command line, in one sentence.

use crate::runtime::flags::FlagError;

/// What is wrong with a command line. The text has three lines at the most.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UsageError {
    /// A flag is unknown, its value is wrong, or it does not go with another.
    #[error(transparent)]
    Flags(#[from] FlagError),
    /// Nothing to do.
    #[error("a command is needed: none, static, elb, nlb, alb, merlin, gorb, bootstrap, render or check")]
    MissingCommand,
    /// No class to serve.
    #[error("--ingress-class is required: it names the class of the Ingresses to serve")]
    MissingClass,
    /// No port to serve on.
    #[error(
        "--ingress-port or --ingress-https-port is required: it is the port on which nginx takes requests"
    )]
    MissingPort,
    /// Nothing to read.
    #[error("--manifests is required: it is the directory whose YAML files are read")]
    MissingManifests,
    /// Nothing to write into Ingress status.
    #[error("static needs --internal-hostname, --external-hostname or both: Ingress status names them")]
    MissingHostname,
    /// Nothing to find load balancers by.
    #[error(
        "{kind} needs --{kind}-frontend-tag-value: the tag sky.uk/KubernetesClusterFrontend of its load balancers"
    )]
    MissingTagValue {
        /// The subcommand.
        kind: &'static str,
    },
    /// Nothing to join.
    #[error("alb needs --alb-target-group-names: the target groups to join")]
    MissingTargetGroups,
    /// A frontend does not work without the flag.
    #[error("{kind} needs --{flag}: {meaning}")]
    MissingOfFrontend {
        /// The subcommand.
        kind: &'static str,
        /// The flag.
        flag: &'static str,
        /// What it says.
        meaning: &'static str,
    },
    /// An address for which no request comes.
    #[error(
        "--merlin-vip is for --merlin-forward-method=route or tunnel: with masq requests come for --merlin-instance-ip"
    )]
    VipOfMasquerade,
    /// A virtual service for nothing.
    #[error("--{service} needs --{port}: the port that the virtual service is for")]
    ServiceWithoutPort {
        /// The flag of the service's id.
        service: &'static str,
        /// The flag of the port.
        port: &'static str,
    },
    /// One virtual service for two ports.
    #[error("--merlin-service-id and --merlin-https-service-id must be different")]
    SameVirtualService,
    /// One service twice.
    #[error("--gorb-services-definition names a service twice")]
    SameService,
    /// Nobody to ask for the address of an external name.
    #[error("--allow-external-name needs --nginx-resolver: the name server that nginx asks")]
    MissingResolver,
    /// A tracer without its configuration, or the other way round.
    #[error(
        "--nginx-opentracing-plugin-path and --nginx-opentracing-config-path go together: a tracer's library, and what \
         it is told"
    )]
    HalfATracer,
    /// Two ways of tracing a request.
    #[error(
        "--nginx-otel-endpoint and --nginx-opentracing-plugin-path exclude each other: a request is traced in one way"
    )]
    TwoTracers,
    /// One port for two purposes.
    #[error("--{one} and --{other} must be different ports")]
    SamePort {
        /// A flag.
        one: &'static str,
        /// The other flag.
        other: &'static str,
    },
}
