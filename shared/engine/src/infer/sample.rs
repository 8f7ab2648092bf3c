//! Detects the format of the sample and the names of its columns.

use std::collections::HashMap;
use std::io::Read;

use super::declared;
use super::dialect::{self, DelimitedSample};
use super::error::{InferError, counted};
use super::known::KnownFormat;
use super::open::{OpenSample, open_records};
use super::text_kind::TextKind;
use super::yaml::{DraftType, FileDraft, FileKind};
use crate::cast::json::{MAX_DEPTH, Scanner, unquote};
use crate::cast::text::Traits;
use crate::decode::decode;
use crate::delimited::Framing;
use crate::format::FileFormat;
use crate::input::magic;
use crate::limits::Limits;
use crate::records::{RecordState, Records};
use crate::schema_column::SchemaColumn;

/// The length of the beginning of a file by which text and binary files are distinguished.
const HEAD_BYTES: usize = 64 * 1024;
/// The maximum number of columns. A row of more columns may not fit a page of PostgreSQL, depending on their types.
const MAX_COLUMNS: usize = 400;

/// The format and columns of a file, before its values are read.
#[derive(Debug)]
pub(super) struct SampleLayout {
    pub(super) file: FileDraft,
    pub(super) columns: Vec<SampleColumn>,
    pub(super) notes: Vec<String>,
    /// The file has control characters that text files do not have.
    pub(super) is_binary: bool,
}

/// A column of the file.
#[derive(Debug)]
pub(super) struct SampleColumn {
    /// The producer's name.
    pub(super) name: String,
    /// True for a JSON array, false for a JSON object, `None` for any other value.
    pub(super) is_array: Option<bool>,
    /// The type in the file's schema; `None` if it is text or there is no schema.
    pub(super) declared: Option<DraftType>,
    /// Some of its values are JSON numbers.
    pub(super) has_json_numbers: bool,
}

/// Detects the format of the file and its columns.
pub(super) fn detect_layout(
    open: &mut OpenSample<'_>,
    limits: &Limits,
    max_rows: u64,
    known: &KnownFormat,
) -> Result<SampleLayout, InferError> {
    let detected = declared::detect_format(open, limits)?;
    let kind = known.kind().or(detected);
    if let Some(kind) = kind {
        declared::check_format(kind, detected)?;
    }
    let text = match kind {
        Some(kind @ (FileFormat::Parquet | FileFormat::Avro)) => {
            let (file, columns) = declared::read_schema(open, limits, kind)?;
            return typed(file, columns);
        }
        Some(FileFormat::Delimited) => TextKind::Delimited,
        Some(FileFormat::Ndjson) => TextKind::Ndjson,
        Some(FileFormat::JsonArray) => match &known.path {
            None => TextKind::of_array(open, limits, known)?,
            Some(path) => TextKind::array(path.clone()),
        },
        None => TextKind::detect(open, limits, known)?,
    };
    let mut records = open_records(open, limits, known, false)?;
    let is_binary = magic::is_binary(records.head(HEAD_BYTES)?);
    let sample = match text {
        TextKind::Delimited => delimited(open, limits, known, is_binary),
        TextKind::Ndjson => json(records, FileKind::Ndjson, Framing::Lines, max_rows),
        TextKind::JsonArray { path, note } => {
            records.enter_array(&path)?;
            let mut sample = json(records, FileKind::JsonArray { path }, Framing::Elements, max_rows)?;
            sample.notes.splice(0..0, note);
            Ok(sample)
        }
    };
    match sample {
        Ok(sample) => Ok(SampleLayout { is_binary, ..sample }),
        Err(error) if is_binary && error.is_of_content() => Err(InferError::Binary),
        Err(error) => Err(error),
    }
}

