//! Rows of a typed file whose columns were checked one after another: nearly all of them. A row that one of its columns
//! finds odd is taken by itself, as if there were no other way, and tells its reasons then.

mod text_place;

use std::ops::Range;

use arrow_buffer::NullBuffer;

use self::text_place::TextPlace;
use super::irregular::IrregularColumns;
use super::{Rows, micros, text};
use crate::cast::text::{Text, Traits};
use crate::cast::{CastValue, Scratch};
use crate::columns::ColumnBuffer;
use crate::copy;
use crate::copy::lines::{BLOCK_BYTES, CopyLines};
use crate::program::{PlanColumn, Raw};
use crate::quality::Quality;
use crate::row_limit::SizeLimits;

/// The columns of a batch.
#[derive(Debug, Default)]
pub(crate) struct CheckedRows {
    columns: Vec<CheckedColumn>,
    /// By row, the columns for which it has to be taken by itself.
    odd: Vec<IrregularColumns>,
    /// By row, where there is an event time.
    times: Vec<i64>,
    /// By quality check, then by row: counted by it. Empty for checks that count no row.
    is_noted: Vec<Vec<bool>>,
    /// The size of each row has to be compared with its limits: the longest values of the batch may exceed them together.
    has_long_rows: bool,
}

/// A column: each row's COPY text.
#[derive(Debug, Default)]
struct CheckedColumn {
    places: Vec<TextPlace>,
    /// What the places are in. Empty when that is the file's own texts.
    written: Vec<u8>,
    /// The same values for Arrow, where they are asked for and are no texts of the file.
    values: Option<ColumnBuffer>,
    /// The values of the dictionary that was checked last, and its number.
    dictionary: Vec<TextPlace>,
    number: u64,
    /// One of the values of the dictionary is odd.
    has_odd: bool,
    /// The places are those of the dictionary.
    is_coded: bool,
}

/// The COPY text of a column, and where in it the values are.
#[derive(Debug, Clone, Copy)]
pub(crate) struct WrittenColumn<'a> {
    text: &'a [u8],
    places: &'a [TextPlace],
    /// By row, the place of its value among those of a dictionary; `None`: each row has its own.
    codes: Option<&'a [i32]>,
}

impl<'a> WrittenColumn<'a> {
    #[inline]
    fn place(&self, row: usize) -> Option<TextPlace> {
        let index = match self.codes {
            Some(codes) => codes.get(row)?.cast_unsigned() as usize,
            None => row,
        };
        self.places.get(index).copied()
    }

    /// The COPY text of a row's value.
    #[inline]
    fn value(&self, row: usize) -> Option<&'a [u8]> {
        self.text.get(self.place(row)?.range())
    }
}

/// Values of a column as the file has them, all of which are texts, side by side.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TextColumn<'a> {
    /// The texts, then [`copy::NULL`] and [`BLOCK_BYTES`] of anything.
    pub(crate) text: &'a str,
    /// One more than there are values: where each begins, and where the last one ends. Missing ones are empty.
    pub(crate) places: &'a [usize],
    /// Of all of them.
    pub(crate) traits: Traits,
}

/// Texts of the file, and by row their places among them if they are those of a dictionary.
pub(crate) type FileTexts<'a> = (TextColumn<'a>, Option<&'a [i32]>);

/// Values of a column as places in a dictionary.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Codes<'a> {
    /// By row; of missing values, anything.
    pub(crate) codes: &'a [i32],
    pub(crate) nulls: Option<&'a NullBuffer>,
    /// The dictionary.
    pub(crate) texts: TextColumn<'a>,
    /// Its number: no two dictionaries of a column have the same, and none has 0.
    pub(crate) number: u64,
}

impl CheckedRows {
    /// Forgets the batch before this one.
    pub(crate) fn start(&mut self, rows: usize, columns: usize) {
        self.odd.clear();
        self.odd.resize(rows, IrregularColumns::default());
        self.times.clear();
        self.times.resize(rows, 0);
        self.is_noted.iter_mut().for_each(Vec::clear);
        self.columns.resize_with(columns, CheckedColumn::default);
        for column in &mut self.columns {
            column.places.clear();
            column.written.clear();
            column.values = None;
            column.is_coded = false;
        }
    }

    /// Rows of the batch.
    pub(crate) fn len(&self) -> usize {
        self.odd.len()
    }

