//! Telling nginx's status port that it may call itself ready, so that a probe of that port needs no feed-ingress.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::sleep;
use tracing::error;

use super::files::Files;

/// How long after a failure the file is tried again.
const RETRY: Duration = Duration::from_secs(1);

/// Makes the file that the status port looks for as soon as a complete configuration is confirmed. It is not removed again: what
/// was confirmed goes on being served, whatever becomes of this process.
pub async fn tell(files: Arc<Files>, mut ready: watch::Receiver<bool>) -> Infallible {
    if ready.wait_for(|ready| *ready).await.is_ok() {
        let mut said = false;
        while let Err(error) = files.mark_ready() {
            if !said {
                error!(%error, "nginx's status port cannot be made ready; this is tried again.");
                said = true;
            }
            sleep(RETRY).await;
        }
    }
    std::future::pending().await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_file_is_made_once_all_is_served() {
        let directory = tempfile::tempdir().unwrap();
        let files = Arc::new(Files::new(directory.path(), true));
        files.prepare().unwrap();
        let (sender, ready) = watch::channel(false);
        let telling = tokio::spawn(tell(Arc::clone(&files), ready));
        let file = directory.path().join("ready");
        tokio::task::yield_now().await;
        assert!(!file.exists());
        sender.send_replace(true);
        while !file.exists() {
            tokio::task::yield_now().await;
        }
        sender.send_replace(false);
        tokio::task::yield_now().await;
        assert!(file.exists(), "what is served goes on being served");
        telling.abort();
    }
}
