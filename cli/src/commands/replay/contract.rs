//! The published contracts under which files are replayed.

use anyhow::{Context as _, Result};
use penstock_aws::s3::S3Store;
use penstock_aws::store::ObjectStore as _;
use penstock_contract::{Contract, parse_source};
use penstock_engine::sha256_hex;
use penstock_pipeline::{ClaimedContract, layout};

use crate::settings::StackSettings;

/// A contract as a claim names it.
#[derive(Debug, Clone)]
pub(super) struct ReplayContract {
    pub(super) claimed: ClaimedContract,
    pub(super) contract: Contract,
}

/// The published contracts of a stack.
pub(super) struct ReplayContracts<'a> {
    store: &'a S3Store,
    bucket: String,
    /// The version to use; `None` for the current one.
    version: Option<String>,
}

impl<'a> ReplayContracts<'a> {
    pub(super) fn new(store: &'a S3Store, settings: &StackSettings, version: Option<String>) -> Result<Self> {
        let bucket = settings.required("PENSTOCK_ARTIFACTS_BUCKET")?.to_owned();
        Ok(Self { store, bucket, version })
    }

    /// Returns the contract under which a file of `source` is replayed.
    pub(super) async fn selected(&self, source: &str) -> Result<ReplayContract> {
        match &self.version {
            Some(version) => self.read(source, &layout::contract_version(source, version)).await,
            None => self.read(source, &layout::current_contract(source)).await,
        }
    }

    /// Returns a version of a contract as claims name it, or `None` if it was never published.
    pub(super) async fn claimed(&self, source: &str, version: &str) -> Result<Option<ClaimedContract>> {
        let text = self.store.get(&self.bucket, &layout::contract_version(source, version)).await?;
        Ok(text.map(|text| ClaimedContract { version: version.to_owned(), sha256: sha256_hex(&text) }))
    }

    async fn read(&self, source: &str, key: &str) -> Result<ReplayContract> {
        let uri = format!("s3://{}/{key}", self.bucket);
        let text = self.store.get(&self.bucket, key).await?;
        let text = text.with_context(|| format!("{uri} does not exist: publish the contract first"))?;
        let utf8 = std::str::from_utf8(&text).with_context(|| uri.clone())?;
        let contract = parse_source(key, utf8, source).with_context(|| uri.clone())?;
        let claimed = ClaimedContract { version: contract.version.clone(), sha256: sha256_hex(&text) };
        Ok(ReplayContract { claimed, contract })
    }
}
