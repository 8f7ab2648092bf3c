//! Detects the dialect of a delimited sample, except for the parts that the caller knows.

use penstock_contract::{DelimitedDialect, Quote};

use super::error::{InferError, counted};
use super::header::{header_names, numbered, skip_header};
use super::known::KnownFormat;
use super::open::{OpenSample, open_records};
use super::preamble::{COMMON_DELIMITERS, find_table, is_preamble};
use super::tally::{COMMON_QUOTE, DialectTally, FEW_RECORDS, is_enclosed, tally};
use super::types::Probe;
use super::yaml::{DelimitedDraft, QuoteDraft};
use crate::delimited::{FirstRecord, Quoting, read_first};
use crate::limits::Limits;

/// Delimiters that are tried if the common ones do not fit.
const RARE_DELIMITERS: [&str; 8] = ["#", "^", "~", "\u{1f}", "\u{1}", "||", "::", COLON];
/// A delimiter only if a header has names on both sides of it, as times also have colons.
const COLON: &str = ":";
/// The quotes in the order of preference. No quote comes before `'`, which is usually an apostrophe.
const QUOTES: [Quote; 3] = [Quote::Byte(COMMON_QUOTE), Quote::None, Quote::Byte(b'\'')];
const BACKSLASH: u8 = b'\\';
/// The number of records by which a dialect is judged.
const MAX_RECORDS: u64 = 5_000;
/// The minimum number of records in which a quote encloses nothing for quotes to be ordinary characters instead of
/// mistakes.
const MIN_ORDINARY_QUOTES: u64 = 2;
/// The minimum number of rows above a header for a table of their own. They must also be at least a quarter of those below
/// the header.
const MIN_TABLE_ROWS: u64 = 3;
/// The maximum number of lines before the header.
const MAX_PREAMBLE_LINES: usize = 30;
/// The maximum length of those lines.
const MAX_PREAMBLE_BYTES: usize = 64 * 1024;

/// The dialect and column names of a delimited file.
#[derive(Debug)]
pub(super) struct DelimitedSample {
    pub(super) draft: DelimitedDraft,
    pub(super) names: Vec<String>,
    pub(super) encoding: String,
    pub(super) notes: Vec<String>,
}

/// Detects the dialect of the sample and the names of its columns.
pub(super) fn delimited(
    open: &mut OpenSample<'_>,
    limits: &Limits,
    known: &KnownFormat,
) -> Result<DelimitedSample, InferError> {
    let probe = Probe::new()?;
    let mut trials = Trials { open, limits, known, probe: &probe, warnings: Vec::new() };
    let (trial, skip_lines) = trials.best()?;
    let mut notes = trials.warnings;
    notes.extend(trial.warnings(known));
    let SampledDialect { first, escape, encoding, other_width, .. } = trial;
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
            "the first record has values and is read as a row: the file has no header; use `--header true` if it has one"
                .to_owned(),
        );
    }
    // A header that lacks the delimiter at the end of each line still names the columns.
    let is_other = |width: &OtherWidth| known.header.is_none() && !(header && width.is_trailing);
    let names = match other_width.filter(is_other) {
        Some(width) if header => {
            let count = fields.len();
            notes.push(format!(
                "the header has {} and nearly all rows have {}: the header is skipped, and the columns are read by their order",
                counted(count as u64, "name"),
                counted(width.fields as u64, "field"),
            ));
            skip_header(&fields, &mut draft);
            numbered(vec![String::new(); width.fields])
        }
        Some(width) => numbered(vec![String::new(); width.fields]),
        None if header => header_names(fields, &mut draft, &mut notes),
        None => numbered(vec![String::new(); fields.len()]),
    };
    Ok(DelimitedSample { draft, names, encoding, notes })
}

/// The number of fields of nearly all records, if it differs from that of the first one.
#[derive(Debug, Clone, Copy)]
struct OtherWidth {
    fields: usize,
    /// The records have one more field than the first, which is empty: each line ends with a delimiter.
    is_trailing: bool,
}

struct Trials<'t, 'o> {
    open: &'t mut OpenSample<'o>,
    limits: &'t Limits,
    known: &'t KnownFormat,
    probe: &'t Probe,
    /// Notes about the lines above the header.
    warnings: Vec<String>,
}

