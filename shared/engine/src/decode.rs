//! The decompressed stream as records are cut from it: as it is where ASCII bytes mean ASCII and nothing else
//! (UTF-8, the single-byte encodings), else transcoded to UTF-8.

#![expect(
    clippy::indexing_slicing,
    reason = "`start` and `end` lie within the buffers, and the decoders tell no more bytes than these have"
)]
#![expect(
    clippy::arithmetic_side_effects,
    reason = "lengths and counts of bytes that were read, far from the largest number"
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
use self::sniff::sniff_encoding;
use crate::cast::text::Traits;
use crate::error::{ReadError, UnreadableCode};
use crate::input::Input;
use crate::input::magic::check_text;

/// The part of a file that its encoding is sniffed from.
const HEAD_BYTES: usize = 64 * 1024;
/// More of it is read while it is ASCII: every encoding looks alike there.
const MAX_HEAD_BYTES: usize = 1024 * 1024;
const RAW_BYTES: usize = 32 * 1024;
/// So much of a compressed stream is searched for damage before its content is called unreadable.
const MAX_CHECKED_BYTES: usize = 16 * 1024 * 1024;
/// Stands in transcoded text for a sequence that is none of the encoding: never part of UTF-8, it makes its record,
/// and no other, one that cannot be decoded.
const BROKEN: u8 = 0xff;

/// A stream of text.
pub(crate) struct Decoded<R: Read> {
    input: Input<R>,
    encoding: &'static Encoding,
    /// Bytes that were read to tell the encoding, without the mark.
    head: Vec<u8>,
    head_read: usize,
    /// Of the input, behind the head.
    failure: Option<ReadError>,
    mark_bytes: u64,
    transcoder: Option<Transcoder>,
}

impl<R: Read> Decoded<R> {
    /// Tells the encoding: by the byte-order mark, by the contract, by the first bytes. `needs_utf_8`: what the
    /// records are cut by is more than ASCII. `may_be_windows_1252`: false for JSON, which RFC 8259 has in UTF-8 and
    /// older files in UTF-16, so that a byte that is neither is damage.
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
            // The bytes before an error are still used: the error is reported after them.
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
                message: "the file is in UTF-32, which is not read; deliver it in UTF-8".to_owned(),
            });
        }
        let (encoding, mark) = match Encoding::for_bom(&head) {
            Some(marked) => marked,
            None => {
                let sniffed = || sniff_encoding(&head, is_ascii, is_whole, may_be_windows_1252);
                let encoding = declared.map_or_else(sniffed, Ok);
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

    /// The encoding of the file.
    pub(crate) fn encoding(&self) -> &'static Encoding {
        self.encoding
    }

    /// The encoding of the bytes that are read here.
    pub(crate) fn text_encoding(&self) -> &'static Encoding {
        if self.transcoder.is_some() { UTF_8 } else { self.encoding }
    }

    /// The place in the decompressed stream of a place in the text. Of transcoded text it is exact for the beginnings
    /// of lines, and that of the line for all else. Places are asked for in order.
    pub(crate) fn source_offset(&mut self, text_offset: u64) -> u64 {
        match &mut self.transcoder {
            None => self.mark_bytes + text_offset,
            Some(transcoder) => transcoder.source_offset(text_offset),
        }
    }

    /// Reads into `buffer`; 0 is the end.
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

/// Appends up to [`HEAD_BYTES`] bytes of the input; returns true when it ends with them.
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

/// The failure of a compressed stream, where it is not far behind: what is decoded before it may be damaged, too, and is no
/// evidence of an encoding.
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

/// Bytes of any encoding into UTF-8, with a map of the places of lines.
struct Transcoder {
    decoder: encoding_rs::Decoder,
    line_end: LineEnd,
    raw: Vec<u8>,
    /// Bytes in `raw` that are left for the next turn: half of a code unit of UTF-16.
    raw_kept: usize,
    text: Vec<u8>,
    text_read: usize,
    /// Places of the end of `text` and of the bytes that it was made from.
    text_end: u64,
    source_end: u64,
    /// Beginnings of lines: place in the text, place in the source.
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
            raw_kept: 0,
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
            let count = source(&mut self.raw[self.raw_kept..])?;
            self.is_finished = count == 0;
            self.transcode(self.raw_kept + count);
        }
        let count = buffer.len().min(self.text.len() - self.text_read);
        buffer[..count].copy_from_slice(&self.text[self.text_read..self.text_read + count]);
        self.text_read += count;
        Ok(count)
    }

    /// Transcodes the first `length` bytes of `raw`, line by line: the decoder keeps what goes beyond.
    fn transcode(&mut self, length: usize) {
        let raw = std::mem::take(&mut self.raw);
        let whole = match self.line_end {
            LineEnd::Utf16 { .. } if !self.is_finished => length - length % 2,
            LineEnd::Utf16 { .. } | LineEnd::Byte => length,
        };
        let mut rest = &raw[..whole];
        while let Some(line) = find_line_end(rest, self.line_end) {
            let (now, later) = rest.split_at(line);
            self.decode(now, false);
            rest = later;
            self.lines.push_back((self.text_end, self.source_end));
        }
        self.decode(rest, self.is_finished);
        self.raw = raw;
        self.raw.copy_within(whole..length, 0);
        self.raw_kept = length - whole;
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
                DecoderResult::Malformed(..) => self.text.push(BROKEN),
            }
        }
        self.text_end += (self.text.len() - before) as u64;
    }
}

/// Appends decoded text, with [`BROKEN`] for each byte that its encoding does not define.
fn extend_with_defined(text: &mut Vec<u8>, piece: &[u8], encoding: &'static Encoding) {
    let mut rest = piece;
    while let Some(at) = find_undefined(rest, encoding) {
        text.extend_from_slice(&rest[..at]);
        text.push(BROKEN);
        rest = &rest[at + 2..];
    }
    text.extend_from_slice(rest);
}

/// The place of a control character of two bytes that a decoder puts for a byte which the encoding does not define: the
/// WHATWG standard lets such bytes of the code pages of Windows through.
pub(crate) fn find_undefined(text: &[u8], encoding: &'static Encoding) -> Option<usize> {
    if !encoding.name().starts_with("windows-") {
        return None;
    }
    memchr_iter(0xc2, text).find(|at| matches!(text.get(at + 1), Some(0x80..=0x9f)))
}

/// How long the first line is, its end included.
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

/// The record as text. `None`: its bytes are not of the encoding.
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
