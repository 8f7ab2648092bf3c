//! Values as JSON text: documents for `jsonb`, values that no column reads, rows as rejects show them.

use std::fmt::Write as _;

use super::datum::{Scalar, Sink};
use crate::cast::typed::{Typed, write_json_text};

/// Longer numbers are not written out: their digits take time that grows with the square of their bytes.
/// 128 bytes have 308 digits.
const MAX_NUMBER_BYTES: usize = 128;
/// Digits after the point that are written out: as many as `numeric` has.
const MAX_SCALE: u32 = 16_383;

/// A text that takes what fits its limit, and says whether that was all.
#[derive(Debug, Default)]
pub(super) struct Json {
    pub(super) text: String,
    max_bytes: usize,
    /// Something did not fit.
    pub(super) is_cut: bool,
    /// A string was no UTF-8; what is broken in it is replaced.
    pub(super) has_broken_text: bool,
    /// The list that was opened last is empty so far.
    is_first: bool,
}

impl Json {
    pub(super) fn new(max_bytes: usize) -> Self {
        Self { max_bytes, ..Self::default() }
    }

    pub(super) fn clear(&mut self) {
        self.text.clear();
        self.is_cut = false;
        self.has_broken_text = false;
    }

    /// Writes a part of so many bytes or a few times as many. Nothing is written after a part that did not fit.
    fn write(&mut self, bytes: usize, write: impl FnOnce(&mut String)) {
        if self.is_cut || bytes > self.room() {
            self.is_cut = true;
            return;
        }
        write(&mut self.text);
        if self.text.len() > self.max_bytes {
            self.text.truncate(self.text.floor_char_boundary(self.max_bytes));
            self.is_cut = true;
        }
    }

    fn room(&self) -> usize {
        self.max_bytes.saturating_sub(self.text.len())
    }

    fn push(&mut self, part: &str) {
        self.write(part.len(), |out| out.push_str(part));
    }

    /// A string. Of one that does not fit there is the beginning.
    fn quoted(&mut self, text: &str) {
        let fitting = text.get(..text.floor_char_boundary(self.room())).unwrap_or_default();
        self.write(fitting.len(), |out| write_json_text(fitting, out));
        self.is_cut |= fitting.len() < text.len();
    }

    fn separate(&mut self) {
        if !self.is_first {
            self.push(",");
        }
        self.is_first = false;
    }

    fn broken(&mut self, bytes: &[u8]) {
        self.has_broken_text = true;
        let fitting = bytes.get(..self.room().min(bytes.len())).unwrap_or_default();
        self.quoted(&String::from_utf8_lossy(fitting));
    }
}

impl<'a> Sink<'a> for Json {
    fn scalar(&mut self, value: &Scalar<'a>) {
        match value {
            Scalar::Null => self.push("null"),
            Scalar::Text(text) => self.quoted(text),
            Scalar::BrokenText(bytes) => self.broken(bytes),
            Scalar::Typed(value) => {
                let bytes = if let Typed::Bytes(bytes) = value { bytes.len() } else { 0 };
                self.write(bytes, |out| value.write_json(out));
            }
            Scalar::LongDecimal { unscaled, scale } => match digits(unscaled, *scale) {
                Some(digits) => self.push(&digits),
                None => self.is_cut = true,
            },
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
        match str::from_utf8(key) {
            Ok(key) => self.quoted(key),
            Err(_) => self.broken(key),
        }
        self.push(":");
    }

    fn close(&mut self, is_object: bool) {
        self.push(if is_object { "}" } else { "]" });
        self.is_first = false;
    }
}

/// ISO 8601, e.g. `P1M2DT3.004S`.
pub(super) fn duration(months: u32, days: u32, millis: u32) -> String {
    let mut text = format!("P{months}M{days}DT{}", millis / 1_000);
    let fraction = millis % 1_000;
    if fraction > 0 {
        // Writing to a string does not fail.
        let _ = write!(text, ".{fraction:03}");
    }
    text.push('S');
    text
}

/// The digits of a number in two's complement, most significant byte first, the last `scale` of them after a point.
/// `None`: they are too many.
pub(super) fn digits(unscaled: &[u8], scale: u32) -> Option<String> {
    let is_negative = unscaled.first().is_some_and(|byte| byte & 0x80 != 0);
    let fill = if is_negative { 0xff } else { 0 };
    let start = unscaled.iter().position(|byte| *byte != fill).unwrap_or(unscaled.len());
    let bytes = unscaled.get(start..).unwrap_or_default();
    if bytes.len() > MAX_NUMBER_BYTES || scale > MAX_SCALE {
        return None;
    }
    // Decimal digits, least significant first: each byte moves them on by 256 and is added. Of a number below zero
    // the complement is written, which is one less than its size.
    let mut digits: Vec<u8> = Vec::new();
    let mut add = |factor: u32, number: u32| {
        let mut carry = number;
        for digit in &mut digits {
            carry = carry.saturating_add(u32::from(*digit).saturating_mul(factor));
            *digit = u8::try_from(carry % 10).unwrap_or_default();
            carry /= 10;
        }
        while carry > 0 {
            digits.push(u8::try_from(carry % 10).unwrap_or_default());
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
    // One digit stands before the point at least.
    digits.resize(digits.len().max(scale.saturating_add(1)), 0);
    let mut text = String::from(if is_negative { "-" } else { "" });
    for (place, digit) in digits.iter().enumerate().rev() {
        text.push(char::from(b'0' | digit));
        if place == scale && scale > 0 {
            text.push('.');
        }
    }
    Some(text)
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
    fn durations_are_written_as_iso_8601_has_them() {
        assert_eq!(duration(14, 3, 4_005), "P14M3DT4.005S");
        assert_eq!(duration(0, 0, 0), "P0M0DT0S");
    }

    #[test]
    fn a_text_beyond_the_limit_is_cut_between_letters() {
        for (max_bytes, text, written, is_cut) in [
            (6, "aé\n", "\"aé\\n", true),
            (7, "aé\n", "\"aé\\n\"", false),
            (2, "aé", "\"a", true),
            (0, "a", "", true),
        ] {
            let mut json = Json::new(max_bytes);
            json.quoted(text);
            assert_eq!((json.text.as_str(), json.is_cut), (written, is_cut), "{text} {max_bytes}");
            json.push("x");
            assert_eq!(json.text, written, "nothing comes after what is full");
        }
    }
}
