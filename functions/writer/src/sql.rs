//! The SQL statements that load chunks of one contract version, each with its parameters.
//!
//! This module only builds text and does not access a database.

use jiff::Timestamp;
use penstock_contract::ddl::column_definition;
pub use penstock_contract::ddl::{SYSTEM_COLUMNS, create_table, quoted, quoted_table};
use penstock_contract::{Column, Contract, SqlType, TableName, WriteMode};
use penstock_pipeline::BatchId;
use tokio_postgres::types::ToSql;

use crate::statement::{StatementParameters, StatementText, statement_parameters};

/// The columns that decide between two rows with the same key: the greater row is stored. If they are equal, the order of
/// the batches decides, and within a batch that of the rows. The order is total, so that the result does not depend on
/// the order of arrival.
const RANK: &str = "_event_time, _priority, _dropped_at";

/// The parameters of a merge.
#[derive(Debug, Clone, PartialEq)]
pub struct MergeParameters<'a, P> {
    /// The parameters of the staged chunks.
    pub chunks: P,
    /// The batches that rank lower or higher as a whole; `Some` exactly if the contract [upserts].
    pub versions: Option<VersionLists<'a>>,
}

impl<P: StatementParameters> StatementParameters for MergeParameters<'_, P> {
    fn values(&self) -> Vec<&(dyn ToSql + Sync)> {
        let mut values = self.chunks.values();
        values.extend(self.versions.iter().flat_map(VersionLists::values));
        values
    }
}

/// The parameters of a merge of one chunk.
pub type MergeOne<'a> = MergeParameters<'a, OneChunk<'a>>;
/// The parameters of a merge of several chunks.
pub type MergeSeveral<'a> = MergeParameters<'a, SeveralChunks<'a>>;

statement_parameters! {
    /// The parameters of a merge of the only staged chunk.
    OneChunk, OneChunkPlaceholders {
        /// The source's name.
        source: &'a str as "text",
        /// The chunk's batch.
        batch_id: &'a BatchId as "uuid",
        /// Added to the row numbers in the chunk.
        row_base: i64 as "bigint",
        /// The priority of the source.
        priority: i16 as "smallint",
        /// The time of the drop.
        dropped_at: Timestamp as "timestamptz",
    }
}

statement_parameters! {
    /// The parameters of a merge of several staged chunks. Arrays have one element per chunk.
    SeveralChunks, SeveralChunksPlaceholders {
        /// The source's name.
        source: &'a str as "text",
        /// The priority of the source.
        priority: i16 as "smallint",
        /// The number of the chunk in the staging table.
        ordinals: &'a [i16] as "smallint[]",
        /// The chunk's batch.
        batch_ids: &'a [BatchId] as "uuid[]",
        /// Added to the row numbers in the chunk.
        row_bases: &'a [i64] as "bigint[]",
        /// The time of the drop.
        dropped_at: &'a [Timestamp] as "timestamptz[]",
        /// The position of the chunk's batch in the order of drops of one time.
        positions: &'a [i32] as "integer[]",
    }
}

statement_parameters! {
    /// The additional parameters of a merge of an upsert: batches of other versions of the same object, and replayed ones.
    VersionLists, VersionListsPlaceholders {
        /// Batches whose rows are replaced regardless of their rank.
        earlier: &'a [BatchId] as "uuid[]",
        /// Batches whose rows are retained regardless of their rank.
        later: &'a [BatchId] as "uuid[]",
    }
}

/// A range of rows of a staged chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RowRange {
    /// The number of the first row in the chunk.
    pub first: i64,
    /// The number of the last row.
    pub last: i64,
}

/// The parameters of a merge of some rows of the only staged chunk.
#[derive(Debug, Clone, PartialEq)]
pub struct MergeRows<'a> {
    /// The parameters of the merge.
    pub merge: MergeOne<'a>,
    /// The rows.
    pub range: RowRange,
}

impl StatementParameters for MergeRows<'_> {
    fn values(&self) -> Vec<&(dyn ToSql + Sync)> {
        let mut values = self.merge.values();
        values.extend([&self.range.first as &(dyn ToSql + Sync), &self.range.last]);
        values
    }
}

statement_parameters! {
    /// The parameters of the count of rows that were not loaded, with one element per staged chunk.
    StagedChunks, StagedChunksPlaceholders {
        /// The number of the chunk in the staging table.
        ordinals: &'a [i16] as "smallint[]",
        /// The chunk's batch.
        batch_ids: &'a [BatchId] as "uuid[]",
        /// Added to the row numbers in the chunk.
        row_bases: &'a [i64] as "bigint[]",
    }
}

