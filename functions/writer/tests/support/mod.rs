//! A PostgreSQL cluster for each test, contracts, and chunks of literal rows.
#![allow(dead_code, unreachable_pub, reason = "each test file is a crate that uses a part of it")]

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use penstock_aws::database::{Auth, Connector, DatabaseConfig, Password, Tls};
use penstock_aws::testing::MemoryStore;
use penstock_contract::Contract;
use penstock_engine::Totals;
use penstock_local::postgres::{Cluster, ClusterOptions};
use penstock_pipeline::{
    Batch, Chunk, ChunkBody, Drop, LoadMessage, Manifest, ManifestState, Overwritten, Refusal, RefusalCode,
};
use penstock_writer::chunk::VerifiedChunk;
use penstock_writer::database::{Postgres, TargetDatabase as _};
use penstock_writer::error::LoadError;
use penstock_writer::ledger::ChunkCounts;
use penstock_writer::reject_files::RejectFiles;
use penstock_writer::{ChunkOutcome, TableAccess};
use sha2::{Digest as _, Sha256};
use tokio_postgres::{Client, NoTls, SimpleQueryMessage};
use uuid::Uuid;

/// A cluster that is stopped at the end of the test.
pub struct Db {
    pub cluster: Cluster,
    _folder: tempfile::TempDir,
}

impl Db {
    pub fn start() -> Self {
        let folder = tempfile::tempdir_in("/var/tmp").unwrap();
        let open = <std::fs::Permissions as std::os::unix::fs::PermissionsExt>::from_mode(0o755);
        std::fs::set_permissions(folder.path(), open).unwrap();
        let cluster = Cluster::start(ClusterOptions::for_tests(folder.path().join("cluster"))).unwrap();
        Self { cluster, _folder: folder }
    }

    pub fn config(&self) -> DatabaseConfig {
        DatabaseConfig {
            host: "127.0.0.1".into(),
            port: self.cluster.port(),
            name: self.cluster.database().into(),
            user: self.cluster.user().into(),
            auth: Auth::Fixed(Password::new(self.cluster.password())),
            tls: Tls::Disable,
        }
    }

    /// Returns a writer's database, with its own session.
    pub fn writer(&self) -> Postgres {
        Postgres::new(Connector::new(self.config(), None, "penstock-writer"))
    }

    /// Opens a session for inspection.
    pub async fn client(&self) -> Client {
        let (client, connection) = tokio_postgres::connect(&self.cluster.url(), NoTls).await.unwrap();
        tokio::spawn(connection);
        client
    }

    /// Returns the rows of a query with every value as PostgreSQL prints it, `~` for null, and columns joined by `|`.
    pub async fn rows(&self, query: &str) -> Vec<String> {
        let messages = self.client().await.simple_query(query).await.unwrap();
        let rows = messages.iter().filter_map(|message| {
            let SimpleQueryMessage::Row(row) = message else { return None };
            Some((0..row.len()).map(|at| row.get(at).unwrap_or("~")).collect::<Vec<_>>().join("|"))
        });
        rows.collect()
    }
}

