//! What kind of file the sample is, and the names of its columns.

use std::collections::HashMap;
use std::io::Read;

use penstock_contract::{DelimitedDialect, Quote};

use super::declared::{self, DeclaredColumn};
use super::types::Probe;
use super::yaml::{FileDraft, FileKind, Kind, QuoteDraft};
use super::{InferError, Open};
use crate::cast::json::{Scanner, unquote};
use crate::cast::text::Traits;
use crate::decode::Decoded;
use crate::delimited::{FirstRecord, Quoting, Span, read_first};
use crate::error::ReadError;
use crate::input::Input;
use crate::reader::Limits;
use crate::records::{Framing, RecordState, Records};
use crate::text::{decode, tell_terminator};

/// Delimiters that are tried when the usual ones split nothing.
const RARE_DELIMITERS: [&str; 6] = ["#", "^", "~", "\u{1f}", "\u{1}", "||"];
/// Records that must bear a rare delimiter out.
const MAX_TRIED: usize = 50;
/// A row of more columns than this may not fit a page of PostgreSQL, whatever their types.
const MAX_COLUMNS: usize = 400;

/// A file as far as it can be told before its values are looked at.
#[derive(Debug)]
pub(super) struct Sample {
    pub(super) file: FileDraft,
    pub(super) columns: Vec<Found>,
    pub(super) notes: Vec<String>,
}

/// A column of the file.
#[derive(Debug)]
pub(super) struct Found {
    /// The producer's name.
    pub(super) name: String,
    /// A JSON object (`false`) or array (`true`).
    pub(super) is_array: Option<bool>,
    /// What the file's schema says, where it says more than that it is text.
    pub(super) declared: Option<Kind>,
}

/// Looks at the file. `quote`: another one than would be sniffed.
pub(super) fn look(
    open: &mut Open<'_>,
    limits: &Limits,
    max_rows: u64,
    quote: Option<QuoteDraft>,
) -> Result<Sample, InferError> {
    if let Some((file, columns)) = declared::look(open, limits)? {
        return typed(file, columns);
    }
    let mut records = open_records(open, limits)?;
    let mut file = FileDraft {
        kind: FileKind::default(),
        encoding: Some(records.input.encoding().name().to_ascii_lowercase()),
        compression: Some(records.input.input().compression()),
    };
    let mut start = records.head(1024)?.iter().copied().filter(|byte| !byte.is_ascii_whitespace());
    let (first, second) = (start.next(), start.next());
    let mut notes = Vec::new();
    let columns = match (first, second) {
        (Some(b'{'), _) => {
            file.kind = FileKind::Ndjson;
            json_keys(&mut records, Framing::Lines, max_rows, &mut notes)?
        }
        (Some(b'['), None | Some(b'{' | b']')) => {
            file.kind = FileKind::JsonArray;
            records.enter_array(&[])?;
            json_keys(&mut records, Framing::Elements, max_rows, &mut notes)?
        }
        _ => {
            let (kind, names) = delimited(open, limits, quote)?;
            file.kind = kind;
            names.into_iter().map(|name| Found { name, is_array: None, declared: None }).collect()
        }
    };
    let columns = usable(columns, &mut notes);
    if columns.is_empty() {
        return Err(InferError::NoColumns);
    }
    Ok(Sample { file, columns, notes })
}

/// A file whose schema tells the columns.
fn typed(file: FileDraft, declared: Vec<DeclaredColumn>) -> Result<Sample, InferError> {
    let mut notes = Vec::new();
    let mut columns = Vec::new();
    for DeclaredColumn { name, kind } in declared {
        let Some(kind) = kind else {
            notes.push(format!("`{name}` is of a type that no column holds: it is left out of the contract"));
            continue;
        };
        let kind = kind.kind();
        let is_array = kind.as_ref().filter(|kind| kind.is_document()).map(|kind| kind.logical == "array");
        columns.push(Found { name, is_array, declared: kind });
    }
    let columns = usable(columns, &mut notes);
    if columns.is_empty() {
        return Err(InferError::NoColumns);
    }
    Ok(Sample { file, columns, notes })
}

fn open_records(open: &mut Open<'_>, limits: &Limits) -> Result<Records<Box<dyn Read>>, InferError> {
    let input = Input::open(open().map_err(ReadError::Io)?, None, limits)?;
    let mut records = Records::new(Decoded::open(input, None, false)?, limits.max_record_bytes);
    tell_terminator(&mut records)?;
    Ok(records)
}

/// The names that a contract can carry; the others are left out, and their values rescued.
fn usable(columns: Vec<Found>, notes: &mut Vec<String>) -> Vec<Found> {
    let is_usable = |column: &Found| {
        let name = column.name.as_str();
        !name.is_empty() && name.trim() == name && !name.contains(char::is_control)
    };
    let all = columns.len();
    let mut columns: Vec<Found> = columns.into_iter().filter(is_usable).collect();
    let unnamed = all.saturating_sub(columns.len());
    if unnamed > 0 {
        notes.push(format!("{unnamed} columns without a usable name are left out of the contract"));
    }
    let more = columns.len().saturating_sub(MAX_COLUMNS);
    if more > 0 {
        columns.truncate(MAX_COLUMNS);
        notes.push(format!("{more} columns after the first {MAX_COLUMNS} are left out of the contract; they are kept in `_rescued`"));
    }
    columns
}

