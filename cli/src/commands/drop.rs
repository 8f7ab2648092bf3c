//! `penstock drop`

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use jiff::Timestamp;
use penstock_aws::s3::S3Store;
use penstock_aws::store::ObjectStore as _;
use penstock_aws::upload::Uploaded;
use penstock_pipeline::{BatchId, Drop, DropClaim, FIRST_GENERATION, Receipt, batch_id, drop_id, layout};
use serde_json::json;

use crate::exit::{self, Exit};
use crate::render::receipt as receipt_text;
use crate::settings::StackSettings;
use crate::sources::suggestion;
use crate::waiting::{poll, wait_for_final};

/// A progress bar is shown for a file of at least this size.
const PROGRESS_MIN_BYTES: u64 = 8 * 1024 * 1024;

/// Upload a file as a drop of a source. With --wait, also print the receipt of its batch.
#[derive(Debug, Args)]
pub(crate) struct DropCommand {
    /// The file to upload
    file: PathBuf,
    /// The source of the file
    #[arg(long, value_parser = source_name)]
    source: String,
    /// Key within the source [default: yyyy/mm/dd/NAME]
    #[arg(long)]
    key: Option<String>,
    /// Wait for the receipt and print it; its state determines the exit status
    #[arg(long)]
    wait: bool,
    /// Stop waiting after this many seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 900)]
    timeout: u64,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl DropCommand {
    pub(crate) async fn run(self) -> Result<Exit> {
        ensure!(self.file.is_file(), "{}: no such file", self.file.display());
        let settings = StackSettings::find()?;
        let store = S3Store::new(&settings.aws()?);
        let bucket = settings.required("PENSTOCK_RAW_BUCKET")?;
        let key = self.key()?;

        let started = Instant::now();
        let uploaded = upload(&store, bucket, &key, &self.file).await?;
        let upload_s = started.elapsed().as_secs_f64();
        let drop = dropped(bucket, key, uploaded);
        let contract_version = self.contract_version(&store, &settings).await?;
        let batch = batch_id(&drop, contract_version.as_deref());
        if !self.wait {
            self.show_drop(&drop, &batch, contract_version.as_deref());
            return Ok(exit::SUCCESS);
        }

        let timeout = Duration::from_secs(self.timeout);
        let processed = settings.required("PENSTOCK_PROCESSED_BUCKET")?;
        let receipt = wait_for_final(async || find_receipt(&store, processed, &drop).await, timeout).await?;
        let Some(mut receipt) = receipt else {
            self.show_drop(&drop, &batch, contract_version.as_deref());
            errln!("penstock: no receipt within {} s; see `penstock status`", self.timeout);
            return Ok(exit::STILL_RUNNING);
        };
        receipt.seconds.insert("upload".to_owned(), round_ms(upload_s));
        receipt.seconds.insert("total".to_owned(), round_ms(started.elapsed().as_secs_f64()));
        if self.json {
            outln!("{}", serde_json::to_string_pretty(&receipt).context("writing the receipt")?);
        } else {
            out!("{}", receipt_text(&receipt));
        }
        Ok(exit::of_state(receipt.state))
    }

    /// Returns the object's key: the source, then the given key or the day and the file's name.
    fn key(&self) -> Result<String> {
        if let Some(key) = &self.key {
            ensure!(!key.is_empty() && !key.starts_with('/'), "--key must not be empty or start with /");
            return Ok(format!("{}/{key}", self.source));
        }
        let name = self.file.file_name().and_then(|name| name.to_str());
        let name = name.with_context(|| format!("{}: the file's name is not UTF-8", self.file.display()))?;
        let day = Timestamp::now().strftime("%Y/%m/%d");
        Ok(format!("{}/{day}/{name}", self.source))
    }

    /// Returns the contract version with which ingest will process the drop. Called after the upload: if a version is
    /// published at the same time, ingest probably uses the new one.
    async fn contract_version(&self, store: &S3Store, settings: &StackSettings) -> Result<Option<String>> {
        let bucket = settings.required("PENSTOCK_ARTIFACTS_BUCKET")?;
        let key = layout::current_contract(&self.source);
        let Some(text) = store.get(bucket, &key).await? else {
            let suggestion = suggestion(store, settings, &self.source).await?;
            errln!("penstock: {} has no contract{suggestion}", self.source);
            errln!(
                "penstock: the drop will be refused; publish a contract, or drop the file under its source"
            );
            return Ok(None);
        };
        let text = String::from_utf8_lossy(&text);
        match penstock_contract::parse_source(&key, &text, &self.source) {
            Ok(contract) => Ok(Some(contract.version)),
            Err(errors) => {
                errln!("penstock: the published contract is invalid: {errors}");
                Ok(None)
            }
        }
    }

    fn show_drop(&self, drop: &Drop, batch: &BatchId, contract_version: Option<&str>) {
        if self.json {
            let report = json!({
                "batch_id": batch,
                "source": self.source,
                "contract_version": contract_version,
                "drop": drop,
            });
            outln!("{report:#}");
        } else {
            outln!("dropped s3://{}/{}", drop.bucket, drop.key);
            outln!("batch   {batch}");
        }
    }
}

/// Returns the receipt of the batch that the drop's claim names.
async fn find_receipt(store: &S3Store, processed: &str, drop: &Drop) -> Result<Option<Receipt>> {
    let source = drop.source().context("the key names a source")?;
    let key = layout::drop_claim(source, &drop_id(drop), FIRST_GENERATION);
    let Some(claim) = poll::<DropClaim>(store, processed, &key).await? else { return Ok(None) };
    poll(store, processed, &layout::receipt(source, &claim.batch_id)).await
}

async fn upload(store: &S3Store, bucket: &str, key: &str, file: &Path) -> Result<Uploaded> {
    let size_bytes = file.metadata().with_context(|| format!("{}", file.display()))?.len();
    let bar = if size_bytes < PROGRESS_MIN_BYTES { ProgressBar::hidden() } else { progress(size_bytes) };
    let uploaded = store.upload(bucket, key, file, |sent| bar.inc(sent)).await;
    bar.finish_and_clear();
    Ok(uploaded?)
}

fn progress(size_bytes: u64) -> ProgressBar {
    let style =
        ProgressStyle::with_template("uploading {bar:40} {bytes}/{total_bytes} {bytes_per_sec} {eta}");
    ProgressBar::new(size_bytes).with_style(style.expect("the template is well-formed"))
}

fn dropped(bucket: &str, key: String, uploaded: Uploaded) -> Drop {
    Drop {
        bucket: bucket.to_owned(),
        key,
        version_id: uploaded.version_id,
        etag: uploaded.etag,
        size_bytes: uploaded.size_bytes,
        sequencer: None,
        dropped_at: Timestamp::now(),
    }
}

fn source_name(name: &str) -> Result<String> {
    if name.is_empty() || name.contains('/') {
        bail!("a source must not be empty or contain `/`");
    }
    Ok(name.to_owned())
}

fn round_ms(seconds: f64) -> f64 {
    (seconds * 1000.0).round() / 1000.0
}
