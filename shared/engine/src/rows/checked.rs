//! Rows of a typed file whose columns were checked one after another: nearly all of them. A row that one of its columns
//! finds odd is taken by itself, as if there were no other way, and tells its reasons then.

use std::ops::Range;

use super::{Rows, micros, text};
use crate::cast::text::Traits;
use crate::cast::{Scratch, Value};
use crate::columns::ColumnBuffer;
use crate::copy;
use crate::program::{Column, Raw};
use crate::quality::Quality;

/// Short values are copied as one block of this length: so many bytes have to stand behind a value.
pub(crate) const BLOCK_BYTES: usize = 32;

/// The columns of a batch.
#[derive(Debug, Default)]
pub(crate) struct CheckedRows {
    columns: Vec<Checked>,
    /// By row: to be taken by itself.
    is_odd: Vec<bool>,
    /// By row, where there is an event time.
    times: Vec<i64>,
    /// By quality check, then by row: counted by it. Empty for checks that count no row.
    is_noted: Vec<Vec<bool>>,
}

/// A column: each row's COPY text.
#[derive(Debug, Default)]
struct Checked {
    places: Vec<Place>,
    /// What the places are in. Empty when that is the file's own texts.
    written: Vec<u8>,
    /// The same values for Arrow, where they are asked for and are no texts of the file.
    values: Option<ColumnBuffer>,
}

/// Where a value's COPY text is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    start: u32,
    end: u32,
    is_missing: bool,
}

impl Place {
    #[inline]
    fn new(range: Range<usize>, is_missing: bool) -> Self {
        // Texts of a batch are bounded far below 4 GiB.
        let at = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        Self { start: at(range.start), end: at(range.end), is_missing }
    }

    #[inline]
    fn range(self) -> Range<usize> {
        self.start as usize..self.end as usize
    }
}

/// Values of a column as the file has them, all of which are texts, side by side.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Texts<'a> {
    /// The texts, then [`copy::NULL`] and [`BLOCK_BYTES`] of anything.
    pub(crate) text: &'a str,
    /// One more than there are values: where each begins, and where the last one ends. Missing ones are empty.
    pub(crate) places: &'a [usize],
    /// Of all of them.
    pub(crate) traits: Traits,
}

impl CheckedRows {
    /// Forgets the batch before this one.
    pub(crate) fn start(&mut self, rows: usize, columns: usize) {
        self.is_odd.clear();
        self.is_odd.resize(rows, false);
        self.times.clear();
        self.times.resize(rows, 0);
        self.is_noted.iter_mut().for_each(Vec::clear);
        self.columns.resize_with(columns, Checked::default);
        for column in &mut self.columns {
            column.places.clear();
            column.written.clear();
            column.values = None;
        }
    }

    /// Rows of the batch.
    pub(crate) fn len(&self) -> usize {
        self.is_odd.len()
    }

    /// True for a row that has to be taken by itself.
    pub(crate) fn is_odd(&self, row: usize) -> bool {
        self.is_odd.get(row).copied().unwrap_or(true)
    }

    #[cold]
    fn note(&mut self, noted: &mut Vec<usize>, row: usize) {
        let rows = self.len();
        for check in noted.drain(..) {
            if self.is_noted.len() <= check {
                self.is_noted.resize_with(check.saturating_add(1), Vec::new);
            }
            if let Some(is_noted) = self.is_noted.get_mut(check) {
                is_noted.resize(rows, false);
                mark(is_noted, row);
            }
        }
    }
}

/// Writes the values of a column row by row.
struct ColumnWriter<'a> {
    column: &'a Column,
    index: usize,
    out: Checked,
    values: Option<ColumnBuffer>,
    is_time: bool,
    is_noted: bool,
    checked: &'a mut CheckedRows,
    quality: &'a Quality,
    noted: &'a mut Vec<usize>,
}

