//! The target table: made from the contract, widened by it, and otherwise only checked.

use std::collections::BTreeMap;

use penstock_contract::ddl::{add_column, create_batch_index};
use penstock_contract::{Contract, TableName};
use tokio_postgres::{Client, GenericClient, Transaction};

use crate::error::LoadError;
use crate::lock::{Hold, lock};
use crate::sql::{SYSTEM_COLUMNS, create_table, quoted_table, upserts};

/// What a contract finds in the catalog of a table that is ready for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    /// How many columns contracts have brought in all: another number says that the table was widened since.
    pub(crate) contract_columns: i64,
    /// Columns that other contracts brought.
    pub(crate) foreign: Vec<String>,
}

/// What the catalog says of a table.
struct Table {
    /// `relkind`, <https://www.postgresql.org/docs/current/catalog-pg-class.html>.
    kind: i8,
    columns: BTreeMap<String, ColumnState>,
    /// The columns of each unique index that `ON CONFLICT` can use, in the order of their names.
    unique: Vec<Vec<String>>,
    /// Whether an index finds the rows of a batch.
    has_batch_index: bool,
}

struct ColumnState {
    sql_type: String,
    /// Filled in by the database itself: generated, or an identity that cannot be given.
    is_computed: bool,
}

/// Makes the table where it is missing, adds the columns that it lacks, and checks all others.
///
/// # Errors
/// When the table is not what the contract needs, or the database does not do as asked.
pub(crate) async fn ensure(client: &mut Client, contract: &Contract) -> Result<Target, LoadError> {
    let ready = inspect(client, &contract.entity.table).await?;
    let registered = registered(client, &contract.entity.table).await?;
    if let Some(table) = ready
        && missing_columns(contract, &table)?.is_empty()
        && missing_index(contract, &table).is_none()
        && names(contract).all(|name| registered.present.iter().any(|column| column == name))
    {
        return Ok(target(contract, registered));
    }
    change(client, contract).await
}

/// Under a lock by the table's name, so that writers that find the same table missing make it one after the other.
async fn change(client: &mut Client, contract: &Contract) -> Result<Target, LoadError> {
    let name = &contract.entity.table;
    let transaction = client.transaction().await?;
    // In one order everywhere: schema, then table.
    lock(&transaction, Hold::Alone, "schema", &name.schema).await?;
    lock(&transaction, Hold::Alone, "table", &quoted_table(name)).await?;
    if inspect(&transaction, name).await?.is_none() {
        create_schema(&transaction, &name.schema).await?;
        transaction.batch_execute(&create_table(contract)).await?;
    }
    // Looked at again, also when just made: an object of another kind may have had the name.
    let table =
        inspect(&transaction, name).await?.ok_or_else(|| mismatch(name, "cannot be seen".to_owned()))?;
    for index in missing_columns(contract, &table)? {
        let Some(statement) = add_column(contract, index) else { continue };
        tracing::info!(table = %quoted_table(name), column = contract.entity.columns[index].name, "adding a column");
        transaction.batch_execute(&statement).await?;
    }
    if let Some(statement) = missing_index(contract, &table) {
        tracing::info!(table = %quoted_table(name), "adding an index by batch");
        transaction.batch_execute(&statement).await?;
    }
    register(&transaction, contract).await?;
    let registered = registered(&transaction, name).await?;
    transaction.commit().await?;
    Ok(target(contract, registered))
}

/// `CREATE SCHEMA IF NOT EXISTS` needs a right on the database even where there is nothing to create.
async fn create_schema(transaction: &Transaction<'_>, schema: &str) -> Result<(), LoadError> {
    let exists = "SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = $1)";
    if !transaction.query_one(exists, &[&schema]).await?.try_get::<_, bool>(0)? {
        transaction.batch_execute(&format!("CREATE SCHEMA {}", crate::sql::quoted(schema))).await?;
    }
    Ok(())
}

