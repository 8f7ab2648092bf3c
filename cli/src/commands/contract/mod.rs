//! `penstock contract`

mod catalog;
mod diff;
mod explain;
mod infer;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use bytes::Bytes;
use clap::{Args, Subcommand};
use penstock_aws::s3::S3Store;
use penstock_aws::store::ObjectStore as _;
use penstock_contract::diff::version_fault;
use penstock_contract::{Contract as Parsed, ContractErrors};
use penstock_engine::{Plan, PseudonymKey};
use penstock_pipeline::layout;
use serde_json::json;

use crate::commands::block_on;
use crate::exit::{Exit, REJECTS, SUCCESS};
use crate::settings::Settings;

/// Check contracts, compare, explain and publish them.
#[derive(Debug, Subcommand)]
pub(crate) enum Contract {
    /// Say everything that is wrong with contracts
    Lint(Files),
    /// Say what changed from one contract to the next: exit status 1 when a change is breaking
    Diff(diff::Diff),
    /// Print the lake's tables for Terraform's catalog, as these contracts make them
    Catalog(catalog::Catalog),
    /// Write a contract from a sample, which that contract then accepts
    Infer(infer::Infer),
    /// Put a contract into words, with the table that it makes
    Explain(explain::Explain),
    /// Make contracts the ones that new drops are taken through
    Publish(Files),
}

#[derive(Debug, Args)]
pub(crate) struct Files {
    /// ODCS files
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// What is wrong with a contract.
#[derive(Debug, thiserror::Error)]
enum Faults {
    #[error(transparent)]
    Contract(ContractErrors),
    #[error("{0}")]
    Plan(String),
}

impl Faults {
    fn to_json(&self) -> serde_json::Value {
        match self {
            Self::Contract(errors) => json!(errors),
            Self::Plan(message) => json!([{ "message": message }]),
        }
    }
}

/// A contract that can be published.
struct Publishable {
    contract: Parsed,
    text: String,
}

impl Contract {
    pub(crate) fn run(self) -> Result<Exit> {
        match self {
            Self::Lint(files) => files.lint(),
            Self::Diff(diff) => diff.run(),
            Self::Catalog(catalog) => catalog.run(),
            Self::Infer(infer) => infer.run(),
            Self::Explain(explain) => explain.run(),
            Self::Publish(files) => block_on(files.publish()),
        }
    }
}

impl Files {
    fn lint(self) -> Result<Exit> {
        let mut faulty = false;
        let mut answers = Vec::new();
        for file in &self.files {
            let checked = check(file)?;
            faulty |= checked.is_err();
            if self.json {
                let errors = checked.as_ref().err().map_or(json!([]), Faults::to_json);
                answers.push(json!({ "file": file.display().to_string(), "errors": errors }));
                continue;
            }
            match checked {
                Ok(ok) => outln!("{}: {} {}", file.display(), ok.contract.source, ok.contract.version),
                Err(faults) => errln!("{faults}"),
            }
        }
        if self.json {
            outln!("{:#}", json!(answers));
        }
        Ok(if faulty { REJECTS } else { SUCCESS })
    }

    async fn publish(self) -> Result<Exit> {
        // All are checked before the first is written.
        let mut contracts = Vec::new();
        for file in &self.files {
            match check(file)? {
                Ok(publishable) => contracts.push(publishable),
                Err(faults) => bail!("nothing was published:\n{faults}"),
            }
        }
        let settings = Settings::find()?;
        let store = S3Store::new(&settings.aws()?);
        let bucket = settings.required("PENSTOCK_ARTIFACTS_BUCKET")?;
        let mut answers = Vec::new();
        for Publishable { contract, text } in contracts {
            publish(&store, bucket, &contract, text).await?;
            if !self.json {
                outln!("published {} {}", contract.source, contract.version);
            }
            answers.push(json!({ "source": contract.source, "version": contract.version }));
        }
        if self.json {
            outln!("{:#}", json!(answers));
        }
        Ok(SUCCESS)
    }
}

/// Reads and compiles a contract; the outer error is the file's, the inner one the contract's.
fn check(file: &Path) -> Result<Result<Publishable, Faults>> {
    let text = std::fs::read_to_string(file).with_context(|| format!("{}", file.display()))?;
    let contract = match penstock_contract::parse(&file.display().to_string(), &text) {
        Ok(contract) => contract,
        Err(errors) => return Ok(Err(Faults::Contract(errors))),
    };
    // Whatever the key, the plan is the same: the environment has its own.
    let any_key = PseudonymKey::new(&[0; PseudonymKey::MIN_BYTES])?;
    Ok(match Plan::compile_with(&contract, Some(&any_key)) {
        Ok(_) => Ok(Publishable { contract, text }),
        Err(error) => Err(Faults::Plan(format!("{}: {error}", file.display()))),
    })
}

/// Reads a contract that must be valid.
fn read(file: &Path) -> Result<Parsed> {
    let text = std::fs::read_to_string(file).with_context(|| format!("{}", file.display()))?;
    Ok(penstock_contract::parse(&file.display().to_string(), &text)?)
}

/// Why a new version does not follow from the current one. Going back to a version that was published is always allowed.
async fn version_fault_of(store: &S3Store, bucket: &str, contract: &Parsed) -> Result<Option<String>> {
    let key = layout::current_contract(&contract.source);
    let Some(current) = store.get(bucket, &key).await? else { return Ok(None) };
    // One that this version of Penstock cannot read takes no drops: whatever follows is better.
    let current =
        std::str::from_utf8(&current).ok().and_then(|text| penstock_contract::parse(&key, text).ok());
    Ok(current
        .and_then(|current| version_fault(&current, contract, &penstock_contract::diff(&current, contract))))
}

/// The version first, then the pointer to it: a reader of the pointer always finds the version.
async fn publish(store: &S3Store, bucket: &str, contract: &Parsed, text: String) -> Result<()> {
    let Parsed { source, version, .. } = contract;
    let key = layout::contract_version(source, version);
    let text = Bytes::from(text);
    if store.get(bucket, &key).await?.is_none()
        && let Some(fault) = version_fault_of(store, bucket, contract).await?
    {
        bail!("{source} {version} is not published: {fault}; `penstock contract diff` tells the changes");
    }
    if !store.put_if_absent(bucket, &key, text.clone()).await? {
        let published = store.get(bucket, &key).await?;
        if published.as_ref() != Some(&text) {
            bail!(
                "{source} {version} is published with other content: batches are named after it, so give the change \
                 a new version"
            );
        }
    }
    store.put(bucket, &layout::current_contract(source), text).await?;
    Ok(())
}
