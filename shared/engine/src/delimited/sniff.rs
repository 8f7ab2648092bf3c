//! Detects the parts of a dialect that the contract does not declare, by trying dialects on the head of the file.

use std::cmp::Reverse;

use penstock_contract::{DelimitedDialect, Quote};

use super::head::{FileHead, HeadRecord};
use super::names::{ContractNames, HeaderLocation, locate};
use super::quoting::{Blanks, Quoting};
use super::split::{FieldDelimiter, blanks_beside};

const COMMON_DELIMITERS: [&str; 4] = [",", ";", "\t", "|"];
/// Delimiters that are only considered if the header under them has the contract's names.
const RARE_DELIMITERS: [&str; 9] = [":", "~", "^", "#", " ", "\u{1}", "\u{1f}", "||", "::"];
pub(super) const COMMON_QUOTE: u8 = b'"';
const OTHER_QUOTE: u8 = b'\'';
const OTHER_ESCAPE: u8 = b'\\';
/// The number of records by which a delimiter is scored.
const MAX_RECORDS: usize = 50;

/// A dialect of which some parts are declared and the others detected.
#[derive(Debug, Clone)]
pub(crate) struct SniffedDialect {
    pub(crate) delimiter: FieldDelimiter,
    pub(crate) quoting: Option<Quoting>,
    pub(crate) header: HeaderLocation,
}

/// Detects the parts of the dialect that are not declared. `searches`: the header may be below other lines.
pub(crate) fn sniff(
    head: FileHead<'_>,
    declared: &DelimitedDialect,
    names: &ContractNames,
    searches: bool,
) -> SniffedDialect {
    let sniffer = Sniffer { head, declared, names, searches };
    let trial = match declared.quote {
        Some(Quote::None) => sniffer.choose_delimiter(None),
        Some(Quote::Byte(quote)) => sniffer.choose_escape(sniffer.choose_delimiter(Some(Quoting::by(quote)))),
        None => sniffer.choose_quote(),
    };
    let TriedDialect { delimiter, quoting, .. } = sniffer.choose_blanks(trial);
    let header = sniffer.locate(&delimiter, quoting);
    SniffedDialect { delimiter, quoting, header }
}

struct Sniffer<'a> {
    head: FileHead<'a>,
    declared: &'a DelimitedDialect,
    names: &'a ContractNames,
    searches: bool,
}

/// A dialect that was tried.
#[derive(Debug, Clone)]
struct TriedDialect {
    delimiter: FieldDelimiter,
    quoting: Option<Quoting>,
    score: Score,
}

/// The score of a delimiter on the head of the file. A greater score is better; the fields are compared in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Score {
    /// The number of the contract's names in the header.
    found: usize,
    /// The number of empty fields in that header.
    unnamed: Reverse<usize>,
    /// The number of well-formed records with as many fields as the header, if it has several.
    alike: usize,
    width: usize,
}

/// Counts of records and fields that show how well a dialect fits the whole head.
#[derive(Debug, Default)]
struct DialectFit {
    malformed: usize,
    /// Well-formed records with another number of fields than the header.
    misfit: usize,
    /// Fields in quotes.
    quoted: usize,
    /// Fields in quotes that contain a delimiter, a quote or a line end.
    protected: usize,
    /// For each column, the fields in quotes, and the other fields that are not empty.
    columns: Vec<(usize, usize)>,
    /// Records with blanks around quotes.
    spaced: usize,
    /// Unquoted fields other than the first that begin with exactly one space.
    after_space: usize,
    /// The other fields after the first that are not empty.
    not_after_space: usize,
}

impl DialectFit {
    fn faults(&self) -> usize {
        self.malformed.saturating_add(self.misfit)
    }
}

