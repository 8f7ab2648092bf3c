//! Compiled contracts, which are cached until they change.

use std::collections::HashMap;
use std::fmt::Display;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use penstock_aws::listing::{ListScope, ObjectListing, each_page};
use penstock_aws::store::{ObjectStore, StoreError};
use penstock_contract::Contract;
use penstock_engine::{Plan, PseudonymKey, sha256_hex};
use penstock_pipeline::{ClaimedContract, Refusal, RefusalCode, layout, near_name};

use crate::error::IngestError;
use crate::pseudonyms::Pseudonyms;

/// Maximum number of cached contracts.
const MAX_CACHED: usize = 32;
/// Maximum number of errors of a contract in a receipt.
const MAX_ERRORS: usize = 5;

/// A contract with its plan.
#[derive(Debug)]
pub(crate) struct CompiledContract {
    pub(crate) text: Bytes,
    sha256: String,
    pub(crate) contract: Contract,
    pub(crate) plan: Arc<Plan>,
}

impl CompiledContract {
    /// Returns the contract as a drop's claim names it.
    pub(crate) fn claimed(&self) -> ClaimedContract {
        ClaimedContract { version: self.contract.version.clone(), sha256: self.sha256.clone() }
    }
}

/// The store of the published contracts.
pub(crate) struct ContractStore<'a, S> {
    pub(crate) store: &'a S,
    /// The artifacts bucket.
    pub(crate) bucket: &'a str,
    pub(crate) pseudonyms: &'a Pseudonyms,
}

/// Compiled contracts by key.
#[derive(Debug, Default)]
pub(crate) struct CompiledContracts {
    cache: Mutex<HashMap<String, Arc<CompiledContract>>>,
}

impl CompiledContracts {
    /// Returns the current contract of `source`, or the refusal of its drops.
    ///
    /// The contract is fetched every time, so that a new version applies to the next drop. It is only compiled if its
    /// text has changed.
    pub(crate) async fn current(
        &self,
        published: &ContractStore<'_, impl ObjectStore + ObjectListing>,
        source: &str,
    ) -> Result<Result<Arc<CompiledContract>, Refusal>, IngestError> {
        let key = layout::current_contract(source);
        match published.store.get(published.bucket, &key).await? {
            Some(text) => self.compiled(published.pseudonyms, source, &key, text).await,
            None => Ok(Err(no_contract(published.store, published.bucket, source).await?)),
        }
    }

    /// Returns the contract that the claim of a drop names, which is not the current one any more.
    ///
    /// # Errors
    /// Returns an error if the version does not exist, or has another text than when the drop was claimed.
    pub(crate) async fn claimed(
        &self,
        published: &ContractStore<'_, impl ObjectStore>,
        source: &str,
        claimed: &ClaimedContract,
    ) -> Result<Arc<CompiledContract>, IngestError> {
        let key = layout::contract_version(source, &claimed.version);
        let unusable = |problem: String| IngestError::ClaimedContract { key: key.clone(), problem };
        let text = published.store.get(published.bucket, &key).await?;
        let text = text.ok_or_else(|| unusable("it does not exist".to_owned()))?;
        let compiled = self.compiled(published.pseudonyms, source, &key, text).await?;
        let compiled = compiled.map_err(|refusal| unusable(refusal.message))?;
        if compiled.claimed() == *claimed {
            return Ok(compiled);
        }
        Err(unusable("it differs from the contract under which the drop was received".to_owned()))
    }

    async fn compiled(
        &self,
        pseudonyms: &Pseudonyms,
        source: &str,
        key: &str,
        text: Bytes,
    ) -> Result<Result<Arc<CompiledContract>, Refusal>, IngestError> {
        if let Some(compiled) = self.cached(key).filter(|compiled| compiled.text == text) {
            return Ok(Ok(compiled));
        }
        let contract = match parse(source, key, &text) {
            Ok(contract) => contract,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let is_key_needed = contract.entity.columns.iter().any(|column| column.pseudonymise);
        let pseudonym_key = if is_key_needed { pseudonyms.key().await? } else { None };
        let compiled = compile(key, text, contract, pseudonym_key);
        Ok(compiled.map(|compiled| self.insert(key, compiled)))
    }

    fn cached(&self, key: &str) -> Option<Arc<CompiledContract>> {
        let cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        cache.get(key).cloned()
    }

    fn insert(&self, key: &str, compiled: CompiledContract) -> Arc<CompiledContract> {
        let compiled = Arc::new(compiled);
        let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        if cache.len() >= MAX_CACHED {
            cache.clear();
        }
        cache.insert(key.to_owned(), Arc::clone(&compiled));
        compiled
    }
}

fn parse(source: &str, key: &str, text: &[u8]) -> Result<Contract, Refusal> {
    let utf8 = str::from_utf8(text).map_err(|error| at_key(key, &error))?;
    let contract = penstock_contract::parse_source(key, utf8, source).map_err(|errors| {
        invalid_contract(&errors.as_slice().iter().map(ToString::to_string).collect::<Vec<_>>())
    })?;
    if contract.source != source {
        let error =
            format!("this is the contract of `{}`, but it is published for `{source}`", contract.source);
        return Err(at_key(key, &error));
    }
    Ok(contract)
}

fn compile(
    key: &str,
    text: Bytes,
    contract: Contract,
    pseudonym_key: Option<&PseudonymKey>,
) -> Result<CompiledContract, Refusal> {
    let plan = Plan::compile_with(&contract, pseudonym_key).map_err(|error| at_key(key, &error))?;
    Ok(CompiledContract { sha256: sha256_hex(&text), text, contract, plan: Arc::new(plan) })
}

fn at_key(key: &str, error: &dyn Display) -> Refusal {
    invalid_contract(&[format!("{key}: {error}")])
}

/// Returns the refusal, which names the source that was probably meant if there is one.
async fn no_contract(store: &impl ObjectListing, bucket: &str, source: &str) -> Result<Refusal, StoreError> {
    let mut sources = Vec::new();
    each_page(store, ListScope::one_level(bucket, layout::CONTRACTS), |page| {
        let name =
            |folder: &String| Some(folder.strip_prefix(layout::CONTRACTS)?.strip_suffix('/')?.to_owned());
        sources.extend(page.folders.iter().filter_map(name));
    })
    .await?;
    let near = near_name(source, sources.iter().map(String::as_str).filter(|other| *other != source));
    let meant = near.map(|near| format!(" (did you mean the source `{near}`?)")).unwrap_or_default();
    let key = layout::current_contract(source);
    let message = format!(
        "s3://{bucket}/{key} does not exist{meant}: publish the source's contract and drop the file again"
    );
    Ok(Refusal::new(RefusalCode::NoContract, message))
}

/// Returns the refusal with the first errors, each with its position.
fn invalid_contract(errors: &[String]) -> Refusal {
    let mut message = errors.iter().take(MAX_ERRORS).cloned().collect::<Vec<_>>().join("; ");
    if errors.len() > MAX_ERRORS {
        message.push_str(&format!("; and {} more", errors.len() - MAX_ERRORS));
    }
    Refusal::new(
        RefusalCode::InvalidContract,
        format!("{message}: publish a corrected contract and drop the file again"),
    )
}