/// The statements that load chunks of one contract version through one staging table.
#[derive(Debug, Clone)]
pub struct LoadSql {
    /// Creates the staging table, which is temporary and is emptied by each commit.
    pub create_stage: String,
    /// Drops the staging table.
    pub drop_stage: String,
    /// COPY of one chunk.
    pub copy_single: String,
    /// COPY of the rows of several chunks, each with its chunk's ordinal in front.
    pub copy_shared: String,
    /// Merges the only staged chunk.
    pub merge_single: StatementText<MergeOne<'static>>,
    /// Merges the only staged chunk when it is sorted by key and has each key once.
    pub merge_ordered: StatementText<MergeOne<'static>>,
    /// Merges some rows of the only staged chunk.
    pub merge_rows: StatementText<MergeRows<'static>>,
    /// Returns the numbers of the staged rows, in their order.
    pub staged_rows: String,
    /// Creates an index by row number on the staging table.
    pub create_row_index: String,
    /// Drops that index.
    pub drop_row_index: String,
    /// Returns number and values of the staged rows with the numbers `$1`. The values are a JSON object, without those that
    /// rejects must not contain.
    pub describe_rows: String,
    /// Deletes the staged rows with the numbers `$1`.
    pub delete_rows: String,
    /// Merges all staged chunks.
    pub merge_shared: StatementText<MergeSeveral<'static>>,
    /// Counts the distinct keys in the staging table. Only for upserts.
    pub count_keys: Option<String>,
    /// Returns the number of rows that were not loaded, by the ordinal of their chunk and the batch of the rows that they
    /// lost to. It runs after the merge, in the same transaction.
    pub count_losers: StatementText<StagedChunks<'static>>,
}

/// The reasons why a contract cannot be loaded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SqlError {
    /// The type of the event time is not a point in time.
    #[error("the event time {column} is {found}; it must be date, timestamp or timestamptz")]
    EventTime {
        /// The column.
        column: String,
        /// Its type.
        found: String,
    },
    /// An upsert needs a key.
    #[error("the write mode is upsert, but there is no primary key")]
    NoKey,
}

/// Returns true for an upsert, false for an append.
pub fn upserts(contract: &Contract) -> bool {
    match contract.load.mode {
        WriteMode::Upsert => true,
        WriteMode::Append => false,
    }
}

/// Returns the statements for `contract`. `stage` is the name of the staging table, `foreign` are the columns of the
/// target that other contracts added.
///
/// # Errors
/// Returns an error if the contract cannot be loaded.
pub fn load_sql(contract: &Contract, stage: &str, foreign: &[String]) -> Result<LoadSql, SqlError> {
    let entity = &contract.entity;
    if upserts(contract) && entity.key.is_empty() {
        return Err(SqlError::NoKey);
    }
    let event_time = event_time(contract)?;
    let stage = format!("pg_temp.{}", quoted(stage));
    let types = list((0..entity.columns.len()).map(|index| {
        column_definition(contract, index).expect("the index is one of the contract's columns")
    }));
    let names = list(entity.columns.iter().map(|column| quoted(&column.name)));
    let from = format!("{stage} AS s");
    Ok(LoadSql {
        create_stage: format!(
            "CREATE TEMPORARY TABLE {stage} (_chunk smallint NOT NULL DEFAULT 0, {types}, _row bigint NOT NULL) \
             ON COMMIT DELETE ROWS"
        ),
        drop_stage: format!("DROP TABLE IF EXISTS {stage}"),
        copy_single: format!("COPY {stage} ({names}, _row) FROM STDIN"),
        copy_shared: format!("COPY {stage} (_chunk, {names}, _row) FROM STDIN"),
        merge_single: merge_single(contract, &from, foreign, event_time.as_deref(), StageOrder::AsRead),
        merge_ordered: merge_single(contract, &from, foreign, event_time.as_deref(), StageOrder::ByKey),
        merge_rows: merge_rows(contract, &stage, foreign, event_time.as_deref()),
        staged_rows: format!("SELECT _row FROM {stage} ORDER BY _row"),
        create_row_index: format!("CREATE INDEX penstock_rows ON {stage} (_row)"),
        drop_row_index: "DROP INDEX pg_temp.penstock_rows".to_owned(),
        describe_rows: describe_rows(contract, &stage),
        delete_rows: format!("DELETE FROM {stage} WHERE _row = ANY ($1)"),
        merge_shared: merge_shared(contract, &stage, foreign, event_time.as_deref()),
        count_keys: upserts(contract).then(|| {
            format!("SELECT count(*) FROM (SELECT DISTINCT {} FROM {stage}) AS keys", key_list(contract, ""))
        }),
        count_losers: count_losers(contract, &stage),
    })
}

