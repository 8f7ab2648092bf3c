//! The texts of a column of a batch side by side, so that they are looked at together and not one by one.

use arrow_array::{Array, BinaryViewArray};

use super::cells::view_length;
use crate::cast::text::Traits;
use crate::rows::checked;

/// Of all columns of a batch. More are looked at one by one: they are long ones, of which it does not cost more.
pub(super) const MAX_BYTES: usize = 8 * 1024 * 1024;

/// The texts of a column, if they are texts.
#[derive(Debug, Default)]
pub(super) struct Texts {
    text: String,
    /// One more than there are values: where each begins, and where the last one ends.
    places: Vec<usize>,
    traits: Option<Traits>,
}

/// Behind the values, as [`checked::Texts`] have it.
const TAIL: &str = "\\N                                ";

impl Texts {
    /// Takes the values of a column, in the memory of those before. `room`: bytes that may still be taken.
    pub(super) fn fill(&mut self, views: Option<&BinaryViewArray>, room: &mut usize) {
        self.traits = None;
        let mut bytes = std::mem::take(&mut self.text).into_bytes();
        bytes.clear();
        self.places.clear();
        let left = views.and_then(|views| room.checked_sub(total(views)));
        if let Some((views, left)) = views.zip(left) {
            *room = left;
            self.places.push(0);
            for value in views {
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
    }

    /// All of them. `None`: they have to be looked at one by one.
    pub(super) fn whole(&self) -> Option<checked::Texts<'_>> {
        let Self { text, places, traits } = self;
        traits.map(|traits| checked::Texts { text, places, traits })
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

fn total(views: &BinaryViewArray) -> usize {
    (0..views.len()).fold(0, |total, row| total.saturating_add(view_length(views, row)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_is_texts_only_when_each_value_is() {
        let mut texts = Texts::default();
        let whole: [Option<&[u8]>; 4] =
            [Some(b"one"), None, Some(b""), Some("zwölf und mehr als zwölf".as_bytes())];
        let mut room = 100;
        texts.fill(Some(&whole.into_iter().collect()), &mut room);
        assert_eq!(room, 100 - 29);
        let found: Vec<_> = (0..5).map(|row| texts.get(row).map(|(text, _)| text)).collect();
        assert_eq!(found, [Some("one"), Some(""), Some(""), Some("zwölf und mehr als zwölf"), None]);
        let traits = texts.get(0).unwrap().1;
        assert!(traits.is_plain && !traits.is_ascii);

        let parted: [Option<&[u8]>; 3] = [Some(b"a\xc3"), Some(b"\xa9b"), Some(b"c")];
        texts.fill(Some(&parted.into_iter().collect()), &mut room);
        assert_eq!((texts.get(0), texts.get(1)), (None, None));
        assert_eq!(texts.get(2).map(|(text, _)| text), Some("c"));

        let broken: [Option<&[u8]>; 2] = [Some(b"a"), Some(b"\xff")];
        texts.fill(Some(&broken.into_iter().collect()), &mut room);
        assert_eq!(texts.get(0), None);

        let long = [Some([b'x'; 100].as_slice())];
        texts.fill(Some(&long.into_iter().collect()), &mut room);
        assert_eq!(texts.get(0), None);
    }
}