    /// The checked columns. `texts`: by column, those of the file, and the places in its dictionary.
    pub(crate) fn columns<'a>(
        &'a self,
        texts: impl Iterator<Item = Option<FileTexts<'a>>>,
    ) -> Vec<WrittenColumn<'a>> {
        let column = |(column, texts): (&'a CheckedColumn, Option<FileTexts<'a>>)| {
            let (texts, codes) = texts.map_or((None, None), |(texts, codes)| (Some(texts), codes));
            let text = if column.written.is_empty() {
                texts.map_or(&[][..], |texts| texts.text.as_bytes())
            } else {
                &column.written
            };
            match codes.filter(|_| column.is_coded) {
                Some(_) => WrittenColumn { text, places: &column.dictionary, codes },
                None => WrittenColumn { text, places: &column.places, codes: None },
            }
        };
        self.columns.iter().zip(texts).map(column).collect()
    }

    /// The bytes of the longest value of a column; 0 for columns that were not checked.
    fn longest(&self, column: usize) -> usize {
        let Some(column) = self.columns.get(column) else { return 0 };
        let places = if column.is_coded { &column.dictionary } else { &column.places };
        places.iter().map(|place| place.len()).max().unwrap_or(0)
    }

    /// The columns for which a row has to be taken by itself.
    pub(crate) fn odd(&self, row: usize) -> IrregularColumns {
        self.odd.get(row).copied().unwrap_or(IrregularColumns::ALL)
    }

    #[inline]
    fn mark_odd(&mut self, row: usize, column: usize) {
        if let Some(odd) = self.odd.get_mut(row) {
            odd.add(column);
        }
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
    column: &'a PlanColumn,
    index: usize,
    out: CheckedColumn,
    values: Option<ColumnBuffer>,
    is_time: bool,
    is_noted: bool,
    checked: &'a mut CheckedRows,
    quality: &'a Quality,
    noted: &'a mut Vec<usize>,
}

