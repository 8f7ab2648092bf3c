//! The target table, which is created from the contract, extended with its columns, and otherwise only checked.

use std::collections::BTreeMap;

use penstock_contract::ddl::{add_column, create_batch_index};
use penstock_contract::{Contract, SqlType, TableName};
use penstock_pipeline::writer_command::TableCheck;
use tokio_postgres::{Client, GenericClient, Transaction};

use crate::error::LoadError;
use crate::lock::{DefinitionAttempts, LockMode, begin_definition, lock};
use crate::sql::{SYSTEM_COLUMNS, create_table, quoted, quoted_table, upserts};
use crate::statement::Parameters;

/// The size up to which an index is added to an existing table: it is created in less than a second.
const MAX_INDEXED_BYTES: i64 = 16 * 1024 * 1024;
/// The number of times that a table is prepared when it is changed by others at the same time.
const ENSURE_ATTEMPTS: usize = 3;

/// A target table that is ready for a contract.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LoadTarget {
    /// The definition that was inspected.
    pub(crate) version: TargetVersion,
    /// The columns that other contracts added.
    pub(crate) foreign: Vec<String>,
}

/// Identifies the definition of a table: another one needs other statements, or a check against the contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TargetVersion {
    /// The number of columns that contracts have added, including columns that have been dropped since.
    registered_columns: i64,
    /// A hash of what [`inspect`] reads of the table and its indexes; `None` when the table does not exist.
    definition: Option<i64>,
}

/// The catalog's description of a table.
struct TargetTable {
    /// `relkind`, <https://www.postgresql.org/docs/current/catalog-pg-class.html>.
    kind: i8,
    columns: BTreeMap<String, TargetColumn>,
    /// The columns of each unique index that `ON CONFLICT` can use, sorted by name.
    unique: Vec<Vec<String>>,
    /// Whether an index begins with `_batch_id`.
    has_batch_index: bool,
    /// The size of the table and its partitions, without indexes.
    bytes: i64,
}

struct TargetColumn {
    sql_type: String,
    /// True when values cannot be inserted: a generated column, or an identity that is always generated.
    is_computed: bool,
}

/// Creates the table when it does not exist, adds the columns that it lacks, and checks the others.
///
/// # Errors
/// Returns an error if the table does not match the contract, or the database fails or refuses a statement.
pub(crate) async fn ensure(client: &mut Client, contract: &Contract) -> Result<LoadTarget, LoadError> {
    for _ in 0..ENSURE_ATTEMPTS {
        if let Some(target) = ready(client, contract).await? {
            return Ok(target);
        }
        let mut attempts = DefinitionAttempts::default();
        while let Err(error) = change(client, contract).await {
            if !attempts.again(error.is_contention()).await {
                return Err(error);
            }
        }
    }
    ready(client, contract).await?.ok_or_else(|| {
        mismatch(&contract.entity.table, "is being changed repeatedly while it is prepared".to_owned())
    })
}

/// Returns the table, or `None` when it must be created or extended first.
async fn ready(client: &Client, contract: &Contract) -> Result<Option<LoadTarget>, LoadError> {
    let name = &contract.entity.table;
    // Read first: if the table is changed meanwhile, its version differs later, and it is inspected again.
    let version = version(client, name).await?;
    let Some(table) = inspect(client, name).await? else { return Ok(None) };
    let registered = registered(client, name).await?;
    let is_ready = missing_columns(contract, &table)?.is_empty()
        && missing_index(contract, &table).is_none()
        && names(contract).all(|name| registered.iter().any(|column| column == name));
    let foreign = foreign_columns(client, contract).await?;
    Ok(is_ready.then_some(LoadTarget { version, foreign }))
}

/// Compares a contract with its table, and changes nothing.
pub(crate) async fn check(client: &Client, contract: &Contract) -> Result<TableCheck, LoadError> {
    let Some(table) = inspect(client, &contract.entity.table).await? else {
        return Ok(TableCheck::default());
    };
    match missing_columns(contract, &table) {
        Ok(missing) => {
            let added = missing.into_iter().map(|index| contract.entity.columns[index].name.clone());
            Ok(TableCheck { exists: true, added_columns: added.collect(), problem: None })
        }
        Err(LoadError::TableMismatch { problem, .. }) => {
            Ok(TableCheck { exists: true, added_columns: Vec::new(), problem: Some(problem) })
        }
        Err(error) => Err(error),
    }
}

