//! Rows of formats with types, checked column by column. Rows that a column marks as irregular are checked again one by
//! one, which yields their reasons; nearly all rows are regular.

mod text_place;

use std::ops::Range;

use arrow_buffer::NullBuffer;

use self::text_place::TextPlace;
use super::irregular::IrregularColumns;
use super::{Rows, event_micros, pseudonym, written_since};
use crate::cast::text::{Text, Traits};
use crate::cast::{CastValue, Scratch};
use crate::columns::ColumnBuffer;
use crate::copy;
use crate::program::{PlanColumn, Raw};
use crate::quality::Quality;
use crate::row_limit::SizeLimits;

/// The columns of a batch.
#[derive(Debug, Default)]
pub(crate) struct CheckedRows {
    columns: Vec<CheckedColumn>,
    /// By row, the columns for which it is irregular.
    irregular: Vec<IrregularColumns>,
    /// Event times by row; 0 if the contract has none.
    times: Vec<i64>,
    /// Whether a quality check counts a row, by check and row. Empty for checks that count none.
    is_noted: Vec<Vec<bool>>,
    /// The size of each row has to be compared with the limits, because the longest values of the batch exceed them together.
    has_long_rows: bool,
}

/// The COPY texts of a column.
#[derive(Debug, Default)]
struct CheckedColumn {
    places: Vec<TextPlace>,
    /// The text that `places` refer to; empty if they refer to the texts of the file.
    written: Vec<u8>,
    /// The same values for Arrow, if they are requested and are not texts of the file.
    values: Option<ColumnBuffer>,
    /// The places of the values of the last checked dictionary, and its number.
    dictionary: Vec<TextPlace>,
    number: u64,
    /// A value of the dictionary is irregular.
    has_irregular: bool,
    /// The places of rows are those of `dictionary`.
    is_coded: bool,
}

/// The COPY text of a column and the places of its values.
#[derive(Debug, Clone, Copy)]
pub(crate) struct WrittenColumn<'a> {
    text: &'a [u8],
    places: &'a [TextPlace],
    /// The index of each row's value in a dictionary; `None` if each row has its own place.
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

    /// Returns the COPY text of a row's value.
    #[inline]
    fn value(&self, row: usize) -> Option<&'a [u8]> {
        self.text.get(self.place(row)?.range())
    }
}

/// The texts of a column of the file, one after another.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TextColumn<'a> {
    /// The texts, followed by [`copy::NULL`].
    pub(crate) text: &'a str,
    /// The start of each value and the end of the last one, so one more than there are values. Missing values are empty.
    pub(crate) places: &'a [usize],
    /// The traits that all of the texts have.
    pub(crate) traits: Traits,
}

/// The texts of a column, and each row's index if they are those of a dictionary.
pub(crate) type FileTexts<'a> = (TextColumn<'a>, Option<&'a [i32]>);

/// A column with a dictionary.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Codes<'a> {
    /// The index of each row's value in the dictionary; arbitrary for missing values.
    pub(crate) codes: &'a [i32],
    pub(crate) nulls: Option<&'a NullBuffer>,
    /// The values of the dictionary.
    pub(crate) texts: TextColumn<'a>,
    /// A number that is unique among the dictionaries of the column and not 0.
    pub(crate) number: u64,
}

impl CheckedRows {
    /// Clears the previous batch and starts one of `rows` rows.
    pub(crate) fn start(&mut self, rows: usize, columns: usize) {
        self.irregular.clear();
        self.irregular.resize(rows, IrregularColumns::default());
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

    /// Returns the number of rows of the batch.
    pub(crate) fn len(&self) -> usize {
        self.irregular.len()
    }

    /// Returns the checked columns. `texts` are the texts of the file, by column.
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

    /// Returns the length of the longest value of a column in bytes; 0 for columns that were not checked.
    fn longest(&self, column: usize) -> usize {
        let Some(column) = self.columns.get(column) else { return 0 };
        let places = if column.is_coded { &column.dictionary } else { &column.places };
        places.iter().map(|place| place.len()).max().unwrap_or(0)
    }

    /// Returns the columns for which a row is irregular.
    pub(crate) fn irregular(&self, row: usize) -> IrregularColumns {
        self.irregular.get(row).copied().unwrap_or(IrregularColumns::ALL)
    }

    #[inline]
    fn mark_irregular(&mut self, row: usize, column: usize) {
        self.irregular.get_mut(row).expect("there is an entry for each row").add(column);
    }

    #[cold]
    fn note(&mut self, noted: &mut Vec<usize>, row: usize) {
        let rows = self.len();
        for check in noted.drain(..) {
            if self.is_noted.len() <= check {
                self.is_noted.resize_with(check.saturating_add(1), Vec::new);
            }
            let is_noted = self.is_noted.get_mut(check).expect("it was made above");
            is_noted.resize(rows, false);
            *is_noted.get_mut(row).expect("there is an entry for each row") = true;
        }
    }
}

/// A writer of the values of a column, row by row.
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
    fn push(&mut self, row: usize, value: Option<&CastValue<'_>>, is_irregular: bool) {
        let written = &mut self.out.written;
        let start = written.len();
        match value {
            Some(value) => self.column.write(value, written),
            None => written.extend_from_slice(copy::NULL),
        }
        let place = TextPlace::new(start..written.len());
        self.out.places.push(if value.is_none() { place.marked(TextPlace::MISSING) } else { place });
        if is_irregular {
            self.checked.mark_irregular(row, self.index);
        }
        if self.is_time {
            *self.checked.times.get_mut(row).expect("there is a time for each row") = event_micros(value);
        }
        if self.is_noted || self.values.is_some() {
            let written = written_since(&self.out.written, start);
            if self.is_noted {
                self.quality.count_value(self.index, value, written, self.noted);
            }
            if let Some(values) = &mut self.values {
                match (&self.column.pseudonym, value) {
                    (Some(_), Some(_)) => values.push(Some(&pseudonym(written))),
                    _ => values.push(value),
                }
            }
            if !self.noted.is_empty() {
                self.checked.note(self.noted, row);
            }
        }
    }

