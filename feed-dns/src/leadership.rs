//! Whether this replica is the one that acts.

use feed_supervisor::runtime::lease::Claim;
use tokio::time::sleep;

/// Whether this replica acts; clones tell the same.
#[derive(Clone, Debug)]
pub enum Leadership {
    /// There are no others: the cluster is a directory of files.
    Alone,
    /// It acts while it holds the Lease.
    Elected(Claim),
}

impl Leadership {
    /// Whether this replica may begin to act.
    pub fn is_held(&self) -> bool {
        match self {
            Self::Alone => true,
            Self::Elected(claim) => claim.is_held(),
        }
    }

    /// Waits until this replica may act. Cancel safe.
    pub async fn held(&mut self) {
        match self {
            Self::Alone => {}
            Self::Elected(claim) => claim.held().await,
        }
    }

    /// Waits until this replica may not begin anything any more. Cancel safe.
    pub async fn lost(&mut self) {
        match self {
            Self::Alone => std::future::pending().await,
            Self::Elected(claim) => claim.lost().await,
        }
    }

    /// Waits until what this replica began before must have ended.
    pub async fn expired(&mut self) {
        self.lost().await;
        if let Self::Elected(claim) = self {
            sleep(claim.longest_action()).await;
        }
    }
}
