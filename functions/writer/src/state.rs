//! The state of the writer in S3, which `penstock status` shows.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use jiff::Timestamp;
use penstock_aws::commit::to_json;
use penstock_aws::store::ObjectStore;
use penstock_pipeline::layout;
use penstock_pipeline::writer_state::WriterState;
use uuid::Uuid;

use crate::database::TargetDatabase;
use crate::throttle::Throttle;

/// The least time between two changes of the object.
const PUBLISH_EVERY: Duration = Duration::from_secs(30);

/// Stores the state of a writer.
#[derive(Debug)]
pub(crate) struct StatePublisher {
    writer: Uuid,
    published_at: Option<Instant>,
}

impl StatePublisher {
    /// Returns the publisher of a new writer.
    ///
    /// # Panics
    /// Panics if the system's clock is set to a time before 1970.
    pub(crate) fn new() -> Self {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).expect("the clock is after 1970");
        let environment = std::env::var("AWS_LAMBDA_LOG_STREAM_NAME").unwrap_or_default();
        let name = format!("penstock-writer {environment} {} {}", std::process::id(), since_epoch.as_nanos());
        Self { writer: Uuid::new_v5(&Uuid::NAMESPACE_OID, name.as_bytes()), published_at: None }
    }

    /// Stores the state, unless it was stored recently. A failure is logged: the state has no effect on the load.
    pub(crate) async fn publish(
        &mut self,
        store: &impl ObjectStore,
        bucket: &str,
        throttle: &Throttle,
        database: &impl TargetDatabase,
    ) {
        if self.published_at.is_some_and(|at| at.elapsed() < PUBLISH_EVERY) {
            return;
        }
        self.published_at = Some(Instant::now());
        let (max_rows_per_second, min_rows_per_second) = throttle.bounds();
        let state = WriterState {
            writer: self.writer,
            updated_at: Timestamp::now(),
            budget_rows_per_second: throttle.budget(),
            max_rows_per_second,
            min_rows_per_second,
            transaction_rows_per_second: throttle.full_rate(),
            congestion: throttle.congestion().to_vec(),
            load: throttle.load(),
            waits_for_instance: database.instance_status().map(str::to_owned),
        };
        let key = layout::writer_state(&self.writer);
        if let Err(error) = store.put(bucket, &key, to_json(&state)).await {
            tracing::warn!(%error, "the state of the writer was not stored");
        }
    }
}
