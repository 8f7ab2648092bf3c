//! Exit statuses. Scripts rely on them; `penstock help` lists them.

use std::process::ExitCode;

use penstock_pipeline::ReceiptState;

/// What the command says to the shell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Exit(u8);

/// Done; nothing was refused.
pub(crate) const SUCCESS: Exit = Exit(0);
/// Some rows or some contracts have faults, or a contract changed in a breaking way.
pub(crate) const REJECTS: Exit = Exit(1);
/// Nothing of the file would be loaded, or is: by a rule.
pub(crate) const REFUSED: Exit = Exit(2);
/// The file cannot be read, or the batch failed.
pub(crate) const UNREADABLE: Exit = Exit(3);
/// The batch had not ended when the patience did.
pub(crate) const STILL_RUNNING: Exit = Exit(4);
/// The command could not do its work: wrong arguments, no stack, no network.
pub(crate) const NOT_DONE: Exit = Exit(64);

impl From<Exit> for ExitCode {
    fn from(Exit(status): Exit) -> Self {
        Self::from(status)
    }
}

/// What a batch that came so far says to the shell.
pub(crate) fn of_state(state: ReceiptState) -> Exit {
    match state {
        ReceiptState::Loaded => SUCCESS,
        ReceiptState::Refused => REFUSED,
        ReceiptState::Failed => UNREADABLE,
        ReceiptState::Submitted | ReceiptState::Loading => STILL_RUNNING,
    }
}
