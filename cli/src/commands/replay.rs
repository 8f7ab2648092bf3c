//! `penstock replay`

mod contract;
mod object;
mod plan;
mod verdicts;

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Result, ensure};
use clap::Args;
use jiff::Timestamp;
use penstock_aws::commit::to_json;
use penstock_aws::queue::Queue as _;
use penstock_aws::sqs::SqsQueue;
use penstock_aws::store::ObjectStore as _;
use penstock_pipeline::{BatchId, Receipt, drop_id, events, layout};
use serde::Serialize;
use serde_json::json;

use self::contract::ReplayContracts;
use self::plan::{ReplayPlan, ReplayPlanner};
use self::verdicts::{VerdictChanges, compare};
use crate::batches::Batches;
use crate::exit::{self, Exit, REFUSED, STILL_RUNNING, SUCCESS};
use crate::render::{self, explain};
use crate::settings::StackSettings;
use crate::times::parse_time;
use crate::waiting::{poll, wait_for_final};

/// Process files again, by default under the current contract. When a replay is loaded, its rows replace those of the
/// batches before it.
#[derive(Debug, Args)]
pub(crate) struct ReplayCommand {
    /// Replay the file of this batch
    #[arg(value_name = "BATCH", required_unless_present = "source", conflicts_with = "source")]
    batch: Option<BatchId>,
    /// Replay every file of this source
    #[arg(long)]
    source: Option<String>,
    /// With --source: only files dropped since this time (2026-01-31T08:00Z, or 3h, 2d before now)
    #[arg(long, value_name = "TIME", value_parser = parse_time, requires = "source")]
    since: Option<Timestamp>,
    /// With --source: only files dropped before this time
    #[arg(long, value_name = "TIME", value_parser = parse_time, requires = "source")]
    until: Option<Timestamp>,
    /// Use this published version of the contract [default: the current one]
    #[arg(long, value_name = "VERSION")]
    contract_version: Option<String>,
    /// Change nothing: read the files on this machine and print how many rows would change verdict
    #[arg(long)]
    dry_run: bool,
    /// Wait for the receipts and print them
    #[arg(long, conflicts_with = "dry_run")]
    wait: bool,
    /// Stop waiting for a receipt after this many seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 900)]
    timeout: u64,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// What was done with a drop.
#[derive(Debug, Serialize)]
struct ReplayedDrop {
    source: String,
    /// The object, as an `s3://` URI.
    object: String,
    version_id: Option<String>,
    /// The batch that is replaced.
    replaces: BatchId,
    /// The new batch; `None` if the replay was refused.
    batch_id: Option<BatchId>,
    contract_version: Option<String>,
    /// The reason why it was refused.
    refused: Option<String>,
    /// What would change, with `--dry-run`.
    #[serde(skip_serializing_if = "Option::is_none")]
    changes: Option<VerdictChanges>,
    /// The receipt, with `--wait`.
    #[serde(skip_serializing_if = "Option::is_none")]
    receipt: Option<Receipt>,
}

impl ReplayCommand {
    pub(crate) async fn run(self) -> Result<Exit> {
        let settings = StackSettings::find()?;
        let batches = Batches::of(&settings)?;
        let receipts = self.receipts(&batches).await?;
        let queue = SqsQueue::new(&settings.aws()?);
        let drops_queue_url = settings.required("PENSTOCK_DROPS_QUEUE_URL")?;
        let contracts = ReplayContracts::new(&batches.store, &settings, self.contract_version.clone())?;
        let planner = ReplayPlanner { batches: &batches, contracts };
        explain(
            self.json,
            self.dry_run,
            &format!(
                "processes {} file(s) again under the {} contract; when a replay is loaded, the rows of the batches \
                 before it are deleted in the same transaction; until then they remain",
                receipts.len(),
                self.contract_version.as_deref().unwrap_or("current"),
            ),
        );
        let mut replayed = Vec::new();
        for receipt in &receipts {
            let one = match planner.plan(receipt, self.batch.is_some()).await? {
                Err(reason) => refused(receipt, reason),
                Ok(plan) if self.dry_run => {
                    let changes = compare(&batches, &plan).await?;
                    ReplayedDrop { changes: Some(changes), ..begun(&plan) }
                }
                Ok(plan) => {
                    start(&batches, &queue, drops_queue_url, &plan).await?;
                    begun(&plan)
                }
            };
            if !self.json {
                self.print(&one);
            }
            replayed.push(one);
        }
        if self.wait {
            self.wait_for_receipts(&batches, &mut replayed).await?;
        }
        if self.json {
            outln!("{:#}", json!({ "dry_run": self.dry_run, "drops": replayed }));
        }
        Ok(self.exit(&replayed))
    }

