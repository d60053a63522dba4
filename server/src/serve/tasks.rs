//! The tasks that a node cannot be without. The first that ends unasked ends the node: everything here is built for a process
//! that is killed, and nothing for one that has lost its committer and goes on.

use std::{collections::HashMap, time::Duration};

use tokio::task::{AbortHandle, Id, JoinError, JoinHandle, JoinSet};

/// Tasks with their names.
#[derive(Default)]
pub(super) struct Tasks {
    running: JoinSet<()>,
    names: HashMap<Id, &'static str>,
    abort: Vec<AbortHandle>,
}

impl Tasks {
    /// Starts one.
    pub(super) fn spawn(&mut self, name: &'static str, task: impl Future<Output = ()> + Send + 'static) {
        let handle = self.running.spawn(task);
        self.names.insert(handle.id(), name);
        self.abort.push(handle);
    }

    /// Takes one that runs already.
    pub(super) fn watch(&mut self, name: &'static str, task: JoinHandle<()>) {
        self.abort.push(task.abort_handle());
        self.spawn(name, async move {
            if let Err(error) = task.await
                && let Ok(panic) = error.try_into_panic()
            {
                std::panic::resume_unwind(panic);
            }
        });
    }

    /// Waits until one has ended, and says which and how. Pends for ever when there is none.
    pub(super) async fn first_to_end(&mut self) -> String {
        match self.running.join_next_with_id().await {
            Some(ended) => self.say(ended),
            None => std::future::pending().await,
        }
    }

    /// Waits until all of this name have ended.
    pub(super) async fn wait_for(&mut self, name: &'static str, within: Duration) {
        let all = async {
            while self.names.values().any(|it| *it == name) {
                match self.running.join_next_with_id().await {
                    Some(ended) => drop(self.say(ended)),
                    None => return,
                }
            }
        };
        let _ = tokio::time::timeout(within, all).await;
    }

    /// Ends those that are left.
    pub(super) fn abort_all(&mut self) {
        for task in self.abort.drain(..) {
            task.abort();
        }
    }

    fn say(&mut self, ended: Result<(Id, ()), JoinError>) -> String {
        let (id, how) = match ended {
            Ok((id, ())) => (id, "ended unasked"),
            Err(error) if error.is_panic() => (error.id(), "panicked"),
            Err(error) => (error.id(), "was given up"),
        };
        let name = self.names.remove(&id).unwrap_or("a task");
        format!("{name} {how}: a node cannot go on without it. It is a fault of ours: please report it with the log.")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_first_that_ends_or_panics_is_named() {
        let mut tasks = Tasks::default();
        tasks.spawn("the upkeep", std::future::pending());
        tasks.spawn("the committer", async { panic!("as the test wants it") });
        assert!(tasks.first_to_end().await.starts_with("the committer panicked"));
        tasks.watch("the timers", tokio::spawn(async {}));
        assert!(tasks.first_to_end().await.starts_with("the timers ended unasked"));
        tasks.watch("the recorder", tokio::spawn(async { panic!("as the test wants it") }));
        assert!(tasks.first_to_end().await.starts_with("the recorder panicked"));
        let quiet = tokio::time::timeout(Duration::from_millis(50), tasks.first_to_end()).await;
        assert!(quiet.is_err(), "the upkeep goes on");
    }

    #[tokio::test]
    async fn those_that_were_asked_to_end_are_waited_for_by_name() {
        let mut tasks = Tasks::default();
        let (asked, ask) = tokio::sync::oneshot::channel::<()>();
        tasks.spawn("the committer", async move { drop(ask.await) });
        tasks.spawn("the upkeep", std::future::pending());
        drop(asked);
        tasks.wait_for("the committer", Duration::from_secs(10)).await;
        assert_eq!(tasks.names.values().copied().collect::<Vec<_>>(), ["the upkeep"]);
        tasks.abort_all();
        assert!(tasks.first_to_end().await.starts_with("the upkeep was given up"));
    }
}
