//! What of a source's contracts matters here: which versions there are, and when its next drop is due.

use jiff::{SignedDuration, Timestamp};
use penstock_aws::listing::{ObjectListing, Scope, each_page};
use penstock_aws::store::{ObjectStore, StoreError};
use penstock_contract::Contract;
use penstock_pipeline::layout;

use crate::error::SourceError;

/// The published contracts of a source.
#[derive(Debug, Default)]
pub(crate) struct Published {
    /// The versions that a batch may have been taken through, the current one first.
    pub(crate) versions: Vec<String>,
    /// When the current one was published; `None` when there is none.
    pub(crate) at: Option<Timestamp>,
}

/// Lists what is published for `source`.
pub(crate) async fn published(
    store: &impl ObjectListing,
    artifacts_bucket: &str,
    source: &str,
) -> Result<Published, StoreError> {
    let (current, folder) = (layout::current_contract(source), layout::contracts(source));
    let mut published = Published::default();
    each_page(store, Scope::one_level(artifacts_bucket, &folder), |page| {
        for object in page.objects {
            if object.key == current {
                published.at = object.modified_at;
            } else if let Some(version) =
                object.key.strip_prefix(&folder).and_then(|name| name.strip_suffix(".yaml"))
            {
                published.versions.push(version.to_owned());
            }
        }
    })
    .await?;
    Ok(published)
}

/// How long after a drop the next one of `source` is due, by its current contract; `None` where it promises nothing or
/// there is no contract. Its version comes first in `published` from then on.
pub(crate) async fn due(
    store: &impl ObjectStore,
    artifacts_bucket: &str,
    source: &str,
    published: &mut Published,
) -> Result<Option<SignedDuration>, SourceError> {
    let key = layout::current_contract(source);
    let Some(text) = store.get(artifacts_bucket, &key).await? else { return Ok(None) };
    let contract = parse(&key, &text, source)?;
    published.versions.retain(|version| *version != contract.version);
    published.versions.insert(0, contract.version.clone());
    let seconds = contract.due_seconds();
    Ok(seconds.map(|seconds| SignedDuration::from_secs(i64::try_from(seconds).unwrap_or(i64::MAX))))
}

fn parse(key: &str, text: &[u8], source: &str) -> Result<Contract, SourceError> {
    let invalid = |message: String| SourceError::Contract { key: key.to_owned(), message };
    let text = str::from_utf8(text).map_err(|error| invalid(error.to_string()))?;
    penstock_contract::parse_source(key, text, source).map_err(|errors| {
        let first = errors.as_slice().first().map(ToString::to_string);
        invalid(first.unwrap_or_default())
    })
}
