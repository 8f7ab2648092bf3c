//! A contract from a sample: what kind of file it is, what its columns are, and the proof that the contract accepts it.
//!
//! Every question is put to the engine itself. A contract in which each column is text reads the sample; each value is
//! tried as each type, by columns compiled for that; the contract that comes of it reads the sample again, and what it
//! refuses is relaxed until nothing is left to relax.

mod columns;
pub(crate) mod declared;
mod dialect;
mod error;
mod json_path;
mod key;
mod known;
mod names;
mod numeric;
mod open;
mod options;
mod preamble;
mod prove;
mod sample;
mod separators;
mod tally;
mod text_kind;
mod trial;
mod types;
mod yaml;

use arrow_array::{Array, StringArray};

pub use self::error::InferError;
pub use self::known::KnownFormat;
pub use self::open::OpenSample;
pub use self::options::{InferOptions, Inferred};

use self::columns::Profile;
use self::names::words;
use self::sample::{SampleColumn, SampleLayout};
use self::separators::Separators;
use self::trial::{BLOCK_ROWS, read};
use self::types::Probe;
use self::yaml::{ColumnDraft, Draft, DraftType, FileKind};
use crate::cast::Scratch;
use crate::limits::Limits;
use crate::outcome::{Code, Totals};

/// Words of names that are likely event times.
const EVENT_TIME_WORDS: [&str; 8] =
    ["updated", "modified", "changed", "ts", "timestamp", "geaendert", "aktualisiert", "event"];

/// Writes a contract for the files that the sample is one of, and proves that it accepts the sample: every row but
/// those that are malformed, whose number is in the notes. `source_name` becomes the source, as far as it can.
///
/// # Errors
/// When the sample cannot be opened or read, or has no rows.
pub fn infer(
    source_name: &str,
    open: &mut OpenSample<'_>,
    options: &InferOptions,
) -> Result<Inferred, InferError> {
    let max_rows = options.max_rows.max(1);
    let limits = Limits { chunk_rows: BLOCK_ROWS, arrow: true, ..options.limits.clone() }.sane();
    let probe = Probe::new()?;
    options.known.check()?;
    let seen = see(source_name, open, &limits, max_rows, &probe, &options.known)?;
    if seen.is_binary && seen.totals.rejected >= seen.totals.accepted {
        return Err(InferError::Binary);
    }
    if seen.totals.accepted == 0 {
        return Err(no_rows(&seen.totals, &seen.draft.file.kind));
    }
    let ProfiledSample { mut draft, mut notes, totals, profiles, is_binary: _ } = seen;
    let file = draft.file.kind.clone();
    let shown = draft.columns.iter().zip(&profiles).map(|(column, profile)| {
        let is_read = column.declared.is_none() && !column.kind.is_document();
        let separator = if is_read { profile.decimal_separator(column, &file, &probe) } else { None };
        (column.name.as_str(), separator)
    });
    let separators = Separators::of(shown);
    draft.columns = draft
        .columns
        .into_iter()
        .zip(&profiles)
        .map(|(column, profile)| {
            if column.kind.is_document() {
                profile.document(column)
            } else {
                profile.draft(column, &file, &probe, &separators, &mut notes)
            }
        })
        .collect();
    key::choose(&mut draft, &profiles, totals.rows_read, &mut notes);
    choose_event_time(&mut draft);
    prove::prove(draft, open, &limits, totals.rows_read, notes)
}

/// Why no row can be accepted.
fn no_rows(totals: &Totals, kind: &FileKind) -> InferError {
    const WITH_ROWS: &str = "give one with rows";
    let (why, advice) = if totals.rejected > 0 {
        let advice = match kind {
            FileKind::Delimited(_) => {
                "give its dialect (`--delimiter`, `--quote`, `--escape`, `--skip-lines`), or a sample with well-formed rows"
            }
            FileKind::Ndjson => "give one with a well-formed object a line",
            FileKind::JsonArray { .. } | FileKind::Parquet | FileKind::Avro => {
                "give one with well-formed rows"
            }
        };
        (prove::reasons(totals), advice)
    } else if totals.blank > 0 {
        ("all of its rows are blank".to_owned(), WITH_ROWS)
    } else {
        ("it has columns and no rows".to_owned(), WITH_ROWS)
    };
    InferError::NoRows { why, advice }
}

