//! The batches of a stack, as their manifests, receipts and claims in S3 describe them.

use anyhow::{Result, bail};
use penstock_aws::commit::get_json;
use penstock_aws::listing::{ListScope, ListedObject, each_page};
use penstock_aws::s3::S3Store;
use penstock_pipeline::{
    BatchId, Drop, DropClaim, FIRST_GENERATION, Manifest, Receipt, ReceiptState, UNKNOWN_SOURCE, drop_id,
    layout,
};

use crate::settings::StackSettings;

/// The batches of a stack.
#[derive(Debug)]
pub(crate) struct Batches {
    pub(crate) store: S3Store,
    /// The processed bucket.
    pub(crate) bucket: String,
}

impl Batches {
    pub(crate) fn of(settings: &StackSettings) -> Result<Self> {
        let bucket = settings.required("PENSTOCK_PROCESSED_BUCKET")?.to_owned();
        Ok(Self { store: S3Store::new(&settings.aws()?), bucket })
    }

    pub(crate) async fn manifest(&self, batch: &BatchId) -> Result<Option<Manifest>> {
        Ok(get_json(&self.store, &self.bucket, &layout::manifest(batch)).await?)
    }

    pub(crate) async fn receipt(&self, source: &str, batch: &BatchId) -> Result<Option<Receipt>> {
        Ok(get_json(&self.store, &self.bucket, &layout::receipt(source, batch)).await?)
    }

    /// Returns the receipt of a batch whose source is not known: its manifest names the source. A batch that was not
    /// committed has no manifest, so the receipts of all sources are tried.
    pub(crate) async fn find_receipt(&self, batch: &BatchId) -> Result<Receipt> {
        if let Some(manifest) = self.manifest(batch).await? {
            if let Some(receipt) = self.receipt(&manifest.source, batch).await? {
                return Ok(receipt);
            }
            bail!("batch {batch} of source {} was committed, but has no receipt yet", manifest.source);
        }
        for source in self.sources().await? {
            if let Some(receipt) = self.receipt(&source, batch).await? {
                return Ok(receipt);
            }
        }
        bail!("there is no batch {batch}: neither a manifest nor a receipt of it exists in {}", self.bucket)
    }

    async fn sources(&self) -> Result<Vec<String>> {
        let mut sources = Vec::new();
        each_page(&self.store, ListScope::one_level(&self.bucket, layout::RECEIPTS), |page| {
            let name =
                |folder: &String| Some(folder.strip_prefix(layout::RECEIPTS)?.strip_suffix('/')?.to_owned());
            sources.extend(page.folders.iter().filter_map(name));
        })
        .await?;
        Ok(sources)
    }

    /// Returns the claims of a drop, by generation.
    pub(crate) async fn claims(&self, drop: &Drop) -> Result<Vec<DropClaim>> {
        let (source, id) = (drop.source().unwrap_or(UNKNOWN_SOURCE), drop_id(drop));
        let mut claims = Vec::new();
        for generation in FIRST_GENERATION.. {
            let key = layout::drop_claim(source, &id, generation);
            match get_json(&self.store, &self.bucket, &key).await? {
                Some(claim) => claims.push(claim),
                None => break,
            }
        }
        Ok(claims)
    }

    /// Returns the reason why no further chunk of a batch must be loaded, or `None` if there is none.
    pub(crate) async fn obstacle(&self, source: &str, batch: &BatchId) -> Result<Option<String>> {
        let Some(receipt) = self.receipt(source, batch).await? else { return Ok(None) };
        match receipt.state {
            ReceiptState::Withdrawn => return Ok(Some(format!("batch {batch} was withdrawn"))),
            ReceiptState::Replaced => {
                let by = receipt.replaced_by.map(|by| format!(" by batch {by}")).unwrap_or_default();
                return Ok(Some(format!("batch {batch} was replaced{by}")));
            }
            ReceiptState::Received
            | ReceiptState::Submitted
            | ReceiptState::Read
            | ReceiptState::Loading
            | ReceiptState::PartlyLoaded
            | ReceiptState::Loaded
            | ReceiptState::Refused
            | ReceiptState::Failed
            | ReceiptState::Unknown => {}
        }
        let newest = self.claims(&receipt.drop).await?.pop();
        Ok(newest
            .filter(|claim| claim.generation > receipt.generation)
            .map(|claim| format!("batch {} is a replay that replaces batch {batch}", claim.batch_id)))
    }

    /// Lists the receipts of a source, or of all sources.
    pub(crate) async fn list_receipts(&self, source: Option<&str>) -> Result<Vec<ListedObject>> {
        let prefix =
            source.map_or_else(|| layout::RECEIPTS.to_owned(), |one| format!("{}{one}/", layout::RECEIPTS));
        let mut listed = Vec::new();
        each_page(&self.store, ListScope::all(&self.bucket, &prefix), |page| listed.extend(page.objects))
            .await?;
        Ok(listed)
    }

    /// Returns a listed receipt, or `None` if it was deleted since.
    pub(crate) async fn listed_receipt(&self, listed: &ListedObject) -> Result<Option<Receipt>> {
        Ok(get_json(&self.store, &self.bucket, &listed.key).await?)
    }
}
