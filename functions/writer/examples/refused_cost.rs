//! Measures the time of a chunk with rows that only the database refuses, as a multiple of the time without them.
//!
//! `cargo run --workspace --example refused_cost -- [ROWS]`

#![allow(clippy::disallowed_macros, reason = "an example prints its figures")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use penstock_aws::database::{Auth, Connector, DatabaseConfig, Password, Tls};
use penstock_aws::testing::MemoryStore;
use penstock_contract::Contract;
use penstock_engine::{Totals, sha256_hex};
use penstock_local::postgres::{Cluster, ClusterOptions};
use penstock_pipeline::{
    Batch, Chunk, ChunkBody, Drop, LoadMessage, Manifest, ManifestState, Refusal, RefusalCode,
};
use penstock_writer::chunk::VerifiedChunk;
use penstock_writer::database::{Postgres, TargetDatabase as _};
use penstock_writer::reject_files::RejectFiles;
use penstock_writer::{ChunkOutcome, TableAccess};
use tokio_postgres::NoTls;
use uuid::Uuid;

type Failure = Box<dyn std::error::Error>;

const CONTRACT: &str = "
apiVersion: v3.1.0
kind: DataContract
id: bench
name: bench
version: 1.0.0
status: active
servers: [{server: raw, type: s3, location: 's3://raw/bench/', format: csv}]
customProperties:
  - {property: penstock.eventTime, value: updated_at}
  - {property: penstock.unexpectedColumns, value: ignore}
  - {property: penstock.maxRejectsPercent, value: 100}
schema:
  - name: products
    physicalName: public.products
    properties:
      - {name: sku, logicalType: string, primaryKey: true, primaryKeyPosition: 1}
      - {name: title, logicalType: string}
      - {name: description, logicalType: string}
      - {name: stock, logicalType: integer, physicalType: integer}
      - {name: updated_at, logicalType: timestamp, required: true}
";
const RUNS: u128 = 5;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failure> {
    let rows: u64 = std::env::args().nth(1).map_or(Ok(10_000), |rows| rows.parse())?;
    let folder = tempfile::tempdir_in("/var/tmp")?;
    let open = <std::fs::Permissions as std::os::unix::fs::PermissionsExt>::from_mode(0o755);
    std::fs::set_permissions(folder.path(), open)?;
    let cluster = Cluster::start(ClusterOptions::for_tests(folder.path().join("cluster")))?;
    let mut bench = Bench::new(&cluster)?;
    bench.apply(1, 0, &[]).await?;
    println!("{rows} rows; median of {RUNS} runs");
    println!("{:<44} {:>8} {:>8}", "", "ms", "ratio");
    let constraints = [
        ("CHECK", "CHECK (stock >= 0)"),
        ("foreign key", "FOREIGN KEY (stock) REFERENCES public.levels (level)"),
    ];
    for (name, constraint) in constraints {
        bench
            .execute(&format!(
                "TRUNCATE products; ALTER TABLE products DROP CONSTRAINT IF EXISTS rule; \
                 CREATE TABLE IF NOT EXISTS public.levels AS SELECT 0 AS level; \
                 CREATE UNIQUE INDEX IF NOT EXISTS levels_key ON public.levels (level); \
                 ALTER TABLE products ADD CONSTRAINT rule {constraint}"
            ))
            .await?;
        let good = bench.median(rows, &[]).await?;
        print(&format!("{name}: no bad row"), good, good);
        for (position, row) in [("first", 0), ("middle", rows / 2), ("last", rows - 1)] {
            print(&format!("{name}: the {position} row"), bench.median(rows, &[row]).await?, good);
        }
        for count in [10, 100, 1_000] {
            let bad: Vec<u64> = (0..count).map(|n| n * (rows / count)).collect();
            print(&format!("{name}: {count} rows"), bench.median(rows, &bad).await?, good);
        }
    }
    Ok(())
}

fn print(name: &str, time: Duration, good: Duration) {
    println!("{name:<44} {:>8.0} {:>8.2}", time.as_secs_f64() * 1e3, time.as_secs_f64() / good.as_secs_f64());
}

