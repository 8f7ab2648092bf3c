//! `penstock contract diff`

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use penstock_contract::diff::{is_breaking, version_fault};
use penstock_contract::{Change, ChangeKind, Contract, Document, diff};
use serde::Serialize;
use serde_json::json;

use crate::contracts::{self, OverlayArg};
use crate::exit::{Exit, REJECTS, SUCCESS};

#[derive(Debug, Args)]
pub(crate) struct DiffCommand {
    /// The old contract
    old: PathBuf,
    /// The new contract
    new: PathBuf,
    #[command(flatten)]
    overlay: OverlayArg,
    /// The overlay of the old contract [default: that of the new one]
    #[arg(long, value_name = "FILE")]
    old_overlay: Option<PathBuf>,
    /// Print JSON, with a list `sources` when a contract describes several
    #[arg(long)]
    json: bool,
}

/// The changes of one source.
#[derive(Debug, Serialize)]
struct SourceDiff {
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<String>,
    /// The old version; `None` for a new source.
    old: Option<String>,
    /// The new version; `None` for a removed source.
    new: Option<String>,
    breaking: bool,
    changes: Vec<Change>,
    version_fault: Option<String>,
}

impl DiffCommand {
    pub(crate) fn run(self) -> Result<Exit> {
        let old_overlay = OverlayArg { overlay: self.old_overlay.or_else(|| self.overlay.overlay.clone()) };
        let old = contracts::read_valid(&self.old, &old_overlay, None)?;
        let new = contracts::read_valid(&self.new, &self.overlay, None)?;
        let diffs = source_diffs(&old, &new);
        let breaking = diffs.iter().any(|diff| diff.breaking);
        match diffs.as_slice() {
            [only] if self.json => outln!("{:#}", json!(only)),
            all if self.json => outln!("{:#}", json!({ "breaking": breaking, "sources": all })),
            all => all.iter().for_each(show),
        }
        Ok(if breaking { REJECTS } else { SUCCESS })
    }
}

/// Returns one diff when both files describe a single source, even under different names. Otherwise returns a diff for each
/// source of either file.
fn source_diffs(old: &Document, new: &Document) -> Vec<SourceDiff> {
    if let ([old], [new]) = (old.contracts.as_slice(), new.contracts.as_slice()) {
        return vec![SourceDiff { source: None, ..compare(old, new) }];
    }
    let find = |document: &Document, source: &str| {
        document.contracts.iter().find(|contract| contract.source == source).cloned()
    };
    let mut diffs: Vec<SourceDiff> = old
        .contracts
        .iter()
        .map(|old| match find(new, &old.source) {
            Some(new) => compare(old, &new),
            None => added_or_removed(old, ChangeKind::Breaking, "the source was removed"),
        })
        .collect();
    let added = new.contracts.iter().filter(|new| find(old, &new.source).is_none());
    diffs.extend(added.map(|new| added_or_removed(new, ChangeKind::Compatible, "the source was added")));
    diffs
}

fn compare(old: &Contract, new: &Contract) -> SourceDiff {
    let changes = diff(old, new);
    SourceDiff {
        source: Some(new.source.clone()),
        old: Some(old.version.clone()),
        new: Some(new.version.clone()),
        breaking: is_breaking(&changes),
        version_fault: version_fault(old, new, &changes),
        changes,
    }
}

/// Returns the diff of a source that only one of the contracts describes.
fn added_or_removed(contract: &Contract, kind: ChangeKind, what: &str) -> SourceDiff {
    let version = Some(contract.version.clone());
    let (old, new) = match kind {
        ChangeKind::Breaking => (version, None),
        ChangeKind::Compatible => (None, version),
    };
    let changes = vec![Change { path: "schema".to_owned(), kind, what: what.to_owned() }];
    let breaking = is_breaking(&changes);
    SourceDiff { source: Some(contract.source.clone()), old, new, breaking, changes, version_fault: None }
}

fn show(diff: &SourceDiff) {
    let source = diff.source.as_ref().map(|source| format!("{source}: ")).unwrap_or_default();
    for change in &diff.changes {
        outln!("{source}{change}");
    }
    if diff.changes.is_empty() {
        outln!("{source}no changes that have an effect");
    }
    if let Some(fault) = &diff.version_fault {
        errln!("{source}{fault}");
    }
}
