//! The contract versions of the chunks.

use std::collections::HashMap;
use std::sync::Arc;

use penstock_aws::store::ObjectStore;
use penstock_contract::Contract;
use penstock_pipeline::{LoadMessage, layout};

use crate::error::LoadError;

/// The maximum number of contracts in the cache, which is emptied when it is full.
const MAX_CACHED: usize = 256;

/// A cache of contract versions, by source, version, and whether chunks have the column of rescued values. A published
/// version is never overwritten, so it is read once.
#[derive(Debug, Default)]
pub struct ContractCache(HashMap<(String, String, bool), Arc<Contract>>);

impl ContractCache {
    /// Returns the contract version that a message names, with the columns that its chunk has.
    ///
    /// # Errors
    /// Returns an error if it cannot be fetched or parsed, or has another table than the message.
    pub async fn get(
        &mut self,
        store: &impl ObjectStore,
        bucket: &str,
        message: &LoadMessage,
    ) -> Result<Arc<Contract>, LoadError> {
        let key = (message.source.clone(), message.contract_version.clone(), message.has_rescued());
        let contract = match self.0.get(&key) {
            Some(contract) => contract.clone(),
            None => {
                let contract = Arc::new(read(store, bucket, message).await?);
                if self.0.len() >= MAX_CACHED {
                    self.0.clear();
                }
                self.0.insert(key, contract.clone());
                contract
            }
        };
        let (expected, found) = (&message.table, &contract.entity.table);
        if expected == found {
            return Ok(contract);
        }
        Err(unusable(
            message,
            format!(
                "its table is {}.{}, but the table in the message is {}.{}",
                found.schema, found.table, expected.schema, expected.table
            ),
        ))
    }
}

async fn read(store: &impl ObjectStore, bucket: &str, message: &LoadMessage) -> Result<Contract, LoadError> {
    let key = layout::contract_version(&message.source, &message.contract_version);
    let location = format!("s3://{bucket}/{key}");
    let body = store.get(bucket, &key).await?;
    let body = body
        .ok_or_else(|| unusable(message, format!("{location} does not exist; publish that version again")))?;
    let text =
        std::str::from_utf8(&body).map_err(|_| unusable(message, format!("{location} is not UTF-8")))?;
    let mut contract = penstock_contract::parse_source(&location, text, &message.source)
        .map_err(|errors| unusable(message, errors.to_string()))?;
    if (contract.source.as_str(), contract.version.as_str()) == (&*message.source, &*message.contract_version)
    {
        if !message.has_rescued() {
            // It is the last column, so no index of another one changes.
            contract.entity.columns.retain(|column| !column.is_rescued());
        }
        return Ok(contract);
    }
    let problem = format!("{location} has the contract {} {}", contract.source, contract.version);
    Err(unusable(message, problem))
}

fn unusable(message: &LoadMessage, problem: String) -> LoadError {
    let (source_name, version) = (message.source.clone(), message.contract_version.clone());
    LoadError::Contract { source_name, version, problem }
}
