//! JSON text of Parquet values: documents that columns read, and values in rejects and in `_rescued`.

use crate::cast::typed::{Typed, write_json_bytes, write_json_hex, write_json_text};
use crate::cast::unfit::Unfit;

/// The JSON text of a value.
///
/// JSON cannot represent some values, such as NaN, dates outside the calendar, and bytes. In a document that a column
/// reads, such a value is a fault, or null if it is one of the contract's spellings of a missing value. In all other
/// texts it is the string that [`Typed::write_json`] writes.
#[derive(Debug, Default)]
pub(super) struct WrittenCell {
    text: String,
    /// The spellings of a missing value, in a document that columns read.
    null_values: Option<Vec<String>>,
    /// The first value that JSON cannot represent.
    fault: Option<Unfit>,
}

impl WrittenCell {
    /// Returns an empty document that columns read.
    pub(super) fn document(null_values: Vec<String>) -> Self {
        Self { null_values: Some(null_values), ..Self::default() }
    }

    pub(super) fn clear(&mut self) {
        self.text.clear();
        self.fault = None;
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Returns the first value that JSON cannot represent.
    pub(super) fn fault(&self) -> Option<&Unfit> {
        self.fault.as_ref()
    }

    pub(super) fn reserve(&mut self, bytes: usize) {
        self.text.reserve(bytes);
    }

    /// Returns the text, to append a part that is JSON.
    pub(super) fn plain(&mut self) -> &mut String {
        &mut self.text
    }

    /// Appends a part that is JSON.
    pub(super) fn push(&mut self, json: &str) {
        self.text.push_str(json);
    }

    pub(super) fn push_typed(&mut self, value: Typed<'_>) {
        if self.null_values.is_some()
            && let Some(unfit) = Unfit::of(value, &self.text)
        {
            return self.write_unfit(unfit);
        }
        value.write_json(&mut self.text);
    }

    pub(super) fn push_bytes(&mut self, bytes: &[u8]) {
        if self.null_values.is_none() {
            return write_json_bytes(bytes, &mut self.text);
        }
        match str::from_utf8(bytes) {
            Ok(text) => write_json_text(text, &mut self.text),
            Err(_) => self.push_typed(Typed::Bytes(bytes)),
        }
    }

    /// Writes a value of a type that no column accepts.
    pub(super) fn push_foreign(&mut self, kind: &'static str, bytes: &[u8]) {
        match &self.null_values {
            None => write_json_hex(bytes, &mut self.text),
            Some(_) => self.push_typed(Typed::Foreign(kind)),
        }
    }

    /// Writes a duration, which no column accepts.
    pub(super) fn push_duration(&mut self, text: &str) {
        match &self.null_values {
            None => write_json_text(text, &mut self.text),
            Some(_) => self.push_typed(Typed::Foreign("INTERVAL")),
        }
    }

    /// Writes a key of an object as a string. Spellings of a missing value do not apply to keys.
    pub(super) fn key(&mut self, write: impl FnOnce(&mut Self)) {
        let start = self.text.len();
        let null_values = self.null_values.as_mut().map(std::mem::take);
        write(self);
        self.null_values = null_values;
        if self.text.get(start..).is_some_and(|key| !key.starts_with('"')) {
            let key = self.text.split_off(start);
            write_json_text(&key, &mut self.text);
        }
    }

    pub(super) fn list<T>(
        &mut self,
        open: char,
        close: char,
        parts: impl IntoIterator<Item = T>,
        mut part: impl FnMut(&mut Self, T),
    ) {
        self.text.push(open);
        for (index, item) in parts.into_iter().enumerate() {
            if index > 0 {
                self.text.push(',');
            }
            part(self, item);
        }
        self.text.push(close);
    }

    /// Writes null for a value that JSON cannot represent. It is a fault unless it is a spelling of a missing value.
    #[cold]
    fn write_unfit(&mut self, unfit: Unfit) {
        self.text.push_str("null");
        let is_missing = self.null_values.as_ref().is_some_and(|nulls| nulls.contains(&unfit.found));
        if !is_missing && self.fault.is_none() {
            self.fault = Some(unfit);
        }
    }
}
