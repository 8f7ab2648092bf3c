//! `penstock contract catalog`

use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};
use clap::Args;
use penstock_contract::{Column, Contract, SqlType};
use serde::Serialize;

use crate::contracts::{self, OverlayArg};
use crate::exit::{Exit, SUCCESS};

/// The last column of each file in the lake.
const ROW_COLUMN: &str = "_row";

#[derive(Debug, Args)]
pub(crate) struct CatalogCommand {
    /// ODCS files
    #[arg(required = true)]
    files: Vec<PathBuf>,
}

/// The JSON document that Terraform reads.
#[derive(Debug, Serialize)]
struct CatalogTables {
    tables: Vec<GlueTable>,
}

/// A table of the lake: an entity with the columns of all its sources.
#[derive(Debug, Serialize)]
struct GlueTable {
    entity: String,
    columns: Vec<GlueColumn>,
    sources: Vec<String>,
}

#[derive(Debug, Serialize)]
struct GlueColumn {
    name: String,
    #[serde(rename = "type")]
    glue_type: String,
    comment: &'static str,
}

impl CatalogCommand {
    /// Prints the tables that `infra/terraform/modules/catalog` creates.
    pub(crate) fn run(self) -> Result<Exit> {
        let mut tables: Vec<GlueTable> = Vec::new();
        for file in &self.files {
            for contract in contracts::read_valid(file, &OverlayArg::default(), None)?.contracts {
                add_contract(&mut tables, contract)?;
            }
        }
        for table in &mut tables {
            // `_rescued` comes after the columns of all contracts.
            table.columns.sort_by_key(|column| column.name == penstock_contract::RESCUED_COLUMN);
            let comment = "Number of the row in its drop";
            table.columns.push(GlueColumn {
                name: ROW_COLUMN.to_owned(),
                glue_type: "bigint".to_owned(),
                comment,
            });
            table.sources.sort();
        }
        outln!("{}", serde_json::to_string_pretty(&CatalogTables { tables }).context("writing the tables")?);
        Ok(SUCCESS)
    }
}

fn add_contract(tables: &mut Vec<GlueTable>, contract: Contract) -> Result<()> {
    let entity = contract.entity;
    let at = tables.iter().position(|table| table.entity == entity.name).unwrap_or_else(|| {
        tables.push(GlueTable { entity: entity.name.clone(), columns: Vec::new(), sources: Vec::new() });
        tables.len() - 1
    });
    let table = &mut tables[at];
    for column in &entity.columns {
        add_column(table, column)?;
    }
    table.sources.push(contract.source);
    Ok(())
}

fn add_column(table: &mut GlueTable, column: &Column) -> Result<()> {
    let Some(glue_type) = glue_type(&column.sql_type) else { return Ok(()) };
    match table.columns.iter().find(|existing| existing.name == column.name) {
        Some(existing) if existing.glue_type == glue_type => {}
        Some(existing) => bail!(
            "{}.{} is {} in one contract and {glue_type} in another; a column in Athena has one type",
            table.entity,
            column.name,
            existing.glue_type
        ),
        None => table.columns.push(GlueColumn { name: column.name.clone(), glue_type, comment: "" }),
    }
    Ok(())
}

/// Returns the Athena type of a column's Parquet type, or `None` for a time of day, for which Athena has no type.
///
/// <https://docs.aws.amazon.com/athena/latest/ug/data-types.html>
fn glue_type(sql_type: &SqlType) -> Option<String> {
    Some(match sql_type {
        SqlType::Time => return None,
        SqlType::Smallint => "smallint".to_owned(),
        SqlType::Integer => "int".to_owned(),
        SqlType::Bigint => "bigint".to_owned(),
        SqlType::DoublePrecision => "double".to_owned(),
        SqlType::Boolean => "boolean".to_owned(),
        SqlType::Date => "date".to_owned(),
        SqlType::Timestamp | SqlType::Timestamptz => "timestamp".to_owned(),
        // Numbers of more than 38 digits are stored as text in the lake.
        SqlType::Numeric(Some((precision, scale))) if *precision <= 38 => {
            format!("decimal({precision},{scale})")
        }
        SqlType::Numeric(_) | SqlType::Text | SqlType::Jsonb | SqlType::Uuid => "string".to_owned(),
    })
}
