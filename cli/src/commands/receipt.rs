//! `penstock receipt`

use anyhow::{Context as _, Result, bail, ensure};
use clap::Args;
use penstock_aws::store::{ObjectRef, ObjectStore as _};
use penstock_pipeline::{BatchId, Drop, DropClaim, Receipt};
use serde_json::json;

use crate::batches::Batches;
use crate::exit::{self, Exit};
use crate::render;
use crate::settings::StackSettings;

/// Print the receipt of a file or a batch. The exit status depends on its state, as that of `drop --wait`.
#[derive(Debug, Args)]
pub(crate) struct ReceiptCommand {
    /// A batch id, or an object: SOURCE/FILE or s3://RAW-BUCKET/SOURCE/FILE
    #[arg(value_name = "KEY|BATCH")]
    subject: String,
    /// The version of the object [default: its newest version]
    #[arg(long, value_name = "ID")]
    version_id: Option<String>,
    /// Print the receipts of all generations: that of the first processing, and those of replays
    #[arg(long)]
    all: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl ReceiptCommand {
    pub(crate) async fn run(self) -> Result<Exit> {
        let settings = StackSettings::find()?;
        let batches = Batches::of(&settings)?;
        let receipts = match self.subject.parse::<BatchId>() {
            Ok(batch) => {
                ensure!(
                    self.version_id.is_none(),
                    "--version-id selects a version of an object, not of a batch"
                );
                self.of_batch(&batches, &batch).await?
            }
            Err(_) => self.of_object(&batches, settings.required("PENSTOCK_RAW_BUCKET")?).await?,
        };
        let Some(newest) = receipts.last() else {
            bail!("the file was received, but has no receipt yet");
        };
        match (self.json, self.all) {
            (true, true) => outln!("{:#}", json!(receipts)),
            (true, false) => outln!("{:#}", json!(newest)),
            (false, _) => {
                let texts: Vec<String> = receipts.iter().map(render::receipt).collect();
                out!("{}", texts.join("\n"));
            }
        }
        Ok(exit::of_state(newest.state))
    }

    /// Returns the receipt of a batch, with `--all` those of all generations of its drop.
    async fn of_batch(&self, batches: &Batches, batch: &BatchId) -> Result<Vec<Receipt>> {
        let receipt = batches.find_receipt(batch).await?;
        let claims = if self.all { batches.claims(&receipt.drop).await? } else { Vec::new() };
        // A drop of a release without claims has only this batch.
        if claims.is_empty() { Ok(vec![receipt]) } else { of_claims(batches, &claims).await }
    }

    async fn of_object(&self, batches: &Batches, raw_bucket: &str) -> Result<Vec<Receipt>> {
        let drop = self.drop(batches, raw_bucket).await?;
        let mut claims = batches.claims(&drop).await?;
        ensure!(
            !claims.is_empty(),
            "s3://{}/{} has not been received; `penstock status` shows the queues",
            drop.bucket,
            drop.key
        );
        if !self.all {
            claims.drain(..claims.len() - 1);
        }
        of_claims(batches, &claims).await
    }

    /// Returns the identity of the object's version.
    async fn drop(&self, batches: &Batches, raw_bucket: &str) -> Result<Drop> {
        let (bucket, key) = match self.subject.strip_prefix("s3://") {
            Some(location) => location
                .split_once('/')
                .with_context(|| format!("{} is not of the form s3://<bucket>/<key>", self.subject))?,
            None => (raw_bucket, self.subject.as_str()),
        };
        ensure!(key.contains('/'), "{key:?} is neither a batch id nor a key of the form <source>/<file>");
        let object = ObjectRef {
            bucket: bucket.to_owned(),
            key: key.to_owned(),
            version_id: self.version_id.clone(),
            etag: None,
        };
        let head = batches.store.head_object(&object).await?;
        Ok(Drop {
            bucket: object.bucket,
            key: object.key,
            version_id: head.version_id,
            etag: head.etag,
            size_bytes: head.size_bytes,
            sequencer: None,
            dropped_at: head.modified_at,
        })
    }
}

/// Returns the receipts of claims that have one.
async fn of_claims(batches: &Batches, claims: &[DropClaim]) -> Result<Vec<Receipt>> {
    let mut receipts = Vec::new();
    for claim in claims {
        receipts.extend(batches.receipt(&claim.source, &claim.batch_id).await?);
    }
    Ok(receipts)
}
