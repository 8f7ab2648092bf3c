//! The function with its store, queues and jobs in memory.

use std::time::{Duration, SystemTime};

use base64::Engine as _;
use bytes::Bytes;
use jiff::Timestamp;
use penstock_aws::config::Variables;
use penstock_aws::deadline::Deadline;
use penstock_aws::sqs_event::{SqsAttributes, SqsBatchResponse, SqsEvent, SqsRecord};
use penstock_aws::store::ObjectRef;
use penstock_aws::testing::{MemoryJobs, MemoryQueue, MemorySecrets, MemoryStore};
use penstock_engine::sha256_hex;
use penstock_ingest::config::IngestConfig;
use penstock_ingest::{Ingest, handle};
use penstock_pipeline::{
    BatchId, ChunkBody, ClaimedContract, Drop, DropClaim, LoadMessage, Manifest, Receipt, batch_id, drop_id,
    layout,
};

/// A contract of `shop` that refuses batches with more than 50 % rejects.
pub(crate) const CONTRACT: &str = r#"
apiVersion: v3.1.0
kind: DataContract
id: shop
name: shop
version: 1.0.0
status: active
servers: [{server: raw, type: s3, location: "s3://raw/shop/", format: csv}]
customProperties:
  - {property: penstock.maxRejectsPercent, value: 50}
schema:
  - name: products
    physicalName: public.products
    properties:
      - {name: id, logicalType: string, primaryKey: true, primaryKeyPosition: 1}
      - {name: price, logicalType: number, physicalType: "numeric(12,2)"}
"#;
/// A file with two accepted rows and a reject.
pub(crate) const FILE: &str = "id,price\na,1.25\nb,2.75\nc,dear\n";

const VARIABLES: [(&str, &str); 12] = [
    ("PENSTOCK_ENVIRONMENT", "test"),
    ("PENSTOCK_ARTIFACTS_BUCKET", "artifacts"),
    ("PENSTOCK_PROCESSED_BUCKET", "processed"),
    ("PENSTOCK_QUARANTINE_BUCKET", "quarantine"),
    ("PENSTOCK_DROPS_QUEUE_URL", "drops"),
    ("PENSTOCK_DROPS_DEAD_LETTER_QUEUE_URL", "drops-dead-letters"),
    ("PENSTOCK_LOAD_QUEUE_URL", "load"),
    ("PENSTOCK_SPARK_APPLICATION_ID", "00a1"),
    ("PENSTOCK_SPARK_JOB_ROLE_ARN", "arn:aws:iam::123456789012:role/job"),
    ("PENSTOCK_SPARK_ENTRY_POINT", "s3://artifacts/spark/standardise.py"),
    ("PENSTOCK_SPARK_MIN_BYTES", "1000000"),
    ("PENSTOCK_CHUNK_ROWS", "4"),
];

/// The function, with the store, the queues and the jobs that it uses.
pub(crate) struct World {
    ingest: Ingest<MemoryStore, MemoryQueue, MemoryJobs>,
    store: MemoryStore,
    queue: MemoryQueue,
    jobs: MemoryJobs,
}

impl World {
    /// Returns a world with [`CONTRACT`] and without secrets.
    pub(crate) fn new() -> Self {
        Self::with(CONTRACT, MemorySecrets::default(), &[])
    }

    /// Returns a world with this contract of `shop`, and these variables in addition.
    pub(crate) fn with(contract: &str, secrets: MemorySecrets, more: &[(&str, &str)]) -> Self {
        let variables =
            VARIABLES.iter().chain(more).map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let config = IngestConfig::new(Variables::new(variables)).unwrap();
        let (store, queue, jobs) = (MemoryStore::new(), MemoryQueue::new(), MemoryJobs::new());
        store.insert("artifacts", &layout::current_contract("shop"), contract.to_owned());
        store.insert("artifacts", &layout::contract_version("shop", "1.0.0"), contract.to_owned());
        let ingest = Ingest::new(store.clone(), queue.clone(), jobs.clone(), secrets, config);
        Self { ingest, store, queue, jobs }
    }

    pub(crate) fn store(&self) -> &MemoryStore {
        &self.store
    }

    pub(crate) fn queue(&self) -> &MemoryQueue {
        &self.queue
    }

    pub(crate) fn jobs(&self) -> &MemoryJobs {
        &self.jobs
    }

    /// Returns a function with another configuration that shares the store, the queue and the jobs.
    pub(crate) fn deployed_with(&self, variable: (&str, &str)) -> Self {
        let variables = VARIABLES.iter().map(|(name, value)| {
            let value = if *name == variable.0 { variable.1 } else { value };
            ((*name).to_owned(), value.to_owned())
        });
        let config = IngestConfig::new(Variables::new(variables)).unwrap();
        let (store, queue, jobs) = (self.store.clone(), self.queue.clone(), self.jobs.clone());
        let ingest =
            Ingest::new(store.clone(), queue.clone(), jobs.clone(), MemorySecrets::default(), config);
        Self { ingest, store, queue, jobs }
    }

