//! Which dead letters a command reads or changes.

use anyhow::{Result, bail};
use clap::Args;
use penstock_aws::sqs::SqsQueue;
use penstock_pipeline::BatchId;

use super::letter::DeadLetterView;
use super::queue::DeadLetterQueue;
use crate::batches::Batches;
use crate::settings::StackSettings;

/// The queue of dead letters.
#[derive(Debug, Args)]
pub(super) struct QueueArg {
    /// Only the dead letters of this queue: drops, load or job-events [default: all queues]
    #[arg(long, value_name = "NAME")]
    pub(super) queue: Option<String>,
}

/// Properties of dead letters. A dead letter must have all that are given.
#[derive(Debug, Args)]
#[group(id = "filters", multiple = true)]
pub(super) struct FilterArgs {
    /// Those of this batch
    #[arg(long)]
    pub(super) batch: Option<BatchId>,
    /// Those of this source
    #[arg(long)]
    pub(super) source: Option<String>,
    /// Those with this code; `none` for those without one
    #[arg(long)]
    pub(super) code: Option<String>,
    /// The one with this id
    #[arg(long)]
    pub(super) id: Option<String>,
}

impl FilterArgs {
    fn is_empty(&self) -> bool {
        let Self { batch, source, code, id } = self;
        batch.is_none() && source.is_none() && code.is_none() && id.is_none()
    }

    pub(super) fn matches(&self, letter: &DeadLetterView) -> bool {
        let Self { batch, source, code, id } = self;
        batch.is_none_or(|batch| letter.batch_id == Some(batch))
            && source.as_ref().is_none_or(|source| letter.source.as_ref() == Some(source))
            && code.as_ref().is_none_or(|code| letter.code.as_deref().unwrap_or("none") == code)
            && id.as_ref().is_none_or(|id| letter.id == *id)
    }
}

/// The dead letters that a command changes. They must be selected explicitly.
#[derive(Debug, Args)]
pub(super) struct SelectionArgs {
    #[command(flatten)]
    pub(super) queue: QueueArg,
    #[command(flatten)]
    pub(super) filters: FilterArgs,
    /// All of them
    #[arg(long, conflicts_with = "filters")]
    pub(super) all: bool,
}

impl SelectionArgs {
    pub(super) fn check(&self) -> Result<()> {
        if self.filters.is_empty() && !self.all {
            bail!("select dead letters with --batch, --source, --code or --id, or all of them with --all");
        }
        Ok(())
    }
}

/// The dead-letter queues of a stack.
pub(super) struct DeadLetterQueues {
    pub(super) sqs: SqsQueue,
    pub(super) batches: Batches,
    pub(super) queues: Vec<DeadLetterQueue>,
}

impl DeadLetterQueues {
    /// Finds the dead-letter queues, or the one that is selected.
    pub(super) fn find(selected: &QueueArg) -> Result<Self> {
        let settings = StackSettings::find()?;
        let mut queues = DeadLetterQueue::all(&settings);
        if let Some(name) = &selected.queue {
            let names: Vec<String> = queues.iter().map(|queue| queue.name.clone()).collect();
            queues.retain(|queue| queue.name == *name);
            if queues.is_empty() {
                bail!("there is no dead-letter queue of {name:?}, only those of {}", names.join(", "));
            }
        }
        if queues.is_empty() {
            bail!("no variable PENSTOCK_<NAME>_DEAD_LETTER_QUEUE_URL is set");
        }
        Ok(Self { sqs: SqsQueue::new(&settings.aws()?), batches: Batches::of(&settings)?, queues })
    }
}
