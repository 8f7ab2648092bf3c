//! `penstock contract publish`

use anyhow::{Result, bail, ensure};
use bytes::Bytes;
use penstock_aws::s3::S3Store;
use penstock_aws::store::ObjectStore as _;
use penstock_contract::diff::version_fault;
use penstock_contract::{Contract, parse_source};
use penstock_pipeline::layout;
use serde_json::json;

use super::Files;
use crate::exit::{Exit, SUCCESS};
use crate::settings::Settings;

/// Publishes each source of the files.
pub(super) async fn run(files: Files) -> Result<Exit> {
    // All are checked before the first is written.
    let mut contracts = Vec::new();
    for (_, checked) in files.check()? {
        match checked {
            Ok(read) => contracts.push(read),
            Err(faults) => bail!("nothing was published:\n{faults}"),
        }
    }
    for read in &contracts {
        for contract in &read.document.contracts {
            // The functions read the text, so that it must say what was checked.
            let again = parse_source("the merged contract", &read.text, &contract.source)?;
            ensure!(again == *contract, "{}: the merged contract is read in another way", contract.source);
        }
    }
    let settings = Settings::find()?;
    let store = S3Store::new(&settings.aws()?);
    let bucket = settings.required("PENSTOCK_ARTIFACTS_BUCKET")?;
    let mut answers = Vec::new();
    for read in contracts {
        let text = Bytes::from(read.text);
        for contract in &read.document.contracts {
            publish(&store, bucket, contract, text.clone()).await?;
            if !files.json {
                outln!("published {} {}", contract.source, contract.version);
            }
            answers.push(json!({ "source": contract.source, "version": contract.version }));
        }
    }
    if files.json {
        outln!("{:#}", json!(answers));
    }
    Ok(SUCCESS)
}

/// The version first, then the pointer to it: a reader of the pointer always finds the version.
async fn publish(store: &S3Store, bucket: &str, contract: &Contract, text: Bytes) -> Result<()> {
    let Contract { source, version, .. } = contract;
    let key = layout::contract_version(source, version);
    if store.get(bucket, &key).await?.is_none()
        && let Some(fault) = version_fault_of(store, bucket, contract).await?
    {
        bail!("{source} {version} is not published: {fault}; `penstock contract diff` prints the changes");
    }
    if !store.put_if_absent(bucket, &key, text.clone()).await? {
        let published = store.get(bucket, &key).await?;
        if published.as_ref() != Some(&text) {
            bail!(
                "{source} {version} is published with other content: batches are named after it, so give the change \
                 a new version, in the contract or in its overlay"
            );
        }
    }
    store.put(bucket, &layout::current_contract(source), text).await?;
    Ok(())
}

/// Why a new version does not follow from the current one. Going back to a version that was published is always allowed.
async fn version_fault_of(store: &S3Store, bucket: &str, contract: &Contract) -> Result<Option<String>> {
    let key = layout::current_contract(&contract.source);
    let Some(current) = store.get(bucket, &key).await? else { return Ok(None) };
    // No drop is processed with one that this version of Penstock cannot read: whatever follows is better.
    let current =
        std::str::from_utf8(&current).ok().and_then(|text| parse_source(&key, text, &contract.source).ok());
    Ok(current
        .and_then(|current| version_fault(&current, contract, &penstock_contract::diff(&current, contract))))
}
