//! JSON text of Avro values: documents for `jsonb`, values that no column reads, and the raw rows of rejects.

use std::sync::Arc;

use super::datum::{Scalar, Sink};
use crate::cast::typed::{Typed, duration, write_json_bytes, write_json_text};
use crate::cast::unfit::Unfit;

/// Longest number that is written in decimal. Conversion time grows with the square of the length. 128 bytes have 308
/// digits.
const MAX_NUMBER_BYTES: usize = 128;
/// Largest number of digits after the point: the limit of `numeric`.
const MAX_SCALE: u32 = 16_383;

/// The description of a number that no column accepts.
pub(super) const LONG_DECIMAL: &str = "decimal with more than 128 bytes";

/// A JSON text of limited length.
///
/// JSON cannot represent some values, such as NaN, dates outside the calendar, and bytes. In a document that a column
/// reads, such a value is a fault, or null if it is one of the contract's spellings of a missing value. In all other
/// texts it is the string that [`Typed::write_json`] writes.
#[derive(Debug, Default)]
pub(super) struct Json {
    pub(super) text: String,
    max_bytes: usize,
    /// Whether the text was truncated at the limit.
    pub(super) is_truncated: bool,
    /// The spellings of a missing value, inside a document that columns read.
    null_values: Option<Arc<[String]>>,
    /// The start of the document in the text.
    document_start: usize,
    /// The first value of the document that JSON cannot represent.
    fault: Option<Unfit>,
    /// Whether the innermost list is still empty.
    is_first: bool,
}

impl Json {
    pub(super) fn new(max_bytes: usize) -> Self {
        Self { max_bytes, ..Self::default() }
    }

    pub(super) fn clear(&mut self) {
        self.text.clear();
        self.is_truncated = false;
        self.null_values = None;
        self.fault = None;
    }

    /// Starts a document that columns read.
    pub(super) fn start_document(&mut self, null_values: &Arc<[String]>) {
        self.null_values = Some(Arc::clone(null_values));
        self.document_start = self.text.len();
        self.fault = None;
    }

    /// Ends the document and returns its fault, if any.
    pub(super) fn end_document(&mut self) -> Option<Unfit> {
        self.null_values = None;
        self.fault.take()
    }

    /// Writes a part that has at least about `bytes` bytes. Nothing is written after a part that did not fit.
    fn write(&mut self, bytes: usize, write: impl FnOnce(&mut String)) {
        if self.is_truncated || bytes > self.room() {
            self.is_truncated = true;
            return;
        }
        write(&mut self.text);
        if self.text.len() > self.max_bytes {
            self.text.truncate(self.text.floor_char_boundary(self.max_bytes));
            self.is_truncated = true;
        }
    }

    fn room(&self) -> usize {
        self.max_bytes.saturating_sub(self.text.len())
    }

    fn push(&mut self, part: &str) {
        self.write(part.len(), |out| out.push_str(part));
    }

    /// Writes a string; one that does not fit is truncated.
    fn quoted(&mut self, text: &str) {
        let (fitting, _) = text.split_at(text.floor_char_boundary(self.room()));
        self.write(fitting.len(), |out| write_json_text(fitting, out));
        self.is_truncated |= fitting.len() < text.len();
    }

    fn separate(&mut self) {
        if !self.is_first {
            self.push(",");
        }
        self.is_first = false;
    }

    /// Writes bytes as a string, as text if they are UTF-8; a string that does not fit is truncated.
    fn bytes(&mut self, bytes: &[u8]) {
        if let Ok(text) = str::from_utf8(bytes)
            && (self.null_values.is_some() || memchr::memchr2(0, b'\\', bytes).is_none())
        {
            return self.quoted(text);
        }
        if self.null_values.is_some() {
            return self.typed(Typed::Bytes(bytes));
        }
        // Two digits per byte.
        let (fitting, _) = bytes.split_at(bytes.len().min(self.room() / 2));
        self.write(fitting.len(), |out| write_json_bytes(fitting, out));
        self.is_truncated |= fitting.len() < bytes.len();
    }

    fn typed(&mut self, value: Typed<'_>) {
        let Some(null_values) = &self.null_values else {
            return self.write(0, |out| value.write_json(out));
        };
        // Truncation may have removed the beginning of the document: the row is then too long and is rejected.
        let before = self.text.get(self.document_start..).unwrap_or_default();
        let Some(unfit) = Unfit::of(value, before) else {
            return self.write(0, |out| value.write_json(out));
        };
        if !null_values.contains(&unfit.found) && self.fault.is_none() {
            self.fault = Some(unfit);
        }
        self.push("null");
    }

    fn long_decimal(&mut self, unscaled: &[u8], scale: u32) {
        match digits(unscaled, scale) {
            Some(digits) => self.push(&digits),
            None => self.typed(Typed::Foreign(LONG_DECIMAL)),
        }
    }
}

