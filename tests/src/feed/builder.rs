//! With what `feed-ingress` is started.

use std::fs;
use std::path::Path;

use super::{Feed, FeedPorts};
use crate::certificate::TestCertificate;
use crate::control_plane::Namespace;
use crate::nginx::NginxBinary;
use crate::sandbox::Sandbox;
use crate::{free_port, ingress_binary};

/// Flags and files for a [`Feed`].
#[derive(Debug)]
pub struct FeedBuilder {
    command: String,
    class: String,
    source: Source,
    manifests: Vec<(String, String)>,
    nginx: NginxBinary,
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
    through: Vec<String>,
    default_certificate: Option<TestCertificate>,
    without_tls: bool,
}

#[derive(Debug)]
enum Source {
    Flags,
    Manifests,
    Kubernetes { kubeconfig: String },
}

/// The ingress class of a [`Feed`] that reads manifests.
pub(crate) const CLASS: &str = "test";

impl FeedBuilder {
    /// `feed-ingress none` with this nginx; it reads manifests, and adopts the class `test`.
    pub fn new(nginx: &NginxBinary) -> Self {
        Self {
            command: "none".to_owned(),
            class: CLASS.to_owned(),
            source: Source::Manifests,
            manifests: Vec::new(),
            nginx: nginx.clone(),
            arguments: Vec::new(),
            environment: Vec::new(),
            through: Vec::new(),
            default_certificate: None,
            without_tls: true,
        }
    }

    /// Another subcommand than `none`.
    #[must_use]
    pub fn command(mut self, command: &str) -> Self {
        command.clone_into(&mut self.command);
        self
    }

    /// Puts a file into the folder of manifests.
    #[must_use]
    pub fn manifest(mut self, file: &str, yaml: &str) -> Self {
        self.manifests.push((file.to_owned(), yaml.to_owned()));
        self
    }

    /// Reads from the API server, as an administrator, and adopts the namespace's class.
    #[must_use]
    pub fn kubernetes(mut self, namespace: &Namespace<'_>) -> Self {
        namespace.name().clone_into(&mut self.class);
        self.kubeconfig(&namespace.control_plane().kubeconfig())
    }

    /// Reads from what the flags name.
    #[must_use]
    pub fn without_manifests(mut self) -> Self {
        self.source = Source::Flags;
        self
    }

    /// Reads from the API server that this file names, with the credentials of this file.
    #[must_use]
    pub fn kubeconfig(mut self, file: &Path) -> Self {
        self.source = Source::Kubernetes { kubeconfig: text(file) };
        self
    }

    /// Takes requests with TLS too; hosts without a certificate of their own get this one.
    #[must_use]
    pub fn tls(mut self, default_certificate: &TestCertificate) -> Self {
        self.default_certificate = Some(default_certificate.clone());
        self
    }

    /// Takes no requests without TLS.
    #[must_use]
    pub fn tls_alone(mut self) -> Self {
        self.without_tls = false;
        self
    }

    /// A flag and its value.
    #[must_use]
    pub fn flag(self, flag: &str, value: &str) -> Self {
        self.argument(flag).argument(value)
    }

    /// One argument.
    #[must_use]
    pub fn argument(mut self, argument: &str) -> Self {
        self.arguments.push(argument.to_owned());
        self
    }

    /// An environment variable.
    #[must_use]
    pub fn variable(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Has it started by another program, whose last argument is a command: `setpriv --bounding-set=-net_admin`.
    #[must_use]
    pub fn through(mut self, program: &[&str]) -> Self {
        self.through = program.iter().map(|word| (*word).to_owned()).collect();
        self
    }

    /// Lays everything out, and starts nothing.
    pub fn build(self) -> Feed {
        let sandbox = Sandbox::new("feed");
        let manifests = sandbox.join("manifests");
        fs::create_dir(&manifests).unwrap();
        fs::create_dir(sandbox.join("workdir")).unwrap();
        for (file, yaml) in &self.manifests {
            fs::write(manifests.join(file), yaml).unwrap();
        }
        let ports = FeedPorts {
            ingress: free_port(),
            ingress_https: free_port(),
            ingress_health: free_port(),
            health: free_port(),
        };
        let mut arguments = vec![self.command.clone()];
        let mut flag = |name: &str, value: String| {
            if !self.arguments.iter().any(|argument| argument == name) {
                arguments.extend([name.to_owned(), value]);
            }
        };
        flag("--ingress-class", self.class.clone());
        if self.without_tls {
            flag("--ingress-port", ports.ingress.to_string());
        }
        flag("--ingress-health-port", ports.ingress_health.to_string());
        flag("--health-port", ports.health.to_string());
        flag("--nginx-workdir", text(&sandbox.join("workdir")));
        flag("--nginx-binary", text(&self.nginx.path));
        if let Some(certificate) = &self.default_certificate {
            fs::create_dir(sandbox.join("ssl")).unwrap();
            fs::write(sandbox.join("ssl/default.crt"), &certificate.crt).unwrap();
            fs::write(sandbox.join("ssl/default.key"), &certificate.key).unwrap();
            flag("--ingress-https-port", ports.ingress_https.to_string());
            flag("--ssl-path", text(&sandbox.join("ssl/default")));
        }
        match &self.source {
            Source::Flags => {}
            Source::Manifests => flag("--manifests", text(&manifests)),
            Source::Kubernetes { kubeconfig } => flag("--kubeconfig", kubeconfig.clone()),
        }
        arguments.extend(self.arguments);
        let binary = ingress_binary().to_owned();
        Feed {
            sandbox,
            arguments,
            environment: self.environment,
            through: self.through,
            binary,
            ports,
            child: None,
        }
    }

    /// Starts it without waiting for anything.
    pub fn spawn(self) -> Feed {
        let mut feed = self.build();
        feed.start();
        feed
    }

    /// Starts it and waits until it is ready.
    pub async fn ready(self) -> Feed {
        let feed = self.spawn();
        feed.wait_ready().await;
        feed
    }
}

fn text(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}
