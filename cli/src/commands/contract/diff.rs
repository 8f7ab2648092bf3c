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
pub(crate) struct Diff {
    /// The contract as it was
    old: PathBuf,
    /// The contract as it shall be
    new: PathBuf,
    #[command(flatten)]
    overlay: OverlayArg,
    /// The overlay of the old contract [default: that of the new one]
    #[arg(long, value_name = "FILE")]
    old_overlay: Option<PathBuf>,
    /// Print JSON; `sources` is a list where a contract describes several
    #[arg(long)]
    json: bool,
}

/// What changed of one source.
#[derive(Debug, Serialize)]
struct Answer {
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<String>,
    /// Its version before; `None` for a source that is new.
    old: Option<String>,
    /// Its version from now on; `None` for a source that is gone.
    new: Option<String>,
    breaking: bool,
    changes: Vec<Change>,
    version_fault: Option<String>,
}

impl Diff {
    pub(crate) fn run(self) -> Result<Exit> {
        let old_overlay = OverlayArg { overlay: self.old_overlay.or_else(|| self.overlay.overlay.clone()) };
        let old = contracts::read_valid(&self.old, &old_overlay, None)?;
        let new = contracts::read_valid(&self.new, &self.overlay, None)?;
        let answers = answers(&old, &new);
        let breaking = answers.iter().any(|answer| answer.breaking);
        match answers.as_slice() {
            [only] if self.json => outln!("{:#}", json!(only)),
            all if self.json => outln!("{:#}", json!({ "breaking": breaking, "sources": all })),
            all => all.iter().for_each(show),
        }
        Ok(if breaking { REJECTS } else { SUCCESS })
    }
}

/// One answer where both files describe one source, whatever its name; else one for each source of either.
fn answers(old: &Document, new: &Document) -> Vec<Answer> {
    if let ([old], [new]) = (old.contracts.as_slice(), new.contracts.as_slice()) {
        return vec![Answer { source: None, ..compared(old, new) }];
    }
    let find = |document: &Document, source: &str| {
        document.contracts.iter().find(|contract| contract.source == source).cloned()
    };
    let mut answers: Vec<Answer> = old
        .contracts
        .iter()
        .map(|old| match find(new, &old.source) {
            Some(new) => compared(old, &new),
            None => alone(old, ChangeKind::Breaking, "the source is gone"),
        })
        .collect();
    let added = new.contracts.iter().filter(|new| find(old, &new.source).is_none());
    answers.extend(added.map(|new| alone(new, ChangeKind::Compatible, "a new source")));
    answers
}

fn compared(old: &Contract, new: &Contract) -> Answer {
    let changes = diff(old, new);
    Answer {
        source: Some(new.source.clone()),
        old: Some(old.version.clone()),
        new: Some(new.version.clone()),
        breaking: is_breaking(&changes),
        version_fault: version_fault(old, new, &changes),
        changes,
    }
}

/// A source that only one of the contracts describes.
fn alone(contract: &Contract, kind: ChangeKind, what: &str) -> Answer {
    let version = Some(contract.version.clone());
    let (old, new) = match kind {
        ChangeKind::Breaking => (version, None),
        ChangeKind::Compatible => (None, version),
    };
    let changes = vec![Change { path: "schema".to_owned(), kind, what: what.to_owned() }];
    let breaking = is_breaking(&changes);
    Answer { source: Some(contract.source.clone()), old, new, breaking, changes, version_fault: None }
}

fn show(answer: &Answer) {
    let source = answer.source.as_ref().map(|source| format!("{source}: ")).unwrap_or_default();
    for change in &answer.changes {
        outln!("{source}{change}");
    }
    if answer.changes.is_empty() {
        outln!("{source}no change that has an effect");
    }
    if let Some(fault) = &answer.version_fault {
        errln!("{source}{fault}");
    }
}