/// The dialect and the names of the columns.
fn delimited(
    open: &mut Open<'_>,
    limits: &Limits,
    quote: Option<QuoteDraft>,
) -> Result<(FileKind, Vec<String>), InferError> {
    let declared = |delimiter: Option<&str>| DelimitedDialect {
        delimiter: delimiter.map(str::to_owned),
        quote: quote.map(|quote| match quote {
            QuoteDraft::Char(quote) if quote.is_ascii() => Quote::Byte(u8::try_from(quote).unwrap_or(b'"')),
            QuoteDraft::Char(_) | QuoteDraft::None => Quote::None,
        }),
        ..DelimitedDialect::default()
    };
    let mut first = read_first(&declared(None), &mut open_records(open, limits)?)?;
    if first.fields.len() < 2 {
        for delimiter in RARE_DELIMITERS {
            let mut records = open_records(open, limits)?;
            let tried = read_first(&declared(Some(delimiter)), &mut records)?;
            if tried.fields.len() > 1 && is_borne_out(&tried, &mut records)? {
                first = tried;
                break;
            }
        }
    }
    let FirstRecord { mut fields, delimiter, quoting } = first;
    let probe = Probe::new()?;
    let header = !fields.iter().any(|field| probe.is_value(field));
    if header && fields.len() > 1 && fields.last().is_some_and(String::is_empty) {
        // A delimiter at the end of each line.
        fields.pop();
    }
    if !header {
        fields = (1..=fields.len()).map(|number| format!("column_{number}")).collect();
    }
    let quote = quoting.map_or(QuoteDraft::None, |Quoting { quote, .. }| QuoteDraft::Char(char::from(quote)));
    let kind = FileKind::Delimited { delimiter: Some(delimiter.to_string()), quote: Some(quote), header };
    Ok((kind, fields))
}

/// True when nearly all of the next records have as many fields as the first one.
fn is_borne_out<R: Read>(first: &FirstRecord, records: &mut Records<R>) -> Result<bool, InferError> {
    let mut spans: Vec<Span> = Vec::new();
    let (mut all, mut alike) = (0_usize, 0_usize);
    while all < MAX_TRIED {
        let Some(record) = records.next(first.delimiter.framing(first.quoting), &mut spans)? else { break };
        all = all.saturating_add(1);
        let is_alike = record.state == RecordState::Whole && spans.len() == first.fields.len();
        alike = alike.saturating_add(usize::from(is_alike));
    }
    Ok(alike.saturating_mul(10) >= all.saturating_mul(9))
}

/// What a key's values were.
#[derive(Debug, Default, Clone, Copy)]
struct Shapes {
    has_scalar: bool,
    has_object: bool,
    has_array: bool,
}

/// The keys of the first rows, in the order in which they were met.
fn json_keys<R: Read>(
    records: &mut Records<R>,
    framing: Framing<'_>,
    max_rows: u64,
    notes: &mut Vec<String>,
) -> Result<Vec<Found>, InferError> {
    let encoding = records.input.text_encoding();
    let mut keys: Vec<(String, Shapes)> = Vec::new();
    let mut indexes: HashMap<String, usize> = HashMap::new();
    let (mut spans, mut decoded, mut scratch) = (Vec::new(), String::new(), String::new());
    let (mut rows, mut objects) = (0_u64, 0_u64);
    while rows < max_rows {
        let Some(record) = records.next(framing, &mut spans)? else { break };
        rows = rows.saturating_add(1);
        if record.state != RecordState::Whole {
            continue;
        }
        let raw = records.bytes(&record);
        let traits = Traits::of(raw);
        let Some(text) = decode(raw, traits, encoding, &mut decoded) else { continue };
        let mut members = Vec::new();
        let mut scanner = Scanner::new(text, traits.is_plain);
        scanner.skip_space();
        if scanner.object(|key, value| members.push((key, value))).is_none() {
            continue;
        }
        objects = objects.saturating_add(1);
        for (key, value) in members {
            let quoted = key.start.saturating_sub(1)..key.end.saturating_add(1);
            let name = text.get(quoted).and_then(|quoted| unquote(quoted, &mut scratch));
            let Some(name) = name else { continue };
            let index = match indexes.get(name) {
                Some(index) => *index,
                None => {
                    indexes.insert(name.to_owned(), keys.len());
                    keys.push((name.to_owned(), Shapes::default()));
                    keys.len().saturating_sub(1)
                }
            };
            let Some((_, shapes)) = keys.get_mut(index) else { continue };
            match text.as_bytes().get(value.start) {
                Some(b'{') => shapes.has_object = true,
                Some(b'[') => shapes.has_array = true,
                Some(b'n') | None => {}
                Some(_) => shapes.has_scalar = true,
            }
        }
    }
    if objects == 0 {
        return Err(InferError::NoObjects);
    }
    Ok(keys.into_iter().filter_map(|(name, shapes)| found(name, shapes, notes)).collect())
}

/// A column holds text or documents of one kind. What is of several kinds is rescued instead.
fn found(name: String, shapes: Shapes, notes: &mut Vec<String>) -> Option<Found> {
    let is_array = match (shapes.has_scalar, shapes.has_object, shapes.has_array) {
        (_, false, false) => None,
        (false, true, false) => Some(false),
        (false, false, true) => Some(true),
        _ => {
            notes.push(format!(
                "`{name}` is an object or array in some rows and another thing in others: it is left out of the contract, and kept in `_rescued`"
            ));
            return None;
        }
    };
    Some(Found { name, is_array, declared: None })
}
