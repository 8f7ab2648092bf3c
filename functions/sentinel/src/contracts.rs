//! The published contracts of a source: the versions, and the time within which the next drop is due.

use jiff::{SignedDuration, Timestamp};
use penstock_aws::listing::{ListScope, ObjectListing, each_page};
use penstock_aws::store::{ObjectStore, StoreError};
use penstock_contract::Contract;
use penstock_pipeline::layout;

use crate::error::SourceError;

/// The published contracts of a source.
#[derive(Debug, Default)]
pub(crate) struct PublishedContracts {
    /// The versions under which a batch may have been processed, the current one first.
    pub(crate) versions: Vec<String>,
    /// The time at which the current contract was published; `None` if there is none.
    pub(crate) published_at: Option<Timestamp>,
}

/// Lists the published contracts of `source`.
pub(crate) async fn list_contracts(
    store: &impl ObjectListing,
    artifacts_bucket: &str,
    source: &str,
) -> Result<PublishedContracts, StoreError> {
    let (current, folder) = (layout::current_contract(source), layout::contracts(source));
    let mut contracts = PublishedContracts::default();
    each_page(store, ListScope::one_level(artifacts_bucket, &folder), |page| {
        for object in page.objects {
            if object.key == current {
                contracts.published_at = object.modified_at;
            } else if let Some(version) =
                object.key.strip_prefix(&folder).and_then(|name| name.strip_suffix(".yaml"))
            {
                contracts.versions.push(version.to_owned());
            }
        }
    })
    .await?;
    Ok(contracts)
}

/// Returns the maximum time between two drops of `source` by its current contract, or `None` if there is no contract or
/// it does not specify one. Moves the version of the current contract to the front of `contracts`.
pub(crate) async fn due(
    store: &impl ObjectStore,
    artifacts_bucket: &str,
    source: &str,
    contracts: &mut PublishedContracts,
) -> Result<Option<SignedDuration>, SourceError> {
    let key = layout::current_contract(source);
    let Some(text) = store.get(artifacts_bucket, &key).await? else { return Ok(None) };
    let contract = parse(&key, &text, source)?;
    contracts.versions.retain(|version| *version != contract.version);
    contracts.versions.insert(0, contract.version.clone());
    let seconds = contract.due_seconds();
    // A period that does not fit into i64 is more than the age of the universe: the source is never late.
    Ok(seconds.and_then(|seconds| i64::try_from(seconds).ok()).map(SignedDuration::from_secs))
}

fn parse(key: &str, text: &[u8], source: &str) -> Result<Contract, SourceError> {
    let invalid = |message: String| SourceError::Contract { key: key.to_owned(), message };
    let text = str::from_utf8(text).map_err(|error| invalid(error.to_string()))?;
    penstock_contract::parse_source(key, text, source).map_err(|errors| {
        let first = errors.as_slice().first().expect("an invalid contract has at least one error");
        invalid(first.to_string())
    })
}
