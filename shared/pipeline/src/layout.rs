//! The keys of all objects in S3.
//!
//! `<hash>` are the first 16 digits of the SHA-256 of the object. The keys of chunks, Parquet files and rejects contain it,
//! so that two invocations that read the same drop with different configurations or releases never overwrite each other's
//! objects. The manifest lists the ones that count.
//!
//! | bucket | key | content |
//! |---|---|---|
//! | artifacts | `contracts/<source>/current.yaml` | the contract under which new drops are processed |
//! | artifacts | `contracts/<source>/<version>.yaml` | each published version, never overwritten |
//! | processed | `batches/<batch>/chunks/<split>-<chunk>-<hash>.copy.zst` | COPY text, zstd |
//! | processed | `batches/<batch>/reports/<split>.json` | the report of one split |
//! | processed | `batches/<batch>/contract.yaml` | the contract of a batch that Spark reads, as it was when the job was submitted |
//! | processed | `batches/<batch>/manifest.json` | the commit record, written once |
//! | processed | `batches/<batch>/published.json` | the mark that all messages of the manifest have been sent |
//! | processed | `data/<entity>/source=<source>/batch=<batch>/<split>-<part>-<hash>.parquet` | harmonised rows |
//! | processed | `receipts/<source>/<batch>.json` | the receipt |
//! | processed | `drops/<source>/<drop>/<generation>.json` | the [claim](crate::DropClaim) of a drop |
//! | processed | `objects/<source>/<object>/<number>.json` | the claim of a version of an object, if the contract keeps the first version |
//! | quarantine | `<source>/<batch>/rejects-database-<chunk>-<hash>.ndjson.zst` | rows of a chunk that the database refused |
//! | processed | `sentinel/requeued.json` | the missed drops that the sentinel has queued again |
//! | processed | `sentinel/sweep.json` | the position of the sentinel's search for orphans |
//! | processed | `status/writers/<writer>.json` | the state of a writer, overwritten while it is running |
//! | quarantine | `<source>/<batch>/rejects-<split>-<part>-<hash>.ndjson.zst` | rejected rows with their reasons |

use uuid::Uuid;

use crate::BatchId;

/// The prefix of all contracts, in the artifacts bucket.
pub const CONTRACTS: &str = "contracts/";

/// The prefix of all batches, in the processed bucket.
pub const BATCHES: &str = "batches/";

/// The prefix of all receipts, in the processed bucket.
pub const RECEIPTS: &str = "receipts/";

/// The prefix of all Parquet files, in the processed bucket.
pub const DATA: &str = "data/";

/// Returns the prefix of a source's contracts.
pub fn contracts(source: &str) -> String {
    format!("{CONTRACTS}{source}/")
}

/// Returns the key of the contract under which new drops of `source` are processed.
pub fn current_contract(source: &str) -> String {
    format!("{CONTRACTS}{source}/current.yaml")
}

/// Returns the key of a published version of a source's contract.
pub fn contract_version(source: &str, version: &str) -> String {
    format!("{CONTRACTS}{source}/{version}.yaml")
}

/// Number of hexadecimal digits of the SHA-256 of an object that its key contains.
const HASH_DIGITS: usize = 16;

/// Returns the key of a chunk's COPY text. `sha256` is that of the object, in hexadecimal.
pub fn chunk(batch: &BatchId, split: u32, chunk: u32, sha256: &str) -> String {
    format!("{}{split:05}-{chunk:05}-{}.copy.zst", chunks(batch), short(sha256))
}

/// Returns the prefix of a batch's chunks.
pub fn chunks(batch: &BatchId) -> String {
    format!("batches/{batch}/chunks/")
}

fn short(sha256: &str) -> &str {
    sha256.get(..HASH_DIGITS).expect("a SHA-256 has 64 hexadecimal digits")
}

/// Returns the key of a split's report.
pub fn report(batch: &BatchId, split: u32) -> String {
    format!("batches/{batch}/reports/{split:05}.json")
}

/// Returns the key of the contract of a batch that Spark reads, as it was when the job was submitted.
pub fn batch_contract(batch: &BatchId) -> String {
    format!("batches/{batch}/contract.yaml")
}

/// Returns the key of the manifest.
pub fn manifest(batch: &BatchId) -> String {
    format!("batches/{batch}/manifest.json")
}

/// Returns the key of the mark that all messages of the manifest have been sent.
pub fn published(batch: &BatchId) -> String {
    format!("batches/{batch}/published.json")
}

/// Returns the key of a Parquet file of harmonised rows. `sha256` is that of the object, in hexadecimal.
pub fn parquet(entity: &str, source: &str, batch: &BatchId, split: u32, part: u32, sha256: &str) -> String {
    format!("{}{split:05}-{part:05}-{}.parquet", parquet_files(entity, source, batch), short(sha256))
}

/// Returns the prefix of a batch's Parquet files.
pub fn parquet_files(entity: &str, source: &str, batch: &BatchId) -> String {
    format!("data/{entity}/source={source}/batch={batch}/")
}

/// Returns the key of the receipt.
pub fn receipt(source: &str, batch: &BatchId) -> String {
    format!("{RECEIPTS}{source}/{batch}.json")
}

/// Returns the prefix of the [claims](crate::DropClaim) of a drop.
pub fn drop_claims(source: &str, drop: &Uuid) -> String {
    format!("drops/{source}/{drop}/")
}

/// Returns the key of the [claim](crate::DropClaim) of a drop in a generation.
pub fn drop_claim(source: &str, drop: &Uuid, generation: u32) -> String {
    format!("{}{generation:05}.json", drop_claims(source, drop))
}

/// Returns the key of a [claim](crate::claim) on an object.
pub fn object_claim(source: &str, object: &Uuid, number: u32) -> String {
    format!("objects/{source}/{object}/{number:05}.json")
}

/// Returns the key of the missed drops that the sentinel has queued again.
pub fn requeued() -> &'static str {
    "sentinel/requeued.json"
}

/// Returns the key of the position of the sentinel's search for orphans.
pub fn sweep() -> &'static str {
    "sentinel/sweep.json"
}

/// The prefix of the states of all writers, in the processed bucket.
pub const WRITERS: &str = "status/writers/";

/// Returns the key of a writer's [state](crate::writer_state).
pub fn writer_state(writer: &Uuid) -> String {
    format!("{WRITERS}{writer}.json")
}

/// Returns the key of a file of rejected rows, in the quarantine bucket. `sha256` is that of the object, in hexadecimal.
pub fn rejects(source: &str, batch: &BatchId, split: u32, part: u32, sha256: &str) -> String {
    format!("{}rejects-{split:05}-{part:05}-{}.ndjson.zst", reject_files(source, batch), short(sha256))
}

/// Returns the prefix of a batch's files of rejected rows, in the quarantine bucket.
pub fn reject_files(source: &str, batch: &BatchId) -> String {
    format!("{source}/{batch}/")
}

/// The beginning of the names of those files.
pub(crate) const DATABASE_REJECTS: &str = "rejects-database-";

/// Returns the key of a file of rows of a chunk that the database refused, in the quarantine bucket. The manifest does not list
/// it.
pub fn database_rejects(source: &str, batch: &BatchId, chunk: u32, sha256: &str) -> String {
    format!("{source}/{batch}/{DATABASE_REJECTS}{chunk:05}-{}.ndjson.zst", short(sha256))
}
