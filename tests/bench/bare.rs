//! nginx without feed, on the configuration that feed wrote.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::Command;
use std::time::{Duration, Instant};

use feed_tests::{Feed, NginxBinary, Process, Sandbox, free_port};
use nix::sys::signal::Signal;

use crate::{token, until_other_token};

/// A running nginx with a copy of feed's configuration, on ports of its own.
pub(crate) struct BareNginx {
    sandbox: Sandbox,
    status: SocketAddr,
    configuration: String,
    /// The token in `configuration` that a reload replaces.
    placeholder: String,
    master: Process,
    /// From its start to its first answer.
    pub(crate) started_in: Duration,
}

impl BareNginx {
    pub(crate) async fn start(nginx: &NginxBinary, feed: &Feed) -> Self {
        let sandbox = Sandbox::new("bare");
        for made_by_feed in ["temp", "requests"] {
            fs::create_dir(sandbox.join(made_by_feed)).unwrap();
        }
        let certificates = feed.workdir().join("certificates");
        if certificates.exists() {
            let copied = Command::new("cp").arg("-r").arg(certificates).arg(sandbox.path()).status().unwrap();
            assert!(copied.success(), "the certificates cannot be copied");
        }
        let (port, tls_port, status_port) = (free_port(), free_port(), free_port());
        let (of_feed, tls_of_feed) = (feed.address().port(), feed.tls_address().port());
        let placeholder = token(feed.status_address()).await.unwrap().split(' ').next().unwrap().to_owned();
        let configuration = feed
            .configuration()
            .replace(feed.workdir().to_str().unwrap(), sandbox.path().to_str().unwrap())
            .replace(&format!("listen {of_feed}"), &format!("listen {port}"))
            .replace(&format!("listen [::]:{of_feed}"), &format!("listen [::]:{port}"))
            .replace(&format!("listen {tls_of_feed}"), &format!("listen {tls_port}"))
            .replace(&format!("listen [::]:{tls_of_feed}"), &format!("listen [::]:{tls_port}"))
            .replace(&format!("listen {}", feed.status_address().port()), &format!("listen {status_port}"))
            .replace(
                &format!("listen [::]:{}", feed.status_address().port()),
                &format!("listen [::]:{status_port}"),
            );
        fs::write(sandbox.join("nginx.conf"), &configuration).unwrap();
        let status = SocketAddr::from((Ipv4Addr::LOCALHOST, status_port));
        let start = Instant::now();
        let mut command = sandbox.command(&nginx.path);
        command.args(["-e", "stderr", "-g", "daemon off;", "-p"]).arg(sandbox.path());
        let master = sandbox.spawn(command.arg("-c").arg(sandbox.join("nginx.conf")));
        let started_in = until_other_token(start, status, "").await;
        Self { sandbox, status, configuration, placeholder, master, started_in }
    }

    /// From SIGHUP to the token of that number.
    pub(crate) async fn reload(&mut self, number: usize) -> Duration {
        let old = token(self.status).await.unwrap();
        let answer = |token: &str| format!("return 200 \"{token} ");
        let configuration =
            self.configuration.replace(&answer(&self.placeholder), &answer(&format!("bare-{number}")));
        fs::write(self.sandbox.join("nginx.conf"), configuration).unwrap();
        let start = Instant::now();
        self.master.signal(Signal::SIGHUP);
        until_other_token(start, self.status, &old).await
    }
}