fn delimited(
    open: &mut OpenSample<'_>,
    limits: &Limits,
    known: &KnownFormat,
    is_binary: bool,
) -> Result<SampleLayout, InferError> {
    let DelimitedSample { draft, names, encoding, mut notes } = dialect::delimited(open, limits, known)?;
    let is_control = |letter: char| letter.is_control() && !letter.is_whitespace();
    if is_binary && names.iter().any(|name| name.contains(is_control)) {
        return Err(InferError::Binary);
    }
    let compression = open_records(open, limits, known, true)?.input.input().compression();
    let by_position = !draft.header;
    let file = FileDraft {
        kind: FileKind::Delimited(draft),
        encoding: Some(encoding),
        compression: Some(compression),
    };
    let columns: Vec<SampleColumn> = names
        .into_iter()
        .map(|name| SampleColumn { name, is_array: None, declared: None, has_json_numbers: false })
        .collect();
    if by_position && columns.len() > MAX_COLUMNS {
        return Err(InferError::TooManyColumns { columns: columns.len(), most: MAX_COLUMNS });
    }
    let columns = usable(columns, &mut notes);
    if columns.is_empty() {
        return Err(InferError::NoColumns { advice: "add a header, or use `--header false`" });
    }
    Ok(SampleLayout { file, columns, notes, is_binary: false })
}

fn json<R: Read>(
    mut records: Records<R>,
    kind: FileKind,
    framing: Framing<'_>,
    max_rows: u64,
) -> Result<SampleLayout, InferError> {
    let file = FileDraft {
        kind,
        encoding: Some(records.input.encoding().name().to_ascii_lowercase()),
        compression: Some(records.input.input().compression()),
    };
    let mut notes = Vec::new();
    let columns = json_keys(&mut records, framing, max_rows, &mut notes)?;
    let columns = usable(columns, &mut notes);
    if columns.is_empty() {
        return Err(InferError::NoColumns { advice: "provide objects with keys" });
    }
    Ok(SampleLayout { file, columns, notes, is_binary: false })
}

/// Returns the layout of a file with a schema.
fn typed(file: FileDraft, declared: Vec<SchemaColumn>) -> Result<SampleLayout, InferError> {
    let (mut notes, mut unsupported) = (Vec::new(), Vec::new());
    let mut columns = Vec::new();
    for SchemaColumn { name, kind } in declared {
        let Some(kind) = kind else {
            notes.push(format!("`{name}` has an unsupported type: it is not in the contract"));
            unsupported.push(format!("`{name}`"));
            continue;
        };
        let kind = kind.draft_type();
        let is_array = kind.as_ref().filter(|kind| kind.is_document()).map(|kind| kind.logical == "array");
        columns.push(SampleColumn { name, is_array, declared: kind, has_json_numbers: false });
    }
    if columns.is_empty() && !unsupported.is_empty() {
        return Err(InferError::OnlyBinary { columns: unsupported.join(", ") });
    }
    let columns = usable(columns, &mut notes);
    if columns.is_empty() {
        return Err(InferError::NoColumns { advice: "provide a file whose schema has columns" });
    }
    Ok(SampleLayout { file, columns, notes, is_binary: false })
}

/// Returns the columns whose names a contract can use. The others are omitted from the contract, and their values are
/// rescued.
fn usable(columns: Vec<SampleColumn>, notes: &mut Vec<String>) -> Vec<SampleColumn> {
    let is_usable = |column: &SampleColumn| {
        let name = column.name.as_str();
        !name.is_empty() && name.trim() == name && !name.contains(char::is_control)
    };
    let all = columns.len();
    let mut columns: Vec<SampleColumn> = columns.into_iter().filter(is_usable).collect();
    let unnamed = all.saturating_sub(columns.len());
    if unnamed > 0 {
        let columns = counted(unnamed as u64, "column");
        notes.push(format!(
            "{columns} without a usable name: not in the contract; the values are stored in `_rescued`"
        ));
    }
    let more = columns.len().saturating_sub(MAX_COLUMNS);
    if more > 0 {
        columns.truncate(MAX_COLUMNS);
        let columns = counted(more as u64, "column");
        notes.push(format!(
            "{columns} after the first {MAX_COLUMNS}: not in the contract; the values are stored in `_rescued`"
        ));
    }
    columns
}

/// The kinds of values that a key has.
#[derive(Debug, Default, Clone, Copy)]
struct ValueShapes {
    has_scalar: bool,
    has_number: bool,
    has_object: bool,
    has_array: bool,
}

