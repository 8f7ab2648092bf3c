//! Which field of a record each column reads.

use super::split::Span;
use crate::error::UnreadableCode;
use crate::program::Column;

/// Names told in a message; more are counted.
const MAX_NAMES: usize = 20;
const MAX_NAME_CHARS: usize = 60;
/// Names beyond this length are not compared by their letters.
const MAX_COMPARED_BYTES: usize = 200;

/// Where the columns find their fields.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Layout {
    /// Fields that a record must have.
    pub(crate) width: usize,
    /// The field of each column; `None` for constants, and for columns that the file lacks and that have a default.
    pub(crate) fields: Vec<Option<usize>>,
    /// Names of the header that no column reads, with their fields.
    pub(crate) unexpected: Vec<(String, usize)>,
    /// The header ends with a delimiter: a record may, too.
    pub(crate) has_trailing: bool,
    /// Fields that a record lacks at its end are missing values.
    pub(crate) is_padded: bool,
    /// Columns that the file does without, and the names that may be meant for them.
    pub(crate) suggestions: Vec<String>,
}

impl Layout {
    /// True when a record with these fields has as many as it must.
    #[inline]
    pub(crate) fn fits(&self, spans: &[Span]) -> bool {
        let count = spans.len();
        count == self.width
            || self.is_padded && count < self.width
            || self.has_trailing
                && count.checked_sub(1) == Some(self.width)
                && spans.last().is_some_and(|last| last.start == last.end)
    }
}

/// Binds the columns to the names of a header.
pub(crate) fn bind_header(names: &[String], columns: &[Column]) -> Result<Layout, (UnreadableCode, String)> {
    let has_trailing = names.len() > 1 && names.last().is_some_and(String::is_empty);
    let names = names.split_last().filter(|_| has_trailing).map_or(names, |(_, names)| names);
    let mut twice: Vec<&str> = Vec::new();
    for (index, name) in names.iter().enumerate() {
        if !name.is_empty()
            && names.iter().take(index).any(|other| other == name)
            && !twice.contains(&name.as_str())
        {
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
        columns.iter().map(|column| if column.reads_nothing() { None } else { find(column) }).collect();
    let is_read = |field: usize| fields.contains(&Some(field));
    let unexpected: Vec<(String, usize)> = names
        .iter()
        .enumerate()
        .filter(|(field, name)| !name.is_empty() && !is_read(*field))
        .map(|(field, name)| (name.clone(), field))
        .collect();
    let mut missing: Vec<&str> = Vec::new();
    let mut absent: Vec<&str> = Vec::new();
    for (column, field) in columns.iter().zip(&fields) {
        let name = column.physical_name.as_str();
        let told = if column.needs_field() { &mut missing } else { &mut absent };
        if field.is_none() && !column.reads_nothing() && !told.contains(&name) {
            told.push(name);
        }
    }
    if missing.is_empty() {
        let suggestions = suggest(&absent, &unexpected);
        let width = names.len();
        return Ok(Layout { width, fields, unexpected, has_trailing, is_padded: false, suggestions });
    }
    let found: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut message = format!("the header lacks {}; it has {}", list(&missing), list(&found));
    for suggestion in suggest(&missing, &unexpected) {
        message.push_str("; ");
        message.push_str(&suggestion);
    }
    Err((UnreadableCode::MissingColumns, message))
}

/// Binds the columns by the order of the contract, for files without a header: the names that the columns read,
/// each once, in the order of their first column.
pub(crate) fn bind_order(columns: &[Column]) -> Layout {
    let mut names: Vec<&str> = Vec::new();
    let mut fields = Vec::with_capacity(columns.len());
    for column in columns {
        if column.reads_nothing() {
            fields.push(None);
            continue;
        }
        let name = column.physical_name.as_str();
        let field = names.iter().position(|known| *known == name).unwrap_or_else(|| {
            names.push(name);
            names.len().saturating_sub(1)
        });
        fields.push(Some(field));
    }
    Layout { width: names.len(), fields, ..Layout::default() }
}

/// For each name that is not in the header the nearest one that nothing reads: by other case or other separators
/// first, then by its letters.
fn suggest(absent: &[&str], unexpected: &[(String, usize)]) -> Vec<String> {
    let pairs = absent.iter().take(MAX_NAMES).filter_map(|name| {
        let near = unexpected
            .iter()
            .take(MAX_COMPARED_BYTES)
            .filter_map(|(found, _)| distance(name, found).map(|distance| (distance, found)))
            .min_by_key(|(distance, _)| *distance)?;
        Some(format!("`{}` may be meant for `{}`", cut(near.1), cut(name)))
    });
    pairs.collect()
}

/// How far a name is from another; `None` when it is another name.
fn distance(name: &str, found: &str) -> Option<usize> {
    let plain = |text: &str| -> String {
        text.chars().filter(|letter| letter.is_alphanumeric()).flat_map(char::to_lowercase).collect()
    };
    if name.len().max(found.len()) > MAX_COMPARED_BYTES {
        return None;
    }
    let (name, found) = (plain(name), plain(found));
    if name == found {
        return Some(0);
    }
    let distance = strsim::osa_distance(&name, &found);
    // A third of the letters: `pirce` for `price`, not `name` for `date`.
    (distance.saturating_mul(3) <= name.chars().count()).then_some(distance)
}

/// `` `a`, `b` and 3 more ``, each name cut where it is long.
fn list(names: &[&str]) -> String {
    let shown: Vec<String> = names.iter().take(MAX_NAMES).map(|name| format!("`{}`", cut(name))).collect();
    let more = names.len().saturating_sub(MAX_NAMES);
    if more == 0 { shown.join(", ") } else { format!("{} and {more} more", shown.join(", ")) }
}

fn cut(name: &str) -> String {
    name.chars().take(MAX_NAME_CHARS).collect()
}