/// The order of the rows in the staging table.
#[derive(Clone, Copy, PartialEq, Eq)]
enum StageOrder {
    /// The order of the drop. A key may occur more than once.
    AsRead,
    /// The order of the key. Each key occurs once.
    ByKey,
}

/// Returns the statement that merges those rows of a staged chunk whose keys are among the rows of batch `withdrawn` in
/// the table `target`. The contract's table is another one, with the same columns and key.
///
/// # Errors
/// Returns an error if the contract cannot be loaded.
pub(crate) fn merge_restored(
    contract: &Contract,
    stage: &str,
    foreign: &[String],
    target: &TableName,
    withdrawn: &BatchId,
) -> Result<StatementText<MergeOne<'static>>, SqlError> {
    let event_time = event_time(contract)?;
    let (stage, target) = (format!("pg_temp.{}", quoted(stage)), quoted_table(target));
    let keys = contract.entity.key.iter().map(|index| quoted(&contract.entity.columns[*index].name));
    let same_key: Vec<String> = keys.map(|name| format!("w.{name} = a.{name}")).collect();
    // A batch id has only hexadecimal digits and hyphens.
    let from = format!(
        "(SELECT a.* FROM {stage} AS a WHERE EXISTS (SELECT FROM {target} AS w \
         WHERE w._batch_id = '{withdrawn}' AND {})) AS s",
        same_key.join(" AND ")
    );
    Ok(merge_single(contract, &from, foreign, event_time.as_deref(), StageOrder::AsRead))
}

/// Returns the statement that merges all rows of the table `restored` into the contract's table, of which it is a copy
/// with these columns.
pub(crate) fn merge_table(contract: &Contract, restored: &TableName, columns: &[String]) -> String {
    let (table, restored) = (quoted_table(&contract.entity.table), quoted_table(restored));
    let names = list(columns.iter().map(|name| quoted(name)));
    let insert = format!("INSERT INTO {table} AS t ({names}) SELECT {names} FROM {restored}");
    if !upserts(contract) {
        return format!("{insert} ON CONFLICT (_batch_id, _row) DO NOTHING");
    }
    let key = key_list(contract, "");
    let is_key =
        |name: &String| contract.entity.key.iter().any(|index| contract.entity.columns[*index].name == *name);
    let others = columns.iter().filter(|name| !is_key(name)).map(|name| quoted(name));
    let assignments = list(others.map(|name| format!("{name} = excluded.{name}")));
    let condition = is_newer();
    format!("{insert} ORDER BY {key} ON CONFLICT ({key}) DO UPDATE SET {assignments} WHERE {condition}")
}

/// Returns the merge of those rows of one chunk that `from` selects as `s`. `P` are the parameters of the merge, with those
/// of `from` after them.
fn merge_single<P: StatementParameters>(
    contract: &Contract,
    from: &str,
    foreign: &[String],
    event_time: Option<&str>,
    order: StageOrder,
) -> StatementText<P> {
    let (chunk, last) = OneChunk::placeholders(0);
    let OneChunkPlaceholders { source, batch_id, row_base, priority, dropped_at } = chunk;
    let time = event_time.unwrap_or(&dropped_at);
    let columns = list(contract.entity.columns.iter().map(|column| format!("s.{}", quoted(&column.name))));
    let system =
        format!("{source}, {batch_id}, s._row + {row_base}, {time}, {priority}, {dropped_at}, now()");
    // All rows of a chunk have the same priority, drop and batch, so only the event time and the row number differ.
    let newest_first = match event_time {
        Some(time) => format!("{time} DESC, s._row DESC"),
        None => "s._row DESC".to_owned(),
    };
    let newest_first = (order == StageOrder::AsRead).then_some(newest_first.as_str());
    let (versions, _) = VersionLists::placeholders(last);
    StatementText::new(merge(contract, foreign, &columns, &system, from, newest_first, &versions))
}

