//! Infers a contract from a sample: the format of the file, the columns and their types.
//!
//! All decisions are made by the engine itself. First, a contract in which each column is text reads the sample, and each
//! value is cast to each candidate type. Then the inferred contract reads the sample again, and the rules that reject rows
//! are relaxed until the contract accepts every row that any contract could accept.

mod columns;
pub(crate) mod declared;
mod dialect;
mod error;
mod header;
mod json_path;
mod key;
mod known;
mod names;
mod numeric;
mod open;
mod options;
mod preamble;
mod sample;
mod separators;
mod tally;
mod text_kind;
mod trial;
mod types;
mod verify;
mod yaml;

use arrow_array::StringArray;

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
use self::yaml::{ColumnDraft, ContractDraft, DraftType, FileKind};
use crate::cast::Scratch;
use crate::limits::Limits;
use crate::outcome::{Code, Totals};

/// Words of names that are likely event times.
const EVENT_TIME_WORDS: [&str; 8] =
    ["updated", "modified", "changed", "ts", "timestamp", "geaendert", "aktualisiert", "event"];

/// Infers a contract for files like the sample, and verifies that it accepts every row of the sample that is not malformed.
/// The notes contain the number of malformed rows. The source is named `source_name`; characters that a source cannot have
/// are replaced.
///
/// # Errors
/// Returns an error if the sample cannot be opened or read, or has no rows.
pub fn infer(
    source_name: &str,
    open: &mut OpenSample<'_>,
    options: &InferOptions,
) -> Result<Inferred, InferError> {
    let max_rows = options.max_rows.max(1);
    let limits = Limits { chunk_rows: BLOCK_ROWS, arrow: true, ..options.limits.clone() }.sane();
    let probe = Probe::new()?;
    options.known.check()?;
    let sample = profile_sample(source_name, open, &limits, max_rows, &probe, &options.known)?;
    if sample.is_binary && sample.totals.rejected >= sample.totals.accepted {
        return Err(InferError::Binary);
    }
    if sample.totals.accepted == 0 {
        return Err(no_rows(&sample.totals, &sample.draft.file.kind));
    }
    let ProfiledSample { mut draft, mut notes, totals, profiles, is_binary: _ } = sample;
    let file = draft.file.kind.clone();
    let decimal_separators = draft.columns.iter().zip(&profiles).map(|(column, profile)| {
        let is_text = column.declared.is_none() && !column.kind.is_document();
        let separator = if is_text { profile.decimal_separator(column, &file, &probe) } else { None };
        (column.name.as_str(), separator)
    });
    let separators = Separators::of(decimal_separators);
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
    verify::verify(draft, open, &limits, totals.rows_read, notes)
}

/// Returns the error for a sample without accepted rows.
fn no_rows(totals: &Totals, kind: &FileKind) -> InferError {
    const WITH_ROWS: &str = "provide one with rows";
    let (why, advice) = if totals.rejected > 0 {
        let advice = match kind {
            FileKind::Delimited(_) => {
                "specify its dialect (`--delimiter`, `--quote`, `--escape`, `--skip-lines`), or provide a sample with well-formed rows"
            }
            FileKind::Ndjson => "provide one with a well-formed object per line",
            FileKind::JsonArray { .. } | FileKind::Parquet | FileKind::Avro => {
                "provide one with well-formed rows"
            }
        };
        (verify::reasons(totals), advice)
    } else if totals.blank > 0 {
        ("all of its rows are blank".to_owned(), WITH_ROWS)
    } else {
        ("it has columns and no rows".to_owned(), WITH_ROWS)
    };
    InferError::NoRows { why, advice }
}

/// A sample that was read as text, with statistics of its columns.
struct ProfiledSample {
    /// A contract in which each column is text or a document, without rules.
    draft: ContractDraft,
    profiles: Vec<Profile>,
    totals: Totals,
    notes: Vec<String>,
    is_binary: bool,
}

fn profile_sample(
    source_name: &str,
    open: &mut OpenSample<'_>,
    limits: &Limits,
    max_rows: u64,
    probe: &Probe,
    known: &KnownFormat,
) -> Result<ProfiledSample, InferError> {
    let SampleLayout { file, columns, mut notes, is_binary } =
        sample::detect_layout(open, limits, max_rows, known)?;
    let source = names::source(source_name);
    if source != source_name {
        notes.push(format!(
            "the source is named `{source}`, because its name is part of the S3 keys of its files"
        ));
    }
    let entity = names::entity(&source);
    let mut draft = ContractDraft {
        entity,
        source,
        file,
        columns: plain(columns),
        event_time: None,
        comments: Vec::new(),
        max_rejects_percent: None,
    };
    if draft.file.kind.has_types() {
        omit_binary_columns(&mut draft, open, limits, max_rows, &mut notes)?;
    }
    let mut profiles: Vec<Profile> = draft.columns.iter().map(|_| Profile::new(probe)).collect();
    let mut scratch = Scratch::default();
    let totals = read(&draft.yaml(), open, limits, max_rows, &mut |block| {
        // A block without accepted rows has no batch.
        let Some(batch) = block.rows.record_batch else { return };
        for (profile, values) in profiles.iter_mut().zip(batch.columns()) {
            let texts = values.as_any().downcast_ref::<StringArray>();
            for value in texts.expect("text and documents are string arrays") {
                profile.observe(value, probe, &mut scratch);
            }
        }
    })?;
    Ok(ProfiledSample { draft, profiles, totals, notes, is_binary })
}

/// Returns the columns as text and documents without rules.
fn plain(columns: Vec<SampleColumn>) -> Vec<ColumnDraft> {
    let names = names::harmonise(columns.iter().map(|column| column.name.as_str()));
    let plain = columns.into_iter().zip(names).map(|(sampled, name)| {
        let column = ColumnDraft {
            declared: sampled.declared,
            has_json_numbers: sampled.has_json_numbers,
            ..ColumnDraft::plain(name, sampled.name)
        };
        match sampled.is_array {
            Some(is_array) => ColumnDraft { kind: DraftType::document(is_array), ..column },
            None => column,
        }
    });
    plain.collect()
}

/// Omits the columns of a typed file with values that cannot be stored even as text, such as pictures and nanoseconds.
fn omit_binary_columns(
    draft: &mut ContractDraft,
    open: &mut OpenSample<'_>,
    limits: &Limits,
    max_rows: u64,
    notes: &mut Vec<String>,
) -> Result<(), InferError> {
    let totals = read(&draft.yaml(), open, limits, max_rows, &mut |_| {})?;
    // Rows in which a text contains NUL are rejected. In a document, NUL indicates bytes, as in the type Variant.
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
            "`{}` has values that no column can store: it is not in the contract, and its values are stored in `_rescued`",
            column.name
        )
    }));
    if draft.columns.is_empty() {
        let names: Vec<String> = faulty.iter().map(|column| format!("`{}`", column.name)).collect();
        return Err(InferError::OnlyBinary { columns: names.join(", ") });
    }
    Ok(())
}

/// Makes the first timestamp that every row has and that is named like the time of a change the event time; if there is
/// none, the first such date.
fn choose_event_time(draft: &mut ContractDraft) {
    let is_named = |column: &&ColumnDraft| {
        column.required && words(&column.name).any(|word| EVENT_TIME_WORDS.contains(&word))
    };
    let of =
        |logical: &str| draft.columns.iter().filter(is_named).find(|column| column.kind.logical == logical);
    draft.event_time = of("timestamp").or_else(|| of("date")).map(|column| column.name.clone());
}
