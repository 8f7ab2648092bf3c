//! Checks of a row group's pages before any of them is decoded: the decoded pages must fit in memory.
//!
//! The page headers are checked, and also the bodies of pages whose headers do not determine the decoded size: texts in
//! a delta encoding ([`delta`]), and pages that may decompress to more than their header declares ([`compressed`]).

mod compressed;
mod delta;

use std::collections::HashMap;
use std::sync::Arc;

use parquet::basic::{Compression, Encoding, Type as Physical};
use parquet::column::page::PageReader;
use parquet::errors::{ParquetError, Result as ParquetResult};
use parquet::file::metadata::{ColumnChunkMetaData, RowGroupMetaData};
use parquet::file::reader::{ChunkReader, Length};
use parquet::file::serialized_reader::SerializedPageReader;

use self::delta::MAX_PAGE_BYTES;
use super::error::{corrupt, unreadable};
use super::guard::guarded;
use super::shared::{PagePosition, SharedFile};
use super::thrift::{FALSE, I32, STRUCT, Walker};
use crate::error::{ReadError, UnreadableCode};

/// Largest page header. It contains the smallest and the largest value of the page, which may be long.
const MAX_HEADER_BYTES: usize = 16 * 1024 * 1024;
const HEADER_BYTES: usize = 256;
/// Largest total size of the largest page and the dictionary of each column. They are in memory at the same time.
const MAX_OPEN_BYTES: u64 = 512 * 1024 * 1024;
/// Largest number of values in a page of a list or a map. All of them may belong to one row, and each occupies memory
/// even if it is compressed to almost nothing.
const MAX_NESTED_VALUES: u64 = 8 * 1024 * 1024;
/// Largest value of a fixed length. A missing value occupies as much memory as any other.
const MAX_FIXED_BYTES: u64 = 32 * 1024;
/// Longest header of Snappy data: the decompressed size.
const MAX_SNAPPY_HEADER_BYTES: u64 = 5;
/// Memory for a text of a dictionary, in addition to its bytes.
const TEXT_BYTES: u64 = 16;
/// Replaces a negative size or offset, which is refused.
const NEGATIVE: u64 = u64::MAX;

/// The sizes of the pages of a row group's columns.
#[derive(Debug, Default)]
pub(super) struct PageSummary {
    /// The decompressed size of all pages.
    pub(super) bytes: u64,
    /// The dictionary of each column whose values are all in a dictionary.
    pub(super) dictionaries: Vec<Option<DictionarySize>>,
    pub(super) starts: PageStarts,
}

/// The offsets of each leaf column's pages with values or a dictionary.
pub(super) type PageStarts = HashMap<usize, Arc<[u64]>>;

/// The size of a dictionary.
#[derive(Debug, Clone, Copy)]
pub(super) struct DictionarySize {
    pub(super) bytes: u64,
    pub(super) values: u64,
}

/// Scans the page headers of some columns of a row group.
///
/// # Errors
/// Returns an error if a page is inconsistent with the footer or too large.
pub(super) fn scan_pages<T: ChunkReader>(
    file: &SharedFile<T>,
    row_group: usize,
    group: &RowGroupMetaData,
    leaves: &[usize],
) -> Result<PageSummary, ReadError> {
    let mut summary = PageSummary::default();
    let mut open_bytes = 0_u64;
    for leaf in leaves {
        let Some(column) = group.columns().get(*leaf) else {
            return Err(corrupt(0, "a row group has fewer columns than the schema"));
        };
        let pages = scan_column(file, row_group, column)?;
        summary.bytes = summary.bytes.saturating_add(pages.bytes);
        summary.dictionaries.push(pages.dictionary.filter(|_| !pages.has_others));
        let dictionary = pages.dictionary.map_or(0, |dictionary| dictionary.bytes);
        open_bytes = open_bytes.saturating_add(pages.largest).saturating_add(dictionary);
        summary.starts.insert(*leaf, pages.starts.into());
        if open_bytes > MAX_OPEN_BYTES {
            let message = format!(
                "the largest pages of its columns have more than {MAX_OPEN_BYTES} bytes together; write smaller pages"
            );
            return Err(corrupt(byte_range(column).0, &message));
        }
    }
    Ok(summary)
}

