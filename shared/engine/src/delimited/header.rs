//! Which field of a record each column reads.

use std::borrow::Cow;
use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};

use penstock_contract::{HeaderCase, Ragged};

use super::quoting::Span;
use crate::error::UnreadableCode;
use crate::program::PlanColumn;

/// Names listed in a message; more are counted.
const MAX_NAMES: usize = 20;
const MAX_NAME_CHARS: usize = 60;
/// Names beyond this length are not compared by their letters.
const MAX_COMPARED_BYTES: usize = 200;

/// Which fields of a record the columns read, and which numbers of fields are accepted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct RecordLayout {
    /// Fields of the header, or columns of the contract where there is no header.
    pub(crate) width: usize,
    /// Fewest fields of a record.
    pub(crate) least: usize,
    /// What happens to fields beyond the width.
    pub(crate) surplus: Surplus,
    /// The field of each column; `None` for constants, and for columns that the file lacks.
    pub(crate) fields: Vec<Option<usize>>,
    /// Names of the header that no column reads, with their fields.
    pub(crate) unexpected: Vec<(String, usize)>,
    /// Columns that the file does without, and the names that may be meant for them.
    pub(crate) suggestions: Vec<String>,
    /// White space is a value of one of the columns.
    keeps_space: bool,
    /// A column without a name precedes one with a name: which field a short record lacks cannot be known.
    has_gap: bool,
    /// Keys of the header's names that begin like [`POSITIONAL`] ones.
    taken: HashSet<String>,
    case: HeaderCase,
}

/// What happens to fields beyond the header.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Surplus {
    /// The record is rejected.
    #[default]
    Rejected,
    /// The record is accepted when it has one such field, and that is empty: it ends with a delimiter.
    EmptyAtEnd,
    Dropped,
    Rescued,
}

/// What the names of columns without a name begin with.
const POSITIONAL: &str = "_column_";

impl RecordLayout {
    /// Sets what the contract says about records with fewer or more fields. `has_trailing`: records may end with a delimiter that the
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

    /// True when each column that reads a field has one.
    pub(super) fn has_all(&self, columns: &[PlanColumn]) -> bool {
        columns.iter().zip(&self.fields).all(|(column, field)| field.is_some() || column.reads_nothing())
    }

    /// True when a field has nothing in it, or only white space where that is no value.
    pub(crate) fn is_blank(&self, text: &str, span: &Span) -> bool {
        if self.keeps_space { span.start == span.end } else { is_blank(text, span) }
    }

    /// True when a record has an accepted number of fields.
    #[inline]
    pub(crate) fn fits(&self, text: &str, spans: &[Span]) -> bool {
        spans.len() == self.width || self.fits_otherwise(text, spans)
    }

    #[cold]
    fn fits_otherwise(&self, text: &str, spans: &[Span]) -> bool {
        let Some(surplus) = spans.len().checked_sub(self.width) else { return spans.len() >= self.least };
        match self.surplus {
            Surplus::Rejected => false,
            Surplus::EmptyAtEnd => surplus == 1 && spans.last().is_some_and(|last| is_blank(text, last)),
            Surplus::Dropped | Surplus::Rescued => true,
        }
    }

    /// False when no record has a value that no column reads.
    #[inline]
    pub(crate) fn may_have_unexpected(&self) -> bool {
        !self.unexpected.is_empty() || self.surplus == Surplus::Rescued
    }

    /// The accepted numbers of fields, in words.
    pub(crate) fn rule(&self) -> String {
        if self.least < self.width {
            format!("{} to {} fields", self.least, self.width)
        } else {
            format!("{} fields", self.width)
        }
    }

    /// The name of a field beyond the header.
    pub(crate) fn surplus_name(&self, field: usize) -> String {
        positional_name(field, self.case, &self.taken)
    }
}

/// True when a field is empty or white space.
fn is_blank(text: &str, span: &Span) -> bool {
    text.get(span.start..span.end).is_some_and(|field| field.trim().is_empty())
}

/// Binds the columns to the names of a header. Columns without a name get positional ones. The work is linear in the
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
        is_read.get_mut(*field).into_iter().for_each(|is_read| *is_read = true);
    }
    let unread = names.iter().enumerate().zip(&is_read).filter(|(_, is_read)| !**is_read);
    let unexpected: Vec<(String, usize)> =
        unread.map(|((field, name), _)| (name.text().to_owned(), field)).collect();
    let (mut missing, mut absent, mut seen) = (Vec::new(), Vec::new(), HashSet::new());
    for (column, field) in columns.iter().zip(&fields) {
        let name = column.physical_name.as_str();
        if field.is_none() && !column.reads_nothing() && seen.insert(name) {
            if column.needs_field() { missing.push(name) } else { absent.push(name) }
        }
    }
    // Columns that may be missing one by one are not missing all together: then it is another file.
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

