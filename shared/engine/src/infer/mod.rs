//! A contract from a sample: what kind of file it is, what its columns are, and the proof that the contract accepts it.
//!
//! Every question is put to the engine itself. A contract in which each column is text reads the sample; each value is
//! tried as each type, by columns compiled for that; the contract that comes of it reads the sample again, and what it
//! refuses is relaxed until nothing is left to relax.

mod columns;
pub(crate) mod declared;
mod dialect;
mod json_path;
mod key;
mod known;
mod names;
mod numeric;
mod preamble;
mod prove;
mod sample;
mod separators;
mod tally;
mod text_kind;
mod types;
mod yaml;

use std::io::{self, Read};
use std::sync::Arc;

use arrow_array::{Array, StringArray};
use penstock_contract::ContractErrors;

pub use self::known::{KnownFormat, SampleKind};

use self::columns::Profile;
use self::names::words;
use self::sample::{Found, Sample};
use self::separators::Separators;
use self::types::Probe;
use self::yaml::{ColumnDraft, Draft, FileKind, Kind};
use crate::cast::Scratch;
use crate::error::{PlanError, ReadError, UnreadableCode};
use crate::outcome::{Code, Totals};
use crate::plan::Plan;
use crate::reader::{Limits, Reader};
use crate::rows::Block;

/// Rows a block: memory is bounded by them.
const BLOCK_ROWS: u32 = 10_000;
/// Words of names that are likely event times.
const EVENT_TIME_WORDS: [&str; 8] =
    ["updated", "modified", "changed", "ts", "timestamp", "geaendert", "aktualisiert", "event"];

/// How much of the sample counts.
#[derive(Debug, Clone)]
pub struct InferOptions {
    /// Rows that are read, rejects included, and malformed ones beyond that up to the next row. The contract accepts those;
    /// later ones are not read.
    pub max_rows: u64,
    /// What the reader takes at most. Arrow columns and the rows of a block are set by [`infer`].
    pub limits: Limits,
    /// What is known of the sample's format.
    pub known: KnownFormat,
}

impl Default for InferOptions {
    /// 100,000 rows, and the reader's own limits.
    fn default() -> Self {
        Self { max_rows: 100_000, limits: Limits::default(), known: KnownFormat::default() }
    }
}

/// A contract, and what its author should know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inferred {
    /// The contract, of ODCS v3.1. The same sample gives the same text.
    pub yaml: String,
    /// Rows that were read, those that cannot be accepted by any contract included.
    pub rows: u64,
    /// What could not be told, or was left out; with names of columns and counts, never values.
    pub notes: Vec<String>,
}

/// What keeps a contract from being inferred.
#[derive(Debug, thiserror::Error)]
pub enum InferError {
    /// The sample cannot be read.
    #[error("the sample cannot be read ({code}): {0}{hint}", code = .0.code(), hint = hint(.0))]
    Read(#[from] ReadError),
    /// A Parquet sample that is too large to be looked at.
    #[error(
        "the sample has more than {max_bytes} bytes, and Parquet is looked at as a whole; give a smaller file"
    )]
    TooLarge {
        /// Bytes that a sample may have.
        max_bytes: u64,
    },
    /// More columns than a contract may have, in a file that is read by their order.
    #[error("the sample has no header and {columns} columns; a contract has at most {most}")]
    TooManyColumns {
        /// Columns of the sample.
        columns: usize,
        /// Columns that a contract may have.
        most: usize,
    },
    /// An option that is not for this kind of file.
    #[error("{0} was given, which files of this format do not have")]
    Options(&'static str),
    /// The encoding is none of the WHATWG standard.
    #[error("unknown encoding `{0}`")]
    UnknownEncoding(String),
    /// What is known of the dialect contradicts itself, or is none.
    #[error("the given dialect cannot be used: {0}")]
    Dialect(String),
    /// No column has a name that a contract can carry.
    #[error("the sample has no named columns; {advice}")]
    NoColumns {
        /// What to give instead.
        advice: &'static str,
    },
    /// Every column has values that no column of a contract holds.
    #[error(
        "no column of the sample can be loaded: the values of {columns} are bytes that are not text, or of a type that no column holds"
    )]
    OnlyBinary {
        /// Names of the columns, as the contract would have them.
        columns: String,
    },
    /// A sample of JSON without objects.
    #[error(
        "the sample has no JSON objects: {found}; give one object a line, or an array of objects; for an array under a key, give its path with `--path`"
    )]
    NoObjects {
        /// What the sample has instead.
        found: String,
    },
    /// A single text, boolean or null in the notation of JSON.
    #[error(
        "the sample is a single value; give a table with a header and rows, one JSON object a line, or an array of JSON objects"
    )]
    OneValue,
    /// Bytes that are neither text nor a format that is read.
    #[error(
        "the sample is binary, and of no format that is read; give delimited text, JSON, Parquet or Avro"
    )]
    Binary,
    /// There are columns and no row that can be read.
    #[error("the sample has no row that can be read ({why}); {advice}")]
    NoRows {
        /// The reject codes of its rows, with the number of rows for each, or what there is instead of rows.
        why: String,
        /// What to give instead.
        advice: &'static str,
    },
    /// The contract that was made is none. This is a fault of Penstock: please report it.
    #[error("the inferred contract is faulty, please report it: {0}")]
    Contract(#[from] ContractErrors),
    /// The contract that was made cannot be carried out. This is a fault of Penstock: please report it.
    #[error("the inferred contract cannot be compiled, please report it: {0}")]
    Plan(#[from] PlanError),
}

/// The option that replaces what an error advises to declare in the contract, which is not there yet.
fn hint(error: &ReadError) -> &'static str {
    match error {
        ReadError::Unreadable { code: UnreadableCode::UnknownEncoding, .. } => {
            "; to infer a contract, give the encoding with `--encoding`"
        }
        ReadError::Io(_) | ReadError::Empty | ReadError::Unreadable { .. } | ReadError::TooLarge { .. } => "",
    }
}

