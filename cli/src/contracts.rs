//! Contract files on the operator's machine, with the overlays that complete them.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use clap::Args;
use penstock_contract::{Contract, ContractErrors, Document, SourceFile, parse_document};

/// The overlay of one contract.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct OverlayArg {
    /// Complete the contract with this file: a partial contract with what Penstock needs beyond the producer's
    #[arg(long, value_name = "FILE")]
    pub(crate) overlay: Option<PathBuf>,
}

/// A contract file with everything that it describes.
#[derive(Debug)]
pub(crate) struct ContractFile {
    pub(crate) document: Document,
    /// What is published: the file as it is, or with its overlay merged into it.
    pub(crate) text: String,
}

/// Reads a contract with its overlay. The outer error is of the files, the inner one of what is in them.
pub(crate) fn read(
    file: &Path,
    overlay: &OverlayArg,
    source: Option<&str>,
) -> Result<Result<ContractFile, ContractErrors>> {
    let text = read_text(file)?;
    let name = file.display().to_string();
    let overlay = match &overlay.overlay {
        Some(path) => Some((path.display().to_string(), read_text(path)?)),
        None => None,
    };
    let overlay = overlay.as_ref().map(|(name, text)| SourceFile { name, text });
    let document = match parse_document(SourceFile { name: &name, text: &text }, overlay, source) {
        Ok(document) => document,
        Err(errors) => return Ok(Err(errors)),
    };
    let text = document.merged.clone().unwrap_or(text);
    Ok(Ok(ContractFile { document, text }))
}

/// Reads a contract that must be valid and complete, or no more than the part that describes `source`.
pub(crate) fn read_valid(file: &Path, overlay: &OverlayArg, source: Option<&str>) -> Result<Document> {
    match read(file, overlay, source)? {
        Ok(file) => Ok(file.document),
        Err(errors) => bail!("the contract cannot be used:\n{errors}"),
    }
}

/// The contract of `source`, or the only one.
pub(crate) fn select(document: Document, source: Option<&str>) -> Result<Contract> {
    let sources: Vec<String> = document.contracts.iter().map(|contract| contract.source.clone()).collect();
    let sources = sources.join(", ");
    let mut found = document.contracts.into_iter();
    match source {
        Some(source) => found
            .find(|contract| contract.source == source)
            .with_context(|| format!("the contract describes {sources}, not {source}")),
        None => match (found.next(), found.next()) {
            (Some(only), None) => Ok(only),
            _ => bail!("the contract describes several sources: choose one with --source: {sources}"),
        },
    }
}

fn read_text(file: &Path) -> Result<String> {
    std::fs::read_to_string(file).with_context(|| format!("{}", file.display()))
}
