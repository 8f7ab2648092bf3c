//! `penstock contract publish`

use anyhow::{Result, bail, ensure};
use bytes::Bytes;
use penstock_aws::s3::S3Store;
use penstock_aws::store::ObjectStore as _;
use penstock_contract::diff::version_fault;
use penstock_contract::{Contract, parse_source};
use penstock_pipeline::layout;
use penstock_pipeline::writer_command::TableCheck;
use serde_json::json;

use super::files::ContractFiles;
use crate::exit::{Exit, SUCCESS};
use crate::settings::StackSettings;
use crate::writer::WriterFunction;

/// Publishes each source of the files.
pub(super) async fn run(files: ContractFiles) -> Result<Exit> {
    // Check all files before writing the first.
    let mut contracts = Vec::new();
    for (_, checked) in files.check()? {
        match checked {
            Ok(read) => contracts.push(read),
            Err(problems) => bail!("nothing was published:\n{problems}"),
        }
    }
    for read in &contracts {
        for contract in &read.document.contracts {
            // The functions parse the published text, so it must yield the contract that was checked.
            let parsed = parse_source("the merged contract", &read.text, &contract.source)?;
            ensure!(
                parsed == *contract,
                "{}: the text of the merged contract differs from the checked contract",
                contract.source
            );
        }
    }
    let settings = StackSettings::find()?;
    let store = S3Store::new(&settings.aws()?);
    let bucket = settings.required("PENSTOCK_ARTIFACTS_BUCKET")?;
    let mut published = Vec::new();
    for read in contracts {
        for contract in &read.document.contracts {
            publish(&store, bucket, contract, Bytes::from(read.text.clone())).await?;
            if !files.json {
                outln!("published {} {}", contract.source, contract.version);
            }
            let warning = table_warning(&settings, contract, &read.text).await;
            if let Some(warning) = &warning {
                errln!("penstock: {warning}");
            }
            published.push(json!({
                "source": contract.source,
                "version": contract.version,
                "warning": warning,
            }));
        }
    }
    if files.json {
        outln!("{:#}", json!(published));
    }
    Ok(SUCCESS)
}

/// Returns the reason why the existing table cannot take the contract, or why that could not be checked. Neither prevents
/// the publication: the table may be changed afterwards, and contracts are published before there is a database.
async fn table_warning(settings: &StackSettings, contract: &Contract, text: &str) -> Option<String> {
    let (source, version) = (&contract.source, &contract.version);
    let checked = match WriterFunction::find(settings) {
        Ok(writer) => writer.check_table(text.to_owned(), source.clone()).await,
        Err(error) => Err(error),
    };
    match checked {
        Ok(TableCheck { problem: Some(problem), .. }) => Some(format!(
            "{source} {version}: the existing table cannot take the contract, so its drops will fail: {problem}"
        )),
        Ok(TableCheck { problem: None, .. }) => None,
        Err(error) => {
            Some(format!("{source} {version}: the table was not compared with the contract: {error:#}"))
        }
    }
}

/// Writes the version first and then the pointer to it, so that a reader of the pointer always finds the version.
async fn publish(store: &S3Store, bucket: &str, contract: &Contract, text: Bytes) -> Result<()> {
    let Contract { source, version, .. } = contract;
    let key = layout::contract_version(source, version);
    if store.get(bucket, &key).await?.is_none()
        && let Some(fault) = version_fault_of(store, bucket, contract).await?
    {
        bail!("{source} {version} was not published: {fault}; `penstock contract diff` prints the changes");
    }
    if !store.put_if_absent(bucket, &key, text.clone()).await? {
        let published = store.get(bucket, &key).await?;
        if published.as_ref() != Some(&text) {
            bail!(
                "{source} {version} is already published with different content: batch ids depend on the version, so a \
                 change needs a new version, in the contract or in its overlay"
            );
        }
    }
    store.put(bucket, &layout::current_contract(source), text).await?;
    Ok(())
}

/// Returns the reason why a new version cannot follow the current one.
async fn version_fault_of(store: &S3Store, bucket: &str, contract: &Contract) -> Result<Option<String>> {
    let key = layout::current_contract(&contract.source);
    let Some(current) = store.get(bucket, &key).await? else { return Ok(None) };
    // Any version may follow one that this version of Penstock cannot parse, with which no drop can be processed.
    let current =
        std::str::from_utf8(&current).ok().and_then(|text| parse_source(&key, text, &contract.source).ok());
    Ok(current
        .and_then(|current| version_fault(&current, contract, &penstock_contract::diff(&current, contract))))
}
