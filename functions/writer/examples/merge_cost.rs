//! Measures PostgreSQL's CPU time per million rows: the writer's transactions are compared with one session that copies
//! the whole file into a temporary table and merges it with the same statement. Linux only, because it reads `/proc`.
//!
//! `cargo run --workspace --example merge_cost -- [ROWS]`

#![allow(clippy::disallowed_macros, reason = "an example prints its figures")]

use std::fmt::Write as _;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::SinkExt as _;
use jiff::Timestamp;
use penstock_aws::database::{Auth, Connector, DatabaseConfig, Password, Tls};
use penstock_aws::testing::MemoryStore;
use penstock_contract::Contract;
use penstock_local::postgres::{Cluster, ClusterOptions};
use penstock_pipeline::{
    Batch, Chunk, ChunkBody, Drop, LoadMessage, Manifest, ManifestState, Refusal, RefusalCode,
};
use penstock_writer::TableAccess;
use penstock_writer::chunk::VerifiedChunk;
use penstock_writer::database::{Postgres, TargetDatabase as _};
use penstock_writer::group::MAX_SHARED_ROWS;
use penstock_writer::reject_files::RejectFiles;
use penstock_writer::sql::{MergeParameters, OneChunk, VersionLists, create_table, load_sql};
use tokio_postgres::{Client, NoTls};
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
schema:
  - name: products
    physicalName: public.products
    properties:
      - {name: sku, logicalType: string, primaryKey: true, primaryKeyPosition: 1}
      - {name: title, logicalType: string}
      - {name: description, logicalType: string}
      - {name: brand, logicalType: string}
      - {name: price, logicalType: number, physicalType: 'numeric(10,2)'}
      - {name: currency, logicalType: string}
      - {name: stock, logicalType: integer, physicalType: integer}
      - {name: active, logicalType: boolean}
      - {name: listed, logicalType: date}
      - {name: updated_at, logicalType: timestamp, required: true}
";

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failure> {
    let rows: u64 = std::env::args().nth(1).map_or(Ok(600_000), |rows| rows.parse())?;
    let folder = tempfile::tempdir_in("/var/tmp")?;
    let open = <std::fs::Permissions as std::os::unix::fs::PermissionsExt>::from_mode(0o755);
    std::fs::set_permissions(folder.path(), open)?;
    let cluster = Cluster::start(ClusterOptions::for_tests(folder.path().join("cluster")))?;
    let contract = penstock_contract::parse("bench.yaml", CONTRACT)?;
    let passes = [("new", 1), ("changed", 2), ("superseded", 1)];

    println!("{rows} rows; CPU seconds of PostgreSQL per million rows");
    println!("{:<28} {:>8} {:>8} {:>10}", "", passes[0].0, passes[1].0, passes[2].0);
    for chunk_rows in [50_000, 10_000, 2_000] {
        let mut writer = Writer::new(&cluster, &contract);
        let mut line = format!("{:<28}", format!("writer, chunks of {chunk_rows}"));
        for (number, (_, version)) in passes.into_iter().enumerate() {
            let seconds = writer.load(number as u128 + 1, version, rows, chunk_rows).await?;
            write!(line, " {:>8.2}", seconds / rows as f64 * 1e6)?;
        }
        println!("{line}");
        client(&cluster)
            .await?
            .batch_execute(
                "DROP TABLE products; TRUNCATE penstock.batch, penstock.chunk, penstock.target_column",
            )
            .await?;
    }
    let client = client(&cluster).await?;
    client.batch_execute("SET jit = off; SET work_mem = '32MB'; SET temp_buffers = '32MB'").await?;
    client.batch_execute(&create_table(&contract)).await?;
    let mut line = format!("{:<28}", "one COPY, the same merge");
    for (number, (_, version)) in passes.into_iter().enumerate() {
        let seconds = baseline(&client, &contract, number as u128 + 1, version, rows).await?;
        write!(line, " {:>8.2}", seconds / rows as f64 * 1e6)?;
    }
    println!("{line}");
    Ok(())
}

struct Writer<'a> {
    database: Postgres,
    rejects: RejectFiles<MemoryStore>,
    cluster: &'a Cluster,
    contract: &'a Contract,
}

impl<'a> Writer<'a> {
    fn new(cluster: &'a Cluster, contract: &'a Contract) -> Self {
        let config = DatabaseConfig {
            host: "127.0.0.1".into(),
            port: cluster.port(),
            name: cluster.database().into(),
            user: cluster.user().into(),
            auth: Auth::Fixed(Password::new(cluster.password())),
            tls: Tls::Disable,
        };
        let database = Postgres::new(Connector::new(config, None, "penstock-writer"));
        let rejects = RejectFiles::new(MemoryStore::new(), "quarantine");
        Self { database, rejects, cluster, contract }
    }

    async fn load(&mut self, batch: u128, version: u32, rows: u64, chunk_rows: u64) -> Result<f64, Failure> {
        let chunks: Vec<VerifiedChunk> = (0..rows.div_ceil(chunk_rows))
            .map(|index| {
                let first = index * chunk_rows;
                let text = copy_text(first, chunk_rows.min(rows - first), rows, version);
                self.chunk(batch, index, chunk_rows.min(rows - first), &text)
            })
            .collect::<Result<_, _>>()?;
        // Connects and creates the table.
        self.database
            .apply(self.contract, &[&self.chunk(batch + 100, 0, 0, "")?], TableAccess::Shared, &self.rejects)
            .await?;
        let pid = "SELECT pid FROM pg_stat_activity WHERE application_name = 'penstock-writer'";
        let pid = client(self.cluster).await?.query_one(pid, &[]).await?.try_get(0)?;
        let before = cpu_seconds(pid)?;
        let group_size = usize::try_from((MAX_SHARED_ROWS / chunk_rows).max(1))?;
        // An event has at most ten messages.
        for group in chunks.chunks(group_size.min(10)) {
            self.database
                .apply(self.contract, &group.iter().collect::<Vec<_>>(), TableAccess::Shared, &self.rejects)
                .await?;
        }
        Ok(cpu_seconds(pid)? - before)
    }

