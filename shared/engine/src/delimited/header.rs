//! Binds columns to the fields of records, by the names of a header or by the order of the contract.

use std::borrow::Cow;
use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};

use penstock_contract::{HeaderCase, Ragged};

use super::quoting::Span;
use crate::error::UnreadableCode;
use crate::program::PlanColumn;

/// The maximum number of names listed in a message; further ones are counted.
const MAX_NAMES: usize = 20;
const MAX_NAME_CHARS: usize = 60;
/// The maximum length of names that are compared by their letters.
const MAX_COMPARED_BYTES: usize = 200;
/// The maximum number of unexpected names that a missing name is compared with.
const MAX_COMPARED_NAMES: usize = 200;

/// The fields of a record that the columns read, and the accepted numbers of fields.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct RecordLayout {
    /// The number of fields in the header, or of names in the contract if there is no header.
    pub(crate) width: usize,
    /// The minimum number of fields in a record.
    pub(crate) least: usize,
    /// The treatment of fields beyond the width.
    pub(crate) surplus: Surplus,
    /// The field of each column; `None` for constants, and for columns that the file lacks.
    pub(crate) fields: Vec<Option<usize>>,
    /// Names of the header that no column reads, with their fields.
    pub(crate) unexpected: Vec<(String, usize)>,
    /// For columns that the file lacks, the names of the header that may be meant for them.
    pub(crate) suggestions: Vec<String>,
    /// White space is a value of one of the columns.
    keeps_space: bool,
    /// A field without a name precedes one with a name, so that it is ambiguous which field a short record lacks.
    has_gap: bool,
    /// Keys of the header's names that have the prefix [`POSITIONAL`].
    taken: HashSet<String>,
    case: HeaderCase,
}

/// The treatment of fields beyond the header.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Surplus {
    /// The record is rejected.
    #[default]
    Rejected,
    /// The record is accepted if it has one such field, which is empty: the record ends with a delimiter.
    EmptyAtEnd,
    Dropped,
    Rescued,
}

/// The prefix of the names that fields without a name get.
const POSITIONAL: &str = "_column_";

impl RecordLayout {
    /// Sets the treatment of records with fewer or more fields. `has_trailing`: records may end with a delimiter that the
    /// header does not have.
    pub(super) fn with_ragged(self, ragged: Ragged, has_trailing: bool) -> Self {
        let at_end = if has_trailing { Surplus::EmptyAtEnd } else { Surplus::Rejected };
        match ragged {
            Ragged::Reject => Self { surplus: at_end, ..self },
            Ragged::Pad if self.has_gap => Self { surplus: at_end, ..self },
            Ragged::Pad => Self { surplus: at_end, least: 1, ..self },
            Ragged::Truncate => Self { surplus: Surplus::Dropped, ..self },
            Ragged::Rescue => Self { surplus: Surplus::Rescued, ..self },
        }
    }

    /// Returns true if each column that reads a field has one.
    pub(super) fn has_all(&self, columns: &[PlanColumn]) -> bool {
        columns.iter().zip(&self.fields).all(|(column, field)| field.is_some() || column.reads_nothing())
    }

    /// Returns true if a field is empty. White space counts as empty if it is not a value of any column.
    pub(crate) fn is_blank(&self, text: &str, span: &Span) -> bool {
        if self.keeps_space { span.start == span.end } else { is_blank(text, span) }
    }

    /// Returns true if a record has an accepted number of fields.
    #[inline]
    pub(crate) fn fits(&self, text: &str, spans: &[Span]) -> bool {
        spans.len() == self.width || self.fits_ragged(text, spans)
    }

    #[cold]
    fn fits_ragged(&self, text: &str, spans: &[Span]) -> bool {
        let Some(surplus) = spans.len().checked_sub(self.width) else { return spans.len() >= self.least };
        match self.surplus {
            Surplus::Rejected => false,
            Surplus::EmptyAtEnd => surplus == 1 && spans.last().is_some_and(|last| is_blank(text, last)),
            Surplus::Dropped | Surplus::Rescued => true,
        }
    }

