//! The dialect of a delimited sample: what the caller knows of it, and the rest by trying.

use std::collections::{BTreeMap, HashSet};
use std::io::Read;

use penstock_contract::{DelimitedDialect, Quote};

use super::known::KnownFormat;
use super::types::Probe;
use super::yaml::{DelimitedDraft, QuoteDraft};
use super::{InferError, Open, counted};
use crate::delimited::{FieldDelimiter, FirstRecord, Quoting, Span, Split, read_first};
use crate::reader::Limits;
use crate::records::{RecordState, Records};

const COMMON_DELIMITERS: [&str; 4] = [",", ";", "\t", "|"];
/// Delimiters that are tried when the common ones split nothing.
const RARE_DELIMITERS: [&str; 8] = ["#", "^", "~", "\u{1f}", "\u{1}", "||", "::", COLON];
/// Times have it, too: it only separates what a header names.
const COLON: &str = ":";
/// Without quotes before `'`, which is an apostrophe more often than not.
const QUOTES: [Quote; 3] = [Quote::Byte(USUAL_QUOTE), Quote::None, Quote::Byte(b'\'')];
const USUAL_QUOTE: u8 = b'"';
const BACKSLASH: u8 = b'\\';
/// Records that a dialect is judged by.
const MAX_RECORDS: u64 = 5_000;
/// Records with a quote that encloses nothing, below which the quote is a mistake and no ordinary character.
const MIN_ORDINARY_QUOTES: u64 = 2;
/// Records that a header below a preamble, or a rare delimiter, is judged by.
const FEW_RECORDS: u64 = 50;
/// Lines that may precede the header.
const MAX_PREAMBLE_LINES: usize = 30;
/// Bytes in which those lines are.
const MAX_PREAMBLE_BYTES: usize = 64 * 1024;

/// A delimited file as far as it can be known before its values are looked at.
#[derive(Debug)]
pub(super) struct Delimited {
    pub(super) draft: DelimitedDraft,
    pub(super) names: Vec<String>,
    pub(super) encoding: String,
    pub(super) notes: Vec<String>,
}

/// Finds the dialect of the sample and the names of its columns.
pub(super) fn delimited(
    open: &mut Open<'_>,
    limits: &Limits,
    known: &KnownFormat,
) -> Result<Delimited, InferError> {
    let probe = Probe::new()?;
    let mut trials = Trials { open, limits, known, probe: &probe };
    let (trial, skip_lines) = trials.best()?;
    let mut notes = trial.doubts(known);
    let Trial { first, escape, encoding, other_width, .. } = trial;
    let FirstRecord { fields, delimiter, quoting } = first;
    let header = known.header.unwrap_or_else(|| !fields.iter().any(|field| probe.is_value(field)));
    let mut draft = DelimitedDraft {
        delimiter: Some(delimiter.to_string()),
        quote: Some(quoting.map_or(QuoteDraft::None, |quoting| QuoteDraft::Char(char::from(quoting.quote)))),
        escape: quoting.and_then(|quoting| quoting.escape).or(escape).map(char::from),
        skip_initial_space: quoting.is_some_and(|quoting| !quoting.blanks.is_empty()),
        header,
        skip_lines,
    };
    if skip_lines > 0 && known.skip_lines.is_none() {
        let lines = if skip_lines == 1 { "line is".to_owned() } else { format!("{skip_lines} lines are") };
        notes.push(format!("the first {lines} skipped: the header is below"));
    }
    if !header && known.header.is_none() {
        notes.push(
            "the first record has values, and is taken for a row: the file has no header; give it if it has one"
                .to_owned(),
        );
    }
    let names = match other_width.filter(|_| known.header.is_none()) {
        Some(width) if header => {
            let count = fields.len();
            notes.push(format!(
                "the header has {} and nearly all rows have {}: the columns are read by their order, without the header",
                counted(count as u64, "name"),
                counted(width.fields as u64, "field"),
            ));
            skip_header(&fields, &mut draft);
            width.names(fields)
        }
        Some(width) => numbered(vec![String::new(); width.fields]),
        None if header => header_names(fields, &mut draft, &mut notes),
        None => numbered(vec![String::new(); fields.len()]),
    };
    Ok(Delimited { draft, names, encoding, notes })
}