impl ColumnWriter<'_> {
    #[inline(always)]
    fn push(&mut self, row: usize, value: Option<&CastValue<'_>>, is_odd: bool) {
        let written = &mut self.out.written;
        let start = written.len();
        match value {
            Some(value) => self.column.write(value, written),
            None => written.extend_from_slice(copy::NULL),
        }
        let place = TextPlace::new(start..written.len());
        self.out.places.push(if value.is_none() { place.marked(TextPlace::MISSING) } else { place });
        if is_odd {
            self.checked.mark_odd(row, self.index);
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
        out.written.extend_from_slice(&[0; BLOCK_BYTES]);
        if let Some(column) = checked.columns.get_mut(index) {
            *column = CheckedColumn { values, ..out };
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
        value: impl Fn(&PlanColumn, usize) -> Option<Option<CastValue<'static>>>,
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

    /// True when a column can be [checked by its dictionary](Self::check_codes).
    pub(crate) fn takes_codes(&self, index: usize) -> bool {
        self.columns.get(index).is_some_and(PlanColumn::is_verbatim) && !self.quality.looks_at(index)
    }

    /// Checks a column of a batch by the texts of its dictionary, each of which is looked at once. Only for columns whose
    /// texts are [taken so](Self::takes_codes) and are stored as they stand.
    pub(crate) fn check_codes(&mut self, checked: &mut CheckedRows, index: usize, codes: Codes<'_>) {
        let Codes { codes, nulls, texts, number } = codes;
        let (Some(column), Some(out)) = (self.columns.get(index), checked.columns.get_mut(index)) else {
            return;
        };
        let null = texts.null();
        if out.number != number {
            out.number = number;
            out.dictionary.clear();
            let places = texts.places.array_windows();
            out.dictionary.extend(places.map(|[start, end]| column.place(&texts, *start..*end, null).0));
            out.has_odd = out.dictionary.iter().any(|place| place.is(TextPlace::ODD));
        }
        let missing = column.place(&texts, null.start()..null.start(), null).0;
        let odd = null.marked(TextPlace::ODD);
        let nulls = nulls.filter(|nulls| nulls.null_count() > 0);
        let largest = codes.iter().map(|code| code.cast_unsigned()).max().unwrap_or_default();
        if nulls.is_none() && !out.has_odd && (largest as usize) < out.dictionary.len() {
            out.is_coded = true;
            return;
        }
        let rows = codes.iter().zip(&mut checked.odd).enumerate();
        out.places.extend(rows.map(|(row, (code, odd_columns))| {
            let place = if nulls.is_some_and(|nulls| nulls.is_null(row)) {
                missing
            } else {
                out.dictionary.get(code.cast_unsigned() as usize).copied().unwrap_or(odd)
            };
            if place.is(TextPlace::ODD) {
                odd_columns.add(index);
            }
            place
        }));
    }

    /// Checks a column of a batch whose values are texts that are stored as they stand.
    pub(crate) fn check_texts(&mut self, checked: &mut CheckedRows, index: usize, texts: TextColumn<'_>) {
        let Self { columns, quality, noted, .. } = self;
        let (Some(column), Some(out)) = (columns.get(index), checked.columns.get_mut(index)) else { return };
        let mut places = std::mem::take(&mut out.places);
        let null = texts.null();
        let is_noted = quality.looks_at(index);
        noted.clear();
        for (row, [start, end]) in texts.places.array_windows().enumerate() {
            let (place, passed) = column.place(&texts, *start..*end, null);
            if place.is(TextPlace::ODD) {
                checked.mark_odd(row, index);
            }
            places.push(place);
            if is_noted {
                let written = passed.map_or(copy::NULL, |passed| passed.text.as_bytes());
                quality.note(index, passed.map(CastValue::Text).as_ref(), written, noted);
                if !noted.is_empty() {
                    checked.note(noted, row);
                }
            }
        }
        if let Some(out) = checked.columns.get_mut(index) {
            out.places = places;
        }
    }

    /// Finds out whether the sizes of the rows of a batch, whose columns are checked, have to be compared with their limits.
    pub(crate) fn check_sizes(&self, checked: &mut CheckedRows) {
        let exceeds = |limits: &SizeLimits| limits.may_be_exceeded(|column| checked.longest(column));
        checked.has_long_rows = self.size_limits.as_ref().is_some_and(exceeds);
    }

    /// Takes the rows of a batch from `from` on, up to the next odd one, one that is too long or whose key is, or until there is a block.
    /// Returns the row that comes next; that is `from` only where it is too long itself. `columns`: [those of the batch](CheckedRows::columns).
    pub(crate) fn push_checked(
        &mut self,
        checked: &CheckedRows,
        columns: &[WrittenColumn<'_>],
        from: usize,
    ) -> usize {
        let Self { copy_text, gathered, sets, size_limits, keys, totals, limits, count, .. } = self;
        let most = limits.chunk_rows.saturating_sub(*count) as usize;
        let mut lines = CopyLines::new(copy_text, gathered);
        let mut row = from;
        while !checked.odd(row).is_any()
            && row.saturating_sub(from) < most
            && lines.bytes() < limits.chunk_bytes
        {
            let value = |column: usize| columns.get(column)?.value(row);
            let fits = |limits: &SizeLimits| limits.fit(usize::MAX, value);
            if checked.has_long_rows && !size_limits.as_ref().is_none_or(fits) {
                break;
            }
            for column in columns {
                let place = column.place(row).unwrap_or(TextPlace::EMPTY);
                lines.put(column.text.get(place.start()..).unwrap_or_default(), place.len());
            }
            totals.rows_read = totals.rows_read.saturating_add(1);
            lines.end(totals.rows_read);
            let time = checked.times.get(row).copied().unwrap_or_default();
            sets.enter(value, time, totals.rows_read, keys);
            row = row.saturating_add(1);
        }
        lines.finish();
        self.count_accepted(row.saturating_sub(from));
        self.take_over(checked, columns, from..row);
        row
    }

    /// What is done for accepted rows of a batch at once: the counts of checks, and Arrow.
    fn take_over(&mut self, checked: &CheckedRows, columns: &[WrittenColumn<'_>], rows: Range<usize>) {
        for (count, is_noted) in self.totals.quality_counts.iter_mut().zip(&checked.is_noted) {
            let noted = is_noted.get(rows.clone()).unwrap_or_default().iter().filter(|is_noted| **is_noted);
            *count = count.saturating_add(noted.count() as u64);
        }
        let Some(arrow) = &mut self.arrow else { return };
        let before = self.totals.rows_read.saturating_sub(rows.len() as u64);
        (before..self.totals.rows_read).for_each(|before| arrow.accept(before.saturating_add(1)));
        for (index, (column, written)) in checked.columns.iter().zip(columns).enumerate() {
            match &column.values {
                Some(values) => arrow.extend(index, values, rows.clone()),
                None => {
                    let text = |row| {
                        let place = written.place(row).filter(|place| !place.is(TextPlace::MISSING))?;
                        written.text.get(place.range())
                    };
                    arrow.extend_texts(index, rows.clone().map(text));
                }
            }
        }
    }
}

impl TextColumn<'_> {
    /// The place of a missing value.
    fn null(&self) -> TextPlace {
        let at = self.places.last().copied().unwrap_or_default();
        TextPlace::new(at..at.saturating_add(copy::NULL.len())).marked(TextPlace::MISSING)
    }
}

impl PlanColumn {
    /// Where the COPY text of a text is, and the text if it is one that is stored as it stands.
    #[inline(always)]
    fn place<'a>(
        &self,
        texts: &TextColumn<'a>,
        range: Range<usize>,
        null: TextPlace,
    ) -> (TextPlace, Option<Text<'a>>) {
        let Range { start, end } = range;
        let text = texts.text.get(start..end);
        // A closure would not always be compiled into the loop around it.
        let passed = match text {
            Some(text) => self.pass(text, texts.traits),
            None => None,
        };
        let place = match (text, &passed) {
            (Some(text), Some(passed)) => {
                let before = if passed.text.len() == text.len() {
                    0
                } else {
                    // White space was taken off.
                    text.len().saturating_sub(text.trim_start().len())
                };
                let start = start.saturating_add(before);
                TextPlace::new(start..start.saturating_add(passed.text.len()))
            }
            (Some(""), None) if !self.is_required && self.default.is_none() => null,
            _ => null.marked(TextPlace::ODD),
        };
        (place, passed)
    }
}

#[inline]
fn mark(marks: &mut [bool], row: usize) {
    if let Some(mark) = marks.get_mut(row) {
        *mark = true;
    }
}