    /// Returns false if no record can have a value that no column reads.
    #[inline]
    pub(crate) fn may_have_unexpected(&self) -> bool {
        !self.unexpected.is_empty() || self.surplus == Surplus::Rescued
    }

    /// Returns the accepted numbers of fields in words.
    pub(crate) fn rule(&self) -> String {
        if self.least < self.width {
            format!("{} to {} fields", self.least, self.width)
        } else {
            format!("{} fields", self.width)
        }
    }

    /// Returns the name of a field beyond the header.
    pub(crate) fn surplus_name(&self, field: usize) -> String {
        positional_name(field, self.case, &self.taken)
    }
}

/// Returns true if a field is empty or white space.
fn is_blank(text: &str, span: &Span) -> bool {
    text.get(span.start..span.end).expect("a field is within its record").trim().is_empty()
}

/// Binds the columns to the names of a header. Fields without a name get positional names. The work is linear in the
/// number of names.
pub(crate) fn bind_header<N: AsRef<str>>(
    names: &[N],
    columns: &[PlanColumn],
) -> Result<RecordLayout, (UnreadableCode, String)> {
    let case = columns.first().map_or(HeaderCase::Sensitive, |column| column.header_case);
    let HeaderNames { names, named, has_gap, taken } = HeaderNames::of(names, case);
    let positions = positions(&names, case)?;
    let find = |column: &PlanColumn| positions.get(&case.key(&column.physical_name)).map(|found| found.field);
    let fields: Vec<Option<usize>> =
        columns.iter().map(|column| if column.reads_nothing() { None } else { find(column) }).collect();
    let mut is_read = vec![false; names.len()];
    for field in fields.iter().flatten() {
        *is_read.get_mut(*field).expect("a column reads a field of the header") = true;
    }
    let unread = names.iter().enumerate().zip(&is_read).filter(|(_, is_read)| !**is_read);
    let unexpected: Vec<(String, usize)> =
        unread.map(|((field, name), _)| (name.text().to_owned(), field)).collect();
    let (mut missing, mut absent, mut unbound) = (Vec::new(), Vec::new(), HashSet::new());
    for (column, field) in columns.iter().zip(&fields) {
        let name = column.physical_name.as_str();
        if field.is_none() && !column.reads_nothing() && unbound.insert(name) {
            if column.needs_field() { missing.push(name) } else { absent.push(name) }
        }
    }
    // Each of the columns may be missing. A file in which all of them are missing is another file, however.
    let has_none = fields.iter().all(Option::is_none) && !absent.is_empty();
    if missing.is_empty() && !has_none {
        let suggestions = suggest(&absent, &unexpected);
        let (width, least) = (names.len(), named.max(1));
        let surplus = Surplus::default();
        let keeps_space = keeps_space(columns);
        return Ok(RecordLayout {
            width,
            least,
            surplus,
            fields,
            unexpected,
            suggestions,
            keeps_space,
            has_gap,
            taken,
            case,
        });
    }
    let found: Vec<&str> = names.iter().map(HeaderName::text).collect();
    let mut message = if has_none && missing.is_empty() {
        format!("the header has none of the columns that the contract reads ({})", list(&absent))
    } else {
        format!("the header lacks {}", list(&missing))
    };
    message.push_str(&format!("; it has {}", list(&found)));
    let wanted = if missing.is_empty() { &absent } else { &missing };
    for suggestion in suggest(wanted, &unexpected) {
        message.push_str("; ");
        message.push_str(&suggestion);
    }
    Err((UnreadableCode::MissingColumns, message))
}

/// The name of a field: that of the header, or a positional one if the header has none.
enum HeaderName<'a, N> {
    Given(&'a N),
    Positional(String),
}

impl<N: AsRef<str>> HeaderName<'_, N> {
    fn text(&self) -> &str {
        match self {
            Self::Given(name) => name.as_ref(),
            Self::Positional(name) => name,
        }
    }
}

/// The names of the fields of a header.
struct HeaderNames<'a, N> {
    names: Vec<HeaderName<'a, N>>,
    /// The number of fields up to the last one that the header names.
    named: usize,
    has_gap: bool,
    taken: HashSet<String>,
}

