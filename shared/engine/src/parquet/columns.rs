//! Column-by-column checks of a batch.

use super::cells::Numbers;
use super::values::Cells;
use super::written::WrittenCell;
use crate::program::{PlanColumn, Raw};
use crate::rows::Rows;
use crate::rows::checked::{CheckedRows, Codes};

/// Checks a batch column by column. `columns`: the index in `cells` that each column of the contract reads.
pub(super) fn check_columns(
    rows: &mut Rows,
    checked: &mut CheckedRows,
    columns: &[Option<usize>],
    cells: &[Cells<'_>],
) {
    let nothing = WrittenCell::default();
    for (index, field) in columns.iter().enumerate() {
        let cells = field.map(|field| cells.get(field).expect("columns are bound to fields that are read"));
        let texts = cells.and_then(Cells::texts).filter(|texts| texts.traits.is_plain);
        let codes = cells.and_then(Cells::codes);
        let column = rows.columns().get(index).expect("the binding has an entry for each column");
        let numbers = cells.and_then(Cells::numbers).filter(|numbers| are_direct(column, numbers));
        match (cells, texts, numbers) {
            (Some(cells), Some(texts), _) if column.is_verbatim() => match codes {
                Some((codes, number)) => {
                    let codes = Codes { codes, nulls: cells.nulls(), texts, number };
                    rows.check_codes(checked, index, codes);
                }
                None => rows.check_texts(checked, index, texts),
            },
            (Some(cells), _, Some(numbers)) => check_numbers(rows, checked, index, cells, &numbers),
            (Some(cells), _, None) => rows.check_values(checked, index, |row| cells.raw(row, &nothing)),
            (None, ..) => rows.check_values(checked, index, |_| Raw::Missing),
        }
    }
}

/// Returns whether nearly all of the numbers can be accepted without conversion.
fn are_direct(column: &PlanColumn, numbers: &Numbers<'_>) -> bool {
    column.is_direct()
        && match numbers {
            Numbers::Int32(_) | Numbers::Int64(_) => column.accepts_integers(),
            Numbers::Decimal(_, scale) => column.accepts_decimals(*scale),
            Numbers::Timestamp(..) => column.accepts_timestamps(),
        }
}

fn check_numbers(
    rows: &mut Rows,
    checked: &mut CheckedRows,
    index: usize,
    cells: &Cells<'_>,
    numbers: &Numbers<'_>,
) {
    macro_rules! check {
        ($values:expr, $value:expr) => {
            rows.check_direct(checked, index, |column, row| {
                if cells.is_null(row) { Some(None) } else { $value(column, *$values.get(row)?).map(Some) }
            })
        };
    }
    match *numbers {
        Numbers::Int32(values) => {
            check!(values, |column: &PlanColumn, number| column.integer(i64::from(number)))
        }
        Numbers::Int64(values) => check!(values, |column: &PlanColumn, number| column.integer(number)),
        Numbers::Decimal(values, scale) => {
            check!(values, |column: &PlanColumn, number| column.decimal(number, scale))
        }
        Numbers::Timestamp(values, is_utc) => {
            check!(values, |column: &PlanColumn, micros| column.timestamp(micros, is_utc));
        }
    }
}
