//! `penstock contract lint`

use anyhow::Result;
use serde_json::json;

use super::files::{ContractFiles, ContractProblems};
use crate::exit::{Exit, REFUSED, REJECTS, SUCCESS};

/// The readiness of a contract. The worst of several contracts determines the exit status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Readiness {
    Ready,
    NeedsMore,
    Invalid,
}

impl Readiness {
    fn as_str(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::NeedsMore => "needs_more",
            Self::Invalid => "invalid",
        }
    }

    fn exit(self) -> Exit {
        match self {
            Self::Ready => SUCCESS,
            Self::NeedsMore => REFUSED,
            Self::Invalid => REJECTS,
        }
    }
}

/// Reports errors in contracts, missing properties, and properties without effect.
pub(super) fn run(files: &ContractFiles) -> Result<Exit> {
    let mut worst = Readiness::Ready;
    let mut reports = Vec::new();
    for (file, checked) in files.check()? {
        let name = file.display().to_string();
        let readiness = match &checked {
            Ok(_) => Readiness::Ready,
            Err(problems) if problems.only_need_more() => Readiness::NeedsMore,
            Err(_) => Readiness::Invalid,
        };
        worst = worst.max(readiness);
        if files.json {
            let document = checked.as_ref().ok().map(|read| &read.document);
            let sources: Vec<_> = document
                .iter()
                .flat_map(|document| &document.contracts)
                .map(|contract| json!({ "source": contract.source, "version": contract.version }))
                .collect();
            reports.push(json!({
                "file": name,
                "status": readiness.as_str(),
                "sources": sources,
                "errors": checked.as_ref().err().map_or(json!([]), ContractProblems::to_json),
                "notes": document.map_or(json!([]), |document| json!(document.notes)),
            }));
            continue;
        }
        match checked {
            Ok(read) => {
                for contract in &read.document.contracts {
                    outln!("{name}: {} {}", contract.source, contract.version);
                }
                for note in &read.document.notes {
                    outln!("note: {note}");
                }
            }
            Err(problems) => {
                errln!("{problems}");
                if readiness == Readiness::NeedsMore {
                    errln!(
                        "{name} is valid ODCS, but Penstock also needs the properties listed above. Add them to the \
                         contract, or to an overlay (--overlay FILE)"
                    );
                }
            }
        }
    }
    if files.json {
        outln!("{:#}", json!(reports));
    }
    Ok(worst.exit())
}
