//! The text of the decompressed stream. Encodings in which ASCII bytes are always ASCII characters (UTF-8 and the
//! single-byte encodings) are passed through; others are transcoded to UTF-8.

#![expect(
    clippy::indexing_slicing,
    reason = "the indexes are within the buffers, and decoders report no more bytes than these have"
)]
#![expect(
    clippy::arithmetic_side_effects,
    reason = "lengths and counts of bytes that were read, far below the largest number"
)]

mod chance;
mod letters;
mod sniff;
mod western;

use std::borrow::Cow;
use std::collections::VecDeque;
use std::io::Read;

use encoding_rs::{DecoderResult, Encoding, UTF_8, UTF_16BE, UTF_16LE};
use memchr::{memchr_iter, memchr2};
use penstock_contract::Compression;

pub(crate) use self::chance::is_utf_8;
use self::sniff::detect_encoding;
use crate::cast::text::Traits;
use crate::error::{ReadError, UnreadableCode};
use crate::input::Input;
use crate::input::magic::check_text;

/// Number of first bytes from which the encoding is detected.
const HEAD_BYTES: usize = 64 * 1024;
/// The head is extended to at most this size while it is ASCII, because ASCII does not distinguish encodings.
const MAX_HEAD_BYTES: usize = 1024 * 1024;
const RAW_BYTES: usize = 32 * 1024;
/// Number of bytes of a compressed stream that are searched for damage before its encoding is reported as unknown.
const MAX_CHECKED_BYTES: usize = 16 * 1024 * 1024;
/// Replaces an invalid sequence in transcoded text. The byte never occurs in UTF-8, so only its own record cannot be
/// decoded.
const INVALID: u8 = 0xff;

/// A stream of text.
pub(crate) struct Decoded<R: Read> {
    input: Input<R>,
    encoding: &'static Encoding,
    /// Bytes that were read to detect the encoding.
    head: Vec<u8>,
    /// The number of bytes of the head that have been returned, including the byte-order mark.
    head_read: usize,
    /// An error of the input that follows the head.
    failure: Option<ReadError>,
    mark_bytes: u64,
    transcoder: Option<Transcoder>,
}

impl<R: Read> Decoded<R> {
    /// Opens a stream in the encoding of its byte-order mark, or else in the declared one, or else in the one that its
    /// first bytes indicate.
    ///
    /// `needs_utf_8`: records are split at characters beyond ASCII. `may_be_windows_1252`: false for JSON, which is
    /// UTF-8 according to RFC 8259, or UTF-16 in older files; any other byte is damage.
    pub(crate) fn open(
        mut input: Input<R>,
        declared: Option<&'static Encoding>,
        needs_utf_8: bool,
        may_be_windows_1252: bool,
    ) -> Result<Self, ReadError> {
        let mut head = Vec::new();
        let mut is_whole = read_head(&mut input, &mut head)?;
        let mut is_ascii = head.is_ascii();
        let mut failure = None;
        while declared.is_none()
            && may_be_windows_1252
            && !is_whole
            && failure.is_none()
            && head.len() < MAX_HEAD_BYTES
            && is_ascii
        {
            let checked = head.len();
            // Bytes before an error are used; the error is reported after them.
            match read_head(&mut input, &mut head) {
                Ok(is_end) => is_whole = is_end,
                Err(error) => failure = Some(error),
            }
            is_ascii = head[checked..].is_ascii();
        }
        if head.is_empty() {
            return Err(ReadError::Empty);
        }
        check_text(&head, input.compression())?;
        if head.starts_with(&[0xff, 0xfe, 0, 0]) || head.starts_with(&[0, 0, 0xfe, 0xff]) {
            return Err(ReadError::Unreadable {
                code: UnreadableCode::UnsupportedEncoding,
                byte_offset: 0,
                message: "the file is in UTF-32, which is not supported; deliver it in UTF-8".to_owned(),
            });
        }
        let (encoding, mark) = match Encoding::for_bom(&head) {
            Some(marked) => marked,
            None => {
                let detected = || detect_encoding(&head, is_ascii, is_whole, may_be_windows_1252);
                let encoding = declared.map_or_else(detected, Ok);
                (encoding.map_err(|error| find_damage(&mut input, failure.take()).unwrap_or(error))?, 0)
            }
        };
        let is_like_ascii = encoding.is_single_byte() && encoding.is_ascii_compatible();
        let is_plain = encoding == UTF_8 || is_like_ascii && !needs_utf_8;
        Ok(Self {
            input,
            encoding,
            head_read: mark,
            head,
            failure,
            mark_bytes: mark as u64,
            transcoder: (!is_plain).then(|| Transcoder::new(encoding, mark as u64)),
        })
    }