impl<'a, N: AsRef<str>> HeaderNames<'a, N> {
    fn of(names: &'a [N], case: HeaderCase) -> Self {
        let is_named = |name: &N| !name.as_ref().is_empty();
        let named = names.iter().rposition(is_named).map_or(0, |last| last.saturating_add(1));
        let has_gap = !names.iter().take(named).all(is_named);
        let keys = names.iter().map(|name| case.key(name.as_ref()));
        let taken = keys.filter(|key| key.starts_with(POSITIONAL)).map(Cow::into_owned).collect();
        let name = |(field, name)| {
            if is_named(name) {
                HeaderName::Given(name)
            } else {
                HeaderName::Positional(positional_name(field, case, &taken))
            }
        };
        Self { names: names.iter().enumerate().map(name).collect(), named, has_gap, taken }
    }
}

/// Returns `_column_2` for the second field, followed by underscores if the header already has that name.
fn positional_name(field: usize, case: HeaderCase, taken: &HashSet<String>) -> String {
    let mut name = format!("{POSITIONAL}{}", field.saturating_add(1));
    while taken.contains(&*case.key(&name)) {
        name.push('_');
    }
    name
}

/// The field that a name of the header refers to.
struct NamedField {
    field: usize,
    is_repeated: bool,
}

/// Returns the field of each name.
fn positions<'a, N: AsRef<str>>(
    names: &'a [HeaderName<'_, N>],
    case: HeaderCase,
) -> Result<HashMap<Cow<'a, str>, NamedField>, (UnreadableCode, String)> {
    let mut positions: HashMap<Cow<'_, str>, NamedField> = HashMap::with_capacity(names.len());
    let mut twice: Vec<&str> = Vec::new();
    for (field, name) in names.iter().map(HeaderName::text).enumerate() {
        match positions.entry(case.key(name)) {
            Entry::Vacant(entry) => {
                entry.insert(NamedField { field, is_repeated: false });
            }
            Entry::Occupied(mut entry) => {
                if !std::mem::replace(&mut entry.get_mut().is_repeated, true) {
                    twice.push(name);
                }
            }
        }
    }
    if twice.is_empty() {
        return Ok(positions);
    }
    let compared = match case {
        HeaderCase::Sensitive => "",
        HeaderCase::Insensitive => " (ignoring letter case)",
    };
    let message = format!("the header names columns more than once{compared}: {}", list(&twice));
    Err((UnreadableCode::DuplicateColumns, message))
}

/// Binds the columns by the order of the contract, for files without a header. Columns of the same physical name share a
/// field.
pub(crate) fn bind_order(columns: &[PlanColumn]) -> RecordLayout {
    let mut positions: HashMap<&str, usize> = HashMap::new();
    let mut fields = Vec::with_capacity(columns.len());
    for column in columns {
        let next = positions.len();
        let field = || *positions.entry(&column.physical_name).or_insert(next);
        fields.push((!column.reads_nothing()).then(field));
    }
    let width = positions.len();
    let taken = positions.keys().filter(|name| name.starts_with(POSITIONAL));
    let taken = taken.map(|name| (*name).to_owned()).collect();
    RecordLayout {
        width,
        least: width,
        fields,
        keeps_space: keeps_space(columns),
        taken,
        ..RecordLayout::default()
    }
}

/// Returns true if white space is a value of one of the columns.
pub(super) fn keeps_space(columns: &[PlanColumn]) -> bool {
    columns.iter().any(|column| !column.trim && !column.reads_nothing())
}

/// Returns a suggestion for each name that is missing in the header: the most similar name that no column reads. Names
/// that differ only in case or separators come before those that differ in letters.
fn suggest(absent: &[&str], unexpected: &[(String, usize)]) -> Vec<String> {
    let pairs = absent.iter().take(MAX_NAMES).filter_map(|name| {
        let near = unexpected
            .iter()
            .take(MAX_COMPARED_NAMES)
            .filter_map(|(found, _)| distance(name, found).map(|distance| (distance, found)))
            .min_by_key(|(distance, _)| *distance)?;
        let hidden = hidden_letter(near.1, name);
        Some(format!("`{}` may be meant for `{}`{}", cut(near.1), cut(name), hidden.unwrap_or_default()))
    });
    pairs.collect()
}

