//! Exit statuses. Scripts rely on them; `penstock help` lists them.

use std::process::ExitCode;

use penstock_pipeline::ReceiptState;

/// An exit status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Exit(u8);

/// The command succeeded and nothing was refused.
pub(crate) const SUCCESS: Exit = Exit(0);
/// Some rows or some contracts have errors, or a change of a contract is breaking.
pub(crate) const REJECTS: Exit = Exit(1);
/// The whole file was refused by a rule, or a contract is incomplete.
pub(crate) const REFUSED: Exit = Exit(2);
/// The file cannot be read, or the batch failed.
pub(crate) const UNREADABLE: Exit = Exit(3);
/// The batch was not finished within the time limit.
pub(crate) const STILL_RUNNING: Exit = Exit(4);
/// The command could not run, for example because of invalid arguments or a missing stack.
pub(crate) const NOT_DONE: Exit = Exit(64);

impl From<Exit> for ExitCode {
    fn from(Exit(status): Exit) -> Self {
        Self::from(status)
    }
}

/// Returns the exit status for a batch in this state.
pub(crate) fn of_state(state: ReceiptState) -> Exit {
    match state {
        ReceiptState::Loaded | ReceiptState::Replaced => SUCCESS,
        ReceiptState::Refused => REFUSED,
        ReceiptState::Failed | ReceiptState::PartlyLoaded | ReceiptState::Withdrawn => UNREADABLE,
        ReceiptState::Received
        | ReceiptState::Submitted
        | ReceiptState::Read
        | ReceiptState::Loading
        | ReceiptState::Unknown => STILL_RUNNING,
    }
}
