//! Decides whether and how a drop is replayed.

use anyhow::Result;
use jiff::Timestamp;
use penstock_aws::store::{ObjectStore as _, StoreError};
use penstock_pipeline::{BatchId, DropClaim, FIRST_GENERATION, Receipt, ReceiptState};

use super::contract::{ReplayContract, ReplayContracts};
use super::object::{is_readable, object_of};
use crate::batches::Batches;

/// The maximum number of rows in a chunk, for drops of releases without claims. Those of other drops are in their claims.
const CHUNK_ROWS: u32 = 40_000;

/// How a drop is replayed.
#[derive(Debug)]
pub(super) struct ReplayPlan {
    /// The claim of the replay.
    pub(super) claim: DropClaim,
    /// The claims to write before the event is sent, in this order. Empty if an earlier command has written the claim,
    /// but ingest has not received the event.
    pub(super) claims_to_write: Vec<DropClaim>,
    /// The newest batch of the drop.
    pub(super) replaced: BatchId,
    pub(super) contract: ReplayContract,
}

/// Plans replays.
pub(super) struct ReplayPlanner<'a> {
    pub(super) batches: &'a Batches,
    pub(super) contracts: ReplayContracts<'a>,
}

impl ReplayPlanner<'_> {
    /// Returns the plan for the drop of a receipt, or the reason why it cannot be replayed. With `is_exact`, the receipt's
    /// batch must be the newest one of the drop.
    pub(super) async fn plan(&self, receipt: &Receipt, is_exact: bool) -> Result<Result<ReplayPlan, String>> {
        let contract = self.contracts.selected(&receipt.source).await?;
        let mut claims = self.batches.claims(&receipt.drop).await?;
        let (newest, mut claims_to_write) = match claims.pop() {
            Some(newest) => (newest, Vec::new()),
            None => match self.first_claim(receipt).await? {
                Ok(first) => (first.clone(), vec![first]),
                Err(reason) => return Ok(Err(reason)),
            },
        };
        if is_exact && newest.batch_id != receipt.batch_id && newest.replaces.contains(&receipt.batch_id) {
            return Ok(Err(format!("it was replayed as batch {0}: replay {0}", newest.batch_id)));
        }
        let current = self.batches.receipt(&newest.source, &newest.batch_id).await?;
        if let Some(reason) = current.as_ref().and_then(replaced_reason) {
            return Ok(Err(reason));
        }
        if let Some(reason) = self.unreadable_reason(&newest).await? {
            return Ok(Err(reason));
        }
        let is_begun = newest.generation > FIRST_GENERATION && current.is_none();
        if is_begun && newest.contract.as_ref() == Some(&contract.claimed) {
            let replaced = newest.replaces.last().copied().unwrap_or(newest.batch_id);
            return Ok(Ok(ReplayPlan { claim: newest, claims_to_write, replaced, contract }));
        }
        let claim = newest.replay(Some(contract.claimed.clone()), newest.chunk_rows, Timestamp::now());
        claims_to_write.push(claim.clone());
        Ok(Ok(ReplayPlan { claim, claims_to_write, replaced: newest.batch_id, contract }))
    }

    /// Returns the claim that a drop of a release without claims would have.
    async fn first_claim(&self, receipt: &Receipt) -> Result<Result<DropClaim, String>> {
        let contract = match &receipt.contract_version {
            None => None,
            Some(version) => match self.contracts.claimed(&receipt.source, version).await? {
                Some(claimed) => Some(claimed),
                None => {
                    return Ok(Err(format!("version {version} of its contract is not published any more")));
                }
            },
        };
        let claim = DropClaim::first(receipt.drop.clone(), contract, CHUNK_ROWS, Timestamp::now());
        if claim.batch_id == receipt.batch_id {
            return Ok(Ok(claim));
        }
        Ok(Err(format!("batch {} has no claim, and is not the first one of its drop", receipt.batch_id)))
    }

    /// Returns the reason why the object of the drop cannot be read.
    async fn unreadable_reason(&self, claim: &DropClaim) -> Result<Option<String>> {
        let object = object_of(&claim.drop);
        let checked = match self.batches.store.head_object(&object).await {
            Ok(head) => is_readable(&self.batches.store, &object, head.size_bytes).await,
            Err(error) => Err(error),
        };
        match checked {
            Ok(()) => Ok(None),
            Err(error @ StoreError::NotFound { .. }) => Ok(Some(format!("{error}: drop the file again"))),
            Err(error @ StoreError::Changed { .. }) => {
                Ok(Some(format!("{error}, and the bucket has no versions: the new content is another drop")))
            }
            Err(error @ StoreError::Archived { .. }) => Ok(Some(error.to_string())),
            Err(error @ (StoreError::Refused { .. } | StoreError::Transient { .. })) => Err(error.into()),
        }
    }
}

/// Returns the reason why the newest batch of a drop must not be replayed: a later version of the object replaces it.
fn replaced_reason(receipt: &Receipt) -> Option<String> {
    match receipt.state {
        ReceiptState::Replaced => {
            let by = receipt.replaced_by.map(|by| format!(" by batch {by}")).unwrap_or_default();
            Some(format!("batch {} was replaced{by}, of a later version of the object", receipt.batch_id))
        }
        ReceiptState::Received
        | ReceiptState::Submitted
        | ReceiptState::Read
        | ReceiptState::Loading
        | ReceiptState::PartlyLoaded
        | ReceiptState::Loaded
        | ReceiptState::Refused
        | ReceiptState::Failed
        | ReceiptState::Withdrawn
        | ReceiptState::Unknown => None,
    }
}