/// Returns the columns of the table that other contracts added.
pub(crate) async fn foreign_columns(client: &Client, contract: &Contract) -> Result<Vec<String>, LoadError> {
    let registered = registered(client, &contract.entity.table).await?;
    Ok(registered.into_iter().filter(|column| !names(contract).any(|name| name == column)).collect())
}

/// Creates or alters the table under a lock on its name, so that concurrent writers do it sequentially.
async fn change(client: &mut Client, contract: &Contract) -> Result<(), LoadError> {
    let name = &contract.entity.table;
    let transaction = begin_definition(client).await?;
    // All writers lock in this order, so that they cannot deadlock.
    lock(&transaction, LockMode::Exclusive, "schema", &name.schema).await?;
    lock(&transaction, LockMode::Exclusive, "table", &quoted_table(name)).await?;
    if inspect(&transaction, name).await?.is_none() {
        create_schema(&transaction, &name.schema).await?;
        transaction.batch_execute(&create_table(contract)).await?;
    }
    // Also inspected when it was just created: an object of another kind may have the name, which `IF NOT EXISTS`
    // accepts.
    let table = inspect(&transaction, name)
        .await?
        .ok_or_else(|| mismatch(name, "does not exist after it was created".to_owned()))?;
    for index in missing_columns(contract, &table)? {
        let statement = add_column(contract, index).expect("the index is one of the contract's columns");
        tracing::info!(table = %quoted_table(name), column = contract.entity.columns[index].name, "adding a column");
        transaction.batch_execute(&statement).await?;
    }
    if let Some(statement) = missing_index(contract, &table) {
        tracing::info!(table = %quoted_table(name), "adding an index by batch");
        transaction.batch_execute(&statement).await?;
    }
    register(&transaction, contract).await?;
    Ok(transaction.commit().await?)
}

/// Creates the schema if it does not exist. `CREATE SCHEMA IF NOT EXISTS` would need a privilege on the database even
/// when the schema exists.
async fn create_schema(transaction: &Transaction<'_>, schema: &str) -> Result<(), LoadError> {
    let exists = "SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = $1)";
    if !transaction.query_one(exists, &[&schema]).await?.try_get::<_, bool>(0)? {
        transaction.batch_execute(&format!("CREATE SCHEMA {}", quoted(schema))).await?;
    }
    Ok(())
}

/// Returns the catalog's description of a table, or `None` when it does not exist.
async fn inspect(client: &impl GenericClient, name: &TableName) -> Result<Option<TargetTable>, LoadError> {
    let relation = "SELECT c.oid, c.relkind FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace \
                    WHERE n.nspname = $1 AND c.relname = $2";
    let Some(row) = client.query_opt(relation, &[&name.schema, &name.table]).await? else { return Ok(None) };
    let (oid, kind): (u32, i8) = (row.try_get(0)?, row.try_get(1)?);

    let columns = "SELECT attname::text, format_type(atttypid, atttypmod), \
                   attgenerated <> '' OR attidentity = 'a' FROM pg_attribute \
                   WHERE attrelid = $1 AND attnum > 0 AND NOT attisdropped";
    let mut table =
        TargetTable { kind, columns: BTreeMap::new(), unique: Vec::new(), has_batch_index: false, bytes: 0 };
    for row in client.query(columns, &[&oid]).await? {
        let column = TargetColumn { sql_type: row.try_get(1)?, is_computed: row.try_get(2)? };
        table.columns.insert(row.try_get(0)?, column);
    }

    let unique = "SELECT array_agg(a.attname::text ORDER BY a.attname::text) FROM pg_index AS i \
                  JOIN pg_attribute AS a ON a.attrelid = i.indrelid \
                  AND a.attnum = ANY ((i.indkey::smallint[])[0:i.indnkeyatts - 1]) \
                  WHERE i.indrelid = $1 AND i.indisunique AND i.indisvalid AND i.indimmediate \
                  AND i.indpred IS NULL AND i.indexprs IS NULL GROUP BY i.indexrelid";
    for row in client.query(unique, &[&oid]).await? {
        table.unique.push(row.try_get(0)?);
    }

    let by_batch = "SELECT EXISTS (SELECT FROM pg_index AS i \
                    JOIN pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0] \
                    WHERE i.indrelid = $1 AND i.indisvalid AND i.indpred IS NULL AND a.attname = '_batch_id')";
    table.has_batch_index = client.query_one(by_batch, &[&oid]).await?.try_get(0)?;
    let bytes = "SELECT coalesce(pg_relation_size($1::oid::regclass), 0) + coalesce((SELECT sum(pg_relation_size(relid)) \
                 FROM pg_partition_tree($1::oid::regclass)), 0)::bigint";
    table.bytes = client.query_one(bytes, &[&oid]).await?.try_get(0)?;
    Ok(Some(table))
}