impl ColumnWriter<'_> {
    #[inline(always)]
    fn push(&mut self, row: usize, value: Option<&Value<'_>>, is_odd: bool) {
        let written = &mut self.out.written;
        let start = written.len();
        match value {
            Some(value) => self.column.write(value, written),
            None => written.extend_from_slice(copy::NULL),
        }
        self.out.places.push(Place::new(start..written.len(), value.is_none()));
        if is_odd {
            mark(&mut self.checked.is_odd, row);
        }
        if self.is_time
            && let Some(time) = self.checked.times.get_mut(row)
        {
            *time = micros(value);
        }
        if self.is_noted || self.values.is_some() {
            let written = self.out.written.get(start..).unwrap_or_default();
            if self.is_noted {
                self.quality.note(self.index, value, written, self.noted);
            }
            if let Some(values) = &mut self.values {
                match (&self.column.pseudonym, value) {
                    (Some(_), Some(_)) => values.push(text(written).as_ref()),
                    _ => values.push(value),
                }
            }
            if !self.noted.is_empty() {
                self.checked.note(self.noted, row);
            }
        }
    }

    fn finish(self) {
        let Self { mut out, values, index, checked, .. } = self;
        out.written.resize(out.written.len().saturating_add(BLOCK_BYTES), 0);
        if let Some(column) = checked.columns.get_mut(index) {
            *column = Checked { values, ..out };
        }
    }
}