struct Bench<'a> {
    cluster: &'a Cluster,
    database: Postgres,
    contract: Contract,
    store: MemoryStore,
    batches: u128,
}

impl<'a> Bench<'a> {
    fn new(cluster: &'a Cluster) -> Result<Self, Failure> {
        let config = DatabaseConfig {
            host: "127.0.0.1".into(),
            port: cluster.port(),
            name: cluster.database().into(),
            user: cluster.user().into(),
            auth: Auth::Fixed(Password::new(cluster.password())),
            tls: Tls::Disable,
        };
        let database = Postgres::new(Connector::new(config, None, "penstock-writer"));
        let contract = penstock_contract::parse("bench.yaml", CONTRACT)?;
        Ok(Self { cluster, database, contract, store: MemoryStore::new(), batches: 1 })
    }

    async fn execute(&self, statements: &str) -> Result<(), Failure> {
        let (client, connection) = tokio_postgres::connect(&self.cluster.url(), NoTls).await?;
        tokio::spawn(connection);
        Ok(client.batch_execute(statements).await?)
    }

    /// Returns the median time of a chunk of new rows, of which those with the numbers `bad` are refused.
    async fn median(&mut self, rows: u64, bad: &[u64]) -> Result<Duration, Failure> {
        let mut times = Vec::new();
        for _ in 0..RUNS {
            self.batches += 1;
            self.execute("TRUNCATE products; CHECKPOINT").await?;
            times.push(self.apply(self.batches, rows, bad).await?);
        }
        times.sort();
        Ok(times[times.len() / 2])
    }

    async fn apply(&mut self, batch: u128, rows: u64, bad: &[u64]) -> Result<Duration, Failure> {
        let mut text = String::new();
        for row in 0..rows {
            let stock = if bad.binary_search(&row).is_ok() { -1 } else { 0 };
            let key = sha256_hex(&row.to_le_bytes());
            let description = "a product that is described in about a hundred characters, as many are, \
                               in a table of an ordinary width";
            text.push_str(&format!(
                "{}\ttitle {row}\t{description}\t{stock}\t2026-01-01\t{}\n",
                &key[..12],
                row + 1
            ));
        }
        let id = Uuid::from_u128(batch);
        let drop = Drop {
            bucket: "raw".into(),
            key: format!("bench/{batch}.csv"),
            version_id: None,
            etag: "e".into(),
            size_bytes: 1,
            sequencer: None,
            dropped_at: Timestamp::from_second(1_700_000_000)?,
        };
        let of = Batch { id, ..Batch::new(drop, Some("1.0.0")) };
        let mut manifest = Manifest::refused(of, "0", Refusal::new(RefusalCode::Empty, ""));
        manifest.totals = Totals { rows_read: rows, accepted: rows, ..Totals::default() };
        manifest.state = ManifestState::Committed { table: self.contract.entity.table.clone() };
        let encoded = zstd::encode_all(text.as_bytes(), 1)?;
        let message = LoadMessage {
            message_version: LoadMessage::VERSION,
            batch_id: id,
            source: "bench".into(),
            table: self.contract.entity.table.clone(),
            contract_version: "1.0.0".into(),
            dropped_at: Timestamp::from_second(1_700_000_000)?,
            chunk_count: 1,
            overwrites: None,
            chunk: Chunk {
                index: 0,
                rows: u32::try_from(rows)?,
                deduplicated: None,
                row_base: 0,
                sha256: String::new(),
                text_bytes: text.len() as u64,
                body: ChunkBody::Inline(String::new()),
            },
        };
        let chunk = VerifiedChunk { message, manifest: Arc::new(manifest), encoded: encoded.into() };
        let rejects = RejectFiles::new(self.store.clone(), "quarantine");
        let started = Instant::now();
        let chunks = [&chunk];
        let outcomes = self.database.apply(&self.contract, &chunks, TableAccess::Shared, &rejects).await?;
        let took = started.elapsed();
        let [ChunkOutcome::Applied(counts)] = outcomes[..] else { return Err("not applied".into()) };
        assert_eq!((counts.loaded, counts.rejected), (rows - bad.len() as u64, bad.len() as u64));
        Ok(took)
    }
}