/// Returns the indexes of the contract's columns that the table lacks, or an error for any other difference.
fn missing_columns(contract: &Contract, table: &TargetTable) -> Result<Vec<usize>, LoadError> {
    let name = &contract.entity.table;
    // Ordinary and partitioned tables.
    if !b"rp".contains(&table.kind.cast_unsigned()) {
        return Err(mismatch(name, "is a view or another object, not a table".to_owned()));
    }
    for (column, sql_type) in SYSTEM_COLUMNS {
        check_column(name, table, column, &sql_type)?;
        if !table.columns.contains_key(column) {
            let problem = format!(
                "lacks the column {column}: Penstock did not create it; name another table in the contract, or \
                 rename this one"
            );
            return Err(mismatch(name, problem));
        }
    }
    check_key(contract, table)?;
    let mut missing = Vec::new();
    for (index, column) in contract.entity.columns.iter().enumerate() {
        check_column(name, table, &column.name, &column.sql_type)?;
        if !table.columns.contains_key(&column.name) {
            missing.push(index);
        }
    }
    Ok(missing)
}

/// Returns the statement that creates the index by batch, or `None` when it exists, the contract needs none, or the table
/// is large: writers of the table would wait for the index, and `CREATE INDEX CONCURRENTLY` can take longer than an
/// invocation. The index only makes the replacement of earlier versions faster.
fn missing_index(contract: &Contract, table: &TargetTable) -> Option<String> {
    let statement = create_batch_index(contract).filter(|_| !table.has_batch_index)?;
    if table.bytes <= MAX_INDEXED_BYTES {
        return Some(statement);
    }
    let table = quoted_table(&contract.entity.table);
    let statement = statement.replacen("CREATE INDEX", "CREATE INDEX CONCURRENTLY", 1);
    tracing::warn!(table, statement, "a large table has no index by batch; create it by hand");
    None
}

/// Checks a column's type. A column that the table lacks passes.
fn check_column(
    name: &TableName,
    table: &TargetTable,
    column: &str,
    sql_type: &SqlType,
) -> Result<(), LoadError> {
    let Some(found) = table.columns.get(column) else { return Ok(()) };
    let expected = catalog_type(sql_type);
    if found.sql_type != expected {
        let problem = format!(
            "column {column} is {} in the table and {expected} in the contract; change one of them",
            found.sql_type
        );
        return Err(mismatch(name, problem));
    }
    if found.is_computed {
        let problem = format!("column {column} is generated by the database and cannot be loaded");
        return Err(mismatch(name, problem));
    }
    Ok(())
}

/// Returns the type as `format_type` spells it.
fn catalog_type(sql_type: &SqlType) -> String {
    match sql_type {
        SqlType::Time => "time without time zone".to_owned(),
        SqlType::Timestamp => "timestamp without time zone".to_owned(),
        SqlType::Timestamptz => "timestamp with time zone".to_owned(),
        SqlType::Text
        | SqlType::Smallint
        | SqlType::Integer
        | SqlType::Bigint
        | SqlType::Numeric(_)
        | SqlType::DoublePrecision
        | SqlType::Boolean
        | SqlType::Date
        | SqlType::Jsonb
        | SqlType::Uuid => sql_type.to_string(),
    }
}

