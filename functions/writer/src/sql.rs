//! The statements that load chunks of one contract version. Text only: nothing here talks to a database.

use penstock_contract::ddl::column_definition;
pub use penstock_contract::ddl::{SYSTEM_COLUMNS, create_table, quoted, quoted_table};
use penstock_contract::{Contract, Overwrite, SqlType, WriteMode};

/// Decides between two rows of one key: the greater stays. The last two are there so that it is a total order, the
/// same whatever the order of arrival.
const RANK: &str = "_event_time, _priority, _dropped_at, _batch_id, _row";

/// The statements that load chunks of one contract version through one stage table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoadSql {
    /// Makes the stage table: temporary, emptied by each commit.
    pub create_stage: String,
    /// Takes it away.
    pub drop_stage: String,
    /// COPY of one chunk.
    pub copy_single: String,
    /// COPY of numbered rows of several chunks.
    pub copy_shared: String,
    /// Merges the one chunk that is staged: `$1` source, `$2` batch, `$3` row base, `$4` priority, `$5` dropped at. Where
    /// [`ranks_versions`], `$6` and `$7` are arrays: the batches of earlier and of later versions of the chunk's object.
    pub merge_single: String,
    /// The same for a chunk that is in the order of the key and holds each key once.
    pub merge_ordered: String,
    /// Merges all chunks that are staged: `$1` source, `$2` priority, then arrays of one element a chunk: `$3` ordinal,
    /// `$4` batch, `$5` row base, `$6` dropped at; where [`ranks_versions`], `$7` and `$8` as above.
    pub merge_shared: String,
    /// How many different keys are staged; only for upserts.
    pub count_keys: Option<String>,
    /// By chunk, how many rows lost to a row of their own batch and to another batch's. Arrays `$1` ordinal, `$2` batch,
    /// `$3` row base. After the merge, in its transaction.
    pub count_losers: String,
}

/// Why there are no statements for a contract.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SqlError {
    /// The event time is of a type that is no point in time.
    #[error("the event time {column} is {found}; it must be date, timestamp or timestamptz")]
    EventTime {
        /// The column.
        column: String,
        /// Its type.
        found: String,
    },
    /// An upsert needs a key.
    #[error("it upserts, but has no primary key")]
    NoKey,
    /// A write mode of a later version.
    #[error("this writer does not know its write mode")]
    Mode,
}

/// True for an upsert, false for an append.
pub fn upserts(contract: &Contract) -> bool {
    contract.load.mode == WriteMode::Upsert
}

/// True where a merge asks, before the rows' own rank, which of two rows is of the later version of an object.
pub fn ranks_versions(contract: &Contract) -> bool {
    upserts(contract) && contract.overwrite == Overwrite::Replace
}

/// The statements for `contract`. `stage` names the stage table; `foreign` are the target's columns that other
/// contracts brought.
///
/// # Errors
/// When the contract cannot be loaded.
pub fn load_sql(contract: &Contract, stage: &str, foreign: &[String]) -> Result<LoadSql, SqlError> {
    let entity = &contract.entity;
    if !matches!(contract.load.mode, WriteMode::Upsert | WriteMode::Append) {
        return Err(SqlError::Mode);
    }
    if upserts(contract) && entity.key.is_empty() {
        return Err(SqlError::NoKey);
    }
    let event_time = event_time(contract)?;
    let stage = format!("pg_temp.{}", quoted(stage));
    let types = list((0..entity.columns.len()).filter_map(|index| column_definition(contract, index)));
    let names = list(entity.columns.iter().map(|column| quoted(&column.name)));
    Ok(LoadSql {
        create_stage: format!(
            "CREATE TEMPORARY TABLE {stage} (_chunk smallint NOT NULL DEFAULT 0, {types}, _row bigint NOT NULL) \
             ON COMMIT DELETE ROWS"
        ),
        drop_stage: format!("DROP TABLE IF EXISTS {stage}"),
        copy_single: format!("COPY {stage} ({names}, _row) FROM STDIN"),
        copy_shared: format!("COPY {stage} (_chunk, {names}, _row) FROM STDIN"),
        merge_single: merge_single(contract, &stage, foreign, event_time.as_deref(), Staged::AsRead),
        merge_ordered: merge_single(contract, &stage, foreign, event_time.as_deref(), Staged::InOrder),
        merge_shared: merge_shared(contract, &stage, foreign, event_time.as_deref()),
        count_keys: upserts(contract).then(|| {
            format!("SELECT count(*) FROM (SELECT DISTINCT {} FROM {stage}) AS keys", key_list(contract, ""))
        }),
        count_losers: count_losers(contract, &stage),
    })
}

/// How the rows of the stage stand.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Staged {
    /// In the order of the drop; a key may stand twice.
    AsRead,
    /// In the order of the key, each key once.
    InOrder,
}

fn merge_single(
    contract: &Contract,
    stage: &str,
    foreign: &[String],
    event_time: Option<&str>,
    staged: Staged,
) -> String {
    let time = event_time.unwrap_or("$5::timestamptz");
    let columns = list(contract.entity.columns.iter().map(|column| format!("s.{}", quoted(&column.name))));
    let system =
        format!("$1::text, $2::uuid, s._row + $3::bigint, {time}, $4::smallint, $5::timestamptz, now()");
    // All of a chunk's rows have one priority, drop and batch: the rest of the rank decides.
    let newest_first = match event_time {
        Some(time) => format!("{time} DESC, s._row DESC"),
        None => "s._row DESC".to_owned(),
    };
    let newest_first = (staged == Staged::AsRead).then_some(newest_first.as_str());
    merge(contract, foreign, &columns, &system, &format!("{stage} AS s"), newest_first, 5)
}

