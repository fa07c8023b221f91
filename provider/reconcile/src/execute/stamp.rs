//! The generation on the fleet's targets, written before anything else is.

use enigma_fleet::actions::Resource;
use enigma_fleet::inventory::Tags;
use futures::stream::{self, StreamExt};
use tracing::warn;

use super::Options;
use super::schedule::Run;
use super::tries::Stop;
use crate::generation::GENERATION_TAG;

impl Options {
    /// The tags of a new target: with the generation, if it is written.
    pub(super) fn stamped(&self, tags: &Tags) -> Tags {
        let mut tags = tags.clone();
        if self.stamps.is_some() {
            tags.insert(GENERATION_TAG.to_owned(), self.generation.to_string());
        }
        tags
    }
}

impl Run {
    /// Writes the generation on the targets that exist. Where that fails the plan goes on, and people are told: the mark
    /// guards against a mistake that has not happened yet, and the fleet is worth more.
    pub(super) async fn stamp(&self) {
        let targets = self.options.stamps.iter().flatten();
        let tags = Tags::from([(GENERATION_TAG.to_owned(), self.options.generation.to_string())]);
        let writes: Vec<_> = targets
            .map(|(place, target)| {
                let tags = &tags;
                async move {
                    let written = async {
                        let open = self.read(self.cloud.open(place)).await?;
                        let resource = Resource::Target(target.clone());
                        self.paced(place, "CreateTags", false, || open.retag(&resource, tags, &[])).await
                    };
                    if let Err(Stop::Failed(error)) = written.await {
                        warn!(%place, %target, %error, "the generation was not written");
                        self.ledger.leave_unmarked(error);
                    }
                }
            })
            .collect();
        stream::iter(writes).buffer_unordered(self.options.concurrency.get()).collect::<()>().await;
    }
}
