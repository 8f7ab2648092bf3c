//! The concatenated texts of a column of a batch, which are validated together instead of one by one.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int32Type;
use arrow_array::{Array, ArrayRef, BinaryArray};

use crate::cast::text::Traits;
use crate::rows::checked;

/// Largest size of the texts of all columns of a batch. Further texts are validated one by one, which costs no more for
/// long texts.
pub(super) const MAX_BYTES: usize = 8 * 1024 * 1024;

/// The texts of a column or of its dictionary.
#[derive(Debug, Default)]
pub(super) struct ColumnTexts {
    text: String,
    /// The offsets at which the values begin, and the end of the last one.
    offsets: Vec<usize>,
    /// The traits of all values; `None` if a value is not UTF-8.
    traits: Option<Traits>,
    /// Whether all values of the batch, including repeated ones of a dictionary, are within [`MAX_BYTES`].
    fits: bool,
    /// The dictionary, if the texts are those of a dictionary.
    dictionary: Option<ArrayRef>,
    /// The length of each value of the dictionary.
    lengths: Vec<u64>,
    /// The length of the longest value of the dictionary.
    longest: u64,
    /// The number of the dictionary, which identifies it.
    number: u64,
}

/// The bytes after the last value, which [`checked::TextColumn`] requires.
const TAIL: &str = "\\N";

impl ColumnTexts {
    /// Replaces the texts with those of `array`. `room`: the remaining part of [`MAX_BYTES`].
    ///
    /// Returns the size of all values and of the longest one. A value of a dictionary counts for each row that has it.
    ///
    /// # Errors
    /// Returns the reason if the column cannot be read.
    pub(super) fn fill(&mut self, array: &ArrayRef, room: &mut usize) -> Result<(u64, u64), &'static str> {
        if let Some((codes, dictionary)) = coded(array) {
            if dictionary.is_empty() && array.null_count() < array.len() {
                return Err("a dictionary has no values");
            }
            let values = array.as_any_dictionary().values();
            if !self.dictionary.as_ref().is_some_and(|known| Arc::ptr_eq(known, values)) {
                self.store(dictionary.iter());
                self.lengths = dictionary.offsets().lengths().map(|length| length as u64).collect();
                // A dictionary without values has no longest one.
                self.longest = self.lengths.iter().copied().max().unwrap_or(0);
                self.dictionary = Some(Arc::clone(values));
                self.number = self.number.saturating_add(1);
            }
            let length = |code: &i32| self.lengths.get(code.cast_unsigned() as usize).copied();
            let bytes: Option<u64> = match array.nulls().filter(|nulls| nulls.null_count() > 0) {
                None => codes.iter().map(length).sum(),
                Some(nulls) => codes
                    .iter()
                    .zip(nulls)
                    .filter(|(_, is_value)| *is_value)
                    .map(|(code, _)| length(code))
                    .sum(),
            };
            let bytes = bytes.ok_or("a value is not in its dictionary")?;
            self.fits = reserve(room, bytes);
            return Ok((bytes, self.longest));
        }
        self.dictionary = None;
        self.traits = None;
        let Some(views) = array.as_binary_view_opt() else { return Ok((0, 0)) };
        let lengths = views.lengths().map(u64::from);
        let (bytes, longest) = lengths
            .fold((0_u64, 0), |(sum, longest), length| (sum.saturating_add(length), length.max(longest)));
        self.fits = reserve(room, bytes);
        if self.fits {
            self.store(views.iter());
        }
        Ok((bytes, longest))
    }

    /// Concatenates values in the existing buffer.
    fn store<'a>(&mut self, values: impl Iterator<Item = Option<&'a [u8]>>) {
        self.traits = None;
        let mut bytes = std::mem::take(&mut self.text).into_bytes();
        bytes.clear();
        self.offsets.clear();
        self.offsets.push(0);
        for value in values {
            // A missing value occupies no bytes; the column's null mask distinguishes it from an empty text.
            bytes.extend_from_slice(value.unwrap_or_default());
            self.offsets.push(bytes.len());
        }
        let traits = Traits::of(&bytes);
        if let Ok(text) = String::from_utf8(bytes) {
            self.text = text;
            self.text.push_str(TAIL);
            self.traits = Some(traits);
        }
    }

    /// Returns all texts; `None` if they must be validated one by one.
    pub(super) fn column(&self) -> Option<checked::TextColumn<'_>> {
        let Self { text, offsets, traits, .. } = self;
        traits.filter(|_| self.fits).map(|traits| checked::TextColumn { text, places: offsets, traits })
    }

    /// Returns the number of the dictionary, if the texts are those of a dictionary.
    pub(super) fn dictionary(&self) -> Option<u64> {
        self.dictionary.as_ref().map(|_| self.number)
    }

    /// Returns the text of a row or dictionary code, with the traits of the whole column; `None` if it must be
    /// validated by itself.
    #[inline]
    pub(super) fn get(&self, row: usize) -> Option<(&str, Traits)> {
        let traits = self.traits?;
        let start = *self.offsets.get(row)?;
        let end = *self.offsets.get(row.checked_add(1)?)?;
        // Bytes of two values that form a character only together are not texts: their boundary is inside a character.
        Some((self.text.get(start..end)?, traits))
    }
}

