//! Which field of a record each column reads.

use crate::error::UnreadableCode;
use crate::program::Column;

/// Names told in a message; more are counted.
const MAX_NAMES: usize = 20;

/// Where the columns find their fields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Layout {
    /// Fields that a record must have.
    pub(crate) width: usize,
    /// The field of each column; `None` for constants, and for columns that the file lacks and that have a default.
    pub(crate) fields: Vec<Option<usize>>,
}

/// Binds the columns to the names of a header.
pub(crate) fn bind_header(names: &[String], columns: &[Column]) -> Result<Layout, (UnreadableCode, String)> {
    let mut twice: Vec<&str> = Vec::new();
    for (index, name) in names.iter().enumerate() {
        if !name.is_empty() && names[..index].contains(name) && !twice.contains(&name.as_str()) {
            twice.push(name);
        }
    }
    if !twice.is_empty() {
        return Err((
            UnreadableCode::DuplicateColumns,
            format!("the header has columns twice: {}", list(&twice)),
        ));
    }
    let find = |column: &Column| names.iter().position(|name| *name == column.physical_name);
    let fields: Vec<Option<usize>> =
        columns.iter().map(|column| if column.is_constant() { None } else { find(column) }).collect();
    let mut missing: Vec<&str> = Vec::new();
    for (column, field) in columns.iter().zip(&fields) {
        let name = column.physical_name.as_str();
        if field.is_none() && column.needs_field() && !missing.contains(&name) {
            missing.push(name);
        }
    }
    if missing.is_empty() {
        return Ok(Layout { width: names.len(), fields });
    }
    let found: Vec<&str> = names.iter().map(String::as_str).collect();
    Err((
        UnreadableCode::MissingColumns,
        format!("the header lacks {}; it has {}", list(&missing), list(&found)),
    ))
}

/// Binds the columns by the order of the contract, for files without a header: the names that the columns read,
/// each once, in the order of their first column.
pub(crate) fn bind_order(columns: &[Column]) -> Layout {
    let mut names: Vec<&str> = Vec::new();
    let mut fields = Vec::with_capacity(columns.len());
    for column in columns {
        if column.is_constant() {
            fields.push(None);
            continue;
        }
        let name = column.physical_name.as_str();
        let field = names.iter().position(|known| *known == name).unwrap_or_else(|| {
            names.push(name);
            names.len() - 1
        });
        fields.push(Some(field));
    }
    Layout { width: names.len(), fields }
}

/// `` `a`, `b` and 3 more ``, each name cut where it is long.
fn list(names: &[&str]) -> String {
    const MAX_CHARS: usize = 60;
    let shown: Vec<String> = names
        .iter()
        .take(MAX_NAMES)
        .map(|name| format!("`{}`", name.chars().take(MAX_CHARS).collect::<String>()))
        .collect();
    let more = names.len().saturating_sub(MAX_NAMES);
    if more == 0 { shown.join(", ") } else { format!("{} and {more} more", shown.join(", ")) }
}