fn merge_shared(contract: &Contract, stage: &str, foreign: &[String], event_time: Option<&str>) -> String {
    let time = event_time.unwrap_or("c.dropped_at");
    let columns = list(contract.entity.columns.iter().map(|column| format!("s.{}", quoted(&column.name))));
    let system =
        format!("$1::text, c.batch_id, s._row + c.row_base, {time}, $2::smallint, c.dropped_at, now()");
    let from = format!(
        "{stage} AS s JOIN unnest($3::smallint[], $4::uuid[], $5::bigint[], $6::timestamptz[]) \
         AS c (chunk, batch_id, row_base, dropped_at) ON c.chunk = s._chunk"
    );
    let newest_first = format!("{time} DESC, c.dropped_at DESC, c.batch_id DESC, s._row + c.row_base DESC");
    merge(contract, foreign, &columns, &system, &from, Some(&newest_first), 6)
}

fn merge(
    contract: &Contract,
    foreign: &[String],
    columns: &str,
    system: &str,
    from: &str,
    newest_first: Option<&str>,
    values: usize,
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
    // Sorted by key: two writers that meet on the same keys lock them in the same order, and none waits for
    // another in a circle. A chunk that comes in that order is read from the stage as it was copied.
    let rows = match newest_first {
        Some(newest_first) => {
            format!(
                "SELECT DISTINCT ON ({key}) {columns}, {system} FROM {from} ORDER BY {key}, {newest_first}"
            )
        }
        None => format!("SELECT {columns}, {system} FROM {from}"),
    };
    let wins = wins(contract, values);
    format!("{insert} {rows} ON CONFLICT ({target}) DO UPDATE SET {assignments} WHERE {wins}")
}

/// When a row takes the place of the one that stands. `values` are those that the merge has before the versions'.
fn wins(contract: &Contract, values: usize) -> String {
    let is_newer = format!("({}) <= ({})", ranked("t"), ranked("excluded"));
    if !ranks_versions(contract) {
        return is_newer;
    }
    let (earlier, later) = (values + 1, values + 2);
    format!(
        "t._batch_id = ANY (${earlier}::uuid[]) OR (t._batch_id <> ALL (${later}::uuid[]) AND {is_newer})"
    )
}

/// A row takes the place of another as a whole: what its contract does not have becomes null. Otherwise a row would
/// keep values of the one that it replaced, and which ones would depend on the order of arrival.
fn assignments(contract: &Contract, foreign: &[String]) -> String {
    let entity = &contract.entity;
    let is_key = |index: &usize| entity.key.contains(index);
    let own = entity.columns.iter().enumerate().filter(|(index, _)| !is_key(index));
    let own = own.map(|(_, column)| quoted(&column.name));
    let system = SYSTEM_COLUMNS.iter().map(|(name, _)| (*name).to_owned());
    let taken = own.chain(system).map(|name| format!("{name} = excluded.{name}"));
    list(taken.chain(foreign.iter().map(|name| format!("{} = NULL", quoted(name)))))
}

fn count_losers(contract: &Contract, stage: &str) -> String {
    let table = quoted_table(&contract.entity.table);
    // LATERAL … LIMIT: a look-up by the index for each row. As a plain join the planner, which knows nothing of the
    // stage's size, may read the whole target.
    let (columns, matches, lost) = if upserts(contract) {
        let keys = contract.entity.key.iter().map(|index| quoted(&contract.entity.columns[*index].name));
        let same_key: Vec<String> = keys.map(|name| format!("t.{name} = s.{name}")).collect();
        (
            "t._batch_id, t._row",
            same_key.join(" AND "),
            "(w._batch_id, w._row) <> (c.batch_id, s._row + c.row_base)",
        )
    } else {
        // A row that this transaction has not inserted was there: the batch was loaded before.
        let same_row = "t._batch_id = c.batch_id AND t._row = s._row + c.row_base".to_owned();
        ("t._batch_id, t.xmin", same_row, "w.xmin <> pg_current_xact_id()::xid")
    };
    format!(
        "SELECT c.chunk, count(*) FILTER (WHERE w._batch_id = c.batch_id), \
         count(*) FILTER (WHERE w._batch_id <> c.batch_id) \
         FROM {stage} AS s JOIN unnest($1::smallint[], $2::uuid[], $3::bigint[]) \
         AS c (chunk, batch_id, row_base) ON c.chunk = s._chunk \
         CROSS JOIN LATERAL (SELECT {columns} FROM {table} AS t WHERE {matches} LIMIT 1) AS w \
         WHERE {lost} GROUP BY c.chunk"
    )
}

/// The event time as `timestamptz`; `None` when the contract names no column.
fn event_time(contract: &Contract) -> Result<Option<String>, SqlError> {
    let Some(index) = contract.load.event_time else { return Ok(None) };
    let column = &contract.entity.columns[index];
    let name = format!("s.{}", quoted(&column.name));
    let given = &column.sql_type;
    if *given == SqlType::Timestamptz {
        return Ok(Some(name));
    }
    if [SqlType::Timestamp, SqlType::Date].contains(given) {
        return Ok(Some(format!("({name}::timestamp AT TIME ZONE 'UTC')")));
    }
    Err(SqlError::EventTime { column: column.name.clone(), found: given.to_string() })
}

fn key_list(contract: &Contract, prefix: &str) -> String {
    let columns = &contract.entity.columns;
    list(contract.entity.key.iter().map(|index| format!("{prefix}{}", quoted(&columns[*index].name))))
}

fn ranked(of: &str) -> String {
    list(RANK.split(", ").map(|column| format!("{of}.{column}")))
}

fn list(parts: impl IntoIterator<Item = String>) -> String {
    parts.into_iter().collect::<Vec<_>>().join(", ")
}