/// A name of a header; a positional one where the header has none.
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

/// The names of a header.
struct HeaderNames<'a, N> {
    names: Vec<HeaderName<'a, N>>,
    /// Fields up to the last one that the header names.
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

/// `_column_2` for the second field; with underscores at its end where the header has such a name.
fn positional_name(field: usize, case: HeaderCase, taken: &HashSet<String>) -> String {
    let mut name = format!("{POSITIONAL}{}", field.saturating_add(1));
    while taken.contains(&*case.key(&name)) {
        name.push('_');
    }
    name
}

/// A name of the header.
struct Position {
    field: usize,
    is_repeated: bool,
}

/// The field of each name.
fn positions<'a, N: AsRef<str>>(
    names: &'a [HeaderName<'_, N>],
    case: HeaderCase,
) -> Result<HashMap<Cow<'a, str>, Position>, (UnreadableCode, String)> {
    let mut positions: HashMap<Cow<'_, str>, Position> = HashMap::with_capacity(names.len());
    let mut twice: Vec<&str> = Vec::new();
    for (field, name) in names.iter().map(HeaderName::text).enumerate() {
        match positions.entry(case.key(name)) {
            Entry::Vacant(entry) => {
                entry.insert(Position { field, is_repeated: false });
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
        HeaderCase::Insensitive => " (compared without regard to letter case)",
    };
    let message = format!("the header has columns twice{compared}: {}", list(&twice));
    Err((UnreadableCode::DuplicateColumns, message))
}

/// Binds the columns by the order of the contract, for files without a header: the names that the columns read,
/// each once, in the order of their first column.
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

pub(super) fn keeps_space(columns: &[PlanColumn]) -> bool {
    columns.iter().any(|column| !column.trim && !column.reads_nothing())
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
        let hidden = hidden_letter(near.1, name);
        Some(format!("`{}` may be meant for `{}`{}", cut(near.1), cut(name), hidden.unwrap_or_default()))
    });
    pairs.collect()
}

/// What makes a name another one although both look alike: a character that is not visible, an accent apart from its letter, or a
/// letter of another script.
fn hidden_letter(found: &str, name: &str) -> Option<String> {
    let is_hidden = |letter: &char| {
        matches!(letter,
            '\u{a0}' | '\u{ad}' | '\u{300}'..='\u{52f}' | '\u{2000}'..='\u{200f}' | '\u{202a}'..='\u{202f}'
            | '\u{2060}'..='\u{2064}' | '\u{feff}' | '\u{ff01}'..='\u{ff5e}')
    };
    let letter = found.chars().find(|letter| is_hidden(letter) && !name.contains(*letter))?;
    let what = match letter {
        '\u{300}'..='\u{36f}' => "an accent apart from its letter",
        '\u{370}'..='\u{52f}' => "a letter of another alphabet",
        '\u{ff01}'..='\u{ff5e}' => "a wide character",
        _ => "a character that is not visible",
    };
    Some(format!(" (it has U+{:04X}, {what})", u32::from(letter)))
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

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::plan::Plan;

    /// A name that counts how often it is looked at.
    struct Counted<'a>(String, &'a Cell<usize>);

    impl AsRef<str> for Counted<'_> {
        fn as_ref(&self) -> &str {
            self.1.set(self.1.get() + 1);
            &self.0
        }
    }

    /// The columns of a contract with these names.
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
    fn a_name_of_a_header_is_looked_at_a_few_times_however_many_there_are() {
        const NAMES: usize = 100_000;
        let columns = columns((0..400).map(|index| format!("c{}", index * 10)));
        for (case, is_repeated) in
            [(HeaderCase::Sensitive, false), (HeaderCase::Insensitive, false), (HeaderCase::Sensitive, true)]
        {
            let columns: Vec<PlanColumn> =
                columns.iter().map(|column| PlanColumn { header_case: case, ..column.clone() }).collect();
            let looks = Cell::new(0);
            let name = |index: usize| match index % 10 {
                9 => String::new(),
                _ if is_repeated => format!("c{}", index / 20),
                _ => format!("c{index}"),
            };
            let names: Vec<_> = (0..NAMES).map(|index| Counted(name(index), &looks)).collect();
            assert_eq!(bind_header(&names, &columns).is_err(), is_repeated);
            assert!(looks.get() <= 10 * NAMES, "{} looks at {NAMES} names", looks.get());
        }
    }
}
