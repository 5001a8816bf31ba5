//! The credential that asks for clients that send none: what was kept for it ends with its right to ask.

use crate::{Node, command::Command};
use cache_core::{Domain, Reach, Scope};
use cache_origin_github::{Rules, SurrogateFault, SurrogateNews};
use tokio::sync::{mpsc::Permit, oneshot};

impl Node {
    /// Examines the credential of [`GitHubBuilder::anonymous_as`](crate::GitHubBuilder::anonymous_as) that is in force, if
    /// there is one and it is time; `None` if not. To be called again and again, as once a second.
    ///
    /// When the origin shows that the credential must not be used, all that was kept for it is forgotten, in memory, on disk
    /// and at every member: it may have been given by rights that the credential was not to have.
    ///
    /// ```no_run
    /// # async fn example(node: fleet_cache::Node) {
    /// if let Some(news) = node.examine_if_due().await {
    ///     println!("{:?}", news.state);
    /// }
    /// # }
    /// ```
    ///
    /// # Cancellation
    ///
    /// Dropping the future changes nothing.
    pub async fn examine_if_due(&self) -> Option<SurrogateNews> {
        // Taken beforehand, so that a fault is never noted without this.
        let order = self.shared().commands.reserve().await.ok();
        self.github().examine_if_due(|domain| forget(order, domain)).await
    }

    /// Examines the credential by which `rules`, which are to be adopted, ask for clients that send none, unless it is in use
    /// already. What was kept for it is forgotten as with [`examine_if_due`](Self::examine_if_due).
    ///
    /// ```no_run
    /// # async fn example(node: fleet_cache::Node, rules: fleet_cache::github::Rules) {
    /// if node.examine(&rules).await.is_ok() {
    ///     node.adopt(rules);
    /// }
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`SurrogateFault`]; the credential is not used then.
    ///
    /// # Cancellation
    ///
    /// Dropping the future leaves the credential unexamined.
    pub async fn examine(&self, rules: &Rules) -> Result<(), SurrogateFault> {
        let order = self.shared().commands.reserve().await.ok();
        self.github().examine(rules, |domain| forget(order, domain)).await
    }
}

/// Has all of `domain` forgotten everywhere. Nothing waits until it is.
fn forget(order: Option<Permit<'_, Command>>, domain: Domain) {
    let reach = Reach::forget([Scope::Prefix { prefix: "".into(), domain: Some(domain) }]);
    let (done, _unheard) = oneshot::channel();
    if let Some(order) = order {
        order.send(Command::Invalidate { reach, done });
    }
}