/// A dialect and how well it fits the sample.
#[derive(Debug)]
struct SampledDialect {
    first: FirstRecord,
    /// The escape with which the dialect was tried, if it was not detected. It is the quote itself if the only escape is
    /// to double the quote.
    escape: Option<u8>,
    encoding: String,
    /// The number of records after the first one.
    records: u64,
    /// Records that are malformed, have another number of fields than the first one, or have a value that still has its
    /// quotes.
    faults: u64,
    other_width: Option<OtherWidth>,
    /// Records with a `"` that encloses nothing, because quotes are ordinary characters.
    ordinary_quotes: u64,
    /// Some field is in quotes.
    encloses: bool,
    /// Nearly all records are a single field in quotes, which contains delimiters.
    is_quoted_whole: bool,
    /// For each column, the values of the first records that fit.
    values: Vec<Vec<String>>,
}

impl SampledDialect {
    /// Returns notes about an unusual dialect.
    fn warnings(&self, known: &KnownFormat) -> Vec<String> {
        let mut warnings = Vec::new();
        if self.first.quoting.is_none() && known.quote.is_none() {
            let evidence = match self.ordinary_quotes {
                0 => "the header has a `\"` that encloses nothing".to_owned(),
                1 => "1 record has a `\"` that encloses nothing".to_owned(),
                records => format!("{records} records have a `\"` that encloses nothing"),
            };
            warnings.push(format!(
                "quotes are ordinary characters (`penstock.quote: none`): {evidence}, and no field is enclosed in quotes; \
                 use `--quote` if the producer does quote fields"
            ));
        }
        if self.is_quoted_whole {
            warnings.push(
                "each record is enclosed in quotes as a whole, so there is one column; to separate the columns, let the \
                 producer write records without these quotes"
                    .to_owned(),
            );
        } else if self.width() == 1 && known.delimiter.is_some() {
            warnings.push("the header does not contain the given delimiter: there is one column".to_owned());
        }
        warnings
    }

    fn width(&self) -> usize {
        self.first.fields.len()
    }

    /// Returns true if nearly all records have as many fields as the first one.
    fn is_supported(&self) -> bool {
        self.faults.saturating_mul(10) <= self.records
    }

    /// Returns true if the header is enclosed in quotes as a whole, above rows of several fields.
    fn has_quoted_header(&self) -> bool {
        let FirstRecord { fields, delimiter, .. } = &self.first;
        let is_split = self.other_width.is_some_and(|width| width.fields > 1);
        is_split && fields.iter().any(|name| delimiter.is_in(name.as_bytes()))
    }

    /// Returns true if all values of a column have a type other than text, so that the line above them is probably a
    /// header.
    fn has_typed_column(&self, probe: &Probe) -> bool {
        let is_typed =
            |values: &Vec<String>| !values.is_empty() && values.iter().all(|value| probe.is_value(value));
        self.values.iter().any(is_typed)
    }

    /// Returns true if the first record may be the header of the others.
    fn is_table(&self) -> bool {
        let named = self.first.fields.iter().filter(|name| !name.is_empty()).count();
        self.is_supported() && named.saturating_mul(2) >= self.width()
    }
}

impl Trials<'_, '_> {
    /// Returns the best dialect, and the number of lines to skip before its header.
    fn best(&mut self) -> Result<(SampledDialect, u32), InferError> {
        let declared = self.known.dialect();
        let skip_lines = self.known.skip_lines.unwrap_or(0);
        let sniffed = self.sniff(&declared, skip_lines);
        // A single column may consist of lines in another dialect, and its name may be a title above them.
        let is_column = sniffed.as_ref().is_ok_and(|trial| trial.width() == 1);
        if self.known.skip_lines.is_none()
            && (is_column || !sniffed.as_ref().is_ok_and(SampledDialect::is_table))
            && let Some((lines, declared)) = self.find_below_preamble(is_column)?
        {
            let trial = self.sniff(&declared, lines);
            let trial = self.improve(trial, lines)?;
            return Ok((self.doubled(trial, lines), lines));
        }
        let trial = self.improve(sniffed, skip_lines)?;
        Ok((self.doubled(trial, skip_lines), skip_lines))
    }

    /// Reads the sample under the detected dialect, with the common quote if a field is enclosed in it.
    fn sniff(&mut self, declared: &DelimitedDialect, skip_lines: u32) -> Result<SampledDialect, InferError> {
        let trial = self.attempt(declared, skip_lines, MAX_RECORDS)?;
        Ok(self.enclosed(&trial, skip_lines).unwrap_or(trial))
    }

