//! Waits for the receipt of a batch.

use std::time::{Duration, Instant};

use anyhow::Result;
use penstock_aws::commit::get_json;
use penstock_aws::s3::S3Store;
use penstock_pipeline::Receipt;
use serde::de::DeserializeOwned;

use crate::render;

const MIN_POLL_INTERVAL: Duration = Duration::from_millis(50);
const MAX_POLL_INTERVAL: Duration = Duration::from_secs(1);

/// Calls `find` until the state of the receipt is final. Returns the last receipt, if any, at the end of the time limit.
pub(crate) async fn wait_for_final(
    find: impl AsyncFn() -> Result<Option<Receipt>>,
    timeout: Duration,
) -> Result<Option<Receipt>> {
    let deadline = Instant::now() + timeout;
    let mut interval = MIN_POLL_INTERVAL;
    let spinner = render::spinner("waiting for the receipt");
    loop {
        let receipt = find().await?;
        let is_final = receipt.as_ref().is_some_and(|receipt| receipt.state.is_final());
        if is_final || Instant::now() + interval > deadline {
            spinner.finish_and_clear();
            return Ok(receipt);
        }
        if let Some(receipt) = &receipt {
            spinner.set_message(format!("{} rows read, {}", receipt.rows.read, receipt.state.as_str()));
        }
        tokio::time::sleep(interval).await;
        interval = (interval * 5 / 4).min(MAX_POLL_INTERVAL);
    }
}

/// Reads an object while waiting for it; `None` also after a transient error, because the next poll repeats the request.
pub(crate) async fn poll<T: DeserializeOwned>(store: &S3Store, bucket: &str, key: &str) -> Result<Option<T>> {
    match get_json(store, bucket, key).await {
        Ok(object) => Ok(object),
        Err(error) if error.is_transient() => Ok(None),
        Err(error) => Err(error.into()),
    }
}