/// Describes the character that distinguishes two names that look alike: an invisible character, a combining accent, or a
/// letter of another script.
fn hidden_letter(found: &str, name: &str) -> Option<String> {
    let is_hidden = |letter: &char| {
        matches!(letter,
            '\u{a0}' | '\u{ad}' | '\u{300}'..='\u{52f}' | '\u{2000}'..='\u{200f}' | '\u{202a}'..='\u{202f}'
            | '\u{2060}'..='\u{2064}' | '\u{feff}' | '\u{ff01}'..='\u{ff5e}')
    };
    let letter = found.chars().find(|letter| is_hidden(letter) && !name.contains(*letter))?;
    let what = match letter {
        '\u{300}'..='\u{36f}' => "a combining accent",
        '\u{370}'..='\u{52f}' => "a letter of another alphabet",
        '\u{ff01}'..='\u{ff5e}' => "a full-width character",
        _ => "an invisible character",
    };
    Some(format!(" (it has U+{:04X}, {what})", u32::from(letter)))
}

/// Returns the edit distance between two names without regard to case and separators; `None` if they are too different.
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
    // At most a third of the letters may differ: `pirce` is similar to `price`, `name` is not similar to `date`.
    (distance.saturating_mul(3) <= name.chars().count()).then_some(distance)
}

/// Formats names as `` `a`, `b` and 3 more ``. Long names are truncated.
fn list(names: &[&str]) -> String {
    let shown: Vec<String> = names.iter().take(MAX_NAMES).map(|name| format!("`{}`", cut(name))).collect();
    let more = names.len().saturating_sub(MAX_NAMES);
    if more == 0 { shown.join(", ") } else { format!("{} and {more} more", shown.join(", ")) }
}

fn cut(name: &str) -> String {
    name.chars().take(MAX_NAME_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::plan::Plan;

    /// A name that counts how often it is read.
    struct Counted<'a>(String, &'a Cell<usize>);

    impl AsRef<str> for Counted<'_> {
        fn as_ref(&self) -> &str {
            self.1.set(self.1.get() + 1);
            &self.0
        }
    }

    /// Returns the columns of a contract with these names.
    fn columns(names: impl Iterator<Item = String>) -> Vec<PlanColumn> {
        let properties: String = names
            .enumerate()
            .map(|(index, name)| {
                format!("      - {{name: n{index}, physicalName: {name}, logicalType: string}}\n")
            })
            .collect();
        let contract = format!(
            "apiVersion: v3.1.0\nkind: DataContract\nid: a\nname: a\nversion: 1.0.0\nstatus: draft\n\
             servers: [{{server: raw, type: s3, location: 's3://raw/a/', format: csv}}]\n\
             schema:\n  - name: a\n    properties:\n{properties}"
        );
        let contract = penstock_contract::parse("a.yaml", &contract).unwrap();
        Plan::compile(&contract).unwrap().columns
    }

    #[test]
    fn binding_a_header_takes_time_linear_in_the_number_of_names() {
        const NAMES: usize = 100_000;
        let columns = columns((0..400).map(|index| format!("c{}", index * 10)));
        for (case, is_repeated) in
            [(HeaderCase::Sensitive, false), (HeaderCase::Insensitive, false), (HeaderCase::Sensitive, true)]
        {
            let columns: Vec<PlanColumn> =
                columns.iter().map(|column| PlanColumn { header_case: case, ..column.clone() }).collect();
            let reads = Cell::new(0);
            let name = |index: usize| match index % 10 {
                9 => String::new(),
                _ if is_repeated => format!("c{}", index / 20),
                _ => format!("c{index}"),
            };
            let names: Vec<_> = (0..NAMES).map(|index| Counted(name(index), &reads)).collect();
            assert_eq!(bind_header(&names, &columns).is_err(), is_repeated);
            assert!(reads.get() <= 10 * NAMES, "{} reads of {NAMES} names", reads.get());
        }
    }
}
