//! The tasks that go on as long as the process does. One that ends takes the process with it.

use std::convert::Infallible;
use std::fmt::Display;

use tokio::task::JoinSet;

/// Running tasks; aborted when dropped.
#[derive(Debug, Default)]
pub(super) struct Tasks(JoinSet<(&'static str, String)>);

impl Tasks {
    /// Starts a task that should never end; its name is the subject of a sentence.
    pub(super) fn spawn<T, E: Display>(
        &mut self,
        name: &'static str,
        task: impl Future<Output = Result<T, E>> + Send + 'static,
    ) {
        self.0.spawn(async move {
            let why = match task.await {
                Ok(_) => "there was nothing left to do".to_owned(),
                Err(error) => error.to_string(),
            };
            (name, why)
        });
    }

    /// Starts a task that cannot end but by a panic.
    pub(super) fn spawn_endless(
        &mut self,
        name: &'static str,
        task: impl Future<Output = Infallible> + Send + 'static,
    ) {
        self.spawn(name, async { Ok::<_, Infallible>(task.await) });
    }

    /// Waits until a task has ended; says which, and why.
    pub(super) async fn failed(&mut self) -> (&'static str, String) {
        match self.0.join_next().await {
            Some(Ok(ended)) => ended,
            Some(Err(error)) => ("a task", error.to_string()),
            None => std::future::pending().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[tokio::test]
    async fn the_end_of_a_task_is_told_with_its_reason() {
        let mut tasks = Tasks::default();
        tasks.spawn("the one that goes on", std::future::pending::<Result<(), Infallible>>());
        tasks.spawn("the other", async { Err::<(), _>(io::Error::other("it broke")) });
        assert_eq!(tasks.failed().await, ("the other", "it broke".to_owned()));
        tasks.spawn("a third", async { Ok::<_, Infallible>(()) });
        assert_eq!(tasks.failed().await, ("a third", "there was nothing left to do".to_owned()));
    }
}