impl InferError {
    /// True when the content of the sample is the reason.
    fn is_of_content(&self) -> bool {
        match self {
            Self::Read(ReadError::Unreadable { .. })
            | Self::TooManyColumns { .. }
            | Self::NoColumns { .. }
            | Self::OnlyBinary { .. }
            | Self::NoObjects { .. }
            | Self::OneValue
            | Self::Binary
            | Self::NoRows { .. } => true,
            Self::Read(ReadError::Io(_) | ReadError::Empty | ReadError::TooLarge { .. })
            | Self::TooLarge { .. }
            | Self::Options(_)
            | Self::UnknownEncoding(_)
            | Self::Dialect(_)
            | Self::Contract(_)
            | Self::Plan(_) => false,
        }
    }
}

/// Gives the sample from its beginning, each time it is called.
pub type Open<'o> = dyn FnMut() -> io::Result<Box<dyn Read>> + 'o;

/// Writes a contract for the files that the sample is one of, and proves that it accepts the sample: every row but
/// those that are malformed, whose number is in the notes. `source_name` becomes the source, as far as it can.
///
/// # Errors
/// When the sample cannot be opened or read, or has no rows.
pub fn infer(source_name: &str, open: &mut Open<'_>, options: &InferOptions) -> Result<Inferred, InferError> {
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
    let Seen { mut draft, mut notes, totals, profiles, is_binary: _ } = seen;
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
struct Seen {
    /// Each column is text, or a document, with no rules.
    draft: Draft,
    profiles: Vec<Profile>,
    totals: Totals,
    notes: Vec<String>,
    is_binary: bool,
}

fn see(
    source_name: &str,
    open: &mut Open<'_>,
    limits: &Limits,
    max_rows: u64,
    probe: &Probe,
    known: &KnownFormat,
) -> Result<Seen, InferError> {
    let Sample { file, columns, mut notes, is_binary } = sample::look(open, limits, max_rows, known)?;
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
    Ok(Seen { draft, profiles, totals, notes, is_binary })
}

/// The columns as text and documents with no rules.
fn plain(columns: Vec<Found>) -> Vec<ColumnDraft> {
    let names = names::harmonise(columns.iter().map(|column| column.name.as_str()));
    let plain = columns.into_iter().zip(names).map(|(found, name)| {
        let column = ColumnDraft {
            declared: found.declared,
            has_json_numbers: found.has_json_numbers,
            ..ColumnDraft::plain(name, found.name)
        };
        match found.is_array {
            Some(is_array) => ColumnDraft { kind: Kind::document(is_array), ..column },
            None => column,
        }
    });
    plain.collect()
}

/// Leaves out the columns of a typed file with values that not even text holds, such as pictures and nanoseconds.
fn leave_out_bytes(
    draft: &mut Draft,
    open: &mut Open<'_>,
    limits: &Limits,
    max_rows: u64,
    notes: &mut Vec<String>,
) -> Result<(), InferError> {
    let totals = read(&draft.yaml(), open, limits, max_rows, &mut |_| {})?;
    // A text with NUL here and there costs its rows. In documents it comes of bytes, as in the type Variant.
    let is_faulty =
        |column: &ColumnDraft| {
            let is_document = column.declared.as_ref().is_some_and(Kind::is_document);
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

/// Reads the first rows of the sample under a contract.
fn read(
    yaml: &str,
    open: &mut Open<'_>,
    limits: &Limits,
    max_rows: u64,
    take: &mut dyn FnMut(Block),
) -> Result<Totals, InferError> {
    let contract = penstock_contract::parse("inferred.yaml", yaml)?;
    let plan = Arc::new(Plan::compile(&contract)?);
    let mut reader = if plan.needs_seek() {
        Reader::open_parquet(&plan, limits.clone(), declared::whole(open)?)?
    } else {
        Reader::open(plan, limits.clone(), open().map_err(ReadError::Io)?)?
    };
    while let left = max_rows.saturating_sub(reader.totals().rows_read)
        && left > 0
    {
        // A block has as many accepted rows, and any number of others: half of what is left comes close without going far.
        let rows = left.div_ceil(2).min(BLOCK_ROWS.into());
        reader.set_chunk_rows(u32::try_from(rows).unwrap_or(BLOCK_ROWS));
        match reader.next_block()? {
            None => break,
            Some(block) => take(block),
        }
    }
    Ok(reader.totals().clone())
}

/// `1 row`, `2 rows`.
fn counted(count: u64, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
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