    pub(crate) fn input(&self) -> &Input<R> {
        &self.input
    }

    /// Returns the encoding of the file.
    pub(crate) fn encoding(&self) -> &'static Encoding {
        self.encoding
    }

    /// Returns the encoding of the bytes that [`read`](Self::read) returns.
    pub(crate) fn text_encoding(&self) -> &'static Encoding {
        if self.transcoder.is_some() { UTF_8 } else { self.encoding }
    }

    /// Converts an offset in the text to an offset in the decompressed stream. In transcoded text, it is the offset of
    /// the beginning of the line. Offsets must be passed in increasing order.
    pub(crate) fn source_offset(&mut self, text_offset: u64) -> u64 {
        match &mut self.transcoder {
            None => self.mark_bytes + text_offset,
            Some(transcoder) => transcoder.source_offset(text_offset),
        }
    }

    /// Reads into `buffer`; returns 0 at the end.
    #[inline]
    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> Result<usize, ReadError> {
        let Self { input, head, head_read, failure, transcoder, .. } = self;
        let mut read = |buffer: &mut [u8]| {
            if *head_read == head.len() {
                return failure.take().map_or_else(|| input.read(buffer), Err);
            }
            let count = buffer.len().min(head.len() - *head_read);
            buffer[..count].copy_from_slice(&head[*head_read..*head_read + count]);
            *head_read += count;
            Ok(count)
        };
        match transcoder {
            None => read(buffer),
            Some(transcoder) => transcoder.read(buffer, read),
        }
    }
}

/// Appends up to [`HEAD_BYTES`] bytes of the input. Returns true if the input ends with them.
fn read_head<R: Read>(input: &mut Input<R>, head: &mut Vec<u8>) -> Result<bool, ReadError> {
    let mut length = head.len();
    head.resize(length + HEAD_BYTES, 0);
    while length < head.len() {
        match input.read(&mut head[length..]) {
            Ok(0) => {
                head.truncate(length);
                return Ok(true);
            }
            Ok(count) => length += count,
            Err(error) => {
                head.truncate(length);
                return Err(error);
            }
        }
    }
    Ok(false)
}

/// Returns the error of a damaged compressed stream, if it occurs within the next [`MAX_CHECKED_BYTES`]. The bytes
/// before it may be damaged as well and are no evidence of an encoding.
fn find_damage<R: Read>(input: &mut Input<R>, failure: Option<ReadError>) -> Option<ReadError> {
    if failure.is_some() || input.compression() == Compression::Plain {
        return failure;
    }
    let mut piece = vec![0; RAW_BYTES];
    let mut read = 0;
    while read < MAX_CHECKED_BYTES {
        match input.read(&mut piece) {
            Ok(0) => return None,
            Ok(count) => read += count,
            Err(error) => return Some(error),
        }
    }
    None
}

/// A converter from any encoding to UTF-8 that maps the offsets of lines.
struct Transcoder {
    decoder: encoding_rs::Decoder,
    line_end: LineEnd,
    raw: Vec<u8>,
    /// The number of bytes in `raw` that belong to an incomplete UTF-16 code unit.
    raw_pending: usize,
    text: Vec<u8>,
    text_read: usize,
    /// The offset of the end of `text`.
    text_end: u64,
    /// The offset in the source that corresponds to `text_end`.
    source_end: u64,
    /// The beginnings of lines: offset in the text, offset in the source.
    lines: VecDeque<(u64, u64)>,
    line: (u64, u64),
    is_finished: bool,
}

#[derive(Debug, Clone, Copy)]
enum LineEnd {
    Byte,
    Utf16 { is_little_endian: bool },
}

impl Transcoder {
    fn new(encoding: &'static Encoding, source_start: u64) -> Self {
        let is_utf_16 = encoding == UTF_16LE || encoding == UTF_16BE;
        Self {
            decoder: encoding.new_decoder_without_bom_handling(),
            line_end: if is_utf_16 {
                LineEnd::Utf16 { is_little_endian: encoding == UTF_16LE }
            } else {
                LineEnd::Byte
            },
            raw: vec![0; RAW_BYTES],
            raw_pending: 0,
            text: Vec::new(),
            text_read: 0,
            text_end: 0,
            source_end: source_start,
            lines: VecDeque::new(),
            line: (0, source_start),
            is_finished: false,
        }
    }

    fn source_offset(&mut self, text_offset: u64) -> u64 {
        while let Some(next) = self.lines.front().filter(|(text, _)| *text <= text_offset) {
            self.line = *next;
            self.lines.pop_front();
        }
        self.line.1
    }