async fn inspect(client: &impl GenericClient, name: &TableName) -> Result<Option<Table>, LoadError> {
    let relation = "SELECT c.oid, c.relkind FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace \
                    WHERE n.nspname = $1 AND c.relname = $2";
    let Some(row) = client.query_opt(relation, &[&name.schema, &name.table]).await? else { return Ok(None) };
    let (oid, kind): (u32, i8) = (row.try_get(0)?, row.try_get(1)?);

    let columns = "SELECT attname::text, format_type(atttypid, atttypmod), \
                   attgenerated <> '' OR attidentity = 'a' FROM pg_attribute \
                   WHERE attrelid = $1 AND attnum > 0 AND NOT attisdropped";
    let mut table = Table { kind, columns: BTreeMap::new(), unique: Vec::new(), has_batch_index: false };
    for row in client.query(columns, &[&oid]).await? {
        let state = ColumnState { sql_type: row.try_get(1)?, is_computed: row.try_get(2)? };
        table.columns.insert(row.try_get(0)?, state);
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
    Ok(Some(table))
}

/// The contract's columns, as indexes, that the table lacks; an error for whatever cannot be mended by adding them.
fn missing_columns(contract: &Contract, table: &Table) -> Result<Vec<usize>, LoadError> {
    let name = &contract.entity.table;
    // Ordinary and partitioned tables.
    if !b"rp".contains(&table.kind.cast_unsigned()) {
        return Err(mismatch(name, "is a view or another object that is no table".to_owned()));
    }
    for (column, sql_type) in SYSTEM_COLUMNS {
        check_column(name, table, column, sql_type)?;
        if !table.columns.contains_key(column) {
            let problem = format!(
                "lacks the column {column}: it was not made by Penstock; name another table in the contract, or \
                 rename this one"
            );
            return Err(mismatch(name, problem));
        }
    }
    check_key(contract, table)?;
    let mut missing = Vec::new();
    for (index, column) in contract.entity.columns.iter().enumerate() {
        check_column(name, table, &column.name, &column.sql_type.to_string())?;
        if !table.columns.contains_key(&column.name) {
            missing.push(index);
        }
    }
    Ok(missing)
}

fn missing_index(contract: &Contract, table: &Table) -> Option<String> {
    create_batch_index(contract).filter(|_| !table.has_batch_index)
}

fn check_column(name: &TableName, table: &Table, column: &str, wanted: &str) -> Result<(), LoadError> {
    let Some(state) = table.columns.get(column) else { return Ok(()) };
    let wanted = catalog_type(wanted);
    if state.sql_type != wanted {
        let problem = format!(
            "column {column} is {} in the table and {wanted} in the contract; change one of them",
            state.sql_type
        );
        return Err(mismatch(name, problem));
    }
    if state.is_computed {
        let problem = format!("column {column} is filled in by the database, and cannot be loaded");
        return Err(mismatch(name, problem));
    }
    Ok(())
}

/// As `format_type` spells it.
fn catalog_type(sql_type: &str) -> &str {
    match sql_type {
        "time" => "time without time zone",
        "timestamp" => "timestamp without time zone",
        "timestamptz" => "timestamp with time zone",
        same => same,
    }
}

fn check_key(contract: &Contract, table: &Table) -> Result<(), LoadError> {
    let mut wanted: Vec<String> = if upserts(contract) {
        contract.entity.key.iter().map(|index| contract.entity.columns[*index].name.clone()).collect()
    } else {
        vec!["_batch_id".to_owned(), "_row".to_owned()]
    };
    wanted.sort();
    if table.unique.contains(&wanted) {
        return Ok(());
    }
    let keys: Vec<String> = table.unique.iter().map(|key| format!("({})", key.join(", "))).collect();
    let problem = format!(
        "the contract needs rows to be unique by ({}), the table keeps them unique by {}; sources that share a \
         table have the same write mode and key",
        wanted.join(", "),
        if keys.is_empty() { "nothing".to_owned() } else { keys.join(" and ") }
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
    let statement = "INSERT INTO penstock.target_column \
                     (table_schema, table_name, column_name, sql_type, source, contract_version) \
                     SELECT $1, $2, u.name, u.sql_type, $3, $4 FROM unnest($5::text[], $6::text[]) AS u (name, sql_type) \
                     ON CONFLICT DO NOTHING";
    transaction
        .execute(
            statement,
            &[&table.schema, &table.table, &contract.source, &contract.version, &columns, &types],
        )
        .await?;
    Ok(())
}

/// The columns that contracts have brought, by the register.
struct Registered {
    /// All of them, also those that have been dropped since.
    count: i64,
    /// Those that the table has.
    present: Vec<String>,
}

async fn registered(client: &impl GenericClient, table: &TableName) -> Result<Registered, LoadError> {
    let statement = "SELECT r.column_name, EXISTS (SELECT FROM pg_attribute AS a \
                     JOIN pg_class AS c ON c.oid = a.attrelid JOIN pg_namespace AS n ON n.oid = c.relnamespace \
                     WHERE n.nspname = r.table_schema AND c.relname = r.table_name AND a.attname = r.column_name \
                     AND a.attnum > 0 AND NOT a.attisdropped) \
                     FROM penstock.target_column AS r WHERE r.table_schema = $1 AND r.table_name = $2";
    let rows = client.query(statement, &[&table.schema, &table.table]).await?;
    let mut registered =
        Registered { count: i64::try_from(rows.len()).unwrap_or(i64::MAX), present: Vec::new() };
    for row in rows {
        if row.try_get(1)? {
            registered.present.push(row.try_get(0)?);
        }
    }
    Ok(registered)
}

fn target(contract: &Contract, registered: Registered) -> Target {
    let is_foreign = |column: &String| !names(contract).any(|name| name == column);
    let foreign = registered.present.into_iter().filter(is_foreign).collect();
    Target { contract_columns: registered.count, foreign }
}