fn scan_column<T: ChunkReader>(
    file: &SharedFile<T>,
    row_group: usize,
    column: &ColumnChunkMetaData,
) -> Result<ColumnSummary, ReadError> {
    let (mut at, length) = byte_range(column);
    let unsupported = match column.compression() {
        Compression::BROTLI(_) => Some("brotli"),
        Compression::LZO => Some("LZO"),
        Compression::UNCOMPRESSED
        | Compression::SNAPPY
        | Compression::GZIP(_)
        | Compression::LZ4
        | Compression::ZSTD(_)
        | Compression::LZ4_RAW => None,
    };
    if let Some(codec) = unsupported {
        let message = format!(
            "the Parquet file is compressed with {codec}, which is not supported; write it with zstd or Snappy"
        );
        return Err(unreadable(UnreadableCode::UnsupportedFeature, at, message));
    }
    let end = at.checked_add(length).filter(|end| *end <= file.len());
    let Some(end) = end else {
        return Err(corrupt(at, "a column extends beyond the end of the file"));
    };
    let width = value_bytes(column);
    if column.column_type() == Physical::FIXED_LEN_BYTE_ARRAY && width > MAX_FIXED_BYTES {
        return Err(too_large(column, at, &format!("has values of {width} bytes")));
    }
    let mut pages = ColumnSummary::default();
    while at < end {
        let header = read_header(file, at, end)?;
        if [header.compressed, header.uncompressed, header.values].contains(&NEGATIVE) {
            return Err(corrupt_page(column, at, "has a negative size"));
        }
        let body = at.saturating_add(header.length);
        let next = body.saturating_add(header.compressed);
        if next > end {
            return Err(corrupt(at, "a page extends beyond its column"));
        }
        pages.add(column, at, &header, width)?;
        if header.is_compressed
            && header.kind != PageHeader::INDEX
            && column.compression() == Compression::SNAPPY
        {
            check_snappy(file, column, body, &header)?;
        }
        if header.is_compressed && compressed::needs_check(column.compression(), header.compressed) {
            check_compressed(file, column, body, &header)?;
        }
        at = next;
    }
    if pages.delta.contains(&true) {
        pages.add_delta_texts(file, row_group, column)?;
    }
    Ok(pages)
}

/// The sizes of a column's pages.
#[derive(Debug, Default)]
struct ColumnSummary {
    /// The decompressed size of all pages.
    bytes: u64,
    /// The memory for the largest page with values.
    largest: u64,
    dictionary: Option<DictionarySize>,
    /// Whether some values are not in a dictionary.
    has_others: bool,
    /// The offset of each page.
    starts: Vec<u64>,
    /// For each page, whether its texts are in a delta encoding.
    delta: Vec<bool>,
}

impl ColumnSummary {
    /// Adds a page according to its header.
    fn add(
        &mut self,
        column: &ColumnChunkMetaData,
        at: u64,
        header: &PageHeader,
        width: u64,
    ) -> Result<(), ReadError> {
        let PageHeader { uncompressed, values, .. } = *header;
        let is_nested = column.column_descr().max_rep_level() > 0;
        let is_dictionary = header.kind == PageHeader::DICTIONARY;
        if is_dictionary && values.saturating_mul(width) > uncompressed {
            return Err(corrupt(at, "a dictionary has more values than bytes"));
        }
        let is_text = column.column_type() == Physical::BYTE_ARRAY;
        let room = if is_text { values.saturating_mul(TEXT_BYTES) } else { 0 };
        let room = if is_dictionary { uncompressed.max(room) } else { uncompressed };
        let nested = if is_nested { values.saturating_mul(width) } else { 0 };
        if room.max(nested) > MAX_PAGE_BYTES || is_nested && values > MAX_NESTED_VALUES {
            return Err(too_large(column, at, &format!("has {uncompressed} bytes and {values} values")));
        }
        if is_dictionary {
            let known = self.dictionary.unwrap_or(DictionarySize { bytes: 0, values: 0 });
            self.has_others |= self.dictionary.is_some();
            self.dictionary =
                Some(DictionarySize { bytes: known.bytes.max(room), values: known.values.max(values) });
        } else {
            self.largest = self.largest.max(room);
            self.has_others |= !header.has_codes;
        }
        self.bytes = self.bytes.saturating_add(uncompressed);
        // Readers skip index pages.
        if header.kind != PageHeader::INDEX {
            self.starts.push(at);
            self.delta.push(header.is_delta);
        }
        Ok(())
    }

    /// Adds the decoded size of texts in a delta encoding.
    fn add_delta_texts<T: ChunkReader>(
        &mut self,
        file: &SharedFile<T>,
        row_group: usize,
        column: &ColumnChunkMetaData,
    ) -> Result<(), ReadError> {
        let start = byte_range(column).0;
        let name = column.column_path().string();
        let located = |at: u64, error: ParquetError| {
            file.record_page_error(&PagePosition { column: &name, row_group, byte_offset: at }, &error);
            file.to_read_error(at, &error)
        };
        let pages = guarded(|| {
            let column = with_valid_dictionary_offset(column)?;
            SerializedPageReader::new(Arc::new(file.clone()), &column, 0, None)
        });
        let mut pages = pages.map_err(|error| file.to_read_error(start, &error))?;
        for (at, is_delta) in self.starts.iter().zip(&self.delta) {
            if !is_delta {
                guarded(|| pages.skip_next_page()).map_err(|error| located(*at, error))?;
                continue;
            }
            let page = guarded(|| pages.get_next_page()).map_err(|error| located(*at, error))?;
            let Some(page) = page else { return Err(corrupt(*at, "a column ends before its last page")) };
            let expanded = delta::expanded(&page, column.column_descr());
            let expanded = expanded.map_err(|reason| corrupt_page(column, *at, &reason))?;
            let whole = expanded.saturating_add(page.buffer().len() as u64);
            if expanded > MAX_PAGE_BYTES {
                return Err(too_large(column, *at, &format!("decodes to more than {MAX_PAGE_BYTES} bytes")));
            }
            self.largest = self.largest.max(whole);
            self.bytes = self.bytes.saturating_add(expanded);
        }
        Ok(())
    }
}