    /// Publishes a version of the contract of `shop`.
    pub(crate) fn publish(&self, version: &str, contract: &str) {
        self.store.insert("artifacts", &layout::contract_version("shop", version), contract.to_owned());
        self.store.insert("artifacts", &layout::current_contract("shop"), contract.to_owned());
    }

    /// Returns the claim of a drop in a generation.
    pub(crate) fn drop_claim(&self, drop: &Drop, generation: u32) -> DropClaim {
        self.store.json("processed", &layout::drop_claim("shop", &drop_id(drop), generation))
    }

    /// Claims a drop again, as `penstock replay` does.
    pub(crate) fn replay(&self, drop: &Drop, contract: &str, version: &str) -> BatchId {
        let contract = ClaimedContract { version: version.into(), sha256: sha256_hex(contract.as_bytes()) };
        let claim = self.drop_claim(drop, 0).replay(Some(contract), 4, Timestamp::now());
        let key = layout::drop_claim("shop", &drop_id(drop), claim.generation);
        self.store.insert("processed", &key, serde_json::to_vec(&claim).unwrap());
        claim.batch_id
    }

    /// Writes a file to the raw bucket.
    pub(crate) fn put(&self, key: &str, body: impl Into<Bytes>) -> Drop {
        let body = body.into();
        let size_bytes = body.len() as u64;
        let ObjectRef { bucket, key, version_id, etag } = self.store().insert("raw", key, body);
        let dropped_at = "2026-01-02T03:04:05Z".parse().unwrap();
        let version = version_id.as_ref().unwrap().trim_start_matches('v').parse::<u64>().unwrap();
        let sequencer = Some(format!("0055AED6{version:010X}"));
        Drop { bucket, key, version_id, etag: etag.unwrap(), size_bytes, sequencer, dropped_at }
    }

    /// Delivers one message with these drops.
    pub(crate) async fn deliver(&self, drops: &[&Drop]) -> SqsBatchResponse {
        self.deliver_body(&notification(drops)).await
    }

    pub(crate) async fn deliver_body(&self, body: &str) -> SqsBatchResponse {
        let end = SystemTime::now() + Duration::from_secs(60);
        self.deliver_until(body, Deadline::of_invocation(end)).await
    }

    pub(crate) async fn deliver_until(&self, body: &str, deadline: Deadline) -> SqsBatchResponse {
        let attributes = SqsAttributes { approximate_receive_count: Some("3".to_owned()) };
        let record = SqsRecord {
            message_id: "m1".to_owned(),
            receipt_handle: "h1".to_owned(),
            body: body.to_owned(),
            attributes,
        };
        handle(&self.ingest, SqsEvent { records: vec![record] }, deadline).await
    }

    /// Drops a file, which must be processed without a retry.
    pub(crate) async fn process(&self, key: &str, body: impl Into<Bytes>) -> BatchId {
        let drop = self.put(key, body);
        assert_eq!(self.deliver(&[&drop]).await, SqsBatchResponse::default());
        assert_eq!(self.queue().dead(), []);
        batch_id(&drop, Some("1.0.0"))
    }

    pub(crate) fn manifest(&self, batch: &BatchId) -> Manifest {
        self.store().json("processed", &layout::manifest(batch))
    }

    pub(crate) fn receipt(&self, source: &str, batch: &BatchId) -> Receipt {
        self.store().json("processed", &layout::receipt(source, batch))
    }

    pub(crate) fn messages(&self) -> Vec<LoadMessage> {
        self.queue()
            .sent("load")
            .iter()
            .map(|body| LoadMessage::parse(body, &LoadMessage::READS).unwrap())
            .collect()
    }

    pub(crate) fn is_published(&self, batch: &BatchId) -> bool {
        self.store().object("processed", &layout::published(batch)).is_some()
    }
}

pub(crate) fn notification(drops: &[&Drop]) -> String {
    let record = |drop: &&Drop| {
        serde_json::json!({
            "eventSource": "aws:s3", "eventName": "ObjectCreated:Put", "eventTime": drop.dropped_at,
            "s3": {
                "bucket": { "name": drop.bucket },
                "object": {
                    "key": drop.key.replace(' ', "+"), "size": drop.size_bytes, "eTag": drop.etag,
                    "versionId": drop.version_id, "sequencer": drop.sequencer,
                },
            },
        })
    };
    serde_json::json!({ "Records": drops.iter().map(record).collect::<Vec<_>>() }).to_string()
}

pub(crate) fn rows(count: usize) -> String {
    let mut file = "id,price\n".to_owned();
    (0..count).for_each(|row| file.push_str(&format!("p{row},{row}.25\n")));
    file
}

pub(crate) fn copy_text(message: &LoadMessage, store: &MemoryStore) -> String {
    let bytes = match &message.chunk.body {
        ChunkBody::Inline(base64) => base64::engine::general_purpose::STANDARD.decode(base64).unwrap(),
        ChunkBody::Object { bucket, key } => store.object(bucket, key).unwrap().to_vec(),
    };
    String::from_utf8(zstd::decode_all(bytes.as_slice()).unwrap()).unwrap()
}