/// The names of the header. Where one of them repeats, the columns are read by their positions instead.
fn header_names(mut fields: Vec<String>, draft: &mut DelimitedDraft, notes: &mut Vec<String>) -> Vec<String> {
    let mut seen: HashSet<&str> = HashSet::new();
    let has_twins = !fields.iter().filter(|name| !name.is_empty()).all(|name| seen.insert(name));
    if !has_twins {
        if fields.len() > 1 && fields.last().is_some_and(String::is_empty) {
            // A delimiter at the end of each line.
            fields.pop();
        }
        return fields;
    }
    skip_header(&fields, draft);
    notes.push(
        "names of the header repeat: the columns are read by their order, without the header".to_owned(),
    );
    numbered(fields)
}

/// The number of fields of nearly all records, where the first one has another number.
#[derive(Debug, Clone, Copy)]
struct OtherWidth {
    fields: usize,
    /// They have one more than the first, and that is empty: a delimiter at the end of each line.
    is_trailing: bool,
}

impl OtherWidth {
    /// Names of that many columns. Which of them those of the header belong to is known of a trailing delimiter only.
    fn names(self, mut header: Vec<String>) -> Vec<String> {
        if !self.is_trailing {
            header.clear();
        }
        header.resize(self.fields, String::new());
        numbered(header)
    }
}

fn skip_header(fields: &[String], draft: &mut DelimitedDraft) {
    let lines = fields.iter().fold(1_usize, |lines, name| lines.saturating_add(name.matches('\n').count()));
    draft.header = false;
    draft.skip_lines = draft.skip_lines.saturating_add(u32::try_from(lines).unwrap_or(u32::MAX));
}

/// The names, each once; those that are empty or repeat are made of the column's number.
fn numbered(mut names: Vec<String>) -> Vec<String> {
    let mut taken: HashSet<String> = HashSet::new();
    for (index, name) in names.iter_mut().enumerate() {
        let number = index.saturating_add(1);
        let is_usable = !name.is_empty() && !name.contains(char::is_control);
        if !is_usable || taken.contains(name) {
            *name = if is_usable { format!("{name} {number}") } else { format!("column_{number}") };
        }
        while !taken.insert(name.clone()) {
            name.push('_');
        }
    }
    names
}

struct Trials<'t, 'o> {
    open: &'t mut Open<'o>,
    limits: &'t Limits,
    known: &'t KnownFormat,
    probe: &'t Probe,
}

/// A dialect and what it makes of the sample.
#[derive(Debug)]
struct Trial {
    first: FirstRecord,
    /// The escape that it was tried with, if it was not sniffed; the quote itself where only a doubled one is read.
    escape: Option<u8>,
    encoding: String,
    /// Records after the first one.
    records: u64,
    /// Records that are malformed, have another number of fields than the first one, or a value that keeps its quotes.
    faults: u64,
    other_width: Option<OtherWidth>,
    /// Records with `"` where it encloses nothing, because quotes are ordinary characters.
    ordinary_quotes: u64,
    /// Some field is in quotes.
    encloses: bool,
    /// Nearly all records are one field in quotes, with delimiters in it.
    is_quoted_whole: bool,
    /// By column, the values of the first records that fit.
    values: Vec<Vec<String>>,
}

impl Trial {
    /// What the user should know of a dialect that was found.
    fn doubts(&self, known: &KnownFormat) -> Vec<String> {
        let mut doubts = Vec::new();
        if self.first.quoting.is_none() && known.quote.is_none() {
            let records = counted(self.ordinary_quotes, "record");
            doubts.push(format!(
                "quotes are ordinary characters (`penstock.quote: none`): {records} with `\"` make sense in no other way; \
                 give the quote if the producer does quote fields"
            ));
        }
        if self.is_quoted_whole {
            doubts.push(
                "each record is enclosed in quotes as a whole, so that it is one column; for its columns, have it written \
                 without these quotes"
                    .to_owned(),
            );
        } else if self.width() == 1 && known.delimiter.is_some() {
            doubts.push("the header does not have the given delimiter: there is one column".to_owned());
        }
        doubts
    }

