//! The writers that ran recently, with the budgets of their throttles.

use anyhow::{Context as _, Result};
use jiff::Timestamp;
use penstock_aws::listing::ListedObject;
use penstock_aws::s3::S3Store;
use penstock_aws::store::ObjectStore as _;
use penstock_pipeline::layout;
use penstock_pipeline::writer_state::{self, CongestionSignal, WriterState};

use crate::render;

/// Returns the states of the writers that ran within the last minutes.
pub(super) async fn running_writers(store: &S3Store, bucket: &str) -> Result<Vec<WriterState>> {
    let now = Timestamp::now();
    let mut writers = Vec::new();
    for ListedObject { key, modified_at, .. } in store.list(bucket, layout::WRITERS).await? {
        if modified_at.is_some_and(|at| writer_state::is_stale(at, now)) {
            continue;
        }
        // The object may have expired since the listing.
        let Some(json) = store.get(bucket, &key).await? else { continue };
        let state = serde_json::from_slice(&json);
        writers.push(state.with_context(|| format!("s3://{bucket}/{key} is not the state of a writer"))?);
    }
    Ok(writers)
}

/// Prints the writers' budgets, one line each; nothing if none ran recently.
pub(super) fn show_writers(writers: &[WriterState]) {
    if writers.is_empty() {
        return;
    }
    let row = |state: &WriterState| {
        let budget = state.budget_rows_per_second.map_or_else(|| "no limit".to_owned(), render::number);
        let signals: Vec<&str> =
            state.congestion.iter().map(|signal: &CongestionSignal| signal.as_str()).collect();
        let load = state.load.map(|load| load.active_sessions.to_string());
        let lag = state.load.and_then(|load| load.replica_lag_seconds);
        let waits = state.waits_for_instance.as_ref().map(|status| format!("the instance is {status}"));
        vec![
            state.updated_at.strftime("%Y-%m-%d %H:%M:%S").to_string(),
            budget,
            state.transaction_rows_per_second.map_or_else(|| "-".to_owned(), render::number),
            load.unwrap_or_else(|| "?".to_owned()),
            lag.map_or_else(|| "-".to_owned(), |lag| format!("{lag:.1}")),
            waits.unwrap_or_else(|| if signals.is_empty() { "-".to_owned() } else { signals.join(", ") }),
        ]
    };
    let rows: Vec<Vec<String>> = writers.iter().map(row).collect();
    let headings =
        ["writer at (UTC)", "rows/s budget", "rows/s in transactions", "others active", "lag s", "waits for"];
    outln!();
    out!("{}", render::table(&headings, &rows));
}
