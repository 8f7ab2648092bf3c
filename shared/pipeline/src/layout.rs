//! Where each object of a batch stands in S3.
//!
//! | bucket | key | what |
//! |---|---|---|
//! | artifacts | `contracts/<source>/current.yaml` | the contract that new drops are taken through |
//! | artifacts | `contracts/<source>/<version>.yaml` | each published version, never overwritten |
//! | processed | `batches/<batch>/chunks/<split>-<chunk>.copy.zst` | COPY text, zstd |
//! | processed | `batches/<batch>/reports/<split>.json` | what became of one split |
//! | processed | `batches/<batch>/contract.yaml` | the contract of a batch that Spark reads, as it was at the submit |
//! | processed | `batches/<batch>/manifest.json` | the commit record, written once |
//! | processed | `batches/<batch>/published.json` | every chunk message of the manifest has been sent |
//! | processed | `data/<entity>/source=<source>/batch=<batch>/<split>-<part>.parquet` | harmonised rows |
//! | processed | `receipts/<source>/<batch>.json` | the receipt |
//! | processed | `objects/<source>/<object>/<turn>.json` | which version of an object is taken, where only the first is |
//! | quarantine | `<source>/<batch>/rejects-<split>-<part>.ndjson.zst` | rejected rows with their reasons |

use uuid::Uuid;

use crate::BatchId;

/// The folder of all contracts, in the artifacts bucket.
pub const CONTRACTS: &str = "contracts/";

/// The folder of a source's contracts.
pub fn contracts(source: &str) -> String {
    format!("{CONTRACTS}{source}/")
}

/// The contract that new drops of `source` are taken through.
pub fn current_contract(source: &str) -> String {
    format!("{CONTRACTS}{source}/current.yaml")
}

/// One published version of a source's contract.
pub fn contract_version(source: &str, version: &str) -> String {
    format!("{CONTRACTS}{source}/{version}.yaml")
}

/// One chunk's COPY text.
pub fn chunk(batch: &BatchId, split: u32, chunk: u32) -> String {
    format!("batches/{batch}/chunks/{split:05}-{chunk:05}.copy.zst")
}

/// The same chunk without the rows that another chunk's replace, from the key of [`chunk`].
pub fn deduplicated(chunk: &str) -> String {
    format!("{}.deduplicated.copy.zst", chunk.strip_suffix(".copy.zst").unwrap_or(chunk))
}

/// What became of one split.
pub fn report(batch: &BatchId, split: u32) -> String {
    format!("batches/{batch}/reports/{split:05}.json")
}

/// The contract of a batch that Spark reads, as it was at the submit.
pub fn batch_contract(batch: &BatchId) -> String {
    format!("batches/{batch}/contract.yaml")
}

/// The commit record.
pub fn manifest(batch: &BatchId) -> String {
    format!("batches/{batch}/manifest.json")
}

/// The mark that every message of the manifest has been sent.
pub fn published(batch: &BatchId) -> String {
    format!("batches/{batch}/published.json")
}

/// One Parquet file of harmonised rows.
pub fn parquet(entity: &str, source: &str, batch: &BatchId, split: u32, part: u32) -> String {
    format!("data/{entity}/source={source}/batch={batch}/{split:05}-{part:05}.parquet")
}

/// The receipt.
pub fn receipt(source: &str, batch: &BatchId) -> String {
    format!("receipts/{source}/{batch}.json")
}

/// The version of an object that is taken; of a later turn, once those of all turns before have been refused.
pub fn taken(source: &str, object: &Uuid, turn: u32) -> String {
    format!("objects/{source}/{object}/{turn:05}.json")
}

/// One file of rejected rows, in the quarantine bucket.
pub fn rejects(source: &str, batch: &BatchId, split: u32, part: u32) -> String {
    format!("{source}/{batch}/rejects-{split:05}-{part:05}.ndjson.zst")
}
