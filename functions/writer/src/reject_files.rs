//! Rows that only the database refuses, as rejects: the reject limit, and the files in the quarantine bucket.

use penstock_aws::database::SqlFailure;
use penstock_aws::store::ObjectStore;
use penstock_contract::Contract;
use penstock_engine::{Code, Reason, Reject, RejectEncoder, Totals, sha256_hex};
use penstock_pipeline::{LoadMessage, layout, too_many_rejects};

use crate::error::LoadError;

/// The files of rows that the database refuses.
#[derive(Debug, Clone)]
pub struct RejectFiles<S> {
    store: S,
    bucket: String,
}

impl<S: ObjectStore> RejectFiles<S> {
    /// Returns the files in this bucket.
    pub fn new(store: S, bucket: &str) -> Self {
        Self { store, bucket: bucket.to_owned() }
    }

    /// Writes the rejects of a chunk, and returns the URI of the file. The same rejects have the same key.
    pub(crate) async fn write(&self, message: &LoadMessage, rejects: &[Reject]) -> Result<String, LoadError> {
        let file = encode(rejects).map_err(|error| LoadError::Chunk {
            location: format!("chunk {} of batch {}", message.chunk.number(), message.batch_id),
            problem: format!("its rejects cannot be encoded: {error}"),
        })?;
        let hash = sha256_hex(&file);
        let key = layout::database_rejects(&message.source, &message.batch_id, message.chunk.index, &hash);
        self.store.put(&self.bucket, &key, file.into()).await?;
        Ok(format!("s3://{}/{key}", self.bucket))
    }
}

fn encode(rejects: &[Reject]) -> Result<Vec<u8>, penstock_engine::EncodeError> {
    let mut encoder = RejectEncoder::new()?;
    rejects.iter().try_for_each(|reject| encoder.push(reject))?;
    encoder.finish()
}

/// Checks the contract's limit for a batch of which the database has refused `refused` rows, in addition to those that the
/// contract rejected.
pub(crate) fn check_limit(
    contract: &Contract,
    totals: &Totals,
    refused: u64,
    failure: &SqlFailure,
) -> Result<(), LoadError> {
    let totals = Totals { rejected: totals.rejected.saturating_add(refused), ..totals.clone() };
    match too_many_rejects(&totals, contract.max_rejects) {
        None => Ok(()),
        Some(refusal) => Err(LoadError::TooManyRejects {
            problem: format!("{}; {refused} were refused by the database ({failure})", refusal.message),
        }),
    }
}

/// Returns a refused row as a reject. `row` is its number in the drop, and `raw` its values as JSON, without those that
/// rejects must not contain.
pub(crate) fn reject(row: u64, raw: String, failure: &SqlFailure) -> Reject {
    let reason = Reason {
        code: Code::DatabaseRefused,
        column: failure.column.as_deref().map(Into::into),
        rule: failure.rule().into(),
        found: None,
    };
    Reject::of_database(row, raw, vec![reason])
}