/// Returns the merge of a range of rows, which may be in any order.
fn merge_rows(
    contract: &Contract,
    stage: &str,
    foreign: &[String],
    event_time: Option<&str>,
) -> StatementText<MergeRows<'static>> {
    let (_, mut last) = OneChunk::placeholders(0);
    if upserts(contract) {
        (_, last) = VersionLists::placeholders(last);
    }
    let (first, last) = (last + 1, last + 2);
    let from =
        format!("(SELECT * FROM {stage} WHERE _row BETWEEN ${first}::bigint AND ${last}::bigint) AS s");
    merge_single(contract, &from, foreign, event_time, StageOrder::AsRead)
}

fn merge_shared(
    contract: &Contract,
    stage: &str,
    foreign: &[String],
    event_time: Option<&str>,
) -> StatementText<MergeSeveral<'static>> {
    let (chunks, last) = SeveralChunks::placeholders(0);
    let SeveralChunksPlaceholders { source, priority, ordinals, batch_ids, row_bases, dropped_at, positions } =
        chunks;
    let time = event_time.unwrap_or("c.dropped_at");
    let columns = list(contract.entity.columns.iter().map(|column| format!("s.{}", quoted(&column.name))));
    let system =
        format!("{source}, c.batch_id, s._row + c.row_base, {time}, {priority}, c.dropped_at, now()");
    let from = format!(
        "{stage} AS s JOIN unnest({ordinals}, {batch_ids}, {row_bases}, {dropped_at}, {positions}) \
         AS c (chunk, batch_id, row_base, dropped_at, position) ON c.chunk = s._chunk"
    );
    let newest_first = format!("{time} DESC, c.dropped_at DESC, c.position DESC, s._row + c.row_base DESC");
    let (versions, _) = VersionLists::placeholders(last);
    StatementText::new(merge(contract, foreign, &columns, &system, &from, Some(&newest_first), &versions))
}

fn merge(
    contract: &Contract,
    foreign: &[String],
    columns: &str,
    system: &str,
    from: &str,
    newest_first: Option<&str>,
    versions: &VersionListsPlaceholders,
) -> String {
    let names = list(contract.entity.columns.iter().map(|column| quoted(&column.name)));
    let system_names = list(SYSTEM_COLUMNS.iter().map(|(name, _)| (*name).to_owned()));
    let table = quoted_table(&contract.entity.table);
    let insert = format!("INSERT INTO {table} AS t ({names}, {system_names})");
    if !upserts(contract) {
        return format!(
            "{insert} SELECT {columns}, {system} FROM {from} ON CONFLICT (_batch_id, _row) DO NOTHING"
        );
    }
    let (key, target) = (key_list(contract, "s."), key_list(contract, ""));
    let assignments = assignments(contract, foreign);
    // Sorted by key: two writers that change the same keys lock them in the same order, so that they cannot deadlock.
    // The staging table of a chunk in key order has that order already.
    let rows = match newest_first {
        Some(newest_first) => {
            format!(
                "SELECT DISTINCT ON ({key}) {columns}, {system} FROM {from} ORDER BY {key}, {newest_first}"
            )
        }
        None => format!("SELECT {columns}, {system} FROM {from}"),
    };
    let condition = replace_condition(versions);
    format!("{insert} {rows} ON CONFLICT ({target}) DO UPDATE SET {assignments} WHERE {condition}")
}

/// Returns the condition under which a row replaces the stored row with the same key.
///
/// `penstock.precedes` is only called for rows of two batches with equal event times, priorities and times of the drop.
/// It returns null for a batch that an earlier release has not closed yet.
fn replace_condition(versions: &VersionListsPlaceholders) -> String {
    let VersionListsPlaceholders { earlier, later } = versions;
    format!("t._batch_id = ANY ({earlier}) OR (t._batch_id <> ALL ({later}) AND {})", is_newer())
}

fn is_newer() -> String {
    let (stored, new) = (ranked("t"), ranked("excluded"));
    format!(
        "CASE WHEN ({stored}) <> ({new}) THEN ({stored}) < ({new}) \
         WHEN t._batch_id = excluded._batch_id THEN t._row <= excluded._row \
         ELSE coalesce(penstock.precedes(t._batch_id, excluded._batch_id), t._batch_id < excluded._batch_id) END"
    )
}

/// Returns the assignments by which one row replaces another. Columns that the contract does not have become null:
/// otherwise a row would retain values of the row that it replaces, and which ones would depend on the order of
/// arrival.
fn assignments(contract: &Contract, foreign: &[String]) -> String {
    let entity = &contract.entity;
    let is_key = |index: &usize| entity.key.contains(index);
    let own = entity.columns.iter().enumerate().filter(|(index, _)| !is_key(index));
    let own = own.map(|(_, column)| quoted(&column.name));
    let system = SYSTEM_COLUMNS.iter().map(|(name, _)| (*name).to_owned());
    let excluded = own.chain(system).map(|name| format!("{name} = excluded.{name}"));
    list(excluded.chain(foreign.iter().map(|name| format!("{} = NULL", quoted(name)))))
}

