//! `penstock contract catalog`

use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};
use clap::Args;
use penstock_contract::{Column, Contract, SqlType};
use serde::Serialize;

use crate::contracts::{self, OverlayArg};
use crate::exit::{Exit, SUCCESS};

/// The last column of each of the lake's files.
const ROW_COLUMN: &str = "_row";

#[derive(Debug, Args)]
pub(crate) struct Catalog {
    /// ODCS files
    #[arg(required = true)]
    files: Vec<PathBuf>,
}

/// What Terraform reads.
#[derive(Debug, Serialize)]
struct Tables {
    tables: Vec<Table>,
}

/// A table of the lake: an entity, as all of its sources deliver it.
#[derive(Debug, Serialize)]
struct Table {
    entity: String,
    columns: Vec<TableColumn>,
    sources: Vec<String>,
}

#[derive(Debug, Serialize)]
struct TableColumn {
    name: String,
    #[serde(rename = "type")]
    glue_type: String,
    comment: &'static str,
}

impl Catalog {
    /// Prints the tables that `infra/terraform/modules/catalog` makes.
    pub(crate) fn run(self) -> Result<Exit> {
        let mut tables: Vec<Table> = Vec::new();
        for file in &self.files {
            for contract in contracts::read_valid(file, &OverlayArg::default(), None)?.contracts {
                add_contract(&mut tables, contract)?;
            }
        }
        for table in &mut tables {
            // What no column reads stands behind what one does, whichever contract brought it.
            table.columns.sort_by_key(|column| column.name == penstock_contract::RESCUED_COLUMN);
            let comment = "Number of the row in its drop";
            table.columns.push(TableColumn {
                name: ROW_COLUMN.to_owned(),
                glue_type: "bigint".to_owned(),
                comment,
            });
            table.sources.sort();
        }
        outln!("{}", serde_json::to_string_pretty(&Tables { tables }).context("writing the tables")?);
        Ok(SUCCESS)
    }
}

fn add_contract(tables: &mut Vec<Table>, contract: Contract) -> Result<()> {
    let entity = contract.entity;
    let at = tables.iter().position(|table| table.entity == entity.name).unwrap_or_else(|| {
        tables.push(Table { entity: entity.name.clone(), columns: Vec::new(), sources: Vec::new() });
        tables.len() - 1
    });
    let table = &mut tables[at];
    for column in &entity.columns {
        add(table, column)?;
    }
    table.sources.push(contract.source);
    Ok(())
}

fn add(table: &mut Table, column: &Column) -> Result<()> {
    let Some(glue_type) = glue_type(&column.sql_type) else { return Ok(()) };
    match table.columns.iter().find(|known| known.name == column.name) {
        Some(known) if known.glue_type == glue_type => {}
        Some(known) => bail!(
            "{}.{} is {} in one contract and {glue_type} in another: Athena reads a table's column as one type",
            table.entity,
            column.name,
            known.glue_type
        ),
        None => table.columns.push(TableColumn { name: column.name.clone(), glue_type, comment: "" }),
    }
    Ok(())
}

/// What Athena reads the lake's Parquet type as; `None` for times of day, which it has no type for.
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
        // The lake has decimals of up to 38 digits, and others as text.
        SqlType::Numeric(Some((precision, scale))) if *precision <= 38 => {
            format!("decimal({precision},{scale})")
        }
        SqlType::Numeric(_) | SqlType::Text | SqlType::Jsonb | SqlType::Uuid => "string".to_owned(),
    })
}