    fn width(&self) -> usize {
        self.first.fields.len()
    }

    /// True when nearly all records have as many fields as the first one.
    fn is_borne_out(&self) -> bool {
        self.faults.saturating_mul(10) <= self.records
    }

    /// True when a column has nothing but values of a type: what is above them is a header more likely than a row.
    fn has_typed_column(&self, probe: &Probe) -> bool {
        let is_typed =
            |values: &Vec<String>| !values.is_empty() && values.iter().all(|value| probe.is_value(value));
        self.values.iter().any(is_typed)
    }

    /// True when the first record may be the header of the others.
    fn is_table(&self) -> bool {
        let named = self.first.fields.iter().filter(|name| !name.is_empty()).count();
        self.is_borne_out() && named.saturating_mul(2) >= self.width()
    }
}

impl Trials<'_, '_> {
    /// The best dialect, and the lines to skip before its header.
    fn best(&mut self) -> Result<(Trial, u32), InferError> {
        let declared = self.known.dialect();
        let skip_lines = self.known.skip_lines.unwrap_or(0);
        let sniffed = self.attempt(&declared, skip_lines, MAX_RECORDS);
        // A single column may be the lines of another dialect, and a title above it its name.
        let is_column = sniffed.as_ref().is_ok_and(|trial| trial.width() == 1);
        if self.known.skip_lines.is_none()
            && (is_column || !sniffed.as_ref().is_ok_and(Trial::is_table))
            && let Some((lines, declared)) = self.below_preamble(is_column)?
        {
            let trial = self.attempt(&declared, lines, MAX_RECORDS);
            let trial = self.improve(trial, lines)?;
            return Ok((self.doubled(trial, lines), lines));
        }
        let trial = self.improve(sniffed, skip_lines)?;
        Ok((self.doubled(trial, skip_lines), skip_lines))
    }

    /// The sample under a dialect, of which more may be sniffed.
    fn attempt(
        &mut self,
        declared: &DelimitedDialect,
        skip_lines: u32,
        max_records: u64,
    ) -> Result<Trial, InferError> {
        let mut records = super::sample::open_records(self.open, self.limits, self.known, true)?;
        for _ in 0..skip_lines {
            records.skip_line()?;
        }
        let encoding = records.input.encoding().name().to_ascii_lowercase();
        let first = read_first(declared, &mut records)?;
        let Tally { all, faults, widths, trailing, encloses, quoted_whole, ordinary_quotes, values } =
            tally(&first, &mut records, max_records)?;
        let is_nearly_all = |count: u64| count.saturating_mul(10) >= all.saturating_mul(9);
        let is_quoted_whole = quoted_whole > 0 && is_nearly_all(quoted_whole);
        let other_width = widths
            .into_iter()
            .find(|(fields, count)| (*fields > 1 || is_quoted_whole) && is_nearly_all(*count))
            .map(|(fields, count)| OtherWidth { fields, is_trailing: trailing == count });
        Ok(Trial {
            first,
            escape: declared.escape,
            encoding,
            records: all,
            faults,
            other_width,
            ordinary_quotes,
            encloses,
            is_quoted_whole,
            values,
        })
    }