/// Returns the smallest size of a value in an uncompressed page.
fn value_bytes(column: &ColumnChunkMetaData) -> u64 {
    match column.column_type() {
        Physical::BOOLEAN => 1,
        Physical::INT32 | Physical::FLOAT | Physical::BYTE_ARRAY => 4,
        Physical::INT64 | Physical::DOUBLE => 8,
        Physical::INT96 => 12,
        Physical::FIXED_LEN_BYTE_ARRAY => size(column.column_descr().type_length()),
    }
}

/// Returns a size or offset; [`NEGATIVE`] for a negative one.
fn size(number: impl Into<i64>) -> u64 {
    u64::try_from(number.into()).unwrap_or(NEGATIVE)
}

/// Returns the error for an invalid page. `reason`: a predicate of the page.
fn corrupt_page(column: &ColumnChunkMetaData, at: u64, reason: &str) -> ReadError {
    corrupt(at, &format!("a page of column `{}` {reason}", column.column_path().string()))
}

fn too_large(column: &ColumnChunkMetaData, at: u64, reason: &str) -> ReadError {
    corrupt_page(column, at, &format!("{reason}, which is more than the limit; write smaller pages"))
}

/// Refuses a page that does not decompress to the size in its header.
fn check_snappy<T: ChunkReader>(
    file: &SharedFile<T>,
    column: &ColumnChunkMetaData,
    body: u64,
    header: &PageHeader,
) -> Result<(), ReadError> {
    let mismatch = || corrupt_page(column, body, "does not decompress to the size in its header");
    // The levels of version 2 are not compressed.
    let Some(compressed) = header.compressed.checked_sub(header.levels) else { return Err(mismatch()) };
    let start = body.saturating_add(header.levels);
    let head_bytes = usize::try_from(compressed.min(MAX_SNAPPY_HEADER_BYTES)).expect("at most five bytes");
    let head = file.get_bytes(start, head_bytes).map_err(|error| file.to_read_error(start, &error))?;
    let bytes = snap::raw::decompress_len(&head).map_err(|_| mismatch())?;
    if header.uncompressed.checked_sub(header.levels) == Some(bytes as u64) {
        Ok(())
    } else {
        Err(mismatch())
    }
}

/// Refuses a page that decompresses to more than its header declares.
fn check_compressed<T: ChunkReader>(
    file: &SharedFile<T>,
    column: &ColumnChunkMetaData,
    body: u64,
    header: &PageHeader,
) -> Result<(), ReadError> {
    let length = usize::try_from(header.compressed).expect("a size has 31 bits");
    let bytes = file.get_bytes(body, length).map_err(|error| file.to_read_error(body, &error))?;
    // The levels of version 2 are not compressed.
    let compressed = usize::try_from(header.levels).ok().and_then(|levels| bytes.get(levels..));
    let compressed = compressed.ok_or_else(|| corrupt_page(column, body, "is too short for its levels"))?;
    let max_bytes = header.uncompressed.saturating_sub(header.levels);
    if compressed::exceeds(column.compression(), compressed, max_bytes) {
        return Err(corrupt_page(column, body, "decompresses to more bytes than its header declares"));
    }
    Ok(())
}

/// Returns the offset and the size of a column.
pub(super) fn byte_range(column: &ColumnChunkMetaData) -> (u64, u64) {
    let start = dictionary_offset(column).unwrap_or(column.data_page_offset());
    (size(start), size(column.compressed_size()))
}

/// Returns a column without an invalid dictionary offset, so that it begins at the offset of [`byte_range`]. The
/// `parquet` crate does not check the offset, and older versions of parquet-mr write 0 if there is no dictionary.
pub(super) fn with_valid_dictionary_offset(
    column: &ColumnChunkMetaData,
) -> ParquetResult<ColumnChunkMetaData> {
    let offset = dictionary_offset(column);
    column.clone().into_builder().set_dictionary_page_offset(offset).build()
}

