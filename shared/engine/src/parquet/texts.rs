//! The texts of a column of a batch side by side, so that they are looked at together and not one by one.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int32Type;
use arrow_array::{Array, ArrayRef, BinaryArray};

use crate::cast::text::Traits;
use crate::rows::checked;

/// Of all columns of a batch. More are looked at one by one: they are long ones, of which it does not cost more.
pub(super) const MAX_BYTES: usize = 8 * 1024 * 1024;

/// The texts of a column, or those of its dictionary, if they are texts.
#[derive(Debug, Default)]
pub(super) struct ColumnTexts {
    text: String,
    /// One more than there are values: where each begins, and where the last one ends.
    places: Vec<usize>,
    traits: Option<Traits>,
    /// All values of the batch are few bytes, those that stand once in a dictionary as often as they are values.
    fits: bool,
    /// The dictionary that these are.
    dictionary: Option<ArrayRef>,
    /// Bytes of each of its values, and of the longest.
    lengths: Vec<u64>,
    longest: u64,
    /// Another one for each dictionary.
    number: u64,
}

/// Behind the values, as [`checked::TextColumn`] has it.
const TAIL: &str = "\\N";

impl ColumnTexts {
    /// Takes the values of a column, in the memory of those before. `room`: bytes that may still be taken. Gives the bytes
    /// of all of its values (what stands once in the file counts as often as it is a value), and of the longest.
    ///
    /// # Errors
    /// Why the column cannot be read.
    pub(super) fn fill(&mut self, array: &ArrayRef, room: &mut usize) -> Result<(u64, u64), &'static str> {
        if let Some((codes, dictionary)) = coded(array) {
            if dictionary.is_empty() && array.null_count() < array.len() {
                return Err("a dictionary has no values");
            }
            let values = array.as_any_dictionary().values();
            if !self.dictionary.as_ref().is_some_and(|known| Arc::ptr_eq(known, values)) {
                self.take(dictionary.iter());
                self.lengths = dictionary.offsets().lengths().map(|length| length as u64).collect();
                self.longest = self.lengths.iter().copied().max().unwrap_or_default();
                self.dictionary = Some(Arc::clone(values));
                self.number = self.number.saturating_add(1);
            }
            let length =
                |code: &i32| self.lengths.get(code.cast_unsigned() as usize).copied().unwrap_or_default();
            let bytes = match array.nulls().filter(|nulls| nulls.null_count() > 0) {
                None => codes.iter().map(length).sum(),
                Some(nulls) => codes
                    .iter()
                    .zip(nulls)
                    .filter(|(_, is_value)| *is_value)
                    .map(|(code, _)| length(code))
                    .sum(),
            };
            self.fits = take_room(room, bytes);
            return Ok((bytes, self.longest));
        }
        self.dictionary = None;
        self.traits = None;
        let Some(views) = array.as_binary_view_opt() else { return Ok((0, 0)) };
        let lengths = views.lengths().map(u64::from);
        let (bytes, longest) = lengths
            .fold((0_u64, 0), |(sum, longest), length| (sum.saturating_add(length), length.max(longest)));
        self.fits = take_room(room, bytes);
        if self.fits {
            self.take(views.iter());
        }
        Ok((bytes, longest))
    }

    fn take<'a>(&mut self, values: impl Iterator<Item = Option<&'a [u8]>>) {
        self.traits = None;
        let mut bytes = std::mem::take(&mut self.text).into_bytes();
        bytes.clear();
        self.places.clear();
        self.places.push(0);
        for value in values {
            bytes.extend_from_slice(value.unwrap_or_default());
            self.places.push(bytes.len());
        }
        let traits = Traits::of(&bytes);
        if let Ok(text) = String::from_utf8(bytes) {
            self.text = text;
            self.text.push_str(TAIL);
            self.traits = Some(traits);
        }
    }

    /// All of them. `None`: they have to be looked at one by one.
    pub(super) fn whole(&self) -> Option<checked::TextColumn<'_>> {
        let Self { text, places, traits, .. } = self;
        traits.filter(|_| self.fits).map(|traits| checked::TextColumn { text, places, traits })
    }

    /// The number of the dictionary that these are, if they are one.
    pub(super) fn dictionary(&self) -> Option<u64> {
        self.dictionary.as_ref().map(|_| self.number)
    }

    /// The text of a row, with traits of the whole column. `None`: it has to be looked at by itself.
    #[inline]
    pub(super) fn get(&self, row: usize) -> Option<(&str, Traits)> {
        let traits = self.traits?;
        let start = *self.places.get(row)?;
        let end = *self.places.get(row.checked_add(1)?)?;
        // Bytes of two values that make a character only together are no texts.
        Some((self.text.get(start..end)?, traits))
    }
}

fn take_room(room: &mut usize, bytes: u64) -> bool {
    let left = usize::try_from(bytes).ok().and_then(|bytes| room.checked_sub(bytes));
    *room = left.unwrap_or(*room);
    left.is_some()
}

/// The places of values in a dictionary, and the dictionary.
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
    fn a_column_is_texts_only_when_each_value_is() {
        let mut texts = ColumnTexts::default();
        let whole: [Option<&[u8]>; 4] =
            [Some(b"one"), None, Some(b""), Some("zwölf und mehr als zwölf".as_bytes())];
        let mut room = 100;
        texts.fill(&views(&whole), &mut room).unwrap();
        assert_eq!(room, 100 - 29);
        let found: Vec<_> = (0..5).map(|row| texts.get(row).map(|(text, _)| text)).collect();
        assert_eq!(found, [Some("one"), Some(""), Some(""), Some("zwölf und mehr als zwölf"), None]);
        let traits = texts.get(0).unwrap().1;
        assert!(traits.is_plain && !traits.is_ascii);

        let parted: [Option<&[u8]>; 3] = [Some(b"a\xc3"), Some(b"\xa9b"), Some(b"c")];
        texts.fill(&views(&parted), &mut room).unwrap();
        assert_eq!((texts.get(0), texts.get(1)), (None, None));
        assert_eq!(texts.get(2).map(|(text, _)| text), Some("c"));

        let broken: [Option<&[u8]>; 2] = [Some(b"a"), Some(b"\xff")];
        texts.fill(&views(&broken), &mut room).unwrap();
        assert_eq!(texts.get(0), None);

        let long = [Some([b'x'; 100].as_slice())];
        texts.fill(&views(&long), &mut room).unwrap();
        assert_eq!(texts.get(0), None);
    }

    #[test]
    fn texts_of_a_dictionary_are_taken_once_and_counted_as_often_as_they_are_values() {
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
            (room, texts.dictionary(), texts.whole().map(|texts| texts.places.len())),
            (5, Some(1), Some(3))
        );
        assert_eq!(texts.get(1).map(|(text, _)| text), Some("zwölf"));
        // More than there is room for are looked at row by row.
        assert_eq!(texts.fill(&coded(&first, [Some(1); 4]), &mut room), Ok((24, 6)));
        assert_eq!((room, texts.dictionary(), texts.whole().is_some()), (5, Some(1), false));
        // What is no text is.
        assert_eq!(texts.fill(&coded(&second, [Some(0), None, None, None]), &mut room), Ok((3, 3)));
        assert_eq!((texts.dictionary(), texts.whole().is_some(), texts.get(0)), (Some(2), false, None));
        assert_eq!(texts.fill(&views(&[Some(b"one")]), &mut 3), Ok((3, 3)));
        assert_eq!((texts.dictionary(), texts.whole().is_some()), (None, true));
    }
}