/// Waits until a query returns true.
pub async fn wait_for(db: &Db, query: &str) {
    for _ in 0..200 {
        if db.rows(query).await == ["t"] {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("never true: {query}");
}

/// The properties of the default test table: a key, a text, a number, an event time.
pub const PRODUCTS: &str = "
      - {name: sku, logicalType: string, primaryKey: true, primaryKeyPosition: 1}
      - {name: title, logicalType: string}
      - {name: qty, logicalType: integer, physicalType: integer}
      - {name: updated_at, logicalType: timestamp, required: true}";

/// Returns the YAML of a contract for `public.products` with the given custom properties and properties. Rows have no
/// column of rescued values unless a custom property adds it.
pub fn contract_yaml(source: &str, version: &str, custom: &[(&str, &str)], properties: &str) -> String {
    let ignore = ("unexpectedColumns", "ignore");
    let is_given = custom.iter().any(|(name, _)| *name == ignore.0);
    let custom: String = custom
        .iter()
        .chain((!is_given).then_some(&ignore))
        .map(|(name, value)| format!("\n  - {{property: penstock.{name}, value: {value}}}"))
        .collect();
    let custom = format!("customProperties:{custom}\n");
    format!(
        "apiVersion: v3.1.0\nkind: DataContract\nid: test\nname: {source}\nversion: {version}\nstatus: active\n\
         servers:\n  - {{server: raw, type: s3, location: 's3://raw/{source}/', format: csv}}\n{custom}\
         schema:\n  - name: products\n    physicalName: public.products\n    properties:{properties}\n"
    )
}

pub fn contract_of(yaml: &str) -> Contract {
    penstock_contract::parse("test.yaml", yaml).unwrap()
}

/// Returns the default contract: the row with the newest `updated_at` wins.
pub fn products(source: &str) -> Contract {
    contract_of(&contract_yaml(source, "1.0.0", &[("eventTime", "updated_at")], PRODUCTS))
}

/// Returns a contract that appends every row.
pub fn appended(source: &str) -> Contract {
    let properties = "
      - {name: sku, logicalType: string}
      - {name: qty, logicalType: integer, physicalType: integer}";
    contract_of(&contract_yaml(source, "1.0.0", &[("write", "append")], properties))
}

/// A builder of chunks of literal rows, which are the contract's columns joined by tabs. The row number is appended,
/// beginning with 1.
pub struct ChunkOf {
    pub batch: u128,
    pub index: u32,
    pub count: u32,
    pub row_base: u64,
    pub dropped_at: i64,
    pub overwrites: Option<Overwritten>,
    /// The object's key; the batch's own one by default.
    pub key: Option<String>,
    pub generation: u32,
    pub replays: Vec<u128>,
}

impl ChunkOf {
    /// Returns the builder of the only chunk of a batch.
    pub fn batch(batch: u128) -> Self {
        Self {
            batch,
            index: 0,
            count: 1,
            row_base: 0,
            dropped_at: 1_700_000_000,
            overwrites: None,
            key: None,
            generation: 0,
            replays: Vec::new(),
        }
    }

    pub fn numbered(self, index: u32, count: u32) -> Self {
        Self { index, count, row_base: u64::from(index) * 1_000_000, ..self }
    }

    pub fn dropped_at(self, dropped_at: i64) -> Self {
        Self { dropped_at, ..self }
    }

    /// Makes the batch one of the object `key`, which is not in the order of batches.
    pub fn of_object(self, key: &str) -> Self {
        Self { key: Some(key.to_owned()), ..self }
    }

    /// Makes the batch a replay of other batches.
    pub fn replaying(self, generation: u32, replays: &[u128]) -> Self {
        Self { generation, replays: replays.to_vec(), ..self }
    }

    /// Makes the batch a version of the object `key`.
    pub fn version_of(self, key: &str, sequencer: Option<&str>) -> Self {
        let overwrites =
            Overwritten { bucket: "raw".into(), key: key.into(), sequencer: sequencer.map(str::to_owned) };
        Self { overwrites: Some(overwrites), ..self }
    }

    pub fn rows<R: AsRef<str>>(
        self,
        contract: &Contract,
        rows: impl IntoIterator<Item = R>,
    ) -> VerifiedChunk {
        let mut text = String::new();
        let mut count = 0u32;
        for row in rows {
            count += 1;
            text.push_str(&format!("{}\t{count}\n", row.as_ref()));
        }
        self.text(contract, &text, count)
    }

    pub fn text(self, contract: &Contract, text: &str, rows: u32) -> VerifiedChunk {
        let encoded = zstd::encode_all(text.as_bytes(), 1).unwrap();
        let mut manifest = self.manifest(contract, rows);
        let message_version = match (self.replays.is_empty(), self.overwrites.is_some()) {
            (false, _) => LoadMessage::REPLAYING,
            (true, true) => LoadMessage::OVERWRITING,
            (true, false) => LoadMessage::VERSION,
        };
        let message = LoadMessage {
            message_version,
            batch_id: Uuid::from_u128(self.batch),
            source: contract.source.clone(),
            table: contract.entity.table.clone(),
            contract_version: contract.version.clone(),
            dropped_at: Timestamp::from_second(self.dropped_at).unwrap(),
            chunk_count: self.count,
            overwrites: self.overwrites,
            chunk: Chunk {
                index: self.index,
                rows,
                deduplicated: None,
                row_base: self.row_base,
                sha256: Sha256::digest(&encoded).iter().map(|byte| format!("{byte:02x}")).collect(),
                text_bytes: text.len() as u64,
                body: ChunkBody::Inline(STANDARD.encode(&encoded)),
            },
        };
        manifest.chunks = (0..self.count).map(|index| Chunk { index, ..message.chunk.clone() }).collect();
        VerifiedChunk { message, manifest: Arc::new(manifest), encoded: encoded.into() }
    }

    /// Returns the manifest of the batch. Its chunks are added by the caller.
    fn manifest(&self, contract: &Contract, rows: u32) -> Manifest {
        let overwritten = self.overwrites.as_ref();
        // Keys are in the opposite order of the batches' ids, which must not decide anything.
        let own_key = || format!("shop/{:032x}.csv", u128::MAX - self.batch);
        let drop = Drop {
            bucket: "raw".into(),
            key: overwritten.map(|object| object.key.clone()).or(self.key.clone()).unwrap_or_else(own_key),
            version_id: Some(format!("v{}", self.batch)),
            etag: "etag".into(),
            size_bytes: 1,
            sequencer: overwritten.and_then(|object| object.sequencer.clone()),
            dropped_at: Timestamp::from_second(self.dropped_at).unwrap(),
        };
        let batch = Batch {
            id: Uuid::from_u128(self.batch),
            source: contract.source.clone(),
            contract_version: Some(contract.version.clone()),
            drop,
            generation: self.generation,
            replays: self.replays.iter().map(|batch| Uuid::from_u128(*batch)).collect(),
        };
        let mut manifest = Manifest::refused(batch, "0", Refusal::new(RefusalCode::Kept, ""));
        manifest.state = ManifestState::Committed { table: contract.entity.table.clone() };
        manifest.replaces = self.overwrites.is_some();
        let rows = u64::from(rows) * u64::from(self.count);
        manifest.totals = Totals { rows_read: rows, accepted: rows, ..Totals::default() };
        manifest
    }
}

pub async fn apply(
    writer: &mut Postgres,
    contract: &Contract,
    chunks: &[&VerifiedChunk],
) -> Result<Vec<ChunkOutcome>, LoadError> {
    let rejects = RejectFiles::new(MemoryStore::new(), "quarantine");
    writer.apply(contract, chunks, TableAccess::Shared, &rejects).await
}

/// Returns the outcome of a chunk that was applied with these counts.
pub fn applied(loaded: u64, deduplicated: u64, superseded: u64) -> ChunkOutcome {
    ChunkOutcome::Applied(ChunkCounts { loaded, deduplicated, superseded, rejected: 0 })
}

/// Returns a value of `updated_at`.
pub fn at(second: u32) -> String {
    format!("2026-01-01 00:00:{second:02}+00")
}

/// Returns a row of the default contract.
pub fn product(sku: &str, title: &str, qty: i32, second: u32) -> String {
    format!("{sku}\t{title}\t{qty}\t{}", at(second))
}