impl Sniffer<'_> {
    /// Returns the dialect with the best delimiter: the one under which the header has most names of the contract, then
    /// the one that splits most records into the same number of fields, then the one that yields most fields.
    fn choose_delimiter(&self, quoting: Option<Quoting>) -> TriedDialect {
        if let Some(delimiter) = &self.declared.delimiter {
            return self.attempt(FieldDelimiter::of(delimiter), quoting);
        }
        let occurs = |delimiter: &&str| memchr::memmem::find(self.head.bytes, delimiter.as_bytes()).is_some();
        let attempt = |delimiter: &str| self.attempt(FieldDelimiter::of(delimiter), quoting);
        // A declared quote or escape cannot be part of the delimiter.
        let marks = [quoting.map(|quoting| quoting.quote), self.declared.escape];
        let is_free =
            |delimiter: &&&str| marks.iter().flatten().all(|mark| !delimiter.as_bytes().contains(mark));
        let mut common = COMMON_DELIMITERS.iter().filter(is_free);
        let first = common.next().expect("two marks exclude at most two of the common delimiters");
        let mut best = attempt(first);
        for delimiter in common.filter(|delimiter| occurs(delimiter)) {
            let trial = attempt(delimiter);
            if trial.score > best.score {
                best = trial;
            }
        }
        for delimiter in RARE_DELIMITERS
            .iter()
            .filter(is_free)
            .filter(|delimiter| !self.names.is_empty() && occurs(delimiter))
        {
            let trial = attempt(delimiter);
            let by_names = |score: Score| (score.found, score.unnamed);
            if trial.score.found >= self.names.least() && by_names(trial.score) > by_names(best.score) {
                best = trial;
            }
        }
        best
    }

    fn attempt(&self, delimiter: FieldDelimiter, quoting: Option<Quoting>) -> TriedDialect {
        let blanks = match self.declared.skip_initial_space {
            Some(false) => Blanks::NONE,
            Some(true) | None => blanks_beside(&delimiter),
        };
        let escape = |quote: u8| self.declared.escape.filter(|escape| *escape != quote);
        let quoting = quoting.map(|quoting| Quoting {
            escape: quoting.escape.or_else(|| escape(quoting.quote)),
            blanks,
            ..quoting
        });
        let header = self.locate(&delimiter, quoting);
        let records = self.head.after_lines(header.lines).records(&delimiter, quoting, MAX_RECORDS);
        let width = records.first().map_or(0, |record| record.spans.len());
        let alike =
            records.iter().filter(|record| !record.is_malformed && record.spans.len() == width).count();
        let score = Score {
            found: header.found,
            unnamed: Reverse(if header.found > 0 { header.unnamed } else { 0 }),
            alike: if width > 1 { alike } else { 0 },
            width,
        };
        TriedDialect { delimiter, quoting, score }
    }

    fn locate(&self, delimiter: &FieldDelimiter, quoting: Option<Quoting>) -> HeaderLocation {
        let rows = self.declared.header_rows.map(|rows| rows as usize);
        locate(self.head, delimiter, quoting, self.names, rows, self.searches)
    }

    /// Returns the dialect with the escape `\` if fewer records are malformed with it.
    fn choose_escape(&self, trial: TriedDialect) -> TriedDialect {
        let Some(quoting) = trial.quoting else { return trial };
        if self.declared.escape.is_some() || !self.head.bytes.contains(&OTHER_ESCAPE) {
            return trial;
        }
        let escaped = Quoting { escape: Some(OTHER_ESCAPE), ..quoting };
        let escaped = self.attempt(trial.delimiter.clone(), Some(escaped));
        if self.tally(&escaped).faults() < self.tally(&trial).faults() { escaped } else { trial }
    }

    /// Returns the dialect with the quote `"`, or with `'` if the header then has more of the contract's names, or if only
    /// `'` encloses fields.
    fn choose_quote(&self) -> TriedDialect {
        let common = self.choose_escape(self.choose_delimiter(Some(Quoting::by(COMMON_QUOTE))));
        if !self.head.bytes.contains(&OTHER_QUOTE) {
            return common;
        }
        let other = self.choose_escape(self.choose_delimiter(Some(Quoting::by(OTHER_QUOTE))));
        if common.score.found != other.score.found {
            return if common.score.found > other.score.found { common } else { other };
        }
        let (of_common, of_other) = (self.tally(&common), self.tally(&other));
        let is_wholly_quoted = |(quoted, bare): &(usize, usize)| *quoted > 0 && *bare == 0;
        let is_quote = of_common.quoted == 0
            && of_other.faults() <= of_common.faults()
            && (of_other.protected > 0 || of_other.columns.iter().any(is_wholly_quoted));
        if is_quote { other } else { common }
    }

    /// Returns the dialect in which blanks around fields are skipped, if blanks surround quotes or each delimiter is
    /// followed by one space; otherwise the one in which they belong to the fields.
    fn choose_blanks(&self, trial: TriedDialect) -> TriedDialect {
        let (Some(quoting), None) = (trial.quoting, self.declared.skip_initial_space) else { return trial };
        let exact =
            TriedDialect { quoting: Some(Quoting { blanks: Blanks::NONE, ..quoting }), ..trial.clone() };
        let (spaced, strict) = (self.tally(&trial), self.tally(&exact));
        // A field such as ` "a" and b` is malformed if blanks are skipped, and ordinary if they are not.
        let lost = spaced.malformed.saturating_sub(strict.malformed);
        let is_separator = strict.after_space > 0 && strict.not_after_space == 0 && !self.names.keeps_space;
        if spaced.spaced > lost || is_separator && lost == 0 { trial } else { exact }
    }

    fn tally(&self, trial: &TriedDialect) -> DialectFit {
        let TriedDialect { delimiter, quoting, .. } = trial;
        let mut tally = DialectFit::default();
        let lines = self.locate(delimiter, *quoting).lines;
        let records = self.head.after_lines(lines).records(delimiter, *quoting, usize::MAX);
        let width = records.first().map_or(0, |record| record.spans.len());
        for (index, record) in records.iter().enumerate() {
            if record.is_malformed {
                tally.malformed = tally.malformed.saturating_add(1);
                continue;
            }
            if record.spans.len() != width {
                tally.misfit = tally.misfit.saturating_add(1);
            }
            if let Some(quoting) = quoting {
                // The names in a header need not look like values.
                let is_header = index == 0 && records.len() > 1;
                tally.add(record, is_header, delimiter, *quoting, self.head.terminator);
            }
        }
        tally
    }
}