    /// Another dialect, where it makes sense of more records than the one that was sniffed: before rows are blamed, the
    /// dialect is.
    fn improve(&mut self, sniffed: Result<Trial, InferError>, skip_lines: u32) -> Result<Trial, InferError> {
        if sniffed.as_ref().is_ok_and(|trial| trial.faults == 0 && trial.width() > 1) {
            return sniffed;
        }
        let (least_width, mut best) = (sniffed.as_ref().map_or(2, Trial::width).max(2), sniffed);
        for declared in self.alternatives() {
            // A dialect under which not even the header can be read is none.
            let Ok(trial) = self.attempt(&declared, skip_lines, MAX_RECORDS) else { continue };
            let fits_some = best.as_ref().is_ok_and(|best| best.faults < best.records);
            if !self.is_borne_out_by_quotes(&trial, fits_some) || !self.is_separated(&trial) {
                continue;
            }
            let is_wide = trial.width() > 1 && trial.width().saturating_mul(2) >= least_width;
            let is_better = match &best {
                Ok(best) if best.width() > 1 => is_wide && trial.faults < best.faults,
                // A single column without commas, say, rather than one with rows of several fields.
                Ok(best) if trial.width() == 1 => trial.faults < best.faults,
                Ok(_) | Err(_) => is_wide && trial.is_borne_out(),
            };
            if is_better {
                best = Ok(trial);
            }
        }
        best
    }

    /// True unless another quote than `"`, or none, only hides a mistake. `fits_some`: the dialect so far makes sense of some
    /// records.
    fn is_borne_out_by_quotes(&self, trial: &Trial, fits_some: bool) -> bool {
        match trial.first.quoting {
            Some(_) | None if self.known.quote.is_some() => true,
            Some(Quoting { quote: USUAL_QUOTE, .. }) => true,
            Some(_) => trial.encloses,
            None => !fits_some || trial.ordinary_quotes >= MIN_ORDINARY_QUOTES,
        }
    }

    /// True unless colons separate what may be times, or a key from its value.
    fn is_separated(&self, trial: &Trial) -> bool {
        let FirstRecord { fields, delimiter, quoting } = &trial.first;
        let is_name = |field: &String| {
            let is_word = |letter: char| letter.is_alphanumeric() || matches!(letter, '_' | '-' | ' ');
            !field.is_empty() && field.chars().all(is_word) && !self.probe.is_value(field)
        };
        let skips_blanks = quoting.is_some_and(|quoting| !quoting.blanks.is_empty());
        self.known.delimiter.is_some()
            || delimiter.to_string() != COLON
            || !skips_blanks && fields.iter().all(is_name)
    }

    /// The delimiter twice, where a single one leaves every second name empty.
    fn doubled(&mut self, single: Trial, skip_lines: u32) -> Trial {
        let FirstRecord { fields, delimiter, .. } = &single.first;
        let is_doubled = fields.len() > 2
            && fields.len() % 2 == 1
            && fields.iter().enumerate().all(|(index, name)| name.is_empty() == (index % 2 == 1));
        if self.known.delimiter.is_some() || !is_doubled {
            return single;
        }
        let delimiter = Some(delimiter.to_string().repeat(2));
        let declared = DelimitedDialect { delimiter, ..self.known.dialect() };
        match self.attempt(&declared, skip_lines, MAX_RECORDS) {
            Ok(doubled) if doubled.faults <= single.faults => doubled,
            // A dialect under which not even the header can be read is none.
            Ok(_) | Err(_) => single,
        }
    }

    /// Every dialect that the caller's knowledge allows, the plainest first.
    fn alternatives(&self) -> Vec<DelimitedDialect> {
        let known = self.known.dialect();
        let delimiters: Vec<Option<String>> = match &known.delimiter {
            Some(delimiter) => vec![Some(delimiter.clone())],
            None => {
                let marks = [known.escape, known.quote.and_then(quote_byte)];
                let is_free = |delimiter: &&&str| {
                    marks.iter().flatten().all(|mark| !delimiter.as_bytes().contains(mark))
                };
                let all = COMMON_DELIMITERS.iter().chain(&RARE_DELIMITERS).filter(is_free);
                all.map(|delimiter| Some((*delimiter).to_owned())).collect()
            }
        };
        let mut alternatives = Vec::new();
        for delimiter in &delimiters {
            for quote in QUOTES.into_iter().filter(|quote| known.quote.is_none_or(|known| known == *quote)) {
                let escapes = match (quote, known.escape) {
                    (Quote::None, None) => vec![None],
                    (Quote::None, Some(_)) => continue,
                    (Quote::Byte(_), Some(escape)) => vec![Some(escape)],
                    (Quote::Byte(quote), None) => vec![Some(quote), Some(BACKSLASH)],
                };
                alternatives.extend(escapes.into_iter().map(|escape| DelimitedDialect {
                    delimiter: delimiter.clone(),
                    quote: Some(quote),
                    escape,
                    ..known.clone()
                }));
            }
        }
        alternatives
    }