/// Returns the offset of the dictionary, if the footer has one that is valid: before the data.
fn dictionary_offset(column: &ColumnChunkMetaData) -> Option<i64> {
    let data = column.data_page_offset();
    column.dictionary_page_offset().filter(|dictionary| *dictionary > 0 && *dictionary < data)
}

/// A page header.
#[derive(Debug)]
struct PageHeader {
    kind: i32,
    /// The size of the header.
    length: u64,
    uncompressed: u64,
    compressed: u64,
    values: u64,
    /// Whether texts are in a delta encoding.
    is_delta: bool,
    /// Whether values are dictionary codes.
    has_codes: bool,
    is_compressed: bool,
    /// The size of the levels, which precede the compressed bytes.
    levels: u64,
}

impl PageHeader {
    const INDEX: i32 = 1;
    const DICTIONARY: i32 = 2;

    /// Parses a header; returns `None` if it is truncated or invalid.
    fn parse(bytes: &[u8]) -> Option<Self> {
        const PAGES_WITH_VALUES: [i16; 3] = [DATA, 7, DATA_V2];
        const DATA: i16 = 5;
        const DATA_V2: i16 = 8;
        let mut header = Self {
            kind: 0,
            length: 0,
            uncompressed: 0,
            compressed: 0,
            values: 0,
            is_delta: false,
            has_codes: false,
            is_compressed: true,
            levels: 0,
        };
        let mut walker = Walker::new(bytes);
        // Repeated fields, and pages of two types, are refused, because readers may interpret them differently.
        let mut last = 0_i16;
        let mut is_described = false;
        walker.structure(|walker, number, kind| {
            if number <= std::mem::replace(&mut last, number) {
                return None;
            }
            if PAGES_WITH_VALUES.contains(&number) && std::mem::replace(&mut is_described, true) {
                return None;
            }
            match (number, kind) {
                (1, I32) => header.kind = walker.i32()?,
                (2, I32) => header.uncompressed = size(walker.i32()?),
                (3, I32) => header.compressed = size(walker.i32()?),
                (page, STRUCT) if PAGES_WITH_VALUES.contains(&page) => {
                    let mut last = 0_i16;
                    walker.structure(|walker, number, kind| {
                        if number <= std::mem::replace(&mut last, number) {
                            return None;
                        }
                        match (page, number, kind) {
                            (_, 1, I32) => header.values = header.values.max(size(walker.i32()?)),
                            (DATA, 2, I32) | (DATA_V2, 4, I32) => {
                                let encoding = walker.i32()?;
                                header.is_delta |= is_of(DELTAS, encoding);
                                header.has_codes |= is_of(CODES, encoding);
                            }
                            (DATA_V2, 5 | 6, I32) => {
                                header.levels = header.levels.saturating_add(size(walker.i32()?));
                            }
                            (DATA_V2, 7, FALSE) => {
                                header.is_compressed = false;
                                return Some(false);
                            }
                            _ => return Some(false),
                        }
                        Some(true)
                    })?
                }
                _ => return Some(false),
            }
            Some(true)
        })?;
        header.length = bytes.len().checked_sub(walker.rest())? as u64;
        Some(header)
    }
}

/// Returns the range of the body of the page whose header begins at `at`.
#[cfg(test)]
pub(super) fn body_of<T: ChunkReader>(
    file: &SharedFile<T>,
    at: u64,
    end: u64,
) -> Result<std::ops::Range<usize>, ReadError> {
    let header = read_header(file, at, end)?;
    let start = usize::try_from(at + header.length).expect("a file in memory");
    Ok(start..start + usize::try_from(header.compressed).expect("a file in memory"))
}

/// Delta encodings of texts.
const DELTAS: [Encoding; 2] = [Encoding::DELTA_LENGTH_BYTE_ARRAY, Encoding::DELTA_BYTE_ARRAY];
/// Encodings of dictionary codes.
const CODES: [Encoding; 2] = [Encoding::RLE_DICTIONARY, Encoding::PLAIN_DICTIONARY];

/// Returns whether `number` identifies one of the encodings.
fn is_of(encodings: [Encoding; 2], number: i32) -> bool {
    encodings.into_iter().any(|encoding| encoding as i32 == number)
}

fn read_header<T: ChunkReader>(file: &SharedFile<T>, at: u64, end: u64) -> Result<PageHeader, ReadError> {
    let available = end.saturating_sub(at);
    let mut requested = HEADER_BYTES;
    loop {
        let length = usize::try_from(available).map_or(requested, |available| available.min(requested));
        let bytes = file.get_bytes(at, length).map_err(|error| file.to_read_error(at, &error))?;
        if let Some(header) = PageHeader::parse(&bytes) {
            return Ok(header);
        }
        if requested as u64 >= available.min(MAX_HEADER_BYTES as u64) {
            return Err(corrupt(at, "the header of a page is invalid"));
        }
        requested = requested.saturating_mul(8);
    }
}