fn check_key(contract: &Contract, table: &TargetTable) -> Result<(), LoadError> {
    let mut expected: Vec<String> = if upserts(contract) {
        contract.entity.key.iter().map(|index| contract.entity.columns[*index].name.clone()).collect()
    } else {
        vec!["_batch_id".to_owned(), "_row".to_owned()]
    };
    expected.sort();
    if table.unique.contains(&expected) {
        return Ok(());
    }
    let keys: Vec<String> = table.unique.iter().map(|key| format!("({})", key.join(", "))).collect();
    let problem = format!(
        "the contract needs a unique key ({}), but the table has {}; sources that share a table need the same write \
         mode and key",
        expected.join(", "),
        if keys.is_empty() { "none".to_owned() } else { keys.join(" and ") }
    );
    Err(mismatch(&contract.entity.table, problem))
}

fn mismatch(name: &TableName, problem: String) -> LoadError {
    LoadError::TableMismatch { table: quoted_table(name), problem }
}

fn names(contract: &Contract) -> impl Iterator<Item = &str> {
    contract.entity.columns.iter().map(|column| column.name.as_str())
}

async fn register(transaction: &Transaction<'_>, contract: &Contract) -> Result<(), LoadError> {
    let columns: Vec<&str> = names(contract).collect();
    let types: Vec<String> =
        contract.entity.columns.iter().map(|column| column.sql_type.to_string()).collect();
    let table = &contract.entity.table;
    let mut parameters = Parameters::default();
    let statement = format!(
        "INSERT INTO penstock.target_column \
         (table_schema, table_name, column_name, sql_type, source, contract_version) \
         SELECT {}, {}, u.name, u.sql_type, {}, {} FROM unnest({}::text[], {}::text[]) AS u (name, sql_type) \
         ON CONFLICT DO NOTHING",
        parameters.bind(&table.schema),
        parameters.bind(&table.table),
        parameters.bind(&contract.source),
        parameters.bind(&contract.version),
        parameters.bind(&columns),
        parameters.bind(&types),
    );
    transaction.execute(&statement, parameters.values()).await?;
    Ok(())
}

/// Returns the current version of a table. In a transaction that has written to the table, it remains the current one
/// until the transaction ends.
pub(crate) async fn version(
    client: &impl GenericClient,
    table: &TableName,
) -> Result<TargetVersion, LoadError> {
    let statement = "SELECT (SELECT count(*) FROM penstock.target_column WHERE table_schema = $1 AND table_name = $2), \
                     (SELECT hashtextextended(concat_ws('|', c.oid, c.relkind, \
                     (SELECT string_agg(concat_ws(' ', a.attname, a.atttypid, a.atttypmod, a.attgenerated, a.attidentity), \
                     ',' ORDER BY a.attnum) FROM pg_attribute AS a \
                     WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped), \
                     (SELECT string_agg(concat_ws(' ', i.indexrelid, i.indisunique, i.indisvalid, i.indimmediate), \
                     ',' ORDER BY i.indexrelid) FROM pg_index AS i WHERE i.indrelid = c.oid)), 0) \
                     FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace \
                     WHERE n.nspname = $1 AND c.relname = $2)";
    let row = client.query_one(statement, &[&table.schema, &table.table]).await?;
    Ok(TargetVersion { registered_columns: row.try_get(0)?, definition: row.try_get(1)? })
}

/// Returns the columns that contracts have added to a table, and that it has.
async fn registered(client: &impl GenericClient, table: &TableName) -> Result<Vec<String>, LoadError> {
    let statement = "SELECT r.column_name FROM penstock.target_column AS r \
                     JOIN pg_namespace AS n ON n.nspname = r.table_schema \
                     JOIN pg_class AS c ON c.relnamespace = n.oid AND c.relname = r.table_name \
                     JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attname = r.column_name \
                     WHERE r.table_schema = $1 AND r.table_name = $2 AND a.attnum > 0 AND NOT a.attisdropped";
    let rows = client.query(statement, &[&table.schema, &table.table]).await?;
    rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
}