    /// Reads the sample with the common quote, if the trial has no quote and a field is enclosed in the common one.
    fn enclosed(&mut self, trial: &SampledDialect, skip_lines: u32) -> Option<SampledDialect> {
        if trial.first.quoting.is_some() || self.known.quote.is_some() {
            return None;
        }
        let delimiter = trial.first.delimiter.to_string();
        let is_header_enclosed = {
            let fields = &trial.first.fields;
            let is_enclosed = |text: &str| is_enclosed(text.as_bytes());
            fields.iter().any(|name| is_enclosed(name)) || is_enclosed(&fields.join(&delimiter))
        };
        let declared = DelimitedDialect {
            delimiter: Some(delimiter),
            quote: Some(Quote::Byte(COMMON_QUOTE)),
            ..self.known.dialect()
        };
        // If the header cannot be read with the quote, no field is enclosed in it.
        let quoted = self.attempt(&declared, skip_lines, MAX_RECORDS).ok()?;
        (is_header_enclosed || quoted.encloses).then_some(quoted)
    }

    /// Reads the sample under a dialect. Its undeclared parts are detected.
    fn attempt(
        &mut self,
        declared: &DelimitedDialect,
        skip_lines: u32,
        max_records: u64,
    ) -> Result<SampledDialect, InferError> {
        let mut records = open_records(self.open, self.limits, self.known, true)?;
        for _ in 0..skip_lines {
            records.skip_line()?;
        }
        let encoding = records.input.encoding().name().to_ascii_lowercase();
        let first = read_first(declared, &mut records)?;
        let DialectTally { all, faults, widths, trailing, encloses, quoted_whole, ordinary_quotes, values } =
            tally(&first, &mut records, max_records)?;
        let is_nearly_all = |count: u64| count.saturating_mul(10) >= all.saturating_mul(9);
        let is_quoted_whole = quoted_whole > 0 && is_nearly_all(quoted_whole);
        let other_width = widths
            .into_iter()
            .find(|(fields, count)| (*fields > 1 || is_quoted_whole) && is_nearly_all(*count))
            .map(|(fields, count)| OtherWidth { fields, is_trailing: trailing == count });
        Ok(SampledDialect {
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

    /// Returns another dialect if more records are well-formed under it than under the detected one.
    fn improve(
        &mut self,
        sniffed: Result<SampledDialect, InferError>,
        skip_lines: u32,
    ) -> Result<SampledDialect, InferError> {
        if sniffed.as_ref().is_ok_and(|trial| trial.faults == 0 && trial.width() > 1) {
            return sniffed;
        }
        let (least_width, mut best) = (sniffed.as_ref().map_or(2, SampledDialect::width).max(2), sniffed);
        for declared in self.alternatives() {
            // A dialect under which the header cannot be read is not an alternative.
            let Ok(trial) = self.attempt(&declared, skip_lines, MAX_RECORDS) else { continue };
            let fits_some = best.as_ref().is_ok_and(|best| best.faults < best.records);
            let is_supported =
                self.is_supported_by_quotes(&trial, fits_some) && self.enclosed(&trial, skip_lines).is_none();
            if !is_supported || !self.is_separated(&trial) {
                continue;
            }
            let is_wide = trial.width() > 1 && trial.width().saturating_mul(2) >= least_width;
            let is_better = match &best {
                Ok(best) if best.width() > 1 => is_wide && trial.faults < best.faults,
                // A single column whose values do not contain the delimiter is better than rows of several fields under a
                // header of one name.
                Ok(best) if trial.width() == 1 => trial.faults < best.faults && !best.has_quoted_header(),
                Ok(_) | Err(_) => is_wide && trial.is_supported(),
            };
            if is_better {
                best = Ok(trial);
            }
        }
        best
    }

    /// Returns false if another quote than `"`, or none, only hides a mistake. `fits_some`: some records are well-formed
    /// under the best dialect so far.
    fn is_supported_by_quotes(&self, trial: &SampledDialect, fits_some: bool) -> bool {
        match trial.first.quoting {
            Some(_) | None if self.known.quote.is_some() => true,
            Some(Quoting { quote: COMMON_QUOTE, .. }) => true,
            Some(_) => trial.encloses,
            None => !fits_some || trial.ordinary_quotes >= MIN_ORDINARY_QUOTES,
        }
    }

    /// Returns false for a colon as the delimiter that may be part of times, or separate a key from its value.
    fn is_separated(&self, trial: &SampledDialect) -> bool {
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

    /// Returns the dialect with a doubled delimiter, if every second name is empty under the single one.
    fn doubled(&mut self, single: SampledDialect, skip_lines: u32) -> SampledDialect {
        let FirstRecord { fields, delimiter, .. } = &single.first;
        // Two common delimiters in a row rather enclose an empty column.
        let is_common = [",", ";", "\t"].contains(&delimiter.to_string().as_str());
        let is_doubled = !is_common
            && fields.len() > 2
            && fields.len() % 2 == 1
            && fields.iter().enumerate().all(|(index, name)| name.is_empty() == (index % 2 == 1));
        if self.known.delimiter.is_some() || !is_doubled {
            return single;
        }
        let delimiter = Some(delimiter.to_string().repeat(2));
        let declared = DelimitedDialect { delimiter, ..self.known.dialect() };
        match self.attempt(&declared, skip_lines, MAX_RECORDS) {
            Ok(doubled) if doubled.faults <= single.faults => doubled,
            // A dialect under which the header cannot be read is not an alternative.
            Ok(_) | Err(_) => single,
        }
    }

    /// Returns every dialect that agrees with the known parts, the simplest first.
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

    /// Finds a header below other lines, and returns the number of lines to skip and the dialect. The header is the first
    /// line that has a name in each field and as many fields as nearly all lines below it. `needs_typed_column`: there must
    /// also be a column of numbers, dates and the like below it.
    fn find_below_preamble(
        &mut self,
        needs_typed_column: bool,
    ) -> Result<Option<(u32, DelimitedDialect)>, InferError> {
        let probe = self.probe;
        let lines = self.first_lines()?;
        for (count, line) in (0_u32..).zip(&lines).skip(1) {
            if line.trim_ascii().is_empty() {
                continue;
            }
            let Ok(trial) = self.attempt(&self.known.dialect(), count, FEW_RECORDS) else { continue };
            let FirstRecord { fields, delimiter, quoting } = &trial.first;
            let is_name = |name: &String| !name.is_empty() && !probe.is_value(name);
            let width = trial.width();
            let names = fields.strip_suffix(&[String::new()]).unwrap_or(fields);
            let above = || lines.iter().take(count as usize);
            let is_set_apart = above().next_back().is_some_and(|line| line.trim_ascii().is_empty());
            let is_header = width > 1
                && trial.records > 0
                && trial.is_supported()
                && (!needs_typed_column || trial.has_typed_column(probe))
                && names.iter().all(is_name)
                && (is_set_apart || above().all(|line| is_preamble(line, delimiter, *quoting, width, probe)));
            if is_header {
                let records = trial.records;
                let lines = self.lines_to_skip(&lines, count, records);
                return Ok(lines.map(|lines| (lines, self.known.dialect())));
            }
        }
        Ok(None)
    }

    /// Returns the number of lines to skip for a header that is below `count` lines. If these lines are a table themselves,
    /// that table is read, and only the lines above it are skipped; returns `None` if there are none. `records`: the
    /// number of records below the header.
    fn lines_to_skip(&mut self, lines: &[Vec<u8>], count: u32, records: u64) -> Option<u32> {
        let above = lines.get(..count as usize).expect("the header is one of the lines");
        let table = find_table(above, self.probe);
        if table.is_typed && table.rows >= MIN_TABLE_ROWS && table.rows.saturating_mul(4) >= records {
            self.warnings.push(format!(
                "line {} looks like the header of a second table: the contract describes only the first table, and rows of \
                 the second table that do not fit it are rejected; deliver one table per file",
                count.saturating_add(1)
            ));
            let start = u32::try_from(table.start).expect("the table begins within at most 30 lines");
            return Some(start).filter(|start| *start > 0);
        }
        if table.rows > 1 {
            self.warnings.push(format!(
                "{} of the skipped lines look like rows: use `--skip-lines` if they belong to the table",
                table.rows
            ));
        }
        Some(count)
    }

    fn first_lines(&mut self) -> Result<Vec<Vec<u8>>, InferError> {
        let mut records = open_records(self.open, self.limits, self.known, true)?;
        let terminator = records.terminator();
        let head = records.head(MAX_PREAMBLE_BYTES)?;
        let lines = head.split(|byte| *byte == terminator).take(MAX_PREAMBLE_LINES.saturating_add(1));
        Ok(lines.map(<[u8]>::to_vec).collect())
    }
}

fn quote_byte(quote: Quote) -> Option<u8> {
    match quote {
        Quote::None => None,
        Quote::Byte(byte) => Some(byte),
    }
}
