//! The function against a store and queues in memory.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use penstock_aws::commit::to_json;
use penstock_aws::config::Variables;
use penstock_aws::sqs_event::{SqsAttributes, SqsBatchResponse, SqsEvent, SqsRecord};
use penstock_aws::testing::{Call, Fault, MemoryQueue, MemoryStore};
use penstock_engine::{Dialect, FileFormat, Totals};
use penstock_job_events::config::JobEventsConfig;
use penstock_job_events::{JobEvents, handle};
use penstock_pipeline::{
    Batch, Chunk, ChunkBody, Drop, DropSplit, LoadMessage, Manifest, ManifestState, Receipt, ReceiptState,
    RefusalCode, Report, Seconds, SplitRange, job_name, layout,
};

const CONTRACT: &str = r#"
apiVersion: v3.1.0
kind: DataContract
id: abt
name: abt
version: 1.0.0
status: active
servers: [{server: raw, type: s3, location: "s3://raw/abt/", format: csv}]
schema:
  - name: products
    physicalName: public.products
    properties:
      - {name: id, logicalType: string, primaryKey: true, primaryKeyPosition: 1}
"#;

fn config() -> JobEventsConfig {
    let pairs = [
        ("PENSTOCK_ENVIRONMENT", "test"),
        ("PENSTOCK_ARTIFACTS_BUCKET", "artifacts"),
        ("PENSTOCK_PROCESSED_BUCKET", "processed"),
        ("PENSTOCK_LOAD_QUEUE_URL", "load"),
        ("PENSTOCK_JOB_EVENTS_QUEUE_URL", "job-events"),
        ("PENSTOCK_JOB_EVENTS_DEAD_LETTER_QUEUE_URL", "job-events-dead-letters"),
    ];
    JobEventsConfig::new(Variables::new(pairs.map(|(name, value)| (name.to_owned(), value.to_owned()))))
        .unwrap()
}

fn batch() -> Batch {
    let drop = Drop {
        bucket: "raw".to_owned(),
        key: "abt/abt.csv".to_owned(),
        version_id: Some("v1".to_owned()),
        etag: "e1".to_owned(),
        size_bytes: 1 << 40,
        sequencer: None,
        dropped_at: "2026-01-02T03:04:05Z".parse().unwrap(),
    };
    Batch::new(drop, Some("1.0.0"))
}

/// Returns the report that a job writes for one of its splits.
fn report(index: u32, count: u32) -> Report {
    let chunk = Chunk {
        index: 0,
        rows: 10,
        deduplicated: None,
        row_base: 0,
        sha256: "ab".repeat(32),
        text_bytes: 100,
        body: ChunkBody::Object { bucket: "processed".to_owned(), key: format!("chunk-{index}") },
    };
    Report {
        split: DropSplit { index, count, range: SplitRange::Whole },
        engine_version: "0.1.0".to_owned(),
        totals: Totals { rows_read: 11, accepted: 10, rejected: 1, ..Totals::default() },
        dialect: Dialect {
            format: Some(FileFormat::Delimited),
            compression: penstock_contract::Compression::Plain,
            encoding: "UTF-8".to_owned(),
            delimiter: Some(",".to_owned()),
            quote: Some('"'),
            header: Some(true),
            escape: None,
            skip_initial_space: None,
            header_rows: None,
            skip_lines: None,
            sep_line: false,
            assumed: Vec::new(),
            suggestions: Vec::new(),
        },
        quality: Vec::new(),
        chunks: vec![chunk],
        parquet: Vec::new(),
        rejects: Vec::new(),
        seconds: Seconds::new(),
    }
}

struct World {
    job_events: JobEvents<MemoryStore, MemoryQueue>,
    store: MemoryStore,
    queue: MemoryQueue,
}

impl World {
    /// Returns a world with a submitted batch of two splits. The first `reports` of them have reports.
    fn submitted(reports: u32) -> Self {
        let store = MemoryStore::new();
        let batch = batch();
        store.insert("processed", &layout::batch_contract(&batch.id), CONTRACT);
        for index in 0..reports {
            store.insert("processed", &layout::report(&batch.id, index), to_json(&report(index, 2)));
        }
        let submitted = Receipt::submitted(batch.clone(), "2026-01-02T03:04:06Z".parse().unwrap());
        store.insert("processed", &layout::receipt("abt", &batch.id), to_json(&submitted));
        let queue = MemoryQueue::new();
        Self { job_events: JobEvents::new(store.clone(), queue.clone(), config()), store, queue }
    }

    async fn handle(&self, body: &str) -> SqsBatchResponse {
        let record = SqsRecord {
            message_id: "m1".to_owned(),
            receipt_handle: "h1".to_owned(),
            body: body.to_owned(),
            attributes: SqsAttributes::default(),
        };
        handle(&self.job_events, SqsEvent { records: vec![record] }).await
    }

    async fn job(&self, state: &str) -> SqsBatchResponse {
        self.handle(&event(&job_name("abt", &batch().id), state)).await
    }

    fn receipt(&self) -> Receipt {
        self.store.json("processed", &layout::receipt("abt", &batch().id))
    }

    fn manifest(&self) -> Manifest {
        self.store.json("processed", &layout::manifest(&batch().id))
    }

    fn messages(&self) -> Vec<LoadMessage> {
        self.queue
            .sent("load")
            .iter()
            .map(|body| LoadMessage::parse(body, &LoadMessage::READS).unwrap())
            .collect()
    }

    fn is_published(&self) -> bool {
        self.store.object("processed", &layout::published(&batch().id)).is_some()
    }
}