impl DialectFit {
    /// Counts the fields of a well-formed record.
    fn add(
        &mut self,
        record: &HeadRecord<'_>,
        is_header: bool,
        delimiter: &FieldDelimiter,
        quoting: Quoting,
        terminator: u8,
    ) {
        if self.columns.len() < record.spans.len() {
            self.columns.resize(record.spans.len(), (0, 0));
        }
        let increase = |count: &mut usize| *count = count.saturating_add(1);
        let mut is_spaced = false;
        for (index, (span, (quoted, bare))) in record.spans.iter().zip(&mut self.columns).enumerate() {
            let field = record.field(span);
            if record.is_quoted(span, quoting.quote) {
                increase(&mut self.quoted);
                is_spaced |= record.has_blanks_around(span, quoting);
                if span.is_escaped || delimiter.is_in(field) || field.contains(&terminator) {
                    increase(&mut self.protected);
                }
                if !is_header {
                    increase(quoted);
                }
                if !is_header && index > 0 {
                    increase(&mut self.not_after_space);
                }
            } else if !is_header && !field.trim_ascii().is_empty() {
                increase(bare);
                if index > 0 {
                    let is_after_space = matches!(field, [b' ', next, ..] if !next.is_ascii_whitespace());
                    increase(if is_after_space { &mut self.after_space } else { &mut self.not_after_space });
                }
            }
        }
        if is_spaced {
            increase(&mut self.spaced);
        }
    }
}
