//! The kind of a file of text, by its beginning.

use std::io::Read;

use serde::de::IgnoredAny;
use serde_json::Value;

use super::json_path::path_to_array;
use super::known::KnownFormat;
use super::sample::open_records;
use super::{InferError, Open};
use crate::cast::json::Scanner;
use crate::error::{ReadError, UnreadableCode};
use crate::reader::Limits;
use crate::records::{Framing, Record, RecordState, Records};

/// The beginning of a file of JSON, in which its array of objects is searched.
const HEAD_BYTES: usize = 64 * 1024;
/// Elements by which a file is known to be a JSON array.
const MAX_ELEMENTS: usize = 1_000;

/// A kind of text, with what leads to its rows.
#[derive(Debug)]
pub(super) enum TextKind {
    Delimited,
    Ndjson,
    JsonArray {
        path: Vec<String>,
        /// What the user should know about the path.
        note: Option<String>,
    },
}

impl TextKind {
    pub(super) fn array(path: Vec<String>) -> Self {
        Self::JsonArray { path, note: None }
    }

    /// A document whose array may be under a path of keys.
    pub(super) fn of_array(
        open: &mut Open<'_>,
        limits: &Limits,
        known: &KnownFormat,
    ) -> Result<Self, InferError> {
        let mut records = open_records(open, limits, known, false)?;
        Ok(Self::array(path_to_array(records.head(HEAD_BYTES)?).unwrap_or_default()))
    }

    pub(super) fn detect(
        open: &mut Open<'_>,
        limits: &Limits,
        known: &KnownFormat,
    ) -> Result<Self, InferError> {
        let mut records = open_records(open, limits, known, false)?;
        let head = records.head(HEAD_BYTES)?;
        let mut start = head.iter().copied().filter(|byte| !byte.is_ascii_whitespace());
        let start = (start.next(), start.next());
        if head.len() < HEAD_BYTES && is_one_value(head) {
            return Err(InferError::OneValue);
        }
        let is_array = match start {
            (Some(b'{'), _) => {
                let path = path_to_array(head);
                return Self::of_objects(&mut records, path);
            }
            (Some(b'['), None | Some(b'{' | b']')) => true,
            (Some(b'['), Some(_)) => is_array(&mut records)?,
            (Some(_) | None, _) => false,
        };
        Ok(if is_array { Self::array(Vec::new()) } else { Self::Delimited })
    }

    /// Lines of objects, or a document with an array of them under `path`. A single line may be either: an array of objects
    /// in it is rather the rows than a part of one.
    fn of_objects<R: Read>(records: &mut Records<R>, path: Option<Vec<String>>) -> Result<Self, InferError> {
        let mut spans = Vec::new();
        let first = records.next(Framing::Lines, &mut spans)?;
        let is_object = first.is_some_and(|record| is_object(records, &record));
        let is_one = records.next(Framing::Lines, &mut spans)?.is_none();
        Ok(match path {
            Some(path) if !is_object => Self::array(path),
            Some(path) if is_one => {
                let keys = path.join(".");
                let note = format!(
                    "the sample is one JSON object: its rows are taken from the array at `$.{keys}`; if the object is \
                     itself a row, give the format as one JSON object a line"
                );
                Self::JsonArray { path, note: Some(note) }
            }
            Some(_) | None => Self::Ndjson,
        })
    }
}

fn is_object<R: Read>(records: &Records<R>, record: &Record) -> bool {
    let is_whole = record.state == RecordState::Whole;
    is_whole
        && str::from_utf8(records.bytes(record)).is_ok_and(|line| {
            let mut scanner = Scanner::new(line, false);
            scanner.skip_space();
            scanner.object(|_, _| {}).is_some()
        })
}

/// True for a file that is a JSON array of any values, as far as it is read. Names in brackets are a header.
fn is_array<R: Read>(records: &mut Records<R>) -> Result<bool, InferError> {
    records.enter_array(&[])?;
    let mut spans = Vec::new();
    for count in 0..MAX_ELEMENTS {
        let record = match records.next(Framing::Elements, &mut spans) {
            Ok(Some(record)) => record,
            Ok(None) => return Ok(true),
            // Cut off, and JSON up to there.
            Err(ReadError::Unreadable { code: UnreadableCode::OpenArray, .. }) => return Ok(count > 0),
            Err(ReadError::Unreadable { .. }) => return Ok(false),
            Err(error @ (ReadError::Io(_) | ReadError::Empty | ReadError::TooLarge { .. })) => {
                return Err(error.into());
            }
        };
        let is_value = serde_json::from_slice::<IgnoredAny>(records.bytes(&record)).is_ok();
        if record.state != RecordState::Whole || !is_value {
            return Ok(false);
        }
    }
    Ok(true)
}

/// True for a single JSON value that is neither a list nor a number, which may be a table of one cell.
fn is_one_value(text: &[u8]) -> bool {
    matches!(serde_json::from_slice(text), Ok(Value::String(_) | Value::Bool(_) | Value::Null))
}