    /// Returns the receipts of the drops to replay, one for each drop, in the order of the drops.
    async fn receipts(&self, batches: &Batches) -> Result<Vec<Receipt>> {
        if let Some(batch) = &self.batch {
            return Ok(vec![batches.find_receipt(batch).await?]);
        }
        let mut receipts = Vec::new();
        for listed in batches.list_receipts(self.source.as_deref()).await? {
            receipts.extend(batches.listed_receipt(&listed).await?);
        }
        receipts.retain(|receipt| {
            let at = receipt.drop.dropped_at;
            self.since.is_none_or(|since| since <= at) && self.until.is_none_or(|until| at < until)
        });
        // The newest generation of each drop first.
        receipts.sort_by_key(|receipt| std::cmp::Reverse(receipt.generation));
        let mut drops = BTreeSet::new();
        receipts.retain(|receipt| drops.insert(drop_id(&receipt.drop)));
        receipts.sort_by(|a, b| (a.drop.dropped_at, &a.drop.key).cmp(&(b.drop.dropped_at, &b.drop.key)));
        let source = self.source.as_deref().unwrap_or_default();
        ensure!(!receipts.is_empty(), "source {source} has no receipts of that time");
        Ok(receipts)
    }

    async fn wait_for_receipts(&self, batches: &Batches, replayed: &mut [ReplayedDrop]) -> Result<()> {
        for one in replayed.iter_mut() {
            let Some(batch) = one.batch_id else { continue };
            let key = layout::receipt(&one.source, &batch);
            let find = async || poll(&batches.store, &batches.bucket, &key).await;
            one.receipt = wait_for_final(find, Duration::from_secs(self.timeout)).await?;
            match &one.receipt {
                Some(receipt) if !self.json => out!("\n{}", render::receipt(receipt)),
                Some(_) => {}
                None => errln!("penstock: no receipt of {batch} within {} s", self.timeout),
            }
        }
        Ok(())
    }

    fn print(&self, one: &ReplayedDrop) {
        if let Some(reason) = &one.refused {
            outln!("refused   {}: {reason}", one.object);
            return;
        }
        if let Some(changes) = &one.changes {
            out!("{}\n{}", one.object, changes.describe());
            return;
        }
        if let Some(batch) = one.batch_id {
            outln!("replayed  {} as batch {batch}, which replaces {}", one.object, one.replaces);
        }
    }

    fn exit(&self, replayed: &[ReplayedDrop]) -> Exit {
        if replayed.iter().any(|one| one.refused.is_some()) {
            return REFUSED;
        }
        if !self.wait {
            return SUCCESS;
        }
        let of = |one: &ReplayedDrop| {
            one.receipt.as_ref().map_or(STILL_RUNNING, |receipt| exit::of_state(receipt.state))
        };
        replayed.iter().map(of).find(|exit| *exit != SUCCESS).unwrap_or(SUCCESS)
    }
}

/// Writes the claims, and sends the event of the drop. If the program ends in between, the same command continues.
async fn start(batches: &Batches, queue: &SqsQueue, drops_queue_url: &str, plan: &ReplayPlan) -> Result<()> {
    for claim in &plan.claims_to_write {
        let key = layout::drop_claim(&claim.source, &drop_id(&claim.drop), claim.generation);
        let is_written = batches.store.put_if_absent(&batches.bucket, &key, to_json(claim)).await?;
        ensure!(
            is_written,
            "s3://{}/{key} was written meanwhile: someone else replays the file",
            batches.bucket
        );
    }
    queue.send_all(drops_queue_url, None, vec![events::created(&plan.claim.drop)]).await?;
    Ok(())
}

fn refused(receipt: &Receipt, reason: String) -> ReplayedDrop {
    ReplayedDrop {
        source: receipt.source.clone(),
        object: format!("s3://{}/{}", receipt.drop.bucket, receipt.drop.key),
        version_id: receipt.drop.version_id.clone(),
        replaces: receipt.batch_id,
        batch_id: None,
        contract_version: None,
        refused: Some(reason),
        changes: None,
        receipt: None,
    }
}

fn begun(plan: &ReplayPlan) -> ReplayedDrop {
    let claim = &plan.claim;
    ReplayedDrop {
        source: claim.source.clone(),
        object: format!("s3://{}/{}", claim.drop.bucket, claim.drop.key),
        version_id: claim.drop.version_id.clone(),
        replaces: plan.replaced,
        batch_id: Some(claim.batch_id),
        contract_version: claim.contract.as_ref().map(|contract| contract.version.clone()),
        refused: None,
        changes: None,
        receipt: None,
    }
}
