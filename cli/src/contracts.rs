//! Contract files on this machine, with their overlays.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use clap::Args;
use penstock_contract::{Contract, ContractErrors, Document, SourceFile, parse_document};

/// The overlay of a contract.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct OverlayArg {
    /// Merge this file into the contract: a partial contract with the properties that the producer's lacks
    #[arg(long, value_name = "FILE")]
    pub(crate) overlay: Option<PathBuf>,
}

/// A parsed contract file.
#[derive(Debug)]
pub(crate) struct ContractFile {
    pub(crate) document: Document,
    /// The text to publish: the file, or the result of merging its overlay into it.
    pub(crate) text: String,
}

/// Reads a contract with its overlay. The outer error is about the files, the inner one about their content.
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

/// Reads a contract that must be valid and complete. With `source`, only its part of the contract must be.
pub(crate) fn read_valid(file: &Path, overlay: &OverlayArg, source: Option<&str>) -> Result<Document> {
    match read(file, overlay, source)? {
        Ok(file) => Ok(file.document),
        Err(errors) => bail!("the contract cannot be used:\n{errors}"),
    }
}

/// Returns the contract of `source`, or the only contract of the document.
pub(crate) fn select(document: Document, source: Option<&str>) -> Result<Contract> {
    let sources: Vec<String> = document.contracts.iter().map(|contract| contract.source.clone()).collect();
    let sources = sources.join(", ");
    let mut contracts = document.contracts.into_iter();
    match source {
        Some(source) => contracts
            .find(|contract| contract.source == source)
            .with_context(|| format!("the contract describes {sources}, not {source}")),
        None => match (contracts.next(), contracts.next()) {
            (Some(only), None) => Ok(only),
            (Some(_), Some(_)) => {
                bail!("the contract describes several sources; choose one with --source: {sources}")
            }
            (None, _) => bail!("the contract describes no source"),
        },
    }
}

fn read_text(file: &Path) -> Result<String> {
    std::fs::read_to_string(file).with_context(|| format!("{}", file.display()))
}