    fn finish(self) {
        let Self { out, values, index, checked, .. } = self;
        let column = checked.columns.get_mut(index).expect("the column was taken from here");
        *column = CheckedColumn { values, ..out };
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
            let mut is_irregular = false;
            let raw = raw(row);
            let value = column.run(&raw, scratch, &mut |_| is_irregular = true);
            writer.push(row, value.as_ref(), is_irregular);
        }
        writer.finish();
    }

    /// Checks a column whose values have types that are [stored directly](PlanColumn::is_direct). `value` returns that of a row:
    /// `None` for an irregular value, `Some(None)` for a missing one.
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

    /// Returns a writer for a column, and the buffers that its checks need.
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
            out: std::mem::take(checked.columns.get_mut(index).expect("there is an entry for each column")),
            values: arrow.as_ref().map(|arrow| arrow.like(index)),
            is_time: *event_time == Some(index),
            is_noted: quality.counts_values_of(index),
            checked,
            quality,
            noted,
        };
        (writer, scratch)
    }

    /// Returns whether a column can be [checked by its dictionary](Self::check_codes).
    pub(crate) fn takes_codes(&self, index: usize) -> bool {
        self.columns.get(index).is_some_and(PlanColumn::is_verbatim) && !self.quality.counts_values_of(index)
    }

    /// Checks a column by its dictionary, each value of which is checked once. Only for [such columns](Self::takes_codes).
    pub(crate) fn check_codes(&mut self, checked: &mut CheckedRows, index: usize, codes: Codes<'_>) {
        let Codes { codes, nulls, texts, number } = codes;
        let column = self.columns.get(index).expect("the plan has this column");
        let out = checked.columns.get_mut(index).expect("there is an entry for each column");
        let null = texts.null();
        if out.number != number {
            out.number = number;
            out.dictionary.clear();
            let places = texts.places.array_windows();
            out.dictionary.extend(places.map(|[start, end]| column.place(&texts, *start..*end, null).0));
            out.has_irregular = out.dictionary.iter().any(|place| place.is(TextPlace::IRREGULAR));
        }
        let missing = column.place(&texts, null.start()..null.start(), null).0;
        let irregular = null.marked(TextPlace::IRREGULAR);
        let nulls = nulls.filter(|nulls| nulls.null_count() > 0);
        let largest = codes.iter().map(|code| code.cast_unsigned()).max();
        let are_codes_valid = largest.is_none_or(|code| (code as usize) < out.dictionary.len());
        if nulls.is_none() && !out.has_irregular && are_codes_valid {
            out.is_coded = true;
            return;
        }
        let rows = codes.iter().zip(&mut checked.irregular).enumerate();
        out.places.extend(rows.map(|(row, (code, irregular_columns))| {
            let place = if nulls.is_some_and(|nulls| nulls.is_null(row)) {
                missing
            } else {
                out.dictionary.get(code.cast_unsigned() as usize).copied().unwrap_or(irregular)
            };
            if place.is(TextPlace::IRREGULAR) {
                irregular_columns.add(index);
            }
            place
        }));
    }

    /// Checks a column whose texts are stored unchanged.
    pub(crate) fn check_texts(&mut self, checked: &mut CheckedRows, index: usize, texts: TextColumn<'_>) {
        let Self { columns, quality, noted, .. } = self;
        let column = columns.get(index).expect("the plan has this column");
        let out = checked.columns.get_mut(index).expect("there is an entry for each column");
        let mut places = std::mem::take(&mut out.places);
        let null = texts.null();
        let is_noted = quality.counts_values_of(index);
        noted.clear();
        for (row, [start, end]) in texts.places.array_windows().enumerate() {
            let (place, passed) = column.place(&texts, *start..*end, null);
            if place.is(TextPlace::IRREGULAR) {
                checked.mark_irregular(row, index);
            }
            places.push(place);
            if is_noted {
                let written = passed.map_or(copy::NULL, |passed| passed.text.as_bytes());
                quality.count_value(index, passed.map(CastValue::Text).as_ref(), written, noted);
                if !noted.is_empty() {
                    checked.note(noted, row);
                }
            }
        }
        let out = checked.columns.get_mut(index).expect("there is an entry for each column");
        out.places = places;
    }

    /// Determines whether the size of each row has to be compared with the limits, after all columns were checked.
    pub(crate) fn check_sizes(&self, checked: &mut CheckedRows) {
        let exceeds = |limits: &SizeLimits| limits.may_be_exceeded(|column| checked.longest(column));
        checked.has_long_rows = self.size_limits.as_ref().is_some_and(exceeds);
    }

    /// Adds the rows of a batch from `from` on, up to the next irregular one, the next that exceeds a size limit, or the end of the
    /// block. Returns the next row, which is `from` only if that one exceeds a limit. `columns` are [those of the
    /// batch](CheckedRows::columns).
    pub(crate) fn push_checked(
        &mut self,
        checked: &CheckedRows,
        columns: &[WrittenColumn<'_>],
        from: usize,
    ) -> usize {
        let Self { copy_text, sets, size_limits, keys, totals, limits, count, .. } = self;
        let most = limits.chunk_rows.saturating_sub(*count) as usize;
        let mut row = from;
        while !checked.irregular(row).is_any()
            && row.saturating_sub(from) < most
            && copy_text.len() < limits.chunk_bytes
        {
            let value = |column: usize| columns.get(column)?.value(row);
            let fits = |limits: &SizeLimits| limits.fit(usize::MAX, value);
            if checked.has_long_rows && !size_limits.as_ref().is_none_or(fits) {
                break;
            }
            for column in columns {
                copy_text.extend_from_slice(column.value(row).expect("each column has a value for each row"));
                copy_text.push(copy::DELIMITER);
            }
            totals.rows_read = totals.rows_read.saturating_add(1);
            copy::integer(totals.rows_read, copy_text);
            copy_text.push(b'\n');
            let time = *checked.times.get(row).expect("there is a time for each row");
            sets.add_entries(value, time, totals.rows_read, keys);
            row = row.saturating_add(1);
        }
        self.count_accepted(row.saturating_sub(from));
        self.take_over(checked, columns, from..row);
        row
    }

    /// Adds accepted rows to the counts of quality checks and to the Arrow columns.
    fn take_over(&mut self, checked: &CheckedRows, columns: &[WrittenColumn<'_>], rows: Range<usize>) {
        for (count, is_noted) in self.totals.quality_counts.iter_mut().zip(&checked.is_noted) {
            if is_noted.is_empty() {
                continue;
            }
            let noted = is_noted.get(rows.clone()).expect("there is an entry for each row");
            *count = count.saturating_add(noted.iter().filter(|is_noted| **is_noted).count() as u64);
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
    /// Returns the place of missing values.
    fn null(&self) -> TextPlace {
        let at = *self.places.last().expect("there is one more place than there are values");
        TextPlace::new(at..at.saturating_add(copy::NULL.len())).marked(TextPlace::MISSING)
    }
}

impl PlanColumn {
    /// Returns the place of a text's COPY text, and the text if it is stored unchanged.
    #[inline(always)]
    fn place<'a>(
        &self,
        texts: &TextColumn<'a>,
        range: Range<usize>,
        null: TextPlace,
    ) -> (TextPlace, Option<Text<'a>>) {
        let Range { start, end } = range;
        let text = texts.text.get(start..end);
        // A closure would not always be inlined into the loop around it.
        let passed = match text {
            Some(text) => self.unchanged_text(text, texts.traits),
            None => None,
        };
        let place = match (text, &passed) {
            (Some(text), Some(passed)) => {
                let before = if passed.text.len() == text.len() {
                    0
                } else {
                    // The text was trimmed.
                    text.len().saturating_sub(text.trim_start().len())
                };
                let start = start.saturating_add(before);
                TextPlace::new(start..start.saturating_add(passed.text.len()))
            }
            (Some(""), None) if !self.is_required && self.default.is_none() => null,
            _ => null.marked(TextPlace::IRREGULAR),
        };
        (place, passed)
    }
}