impl Rows {
    /// Checks a column of a batch value by value.
    pub(crate) fn check_values<'r>(
        &mut self,
        checked: &mut CheckedRows,
        index: usize,
        raw: impl Fn(usize) -> Raw<'r>,
    ) {
        let (mut writer, scratch) = self.writer(checked, index);
        let column = writer.column;
        for row in 0..writer.checked.len() {
            let mut is_odd = false;
            let raw = raw(row);
            let value = column.run(&raw, scratch, &mut |_| is_odd = true);
            writer.push(row, value.as_ref(), is_odd);
        }
        writer.finish();
    }

    /// Checks a column of a batch whose values have types and are [taken so](Column::is_direct). `value` gives that of a
    /// row: `None` where it has to be looked at by itself, `Some(None)` where it is missing.
    #[inline]
    pub(crate) fn check_direct(
        &mut self,
        checked: &mut CheckedRows,
        index: usize,
        value: impl Fn(&Column, usize) -> Option<Option<Value<'static>>>,
    ) {
        let (mut writer, _) = self.writer(checked, index);
        let column = writer.column;
        for row in 0..writer.checked.len() {
            let value = value(column, row).filter(|value| value.is_some() || !column.is_required);
            writer.push(row, value.flatten().as_ref(), value.is_none());
        }
        writer.finish();
    }

    /// Writes a column that is checked, with the room that its check needs.
    fn writer<'a>(
        &'a mut self,
        checked: &'a mut CheckedRows,
        index: usize,
    ) -> (ColumnWriter<'a>, &'a mut Scratch) {
        let Self { columns, arrow, scratch, quality, event_time, noted, .. } = self;
        noted.clear();
        let writer = ColumnWriter {
            column: columns.get(index).expect("the plan has this column"),
            index,
            out: checked.columns.get_mut(index).map(std::mem::take).unwrap_or_default(),
            values: arrow.as_ref().map(|arrow| arrow.like(index)),
            is_time: *event_time == Some(index),
            is_noted: quality.looks_at(index),
            checked,
            quality,
            noted,
        };
        (writer, scratch)
    }

    /// Checks a column of a batch whose values are texts that are stored as they stand.
    pub(crate) fn check_texts(&mut self, checked: &mut CheckedRows, index: usize, texts: Texts<'_>) {
        let Self { columns, quality, noted, .. } = self;
        let (Some(column), Some(out)) = (columns.get(index), checked.columns.get_mut(index)) else { return };
        let mut places = std::mem::take(&mut out.places);
        let null_at = texts.places.last().copied().unwrap_or_default();
        let null = Place::new(null_at..null_at.saturating_add(copy::NULL.len()), true);
        let is_noted = quality.looks_at(index);
        noted.clear();
        for (row, range) in texts.places.array_windows().enumerate() {
            let [start, end] = *range;
            let text = texts.text.get(start..end);
            let passed = text.and_then(|text| column.pass(text, texts.traits));
            let place = match (text, &passed) {
                (Some(text), Some(passed)) => {
                    // White space was taken off.
                    let before = text.len().saturating_sub(text.trim_start().len());
                    let start =
                        if passed.text.len() == text.len() { start } else { start.saturating_add(before) };
                    Place::new(start..start.saturating_add(passed.text.len()), false)
                }
                (Some(""), None) if !column.is_required && column.default.is_none() => null,
                _ => {
                    mark(&mut checked.is_odd, row);
                    null
                }
            };
            places.push(place);
            if is_noted {
                let written = passed.map_or(copy::NULL, |passed| passed.text.as_bytes());
                quality.note(index, passed.map(Value::Text).as_ref(), written, noted);
                if !noted.is_empty() {
                    checked.note(noted, row);
                }
            }
        }
        if let Some(out) = checked.columns.get_mut(index) {
            out.places = places;
        }
    }

    /// Takes the rows of a batch from `from` on, up to the next odd one or until there is a block. Gives the row that
    /// comes next. `texts`: by column, the file's own.
    pub(crate) fn push_checked(
        &mut self,
        checked: &CheckedRows,
        texts: &[Option<Texts<'_>>],
        from: usize,
    ) -> usize {
        let columns: Vec<(&[u8], &[Place])> = (checked.columns.iter().zip(texts))
            .map(|(column, texts)| {
                let written = if column.written.is_empty() {
                    texts.map_or(&[][..], |texts| texts.text.as_bytes())
                } else {
                    &column.written
                };
                (written, column.places.as_slice())
            })
            .collect();
        let mut row = from;
        while !checked.is_odd(row) && !self.is_ready() {
            self.totals.rows_read = self.totals.rows_read.saturating_add(1);
            for (written, places) in &columns {
                if let Some(place) = places.get(row) {
                    append(&mut self.copy_text, written, place.range());
                }
                self.copy_text.push(copy::DELIMITER);
            }
            let time = checked.times.get(row).copied().unwrap_or_default();
            let value = |column: usize| {
                let (written, places) = columns.get(column)?;
                written.get(places.get(row)?.range())
            };
            self.sets.enter(value, time, self.totals.rows_read, &mut self.keys);
            self.count_accepted();
            row = row.saturating_add(1);
        }
        self.take_over(checked, &columns, from..row);
        row
    }

    /// What is done for accepted rows of a batch at once: the counts of checks, and Arrow.
    fn take_over(&mut self, checked: &CheckedRows, columns: &[(&[u8], &[Place])], rows: Range<usize>) {
        for (count, is_noted) in self.totals.quality_counts.iter_mut().zip(&checked.is_noted) {
            let noted = is_noted.get(rows.clone()).unwrap_or_default().iter().filter(|is_noted| **is_noted);
            *count = count.saturating_add(noted.count() as u64);
        }
        let Some(arrow) = &mut self.arrow else { return };
        let before = self.totals.rows_read.saturating_sub(rows.len() as u64);
        (before..self.totals.rows_read).for_each(|before| arrow.accept(before.saturating_add(1)));
        for (index, (column, (written, places))) in checked.columns.iter().zip(columns).enumerate() {
            match &column.values {
                Some(values) => arrow.extend(index, values, rows.clone()),
                None => {
                    let places = places.get(rows.clone()).unwrap_or_default();
                    let text =
                        |place: &Place| if place.is_missing { None } else { written.get(place.range()) };
                    arrow.extend_texts(index, places.iter().map(text));
                }
            }
        }
    }
}

/// Appends a part of `written`. A short one is copied with what stands behind it, which is then cut off: copying a length
/// that the compiler knows is faster.
#[inline]
fn append(out: &mut Vec<u8>, written: &[u8], place: Range<usize>) {
    let Some(rest) = written.get(place.start..) else { return };
    match rest.first_chunk::<BLOCK_BYTES>() {
        Some(block) if place.len() <= BLOCK_BYTES => {
            let end = out.len().saturating_add(place.len());
            out.extend_from_slice(block);
            out.truncate(end);
        }
        _ => out.extend_from_slice(rest.get(..place.len()).unwrap_or_default()),
    }
}

#[inline]
fn mark(marks: &mut [bool], row: usize) {
    if let Some(mark) = marks.get_mut(row) {
        *mark = true;
    }
}
