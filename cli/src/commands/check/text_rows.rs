//! Accepted rows as text, written while the input is being read.
//!
//! Whether rows are loaded, and which are replaced, is known only at the end of the input. Replaced rows are then removed
//! in place, or all rows of the input are cut off: reading the output again costs much less than checking the input
//! again.

use std::io::{Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::FileExt as _;

use anyhow::{Context as _, Result, bail};
use memchr::{memchr, memchr_iter};
use penstock_engine::{AcceptedRows, Duplicates, Plan};

use super::copy_text::{JsonColumn, push_csv, push_ndjson};
use super::output::OutputFile;

/// The size of the buffers for writing and for reading again.
const BUFFER_BYTES: usize = 1024 * 1024;

/// The format of the rows.
pub(super) enum TextRowFormat {
    Csv { columns: usize },
    Ndjson(Vec<JsonColumn>),
}

/// A file of rows while it is being written.
pub(super) struct TextRows {
    output: OutputFile,
    format: TextRowFormat,
    buffer: Vec<u8>,
    /// The size of the file, without the buffer.
    written: u64,
    /// The offset of the current input's first row.
    start: u64,
    /// The row numbers of the current input; `None` when the contract never replaces rows.
    rows: Option<RowSet>,
}

impl TextRows {
    pub(super) fn create(
        output: OutputFile,
        format: TextRowFormat,
        header: &[u8],
        plan: &Plan,
    ) -> Result<Self> {
        let rows = plan.finds_duplicates().then(RowSet::default);
        let mut text = Self { output, format, buffer: header.to_vec(), written: 0, start: 0, rows };
        text.flush()?;
        text.start = text.written;
        Ok(text)
    }

    /// Adds rows of the current input.
    pub(super) fn add(&mut self, rows: &AcceptedRows) -> Result<()> {
        let mut from = 0;
        for end in memchr_iter(b'\n', &rows.copy_text) {
            let line = &rows.copy_text[from..end];
            from = end + 1;
            let row = match &self.format {
                TextRowFormat::Csv { columns } => push_csv(*columns, line, &mut self.buffer),
                TextRowFormat::Ndjson(columns) => push_ndjson(columns, line, &mut self.buffer)?,
            };
            if let Some(rows) = &mut self.rows {
                rows.insert(row_number(row)?);
            }
            if self.buffer.len() >= BUFFER_BYTES {
                self.flush()?;
            }
        }
        Ok(())
    }

    /// Commits the rows of the current input, except those that a newer row with the same key replaces.
    pub(super) fn commit(&mut self, duplicates: &Duplicates) -> Result<()> {
        self.flush()?;
        if duplicates.replaced() > 0 {
            self.remove_replaced(duplicates)?;
        }
        self.end_input()
    }

    /// Removes the rows of the current input.
    pub(super) fn discard(&mut self) -> Result<()> {
        self.buffer.clear();
        self.written = self.start;
        self.end_input()
    }

    pub(super) fn finish(self) -> Result<()> {
        self.output.persist()
    }

    fn flush(&mut self) -> Result<()> {
        let written = self.output.file().write_all(&self.buffer);
        written.with_context(|| format!("{}", self.output.path().display()))?;
        self.written += self.buffer.len() as u64;
        self.buffer.clear();
        Ok(())
    }

    /// Sets the start of the next input to the end of the written rows.
    fn end_input(&mut self) -> Result<()> {
        let context = || "shortening the file of accepted rows";
        let file = self.output.file();
        file.set_len(self.written).with_context(context)?;
        file.seek(SeekFrom::Start(self.written)).with_context(context)?;
        self.start = self.written;
        if let Some(rows) = &mut self.rows {
            *rows = RowSet::default();
        }
        Ok(())
    }

    /// Removes replaced rows by moving the remaining ones forward. The write position never passes the read position.
    fn remove_replaced(&mut self, duplicates: &Duplicates) -> Result<()> {
        let is_quoted = matches!(self.format, TextRowFormat::Csv { .. });
        let rows = self.rows.as_ref().expect("only a plan that finds duplicates replaces rows");
        let mut rows = rows.iter();
        let mut row = rows.next();
        let mut in_quotes = false;
        let (mut buffer, mut remaining) = (vec![0; BUFFER_BYTES], Vec::with_capacity(BUFFER_BYTES));
        let (mut read, mut write) = (self.start, self.start);
        let file = self.output.file();
        while read < self.written {
            let length = usize::try_from((self.written - read).min(BUFFER_BYTES as u64))
                .expect("at most BUFFER_BYTES");
            let mut rest = &mut buffer[..length];
            file.read_exact_at(rest, read).context("reading the file of accepted rows again")?;
            read += length as u64;
            remaining.clear();
            while !rest.is_empty() {
                let end = memchr(b'\n', rest).map_or(rest.len(), |end| end + 1);
                let (piece, behind) = rest.split_at_mut(end);
                // A line feed between quotes is part of a field. Only CSV has such line feeds; NDJSON escapes them.
                let quotes = piece.iter().filter(|byte| is_quoted && **byte == b'"').count();
                in_quotes ^= quotes % 2 == 1;
                let Some(current) = row else { bail!("the file has more rows than were accepted") };
                if !duplicates.is_replaced(current) {
                    remaining.extend_from_slice(piece);
                }
                if piece.ends_with(b"\n") && !in_quotes {
                    row = rows.next();
                }
                rest = behind;
            }
            file.write_all_at(&remaining, write).context("writing the file of accepted rows again")?;
            write += remaining.len() as u64;
        }
        if row.is_some() {
            bail!("the file has fewer rows than were accepted");
        }
        self.written = write;
        Ok(())
    }
}

fn row_number(digits: &[u8]) -> Result<u64> {
    let number = std::str::from_utf8(digits).ok().and_then(|digits| digits.parse().ok());
    number.with_context(|| format!("`{}` is not a row number", digits.escape_ascii()))
}

/// A set of row numbers, one bit each.
#[derive(Debug, Default)]
struct RowSet {
    words: Vec<u64>,
}

impl RowSet {
    fn insert(&mut self, row: u64) {
        let word = usize::try_from(row / 64).expect("the set of row numbers fits in memory");
        if self.words.len() <= word {
            self.words.resize(word + 1, 0);
        }
        self.words[word] |= 1 << (row % 64);
    }

    fn iter(&self) -> impl Iterator<Item = u64> {
        (0..).step_by(64).zip(&self.words).flat_map(|(first, word): (u64, _)| {
            (0..64).filter(move |bit| word >> bit & 1 == 1).map(move |bit| first + bit)
        })
    }
}
