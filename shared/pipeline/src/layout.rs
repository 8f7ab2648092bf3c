//! The keys of all objects in S3.
//!
//! | bucket | key | content |
//! |---|---|---|
//! | artifacts | `contracts/<source>/current.yaml` | the contract under which new drops are processed |
//! | artifacts | `contracts/<source>/<version>.yaml` | each published version, never overwritten |
//! | processed | `batches/<batch>/chunks/<split>-<chunk>.copy.zst` | COPY text, zstd |
//! | processed | `batches/<batch>/reports/<split>.json` | the report of one split |
//! | processed | `batches/<batch>/contract.yaml` | the contract of a batch that Spark reads, as it was when the job was submitted |
//! | processed | `batches/<batch>/manifest.json` | the commit record, written once |
//! | processed | `batches/<batch>/published.json` | the mark that all messages of the manifest have been sent |
//! | processed | `data/<entity>/source=<source>/batch=<batch>/<split>-<part>.parquet` | harmonised rows |
//! | processed | `receipts/<source>/<batch>.json` | the receipt |
//! | processed | `objects/<source>/<object>/<number>.json` | the claim of a version of an object, if the contract keeps the first version |
//! | quarantine | `<source>/<batch>/rejects-<split>-<part>.ndjson.zst` | rejected rows with their reasons |

use uuid::Uuid;

use crate::BatchId;

/// The prefix of all contracts, in the artifacts bucket.
pub const CONTRACTS: &str = "contracts/";

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

/// Returns the key of a chunk's COPY text.
pub fn chunk(batch: &BatchId, split: u32, chunk: u32) -> String {
    format!("batches/{batch}/chunks/{split:05}-{chunk:05}.copy.zst")
}

/// Returns the key of a chunk without the rows that are replaced by rows of other chunks, given the key of [`chunk`].
pub fn deduplicated(chunk: &str) -> String {
    let stem = chunk.strip_suffix(".copy.zst").expect("keys of chunks end in .copy.zst");
    format!("{stem}.deduplicated.copy.zst")
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

/// Returns the key of a Parquet file of harmonised rows.
pub fn parquet(entity: &str, source: &str, batch: &BatchId, split: u32, part: u32) -> String {
    format!("data/{entity}/source={source}/batch={batch}/{split:05}-{part:05}.parquet")
}

/// Returns the key of the receipt.
pub fn receipt(source: &str, batch: &BatchId) -> String {
    format!("receipts/{source}/{batch}.json")
}

/// Returns the key of a [claim](crate::claim) on an object.
pub fn claim(source: &str, object: &Uuid, number: u32) -> String {
    format!("objects/{source}/{object}/{number:05}.json")
}

/// Returns the key of a file of rejected rows, in the quarantine bucket.
pub fn rejects(source: &str, batch: &BatchId, split: u32, part: u32) -> String {
    format!("{source}/{batch}/rejects-{split:05}-{part:05}.ndjson.zst")
}