/// Returns the keys of the first rows, in the order of their first occurrence.
fn json_keys<R: Read>(
    records: &mut Records<R>,
    framing: Framing<'_>,
    max_rows: u64,
    notes: &mut Vec<String>,
) -> Result<Vec<SampleColumn>, InferError> {
    let encoding = records.input.text_encoding();
    let mut keys: Vec<(String, ValueShapes)> = Vec::new();
    let mut indexes: HashMap<String, usize> = HashMap::new();
    let (mut spans, mut decoded, mut scratch) = (Vec::new(), String::new(), String::new());
    let (mut rows, mut objects, mut unread) = (0_u64, 0_u64, None);
    while rows < max_rows {
        let Some(record) = records.next(framing, &mut spans)? else { break };
        rows = rows.saturating_add(1);
        if record.state != RecordState::Whole {
            continue;
        }
        let raw = records.bytes(&record);
        let traits = Traits::of(raw);
        let Some(text) = decode(raw, traits, encoding, &mut decoded) else {
            unread = Some(format!("its text is not {}", encoding.name()));
            continue;
        };
        let mut members = Vec::new();
        let mut scanner = Scanner::new(text, traits.is_plain);
        scanner.skip_space();
        if scanner.object(|key, value| members.push((key, value))).is_none() {
            if scanner.is_too_deep {
                unread = Some(format!("its values are nested more than {MAX_DEPTH} levels deep"));
            }
            continue;
        }
        objects = objects.saturating_add(1);
        for (key, value) in members {
            let quoted = key.start.saturating_sub(1)..key.end.saturating_add(1);
            let quoted = text.get(quoted).expect("a key is within its record, between quotes");
            // A key with half of a surrogate pair is not text.
            let Some(name) = unquote(quoted, &mut scratch) else { continue };
            let index = match indexes.get(name) {
                Some(index) => *index,
                None => {
                    indexes.insert(name.to_owned(), keys.len());
                    keys.push((name.to_owned(), ValueShapes::default()));
                    keys.len().saturating_sub(1)
                }
            };
            let (_, shapes) = keys.get_mut(index).expect("the index of a key");
            match text.as_bytes().get(value.start).expect("a value is within its record") {
                b'{' => shapes.has_object = true,
                b'[' => shapes.has_array = true,
                // A null.
                b'n' => {}
                first => {
                    shapes.has_scalar = true;
                    shapes.has_number |= matches!(first, b'-' | b'0'..=b'9');
                }
            }
        }
    }
    if objects == 0 {
        let found = match unread {
            Some(why) => why,
            None => describe_other_values(framing, rows),
        };
        return Err(InferError::NoObjects { found });
    }
    Ok(keys.into_iter().filter_map(|(name, shapes)| json_column(name, shapes, notes)).collect())
}

/// Describes the values of a JSON file without objects.
fn describe_other_values(framing: Framing<'_>, rows: u64) -> String {
    match (framing, rows) {
        (Framing::Elements, 0) => "its array is empty".to_owned(),
        (Framing::Elements, 1) => "the element of its array is not an object".to_owned(),
        (Framing::Elements, _) => format!("none of the {rows} elements of its array is an object"),
        (Framing::Lines | Framing::Delimited { .. } | Framing::DelimitedByMany(..), 1) => {
            "its line is not an object".to_owned()
        }
        (Framing::Lines | Framing::Delimited { .. } | Framing::DelimitedByMany(..), _) => format!(
            "none of its {rows} lines is an object, and a single object of several lines is not a row"
        ),
    }
}

/// Returns the column for a key. A column stores text or documents of one kind; returns `None` for a key with values of
/// several kinds, which are rescued.
fn json_column(name: String, shapes: ValueShapes, notes: &mut Vec<String>) -> Option<SampleColumn> {
    let is_array = match (shapes.has_scalar, shapes.has_object, shapes.has_array) {
        (_, false, false) => None,
        (false, true, false) => Some(false),
        (false, false, true) => Some(true),
        (true, true, _) | (true, _, true) | (false, true, true) => {
            notes.push(format!(
                "`{name}` is an object or array in some rows and another value in others: it is not in the contract, and its values are stored in `_rescued`"
            ));
            return None;
        }
    };
    Some(SampleColumn { name, is_array, declared: None, has_json_numbers: shapes.has_number })
}