/// Subtracts bytes from `room`. Returns false, without a change, if there is not enough.
fn reserve(room: &mut usize, bytes: u64) -> bool {
    let remaining = usize::try_from(bytes).ok().and_then(|bytes| room.checked_sub(bytes));
    *room = remaining.unwrap_or(*room);
    remaining.is_some()
}

/// Returns the dictionary codes of a column and the dictionary, if it has one.
pub(super) fn coded(array: &ArrayRef) -> Option<(&[i32], &BinaryArray)> {
    let coded = array.as_dictionary_opt::<Int32Type>()?;
    Some((coded.keys().values(), coded.values().as_binary_opt()?))
}

#[cfg(test)]
mod tests {
    use arrow_array::{BinaryArray, BinaryViewArray, DictionaryArray, Int32Array};

    use super::*;

    fn views(values: &[Option<&[u8]>]) -> ArrayRef {
        Arc::new(values.iter().copied().collect::<BinaryViewArray>())
    }

    #[test]
    fn a_column_is_text_only_if_each_value_is() {
        let mut texts = ColumnTexts::default();
        let whole: [Option<&[u8]>; 4] =
            [Some(b"one"), None, Some(b""), Some("zwölf und mehr als zwölf".as_bytes())];
        let mut room = 100;
        texts.fill(&views(&whole), &mut room).unwrap();
        assert_eq!(room, 100 - 29);
        let read: Vec<_> = (0..5).map(|row| texts.get(row).map(|(text, _)| text)).collect();
        assert_eq!(read, [Some("one"), Some(""), Some(""), Some("zwölf und mehr als zwölf"), None]);
        let traits = texts.get(0).unwrap().1;
        assert!(traits.is_plain && !traits.is_ascii);

        let split: [Option<&[u8]>; 3] = [Some(b"a\xc3"), Some(b"\xa9b"), Some(b"c")];
        texts.fill(&views(&split), &mut room).unwrap();
        assert_eq!((texts.get(0), texts.get(1)), (None, None));
        assert_eq!(texts.get(2).map(|(text, _)| text), Some("c"));

        let invalid: [Option<&[u8]>; 2] = [Some(b"a"), Some(b"\xff")];
        texts.fill(&views(&invalid), &mut room).unwrap();
        assert_eq!(texts.get(0), None);

        let long = [Some([b'x'; 100].as_slice())];
        texts.fill(&views(&long), &mut room).unwrap();
        assert_eq!(texts.get(0), None);
    }

    #[test]
    fn texts_of_a_dictionary_are_stored_once_and_counted_for_each_row() {
        let values = |values: [&[u8]; 2]| Arc::new(BinaryArray::from_vec(values.to_vec())) as ArrayRef;
        let coded = |values: &ArrayRef, codes: [Option<i32>; 4]| {
            let codes = codes.into_iter().collect::<Int32Array>();
            Arc::new(DictionaryArray::new(codes, Arc::clone(values))) as ArrayRef
        };
        let (first, second) = (values([b"one", "zwölf".as_bytes()]), values([b"one", b"\xff"]));
        let mut texts = ColumnTexts::default();
        let mut room = 20;
        assert_eq!(texts.fill(&coded(&first, [Some(0), Some(1), None, Some(1)]), &mut room), Ok((15, 6)));
        assert_eq!(
            (room, texts.dictionary(), texts.column().map(|texts| texts.places.len())),
            (5, Some(1), Some(3))
        );
        assert_eq!(texts.get(1).map(|(text, _)| text), Some("zwölf"));
        // Texts beyond the limit are validated one by one.
        assert_eq!(texts.fill(&coded(&first, [Some(1); 4]), &mut room), Ok((24, 6)));
        assert_eq!((room, texts.dictionary(), texts.column().is_some()), (5, Some(1), false));
        // So are those of a dictionary with a value that is not UTF-8.
        assert_eq!(texts.fill(&coded(&second, [Some(0), None, None, None]), &mut room), Ok((3, 3)));
        assert_eq!((texts.dictionary(), texts.column().is_some(), texts.get(0)), (Some(2), false, None));
        assert_eq!(texts.fill(&views(&[Some(b"one")]), &mut 3), Ok((3, 3)));
        assert_eq!((texts.dictionary(), texts.column().is_some()), (None, true));
    }
}