/// A sample whose values were looked at as text.
struct ProfiledSample {
    /// Each column is text, or a document, with no rules.
    draft: Draft,
    profiles: Vec<Profile>,
    totals: Totals,
    notes: Vec<String>,
    is_binary: bool,
}

fn see(
    source_name: &str,
    open: &mut OpenSample<'_>,
    limits: &Limits,
    max_rows: u64,
    probe: &Probe,
    known: &KnownFormat,
) -> Result<ProfiledSample, InferError> {
    let SampleLayout { file, columns, mut notes, is_binary } = sample::look(open, limits, max_rows, known)?;
    let source = names::source(source_name);
    if source != source_name {
        notes.push(format!("the source is called `{source}`: its name begins the keys of its files"));
    }
    let entity = names::entity(&source);
    let mut draft = Draft {
        entity,
        source,
        file,
        columns: plain(columns),
        event_time: None,
        comments: Vec::new(),
        max_rejects_percent: None,
    };
    if draft.file.kind.has_types() {
        leave_out_bytes(&mut draft, open, limits, max_rows, &mut notes)?;
    }
    let mut profiles: Vec<Profile> = draft.columns.iter().map(|_| Profile::new(probe)).collect();
    let mut scratch = Scratch::default();
    let totals = read(&draft.yaml(), open, limits, max_rows, &mut |block| {
        let Some(batch) = block.rows.record_batch else { return };
        for (profile, values) in profiles.iter_mut().zip(batch.columns()) {
            let texts = values.as_any().downcast_ref::<StringArray>();
            for row in 0..values.len() {
                let value = texts.filter(|texts| texts.is_valid(row)).map(|texts| texts.value(row));
                profile.observe(value, probe, &mut scratch);
            }
        }
    })?;
    Ok(ProfiledSample { draft, profiles, totals, notes, is_binary })
}

/// The columns as text and documents with no rules.
fn plain(columns: Vec<SampleColumn>) -> Vec<ColumnDraft> {
    let names = names::harmonise(columns.iter().map(|column| column.name.as_str()));
    let plain = columns.into_iter().zip(names).map(|(found, name)| {
        let column = ColumnDraft {
            declared: found.declared,
            has_json_numbers: found.has_json_numbers,
            ..ColumnDraft::plain(name, found.name)
        };
        match found.is_array {
            Some(is_array) => ColumnDraft { kind: DraftType::document(is_array), ..column },
            None => column,
        }
    });
    plain.collect()
}

/// Leaves out the columns of a typed file with values that not even text holds, such as pictures and nanoseconds.
fn leave_out_bytes(
    draft: &mut Draft,
    open: &mut OpenSample<'_>,
    limits: &Limits,
    max_rows: u64,
    notes: &mut Vec<String>,
) -> Result<(), InferError> {
    let totals = read(&draft.yaml(), open, limits, max_rows, &mut |_| {})?;
    // A text with NUL here and there costs its rows. In documents it comes of bytes, as in the type Variant.
    let is_faulty =
        |column: &ColumnDraft| {
            let is_document = column.declared.as_ref().is_some_and(DraftType::is_document);
            totals.by_reason.iter().filter(|reason| reason.column.as_ref() == Some(&column.name)).any(
                |reason| reason.code != Code::NulCharacter || is_document || reason.rows == totals.rows_read,
            )
        };
    let (faulty, whole) = std::mem::take(&mut draft.columns)
        .into_iter()
        .partition::<Vec<ColumnDraft>, _>(|column| is_faulty(column));
    draft.columns = whole;
    notes.extend(faulty.iter().map(|column| {
        format!(
            "`{}` has values that no column holds: it is left out of the contract, and kept in `_rescued`",
            column.name
        )
    }));
    if draft.columns.is_empty() {
        let names: Vec<String> = faulty.iter().map(|column| format!("`{}`", column.name)).collect();
        return Err(InferError::OnlyBinary { columns: names.join(", ") });
    }
    Ok(())
}

/// The first point in time, else the first date, that every row has and that is named like the time of a change.
fn choose_event_time(draft: &mut Draft) {
    let is_named = |column: &&ColumnDraft| {
        column.required && words(&column.name).any(|word| EVENT_TIME_WORDS.contains(&word))
    };
    let of =
        |logical: &str| draft.columns.iter().filter(is_named).find(|column| column.kind.logical == logical);
    draft.event_time = of("timestamp").or_else(|| of("date")).map(|column| column.name.clone());
}