    /// The lines before the header, and the dialect below them: the first line that has a name in each field and as many
    /// fields as nearly all lines below it. `is_doubtful`: it must have a column of numbers, dates and the like below it.
    fn below_preamble(&mut self, is_doubtful: bool) -> Result<Option<(u32, DelimitedDialect)>, InferError> {
        let probe = self.probe;
        let lines = self.first_lines()?;
        for (count, line) in (0_u32..).zip(&lines).skip(1) {
            if line.trim_ascii().is_empty() {
                continue;
            }
            let Ok(trial) = self.attempt(&self.known.dialect(), count, FEW_RECORDS) else { continue };
            let FirstRecord { fields, delimiter, quoting } = &trial.first;
            let is_name = |name: &String| !name.is_empty() && !probe.is_value(name);
            let names = fields.strip_suffix(&[String::new()]).unwrap_or(fields);
            let above = || lines.iter().take(usize::try_from(count).unwrap_or(0));
            let is_set_apart = above().next_back().is_some_and(|line| line.trim_ascii().is_empty());
            let is_header = trial.width() > 1
                && trial.records > 0
                && trial.is_borne_out()
                && (!is_doubtful || trial.has_typed_column(probe))
                && names.iter().all(is_name)
                && (is_set_apart
                    || above().all(|line| is_preamble(line, delimiter, *quoting, trial.width(), probe)));
            if is_header {
                return Ok(Some((count, self.known.dialect())));
            }
        }
        Ok(None)
    }

    fn first_lines(&mut self) -> Result<Vec<Vec<u8>>, InferError> {
        let mut records = super::sample::open_records(self.open, self.limits, self.known, true)?;
        let terminator = records.terminator();
        let head = records.head(MAX_PREAMBLE_BYTES)?;
        let lines = head.split(|byte| *byte == terminator).take(MAX_PREAMBLE_LINES.saturating_add(1));
        Ok(lines.map(<[u8]>::to_vec).collect())
    }
}

/// True for a line above a header of that width that is no header itself: it is a comment, or has few fields, or empty
/// ones, or values.
fn is_preamble(
    line: &[u8],
    delimiter: &FieldDelimiter,
    quoting: Option<Quoting>,
    width: usize,
    probe: &Probe,
) -> bool {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let mut spans: Vec<Span> = Vec::new();
    let split = quoting.map(|quoting| delimiter.split_quoted(line, true, quoting, b'\n', &mut spans));
    if !matches!(split, Some(Split::Record { .. })) {
        delimiter.split_line(line, &mut spans);
    }
    let cell = |span: &Span| {
        String::from_utf8_lossy(line.get(span.start..span.end).unwrap_or_default()).into_owned()
    };
    let cells: Vec<String> = spans.iter().map(|span| cell(span).trim().to_owned()).collect();
    let is_sparse = cells.len() < 2 || cells.len().saturating_mul(2) <= width;
    let is_empty_or_value = |cell: &String| cell.is_empty() || probe.is_value(cell);
    line.starts_with(b"#") || is_sparse || cells.len() <= width && cells.iter().any(is_empty_or_value)
}