impl<'a> Sink<'a> for Json {
    fn scalar(&mut self, value: &Scalar<'a>) {
        match value {
            Scalar::Null => self.push("null"),
            Scalar::Text(text) => self.bytes(text.as_bytes()),
            Scalar::InvalidText(bytes) | Scalar::Typed(Typed::Bytes(bytes)) => self.bytes(bytes),
            Scalar::Typed(value) => self.typed(*value),
            Scalar::LongDecimal { unscaled, scale } => self.long_decimal(unscaled, *scale),
            Scalar::Duration { months, days, millis } => self.quoted(&duration(*months, *days, *millis)),
        }
    }

    fn open(&mut self, is_object: bool) {
        self.push(if is_object { "{" } else { "[" });
        self.is_first = true;
    }

    fn item(&mut self) {
        self.separate();
    }

    fn key(&mut self, key: &'a [u8]) {
        self.separate();
        self.bytes(key);
        self.push(":");
    }

    fn close(&mut self, is_object: bool) {
        self.push(if is_object { "}" } else { "]" });
        self.is_first = false;
    }
}

/// Returns a big-endian two's-complement number in decimal, with `scale` digits after the point; `None` if it has too
/// many digits.
pub(super) fn digits(unscaled: &[u8], scale: u32) -> Option<String> {
    let is_negative = unscaled.first().is_some_and(|byte| byte & 0x80 != 0);
    let fill = if is_negative { 0xff } else { 0 };
    let start = unscaled.iter().position(|byte| *byte != fill).unwrap_or(unscaled.len());
    let (_, bytes) = unscaled.split_at(start);
    if bytes.len() > MAX_NUMBER_BYTES || scale > MAX_SCALE {
        return None;
    }
    // The decimal digits, least significant first. For each byte they are multiplied by 256 and the byte is added. For
    // a negative number, the bytes are complemented and 1 is added at the end.
    let mut digits: Vec<u8> = Vec::new();
    let mut add = |factor: u32, number: u32| {
        let mut carry = number;
        for digit in &mut digits {
            carry = carry.saturating_add(u32::from(*digit).saturating_mul(factor));
            *digit = last_digit(carry);
            carry /= 10;
        }
        while carry > 0 {
            digits.push(last_digit(carry));
            carry /= 10;
        }
    };
    for byte in bytes {
        add(256, u32::from(byte ^ fill));
    }
    if is_negative {
        add(1, 1);
    }
    let scale = usize::try_from(scale).ok()?;
    // At least one digit precedes the point.
    digits.resize(digits.len().max(scale.saturating_add(1)), 0);
    let mut text = String::from(if is_negative { "-" } else { "" });
    for (exponent, digit) in digits.iter().enumerate().rev() {
        text.push(char::from(b'0' | digit));
        if exponent == scale && scale > 0 {
            text.push('.');
        }
    }
    Some(text)
}

fn last_digit(number: u32) -> u8 {
    u8::try_from(number % 10).expect("a digit is less than 10")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_decimals_are_written_digit_by_digit() {
        let ones = [&[0_u8][..], &[0xff; 16]].concat();
        for (bytes, scale, text) in [
            (vec![], 0, "0"),
            (vec![0], 2, "0.00"),
            (vec![0x7f], 0, "127"),
            (vec![0x80], 0, "-128"),
            (vec![0xff], 3, "-0.001"),
            (vec![0, 0xff], 1, "25.5"),
            (ones, 2, "3402823669209384634633746074317682114.55"),
            ([&[0x80][..], &[0; 16]].concat(), 0, "-43556142965880123323311949751266331066368"),
        ] {
            assert_eq!(digits(&bytes, scale).unwrap(), text, "{bytes:x?}");
        }
        assert_eq!(digits(&[0x55; 129], 0), None);
        assert_eq!(digits(&[1], 16_384), None);
    }

    #[test]
    fn durations_are_written_in_iso_8601_format() {
        assert_eq!(duration(14, 3, 4_005), "P14M3DT4.005S");
        assert_eq!(duration(0, 0, 0), "P0M0DT0S");
    }

    #[test]
    fn a_text_beyond_the_limit_is_truncated_between_characters() {
        for (max_bytes, text, written, is_truncated) in [
            (6, "aé\n", "\"aé\\n", true),
            (7, "aé\n", "\"aé\\n\"", false),
            (2, "aé", "\"a", true),
            (0, "a", "", true),
        ] {
            let mut json = Json::new(max_bytes);
            json.quoted(text);
            assert_eq!(
                (json.text.as_str(), json.is_truncated),
                (written, is_truncated),
                "{text} {max_bytes}"
            );
            json.push("x");
            assert_eq!(json.text, written, "nothing is written after the limit");
        }
    }
}
