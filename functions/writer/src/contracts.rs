//! The contract versions that chunks were made by.

use std::collections::HashMap;
use std::sync::Arc;

use penstock_aws::store::ObjectStore;
use penstock_contract::Contract;
use penstock_pipeline::{LoadMessage, layout};

use crate::error::LoadError;

/// Kept at most; a version that is needed again is read again.
const MAX_KEPT: usize = 256;

/// Contract versions that have been read, by source, version and whether chunks have the column for what no other column reads. A
/// published version is never overwritten, so that it is read once.
#[derive(Debug, Default)]
pub struct Contracts(HashMap<(String, String, bool), Arc<Contract>>);

impl Contracts {
    /// The contract version that a message names, with the columns that its chunk has.
    ///
    /// # Errors
    /// When it cannot be had or read, or is of another table than the message.
    pub async fn of(
        &mut self,
        store: &impl ObjectStore,
        bucket: &str,
        message: &LoadMessage,
    ) -> Result<Arc<Contract>, LoadError> {
        let name = (message.source.clone(), message.contract_version.clone(), message.has_rescued());
        let contract = match self.0.get(&name) {
            Some(contract) => contract.clone(),
            None => {
                let contract = Arc::new(read(store, bucket, message).await?);
                if self.0.len() >= MAX_KEPT {
                    self.0.clear();
                }
                self.0.insert(name, contract.clone());
                contract
            }
        };
        let (wanted, found) = (&message.table, &contract.entity.table);
        if wanted == found {
            return Ok(contract);
        }
        Err(unusable(
            message,
            format!(
                "it loads into {}.{}, the message says {}.{}",
                found.schema, found.table, wanted.schema, wanted.table
            ),
        ))
    }
}

async fn read(store: &impl ObjectStore, bucket: &str, message: &LoadMessage) -> Result<Contract, LoadError> {
    let key = layout::contract_version(&message.source, &message.contract_version);
    let place = format!("s3://{bucket}/{key}");
    let body = store.get(bucket, &key).await?;
    let body =
        body.ok_or_else(|| unusable(message, format!("{place} is not there; publish that version again")))?;
    let text = std::str::from_utf8(&body).map_err(|_| unusable(message, format!("{place} is not UTF-8")))?;
    let mut contract = penstock_contract::parse_source(&place, text, &message.source)
        .map_err(|errors| unusable(message, errors.to_string()))?;
    if (contract.source.as_str(), contract.version.as_str()) == (&*message.source, &*message.contract_version)
    {
        if !message.has_rescued() {
            // It is the last one: no index of another changes.
            contract.entity.columns.retain(|column| !column.is_rescued());
        }
        return Ok(contract);
    }
    let problem = format!("{place} holds the contract {} {}", contract.source, contract.version);
    Err(unusable(message, problem))
}

fn unusable(message: &LoadMessage, problem: String) -> LoadError {
    let (source_name, version) = (message.source.clone(), message.contract_version.clone());
    LoadError::Contract { source_name, version, problem }
}