fn count_losers(contract: &Contract, stage: &str) -> StatementText<StagedChunks<'static>> {
    let (chunks, _) = StagedChunks::placeholders(0);
    let StagedChunksPlaceholders { ordinals, batch_ids, row_bases } = chunks;
    let table = quoted_table(&contract.entity.table);
    // LATERAL … LIMIT is an index lookup for each row. The planner has no statistics of the staging table, and might
    // scan the whole target for a plain join.
    let (columns, matches, lost) = if upserts(contract) {
        let keys = contract.entity.key.iter().map(|index| quoted(&contract.entity.columns[*index].name));
        let same_key: Vec<String> = keys.map(|name| format!("t.{name} = s.{name}")).collect();
        (
            "t._batch_id, t._row",
            same_key.join(" AND "),
            "(w._batch_id, w._row) <> (c.batch_id, s._row + c.row_base)",
        )
    } else {
        // A row that this transaction did not insert existed before: the batch was loaded already.
        let same_row = "t._batch_id = c.batch_id AND t._row = s._row + c.row_base".to_owned();
        // Its transaction is older; those of savepoints of this one are not.
        ("t._batch_id, t.xmin", same_row, "age(w.xmin) > age(pg_current_xact_id()::xid)")
    };
    StatementText::new(format!(
        "SELECT c.chunk, c.batch_id, w._batch_id, count(*) \
         FROM {stage} AS s JOIN unnest({ordinals}, {batch_ids}, {row_bases}) \
         AS c (chunk, batch_id, row_base) ON c.chunk = s._chunk \
         CROSS JOIN LATERAL (SELECT {columns} FROM {table} AS t WHERE {matches} LIMIT 1) AS w \
         WHERE {lost} GROUP BY c.chunk, c.batch_id, w._batch_id"
    ))
}

/// Classified values are replaced, and so are all unexpected ones if there are classified columns: they may have the wrong
/// name. Pseudonymised values are pseudonyms in the chunk already.
fn describe_rows(contract: &Contract, stage: &str) -> String {
    let columns = &contract.entity.columns;
    let is_classified = |column: &Column| column.classification.is_some() && !column.pseudonymise;
    let has_classified = columns.iter().any(is_classified);
    let values = columns.iter().map(|column| {
        let name = quoted(&column.name);
        if is_classified(column) || (has_classified && column.is_rescued()) {
            format!("CASE WHEN s.{name} IS NOT NULL THEN '[classified]' END AS {name}")
        } else {
            format!("s.{name}")
        }
    });
    format!(
        "SELECT s._row, (SELECT row_to_json(r)::text FROM (SELECT {}) AS r) FROM {stage} AS s \
         WHERE s._row = ANY ($1) ORDER BY s._row",
        list(values)
    )
}

/// Returns the event time as `timestamptz`, or `None` when the contract names no column.
fn event_time(contract: &Contract) -> Result<Option<String>, SqlError> {
    let Some(index) = contract.load.event_time else { return Ok(None) };
    let column = &contract.entity.columns[index];
    let name = format!("s.{}", quoted(&column.name));
    match &column.sql_type {
        SqlType::Timestamptz => Ok(Some(name)),
        SqlType::Timestamp | SqlType::Date => Ok(Some(format!("({name}::timestamp AT TIME ZONE 'UTC')"))),
        other @ (SqlType::Text
        | SqlType::Smallint
        | SqlType::Integer
        | SqlType::Bigint
        | SqlType::Numeric(_)
        | SqlType::DoublePrecision
        | SqlType::Boolean
        | SqlType::Time
        | SqlType::Jsonb
        | SqlType::Uuid) => {
            Err(SqlError::EventTime { column: column.name.clone(), found: other.to_string() })
        }
    }
}

fn key_list(contract: &Contract, prefix: &str) -> String {
    let columns = &contract.entity.columns;
    list(contract.entity.key.iter().map(|index| format!("{prefix}{}", quoted(&columns[*index].name))))
}

fn ranked(alias: &str) -> String {
    list(RANK.split(", ").map(|column| format!("{alias}.{column}")))
}

fn list(parts: impl IntoIterator<Item = String>) -> String {
    parts.into_iter().collect::<Vec<_>>().join(", ")
}