fn event(name: &str, state: &str) -> String {
    let detail = serde_json::json!({
        "jobRunId": "00f1", "jobRunName": name, "applicationId": "00a1", "state": state,
        "stateDetails": "ExitCode: 1",
    });
    serde_json::json!({
        "source": "aws.emr-serverless", "detail-type": "EMR Serverless Job Run State Change",
        "time": "2026-01-02T03:04:07Z", "detail": detail,
    })
    .to_string()
}

#[tokio::test]
async fn a_successful_job_is_published() {
    let world = World::submitted(2);
    assert_eq!(world.job("SUCCESS").await, SqsBatchResponse::default());

    let messages = world.messages();
    let chunks: Vec<_> =
        messages.iter().map(|message| (message.chunk.index, message.chunk.row_base)).collect();
    assert_eq!(chunks, [(0, 0), (1, 11)]);
    assert_eq!(messages[0].table.table, "products");
    let receipt = world.receipt();
    assert_eq!((receipt.state, receipt.rows.read, receipt.rows.rejected), (ReceiptState::Read, 22, 2));
    assert!(world.is_published());
}

#[tokio::test]
async fn a_repeated_event_is_published_once() {
    let world = World::submitted(2);
    world.job("SUCCESS").await;
    world.job("SUCCESS").await;
    assert_eq!(world.messages().len(), 2);
}

#[tokio::test]
async fn a_crash_before_the_messages_is_repaired_by_the_next_delivery() {
    let world = World::submitted(2);
    world.queue.fail(Call::SendAll, "load", Fault::Transient);
    let response = world.job("SUCCESS").await;
    assert_eq!(response.batch_item_failures.len(), 1);
    assert_eq!(world.queue.delays().len(), 1);
    assert!(!world.is_published());

    assert_eq!(world.job("SUCCESS").await, SqsBatchResponse::default());
    assert_eq!(world.messages().len(), 2);
    assert!(world.is_published());
}

#[tokio::test]
async fn too_many_rejects_refuse_the_batch() {
    let world = World::submitted(2);
    let strict =
        CONTRACT.replace("schema:", "customProperties: [{property: penstock.maxRejects, value: 1}]\nschema:");
    world.store.insert("processed", &layout::batch_contract(&batch().id), strict);
    world.job("SUCCESS").await;
    assert!(world.messages().is_empty());
    assert!(matches!(world.manifest().state, ManifestState::Refused(_)));
    assert_eq!(world.receipt().refusal.unwrap().code, RefusalCode::TooManyRejects);
}

#[tokio::test]
async fn the_receipt_of_a_failed_or_cancelled_job_is_failed() {
    for state in ["FAILED", "CANCELLED"] {
        let world = World::submitted(0);
        assert_eq!(world.job(state).await, SqsBatchResponse::default());
        let receipt = world.receipt();
        assert_eq!(receipt.state, ReceiptState::Failed);
        let refusal = receipt.refusal.unwrap();
        assert_eq!(refusal.code, RefusalCode::JobFailed);
        assert!(refusal.message.contains("ExitCode: 1"), "{}", refusal.message);
        assert!(world.messages().is_empty());
    }
}

#[tokio::test]
async fn a_late_failure_does_not_replace_the_receipt_of_a_committed_batch() {
    let world = World::submitted(2);
    world.job("SUCCESS").await;
    world.job("FAILED").await;
    assert_eq!(world.receipt().state, ReceiptState::Read);
}

#[tokio::test]
async fn a_successful_job_without_all_reports_is_a_failure() {
    let world = World::submitted(1);
    assert_eq!(world.job("SUCCESS").await, SqsBatchResponse::default());
    assert_eq!(world.queue.dead()[0].code, "inconsistent_reports");
    assert_eq!(world.receipt().refusal.unwrap().code, RefusalCode::JobFailed);
}

#[tokio::test]
async fn a_job_that_ends_before_its_receipt_exists_is_retried() {
    let world = World::submitted(2);
    world.store.remove("processed", &layout::receipt("abt", &batch().id));
    let response = world.job("SUCCESS").await;
    assert_eq!(response.batch_item_failures.len(), 1);
    assert!(world.queue.dead().is_empty());
}

#[tokio::test]
async fn a_job_without_its_own_contract_uses_the_published_one() {
    let world = World::submitted(2);
    world.store.remove("processed", &layout::batch_contract(&batch().id));
    world.job("SUCCESS").await;
    assert_eq!(world.queue.dead()[0].code, "no_contract");
    world.store.insert("artifacts", &layout::contract_version("abt", "1.0.0"), CONTRACT);
    world.job("SUCCESS").await;
    assert_eq!(world.messages().len(), 2);
}

#[tokio::test]
async fn unfinished_and_unrelated_jobs_are_ignored() {
    let world = World::submitted(2);
    assert_eq!(world.job("RUNNING").await, SqsBatchResponse::default());
    assert_eq!(world.handle(&event("nightly report", "SUCCESS")).await, SqsBatchResponse::default());
    assert_eq!(world.receipt().state, ReceiptState::Submitted);
    assert!(world.queue.dead().is_empty());
}

#[tokio::test]
async fn a_malformed_event_is_a_dead_letter() {
    let world = World::submitted(0);
    assert_eq!(world.handle("{}").await, SqsBatchResponse::default());
    let dead = &world.queue.dead()[0];
    assert_eq!(
        (dead.url.as_str(), dead.code.as_str(), dead.body.as_str()),
        ("job-events-dead-letters", "invalid_event", "{}")
    );
}

#[tokio::test]
async fn a_dead_letter_that_cannot_be_sent_is_retried() {
    let world = World::submitted(0);
    world.queue.fail(Call::SendDead, "dead", Fault::Transient);
    assert_eq!(world.handle("{}").await.batch_item_failures.len(), 1);
}