    fn chunk(&self, batch: u128, index: u64, rows: u64, text: &str) -> Result<VerifiedChunk, Failure> {
        let encoded = zstd::encode_all(text.as_bytes(), 1)?;
        let message = LoadMessage {
            message_version: LoadMessage::VERSION,
            batch_id: Uuid::from_u128(batch),
            source: self.contract.source.clone(),
            table: self.contract.entity.table.clone(),
            contract_version: self.contract.version.clone(),
            dropped_at: Timestamp::from_second(1_700_000_000)?,
            chunk_count: u32::MAX,
            overwrites: None,
            chunk: Chunk {
                index: u32::try_from(index)?,
                rows: u32::try_from(rows)?,
                deduplicated: None,
                row_base: 0,
                sha256: String::new(),
                text_bytes: text.len() as u64,
                body: ChunkBody::Inline(String::new()),
            },
        };
        let manifest = Arc::new(self.manifest(batch, message.dropped_at));
        Ok(VerifiedChunk { message, manifest, encoded: encoded.into() })
    }

    fn manifest(&self, batch: u128, dropped_at: Timestamp) -> Manifest {
        let drop = Drop {
            bucket: "raw".into(),
            key: format!("bench/{batch}.csv"),
            version_id: None,
            etag: "etag".into(),
            size_bytes: 0,
            sequencer: None,
            dropped_at,
        };
        let batch = Batch { id: Uuid::from_u128(batch), ..Batch::new(drop, Some(&self.contract.version)) };
        let mut manifest = Manifest::refused(batch, "0", Refusal::new(RefusalCode::Kept, ""));
        manifest.state = ManifestState::Committed { table: self.contract.entity.table.clone() };
        manifest
    }
}

async fn baseline(
    client: &Client,
    contract: &Contract,
    batch: u128,
    version: u32,
    rows: u64,
) -> Result<f64, Failure> {
    let sql = load_sql(contract, "whole", &[])?;
    client.batch_execute(&format!("{}; {}", sql.drop_stage, sql.create_stage)).await?;
    let pid = client.query_one("SELECT pg_backend_pid()", &[]).await?.try_get(0)?;
    let text = Bytes::from(copy_text(0, rows, rows, version));
    let before = cpu_seconds(pid)?;
    client.batch_execute("BEGIN").await?;
    let sink = client.copy_in::<_, Bytes>(&sql.copy_single).await?;
    tokio::pin!(sink);
    for start in (0..text.len()).step_by(128 * 1024) {
        sink.feed(text.slice(start..(start + 128 * 1024).min(text.len()))).await?;
    }
    sink.finish().await?;
    let (batch, dropped_at) = (Uuid::from_u128(batch), Timestamp::from_second(1_700_000_000)?);
    let chunks =
        OneChunk { source: &contract.source, batch_id: &batch, row_base: 0, priority: 0, dropped_at };
    let merge = sql.merge_single.prepare(client).await?;
    merge
        .execute(
            client,
            &MergeParameters { chunks, versions: Some(VersionLists { earlier: &[], later: &[] }) },
        )
        .await?;
    client.batch_execute("COMMIT").await?;
    Ok(cpu_seconds(pid)? - before)
}

async fn client(cluster: &Cluster) -> Result<Client, Failure> {
    let (client, connection) = tokio_postgres::connect(&cluster.url(), NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

/// Returns the user and system time of a process, which [`/proc/PID/stat`] counts in ticks of 10 ms.
///
/// [`/proc/PID/stat`]: https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html
fn cpu_seconds(pid: i32) -> Result<f64, Failure> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let (_, after_name) = stat.rsplit_once(')').ok_or("no process name in stat")?;
    let fields: Vec<&str> = after_name.split_whitespace().collect();
    Ok((fields[11].parse::<f64>()? + fields[12].parse::<f64>()?) / 100.0)
}

/// Returns rows of about 220 bytes in no order of keys; `version` is their event time.
fn copy_text(first: u64, count: u64, of: u64, version: u32) -> String {
    let mut text = String::with_capacity(usize::try_from(count).expect("the rows fit into memory") * 240);
    for n in first..first + count {
        // 7,919 is prime, so each key occurs once unless the number of rows is a multiple of it.
        let (key, noise) = (n * 7_919 % of, n.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        writeln!(
            text,
            "SKU-{key:08}\tproduct {noise:016x} of the range\ta description {noise:032x} that is as long as \
             descriptions are, {key} words or so\tbrand {}\t{}.{:02}\tEUR\t{}\tt\t2025-01-{:02}\t2026-01-01 00:00:{version:02}Z\t{}",
            noise % 1_000,
            noise % 10_000,
            noise % 100,
            noise % 500,
            noise % 28 + 1,
            n + 1,
        )
        .expect("writing to a string does not fail");
    }
    text
}
