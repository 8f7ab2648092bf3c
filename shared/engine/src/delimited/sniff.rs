//! The parts of a dialect that the contract does not declare, found by trying them on the head of the file.

use std::cmp::Reverse;

use penstock_contract::{DelimitedDialect, Quote};

use super::head::{FileHead, HeadRecord};
use super::names::{Located, Names, locate};
use super::quoting::{Blanks, Quoting};
use super::split::{FieldDelimiter, blanks_beside};

const COMMON_DELIMITERS: [&str; 4] = [",", ";", "\t", "|"];
/// Delimiters that are only considered when they find the contract's names.
const RARE_DELIMITERS: [&str; 9] = [":", "~", "^", "#", " ", "\u{1}", "\u{1f}", "||", "::"];
pub(super) const USUAL_QUOTE: u8 = b'"';
const OTHER_QUOTE: u8 = b'\'';
const OTHER_ESCAPE: u8 = b'\\';
/// Records that a delimiter is judged by.
const MAX_RECORDS: usize = 50;

/// A dialect, declared in part and found in part.
#[derive(Debug, Clone)]
pub(crate) struct Sniffed {
    pub(crate) delimiter: FieldDelimiter,
    pub(crate) quoting: Option<Quoting>,
    pub(crate) header: Located,
}

/// Completes the declared dialect. `header_rows`: how many records name the columns together. `searches`: the header may
/// be below other lines.
pub(crate) fn sniff(
    head: FileHead<'_>,
    declared: &DelimitedDialect,
    names: &Names,
    searches: bool,
) -> Sniffed {
    let sniffer = Sniffer { head, declared, names, searches };
    let trial = match declared.quote {
        Some(Quote::None) => sniffer.choose_delimiter(None),
        Some(Quote::Byte(quote)) => sniffer.choose_escape(sniffer.choose_delimiter(Some(Quoting::by(quote)))),
        None => sniffer.choose_quote(),
    };
    let TriedDialect { delimiter, quoting, .. } = sniffer.choose_blanks(trial);
    let header = sniffer.locate(&delimiter, quoting);
    Sniffed { delimiter, quoting, header }
}

struct Sniffer<'a> {
    head: FileHead<'a>,
    declared: &'a DelimitedDialect,
    names: &'a Names,
    searches: bool,
}

/// A dialect that was tried.
#[derive(Debug, Clone)]
struct TriedDialect {
    delimiter: FieldDelimiter,
    quoting: Option<Quoting>,
    score: Score,
}

/// How well a delimiter splits the head; the greatest is the best.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Score {
    /// Names of the contract in the header.
    found: usize,
    /// Fields of that header that are empty.
    unnamed: Reverse<usize>,
    /// Well-formed records with as many fields as the header, if that has several.
    alike: usize,
    width: usize,
}

/// What a dialect makes of the whole head.
#[derive(Debug, Default)]
struct DialectFit {
    malformed: usize,
    /// Well-formed records with another number of fields than the header.
    misfit: usize,
    /// Fields in quotes.
    quoted: usize,
    /// Fields in quotes that contain what would end them otherwise.
    protected: usize,
    /// By column: fields in quotes, and others that are not empty.
    columns: Vec<(usize, usize)>,
    /// Records with blanks around quotes.
    spaced: usize,
    /// Fields after the first that follow one space, and others that are not empty.
    led: usize,
    unled: usize,
}

impl DialectFit {
    fn faults(&self) -> usize {
        self.malformed.saturating_add(self.misfit)
    }
}

impl Sniffer<'_> {
    /// The delimiter under which most names of the contract are found, then the one that splits most records alike,
    /// then the one that yields most fields.
    fn choose_delimiter(&self, quoting: Option<Quoting>) -> TriedDialect {
        if let Some(delimiter) = &self.declared.delimiter {
            return self.attempt(FieldDelimiter::of(delimiter), quoting);
        }
        let occurs = |delimiter: &&str| memchr::memmem::find(self.head.bytes, delimiter.as_bytes()).is_some();
        let attempt = |delimiter: &str| self.attempt(FieldDelimiter::of(delimiter), quoting);
        // What is declared to quote or to escape separates nothing.
        let marks = [quoting.map(|quoting| quoting.quote), self.declared.escape];
        let is_free =
            |delimiter: &&&str| marks.iter().flatten().all(|mark| !delimiter.as_bytes().contains(mark));
        let mut common = COMMON_DELIMITERS.iter().filter(is_free);
        let mut best = attempt(common.next().copied().unwrap_or(","));
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

    fn locate(&self, delimiter: &FieldDelimiter, quoting: Option<Quoting>) -> Located {
        let rows = self.declared.header_rows.map(|rows| rows as usize);
        locate(self.head, delimiter, quoting, self.names, rows, self.searches)
    }

    /// The escape `\` where fewer records are malformed with it.
    fn choose_escape(&self, trial: TriedDialect) -> TriedDialect {
        let Some(quoting) = trial.quoting else { return trial };
        if self.declared.escape.is_some() || !self.head.bytes.contains(&OTHER_ESCAPE) {
            return trial;
        }
        let escaped = Quoting { escape: Some(OTHER_ESCAPE), ..quoting };
        let escaped = self.attempt(trial.delimiter.clone(), Some(escaped));
        if self.tally(&escaped).faults() < self.tally(&trial).faults() { escaped } else { trial }
    }

    /// The quote `"`, unless `'` finds more of the contract's names, or encloses fields of a file in which `"` does not.
    fn choose_quote(&self) -> TriedDialect {
        let usual = self.choose_escape(self.choose_delimiter(Some(Quoting::by(USUAL_QUOTE))));
        if !self.head.bytes.contains(&OTHER_QUOTE) {
            return usual;
        }
        let other = self.choose_escape(self.choose_delimiter(Some(Quoting::by(OTHER_QUOTE))));
        if usual.score.found != other.score.found {
            return if usual.score.found > other.score.found { usual } else { other };
        }
        let (of_usual, of_other) = (self.tally(&usual), self.tally(&other));
        let is_wholly_quoted = |(quoted, bare): &(usize, usize)| *quoted > 0 && *bare == 0;
        let is_quote = of_usual.quoted == 0
            && of_other.faults() <= of_usual.faults()
            && (of_other.protected > 0 || of_other.columns.iter().any(is_wholly_quoted));
        if is_quote { other } else { usual }
    }

    /// Blanks around fields, where they surround quotes or one space follows each delimiter.
    fn choose_blanks(&self, trial: TriedDialect) -> TriedDialect {
        let (Some(quoting), None) = (trial.quoting, self.declared.skip_initial_space) else { return trial };
        let exact =
            TriedDialect { quoting: Some(Quoting { blanks: Blanks::NONE, ..quoting }), ..trial.clone() };
        let (spaced, strict) = (self.tally(&trial), self.tally(&exact));
        // Text such as ` "a" and b` is malformed with blanks and ordinary without.
        let lost = spaced.malformed.saturating_sub(strict.malformed);
        let is_separator = strict.led > 0 && strict.unled == 0 && !self.names.keeps_space;
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
                // What is typical of values is not asked of the names in a header.
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
                    increase(&mut self.unled);
                }
            } else if !is_header && !field.trim_ascii().is_empty() {
                increase(bare);
                if index > 0 {
                    let is_led = matches!(field, [b' ', next, ..] if !next.is_ascii_whitespace());
                    increase(if is_led { &mut self.led } else { &mut self.unled });
                }
            }
        }
        if is_spaced {
            increase(&mut self.spaced);
        }
    }
}
