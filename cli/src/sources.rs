//! The sources of a stack, to suggest the one that was probably meant.

use std::collections::BTreeSet;

use anyhow::Result;
use penstock_aws::listing::{ListScope, each_page};
use penstock_aws::s3::S3Store;
use penstock_pipeline::{layout, near_name};

use crate::settings::StackSettings;

/// Returns the question whether a similar source was meant, with a leading semicolon. Empty if there is none.
pub(crate) async fn suggestion(store: &S3Store, settings: &StackSettings, source: &str) -> Result<String> {
    let mut sources = BTreeSet::new();
    for (variable, prefix) in
        [("PENSTOCK_ARTIFACTS_BUCKET", layout::CONTRACTS), ("PENSTOCK_PROCESSED_BUCKET", layout::RECEIPTS)]
    {
        let Some(bucket) = settings.optional(variable) else { continue };
        each_page(store, ListScope::one_level(bucket, prefix), |page| {
            let name = |folder: &String| Some(folder.strip_prefix(prefix)?.strip_suffix('/')?.to_owned());
            sources.extend(page.folders.iter().filter_map(name));
        })
        .await?;
    }
    let others = sources.iter().map(String::as_str).filter(|other| *other != source);
    Ok(near_name(source, others).map(|near| format!("; did you mean `{near}`?")).unwrap_or_default())
}