/// What a dialect makes of the records after the first one.
#[derive(Debug, Default)]
struct Tally {
    all: u64,
    /// Records that it makes no sense of.
    faults: u64,
    /// The well-formed ones among them, by their number of fields.
    widths: BTreeMap<usize, u64>,
    /// Those of them that have one field more than the first record, which is empty.
    trailing: u64,
    /// Some field is in quotes.
    encloses: bool,
    /// Records that are one field in quotes, with delimiters in it.
    quoted_whole: u64,
    /// Records with `"` where that does not quote.
    ordinary_quotes: u64,
    /// By column, the values of the first records that fit.
    values: Vec<Vec<String>>,
}

fn tally<R: Read>(
    first: &FirstRecord,
    records: &mut Records<R>,
    max_records: u64,
) -> Result<Tally, InferError> {
    let FirstRecord { fields, delimiter, quoting } = first;
    let mut spans: Vec<Span> = Vec::new();
    let has_trailing = fields.len() > 1 && fields.last().is_some_and(String::is_empty);
    let names = fields.len().saturating_sub(usize::from(has_trailing));
    let mut tally = Tally { values: vec![Vec::new(); fields.len()], ..Tally::default() };
    while tally.all < max_records {
        let framing = delimiter.framing(*quoting, records.terminator());
        let Some(record) = records.next(framing, &mut spans)? else { break };
        tally.all = tally.all.saturating_add(1);
        let bytes = records.bytes(&record);
        let is_whole = record.state == RecordState::Whole;
        let ends_empty = spans.last().is_some_and(|span| span.start == span.end);
        // As the engine has it: a header with a delimiter at its end names one column less.
        let is_trailing = ends_empty && spans.len() == names.saturating_add(1);
        let fits = spans.len() == names || is_trailing && names < fields.len();
        let counts = |is_counted: bool| u64::from(is_counted);
        let is_ordinary =
            quoting.is_none_or(|quoting| quoting.quote != USUAL_QUOTE) && bytes.contains(&USUAL_QUOTE);
        let is_in_quotes = |span: &Span| {
            let before = span.start.checked_sub(1).and_then(|at| bytes.get(at));
            quoting.is_some_and(|quoting| before == Some(&quoting.quote))
        };
        tally.encloses |= is_whole && spans.iter().any(is_in_quotes);
        let is_quoted_whole = is_whole && spans.len() == 1 && quoting.is_some() && delimiter.is_in(bytes);
        tally.ordinary_quotes = tally.ordinary_quotes.saturating_add(counts(is_ordinary));
        tally.quoted_whole = tally.quoted_whole.saturating_add(counts(is_quoted_whole));
        let keeps_quotes = || {
            is_ordinary && is_enclosed(bytes) || spans.iter().any(|span| keeps_quotes(bytes, span, *quoting))
        };
        if !is_whole || !fits || keeps_quotes() {
            tally.faults = tally.faults.saturating_add(1);
            if is_whole && !fits {
                let count = tally.widths.entry(spans.len()).or_default();
                *count = count.saturating_add(1);
                tally.trailing = tally.trailing.saturating_add(u64::from(is_trailing));
            }
        } else if tally.all <= FEW_RECORDS {
            for (column, span) in tally.values.iter_mut().zip(&spans) {
                let value = bytes.get(span.start..span.end).unwrap_or_default().trim_ascii();
                if !value.is_empty() {
                    column.push(String::from_utf8_lossy(value).into_owned());
                }
            }
        }
    }
    Ok(tally)
}

/// True for a value that is enclosed in double quotes and read with them.
fn keeps_quotes(record: &[u8], span: &Span, quoting: Option<Quoting>) -> bool {
    let is_content = span.is_escaped && quoting.is_some();
    !is_content && is_enclosed(record.get(span.start..span.end).unwrap_or_default())
}

/// True for text that is enclosed in double quotes.
fn is_enclosed(text: &[u8]) -> bool {
    let text = text.trim_ascii();
    text.len() > 1 && text.starts_with(b"\"") && text.ends_with(b"\"")
}

fn quote_byte(quote: Quote) -> Option<u8> {
    match quote {
        Quote::None => None,
        Quote::Byte(byte) => Some(byte),
    }
}