    fn read(
        &mut self,
        buffer: &mut [u8],
        mut source: impl FnMut(&mut [u8]) -> Result<usize, ReadError>,
    ) -> Result<usize, ReadError> {
        while self.text_read == self.text.len() && !self.is_finished {
            self.text.clear();
            self.text_read = 0;
            let count = source(&mut self.raw[self.raw_pending..])?;
            self.is_finished = count == 0;
            self.transcode(self.raw_pending + count);
        }
        let count = buffer.len().min(self.text.len() - self.text_read);
        buffer[..count].copy_from_slice(&self.text[self.text_read..self.text_read + count]);
        self.text_read += count;
        Ok(count)
    }

    /// Transcodes the first `length` bytes of `raw` line by line. The decoder retains incomplete characters.
    fn transcode(&mut self, length: usize) {
        let raw = std::mem::take(&mut self.raw);
        let whole = match self.line_end {
            LineEnd::Utf16 { .. } if !self.is_finished => length - length % 2,
            LineEnd::Utf16 { .. } | LineEnd::Byte => length,
        };
        let mut rest = &raw[..whole];
        while let Some(line) = find_line_end(rest, self.line_end) {
            let (line, after) = rest.split_at(line);
            self.decode(line, false);
            rest = after;
            self.lines.push_back((self.text_end, self.source_end));
        }
        self.decode(rest, self.is_finished);
        self.raw = raw;
        self.raw.copy_within(whole..length, 0);
        self.raw_pending = length - whole;
    }

    fn decode(&mut self, mut source: &[u8], is_last: bool) {
        let mut piece = [0; 1024];
        let before = self.text.len();
        self.source_end += source.len() as u64;
        loop {
            let (result, read, written) =
                self.decoder.decode_to_utf8_without_replacement(source, &mut piece, is_last);
            extend_with_defined(&mut self.text, &piece[..written], self.decoder.encoding());
            source = &source[read..];
            match result {
                DecoderResult::InputEmpty => break,
                DecoderResult::OutputFull => {}
                DecoderResult::Malformed(..) => self.text.push(INVALID),
            }
        }
        self.text_end += (self.text.len() - before) as u64;
    }
}

/// Appends decoded text, with each byte that the encoding does not define replaced by [`INVALID`].
fn extend_with_defined(text: &mut Vec<u8>, piece: &[u8], encoding: &'static Encoding) {
    let mut rest = piece;
    while let Some(at) = find_undefined(rest, encoding) {
        text.extend_from_slice(&rest[..at]);
        text.push(INVALID);
        rest = &rest[at + 2..];
    }
    text.extend_from_slice(rest);
}

/// Returns the offset of the first byte that a Windows code page does not define. The WHATWG standard decodes such
/// bytes to control characters, which have two bytes in UTF-8.
pub(crate) fn find_undefined(text: &[u8], encoding: &'static Encoding) -> Option<usize> {
    if !encoding.name().starts_with("windows-") {
        return None;
    }
    memchr_iter(0xc2, text).find(|at| matches!(text.get(at + 1), Some(0x80..=0x9f)))
}

/// Returns the length of the first line, including its end.
fn find_line_end(text: &[u8], line_end: LineEnd) -> Option<usize> {
    match line_end {
        LineEnd::Byte => memchr2(b'\n', b'\r', text).map(|end| end + 1),
        LineEnd::Utf16 { is_little_endian } => text
            .chunks_exact(2)
            .position(|unit| {
                let (low, high) = if is_little_endian { (unit[0], unit[1]) } else { (unit[1], unit[0]) };
                high == 0 && matches!(low, b'\n' | b'\r')
            })
            .map(|unit| unit * 2 + 2),
    }
}

/// Returns a record as text; `None` if it has bytes that are invalid in the encoding.
#[inline(always)]
pub(crate) fn decode<'a>(
    raw: &'a [u8],
    traits: Traits,
    encoding: &'static Encoding,
    decoded: &'a mut String,
) -> Option<&'a str> {
    if encoding == UTF_8 || traits.is_ascii {
        return simdutf8::basic::from_utf8(raw).ok();
    }
    decode_other(raw, encoding, decoded)
}

#[inline(never)]
fn decode_other<'a>(raw: &'a [u8], encoding: &'static Encoding, decoded: &'a mut String) -> Option<&'a str> {
    match encoding.decode_without_bom_handling_and_without_replacement(raw)? {
        Cow::Borrowed(text) => Some(text),
        Cow::Owned(text) if find_undefined(text.as_bytes(), encoding).is_some() => None,
        Cow::Owned(text) => {
            *decoded = text;
            Some(decoded)
        }
    }
}
