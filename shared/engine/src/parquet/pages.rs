//! The pages of a row group, before one is decoded: what they become must fit into the memory.
//!
//! Their headers are looked at, and the bodies of those whose headers do not say it: texts that are packed by difference
//! ([`delta`]), and what may become more than it says ([`compressed`]).

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
use super::shared::{PagePlace, SharedFile};
use super::thrift::{FALSE, I32, STRUCT, Walker};
use crate::error::{ReadError, UnreadableCode};

/// A header holds a page's smallest and largest value, which may be long.
const MAX_HEADER_BYTES: usize = 16 * 1024 * 1024;
const HEADER_BYTES: usize = 256;
/// Of the largest page and the dictionary of each column that is read: they are in memory together.
const MAX_OPEN_BYTES: u64 = 512 * 1024 * 1024;
/// Of one page of a list or a map: one row may have them all, and each takes memory however well it is packed.
const MAX_NESTED_VALUES: u64 = 8 * 1024 * 1024;
/// Of a value of a fixed length: a batch of missing ones takes as much room as one of others.
const MAX_FIXED_BYTES: u64 = 32 * 1024;
/// What Snappy begins with: the number of bytes that it was made from.
const MAX_SNAPPY_HEADER_BYTES: u64 = 5;
/// That a text of a dictionary takes in memory beside its own bytes.
const TEXT_BYTES: u64 = 16;

/// What the pages of some columns become.
#[derive(Debug, Default)]
pub(super) struct Looked {
    /// After decompression.
    pub(super) bytes: u64,
    /// By column: its dictionary, if all of its values are in it.
    pub(super) dictionaries: Vec<Option<Dictionary>>,
    pub(super) starts: PageStarts,
}

/// The first byte of each page with values or a dictionary, by leaf column.
pub(super) type PageStarts = HashMap<usize, Arc<[u64]>>;

#[derive(Debug, Clone, Copy)]
pub(super) struct Dictionary {
    pub(super) bytes: u64,
    pub(super) values: u64,
}

/// Goes through the headers of the pages of some columns.
///
/// # Errors
/// When a page contradicts the footer or would be too large.
pub(super) fn look_through<T: ChunkReader>(
    file: &SharedFile<T>,
    row_group: usize,
    group: &RowGroupMetaData,
    leaves: &[usize],
) -> Result<Looked, ReadError> {
    let mut looked = Looked::default();
    let mut open_bytes = 0_u64;
    for leaf in leaves {
        let Some(column) = group.columns().get(*leaf) else {
            return Err(corrupt(0, "a row group lacks a column"));
        };
        let pages = look_through_column(file, row_group, column)?;
        looked.bytes = looked.bytes.saturating_add(pages.bytes);
        looked.dictionaries.push(pages.dictionary.filter(|_| !pages.has_others));
        let dictionary = pages.dictionary.map_or(0, |dictionary| dictionary.bytes);
        open_bytes = open_bytes.saturating_add(pages.largest).saturating_add(dictionary);
        looked.starts.insert(*leaf, pages.starts.into());
        if open_bytes > MAX_OPEN_BYTES {
            let message = format!(
                "the pages of its columns have more than {MAX_OPEN_BYTES} bytes; write smaller pages"
            );
            return Err(corrupt(place(column).0, &message));
        }
    }
    Ok(looked)
}

fn look_through_column<T: ChunkReader>(
    file: &SharedFile<T>,
    row_group: usize,
    column: &ColumnChunkMetaData,
) -> Result<Pages, ReadError> {
    let (mut at, length) = place(column);
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
        let message = format!("its pages are compressed with {codec}; write it with zstd or snappy");
        return Err(unreadable(UnreadableCode::UnsupportedFeature, at, message));
    }
    let end = at.checked_add(length).filter(|end| *end <= file.len());
    let Some(end) = end else {
        return Err(corrupt(at, "a column goes beyond the end of the file: it breaks off, or is damaged"));
    };
    let width = value_bytes(column);
    if column.column_type() == Physical::FIXED_LEN_BYTE_ARRAY && width > MAX_FIXED_BYTES {
        return Err(too_much(column, at, &format!("has values of {width} bytes")));
    }
    let mut pages = Pages::default();
    while at < end {
        let header = read_header(file, at, end)?;
        if [header.compressed, header.uncompressed, header.values].contains(&u64::MAX) {
            return Err(corrupt_page(column, at, "has a negative size"));
        }
        let body = at.saturating_add(header.length);
        let next = body.saturating_add(header.compressed);
        if next > end {
            return Err(corrupt(at, "a page goes beyond its column"));
        }
        pages.take(column, at, &header, width)?;
        if header.is_compressed
            && header.kind != PageHeader::INDEX
            && column.compression() == Compression::SNAPPY
        {
            check_snappy(file, column, body, &header)?;
        }
        if header.is_compressed && compressed::is_doubtful(column.compression(), header.compressed) {
            check_compressed(file, column, body, &header)?;
        }
        at = next;
    }
    if pages.delta.contains(&true) {
        pages.expand(file, row_group, column)?;
    }
    Ok(pages)
}

/// What the pages of a column become.
#[derive(Debug, Default)]
struct Pages {
    bytes: u64,
    /// Of the largest page with values.
    largest: u64,
    dictionary: Option<Dictionary>,
    /// Some values stand in no dictionary.
    has_others: bool,
    /// Where each page begins, and whether its texts are packed by difference.
    starts: Vec<u64>,
    delta: Vec<bool>,
}

impl Pages {
    /// Takes a page by what its header says.
    fn take(
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
            return Err(too_much(column, at, &format!("has {uncompressed} bytes and {values} values")));
        }
        if is_dictionary {
            let known = self.dictionary.unwrap_or(Dictionary { bytes: 0, values: 0 });
            self.has_others |= self.dictionary.is_some();
            self.dictionary =
                Some(Dictionary { bytes: known.bytes.max(room), values: known.values.max(values) });
        } else {
            self.largest = self.largest.max(room);
            self.has_others |= !header.is_coded;
        }
        self.bytes = self.bytes.saturating_add(uncompressed);
        // Readers pass over pages of an index.
        if header.kind != PageHeader::INDEX {
            self.starts.push(at);
            self.delta.push(header.is_delta);
        }
        Ok(())
    }

    /// Takes what texts become that are packed by difference.
    fn expand<T: ChunkReader>(
        &mut self,
        file: &SharedFile<T>,
        row_group: usize,
        column: &ColumnChunkMetaData,
    ) -> Result<(), ReadError> {
        let start = place(column).0;
        let name = column.column_path().string();
        let located = |at: u64, error: ParquetError| {
            file.blame(&PagePlace { column: &name, row_group, byte_offset: at }, &error);
            file.tell(at, &error)
        };
        let pages = guarded(|| SerializedPageReader::new(Arc::new(file.clone()), &in_use(column)?, 0, None));
        let mut pages = pages.map_err(|error| file.tell(start, &error))?;
        for (at, is_delta) in self.starts.iter().zip(&self.delta) {
            if !is_delta {
                guarded(|| pages.skip_next_page()).map_err(|error| located(*at, error))?;
                continue;
            }
            let page = guarded(|| pages.get_next_page()).map_err(|error| located(*at, error))?;
            let Some(page) = page else { return Err(corrupt(*at, "a page is not where its column says")) };
            let expanded = delta::expanded(&page, column.column_descr());
            let expanded = expanded.map_err(|why| corrupt_page(column, *at, &why))?;
            let whole = expanded.saturating_add(page.buffer().len() as u64);
            if expanded > MAX_PAGE_BYTES {
                return Err(too_much(column, *at, &format!("becomes more than {MAX_PAGE_BYTES} bytes")));
            }
            self.largest = self.largest.max(whole);
            self.bytes = self.bytes.saturating_add(expanded);
        }
        Ok(())
    }
}

/// Bytes that a value takes at least in a page that is not packed.
fn value_bytes(column: &ColumnChunkMetaData) -> u64 {
    match column.column_type() {
        Physical::BOOLEAN => 1,
        Physical::INT32 | Physical::FLOAT | Physical::BYTE_ARRAY => 4,
        Physical::INT64 | Physical::DOUBLE => 8,
        Physical::INT96 => 12,
        // What is negative is more than there may be.
        Physical::FIXED_LEN_BYTE_ARRAY => {
            u64::try_from(column.column_descr().type_length()).unwrap_or(u64::MAX)
        }
    }
}

/// What is wrong with a page of a column.
fn corrupt_page(column: &ColumnChunkMetaData, at: u64, what: &str) -> ReadError {
    corrupt(at, &format!("a page of column `{}` {what}", column.column_path().string()))
}

fn too_much(column: &ColumnChunkMetaData, at: u64, what: &str) -> ReadError {
    corrupt_page(column, at, &format!("{what}, which is too much; write smaller pages"))
}

/// Refuses a page that becomes another number of bytes than its header says.
fn check_snappy<T: ChunkReader>(
    file: &SharedFile<T>,
    column: &ColumnChunkMetaData,
    body: u64,
    header: &PageHeader,
) -> Result<(), ReadError> {
    // The levels of the second version are not compressed.
    let packed = body.saturating_add(header.levels);
    let there = header.compressed.saturating_sub(header.levels).min(MAX_SNAPPY_HEADER_BYTES);
    let head = file.get_bytes(packed, usize::try_from(there).unwrap_or_default());
    let head = head.map_err(|error| file.tell(packed, &error))?;
    let bytes = snap::raw::decompress_len(&head).map_or(u64::MAX, |bytes| bytes as u64);
    if header.levels > header.compressed || header.uncompressed.checked_sub(header.levels) != Some(bytes) {
        return Err(corrupt_page(column, body, "does not have the bytes that its header says"));
    }
    Ok(())
}

/// Refuses a page that becomes more than its header says.
fn check_compressed<T: ChunkReader>(
    file: &SharedFile<T>,
    column: &ColumnChunkMetaData,
    body: u64,
    header: &PageHeader,
) -> Result<(), ReadError> {
    let length = usize::try_from(header.compressed).unwrap_or(usize::MAX);
    let bytes = file.get_bytes(body, length).map_err(|error| file.tell(body, &error))?;
    // The levels of the second version are not compressed.
    let packed = usize::try_from(header.levels).ok().and_then(|levels| bytes.get(levels..));
    let most = header.uncompressed.saturating_sub(header.levels);
    if packed.is_some_and(|packed| compressed::is_more_than(column.compression(), packed, most)) {
        return Err(corrupt_page(column, body, "has more bytes than its header says"));
    }
    Ok(())
}

/// Where a column begins, and its bytes.
pub(super) fn place(column: &ColumnChunkMetaData) -> (u64, u64) {
    let start = dictionary_offset(column).unwrap_or(column.data_page_offset());
    let number = |number: i64| u64::try_from(number).unwrap_or(u64::MAX);
    (number(start), number(column.compressed_size()))
}

/// The column as the crate must see it to begin where [`place`] does: it takes the offset of a dictionary as it is, and
/// older versions of parquet-mr write 0 where there is no dictionary.
pub(super) fn in_use(column: &ColumnChunkMetaData) -> ParquetResult<ColumnChunkMetaData> {
    let offset = dictionary_offset(column);
    column.clone().into_builder().set_dictionary_page_offset(offset).build()
}

/// Where the dictionary begins, if the footer says so and that can be: before the data.
fn dictionary_offset(column: &ColumnChunkMetaData) -> Option<i64> {
    let data = column.data_page_offset();
    column.dictionary_page_offset().filter(|dictionary| *dictionary > 0 && *dictionary < data)
}

/// What a page says of itself.
#[derive(Debug)]
struct PageHeader {
    kind: i32,
    /// Its own bytes.
    length: u64,
    uncompressed: u64,
    compressed: u64,
    values: u64,
    /// Texts are packed by difference.
    is_delta: bool,
    /// Values are places in the dictionary.
    is_coded: bool,
    is_compressed: bool,
    /// Bytes of levels that stand before what is compressed.
    levels: u64,
}

impl PageHeader {
    const INDEX: i32 = 1;
    const DICTIONARY: i32 = 2;

    /// `None`: it goes on beyond the bytes, or is none.
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
            is_coded: false,
            is_compressed: true,
            levels: 0,
        };
        let mut walker = Walker::new(bytes);
        // What is negative is more than there may be.
        let size = |number: i32| u64::try_from(number).unwrap_or(u64::MAX);
        // A field that stands twice may be read as either, and so may a page that is of two kinds.
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
                                header.is_coded |= is_of(CODES, encoding);
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

/// The bytes of the page whose header begins at a place, without the header.
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

/// Of texts that are packed by difference.
const DELTAS: [Encoding; 2] = [Encoding::DELTA_LENGTH_BYTE_ARRAY, Encoding::DELTA_BYTE_ARRAY];
/// Of places in a dictionary.
const CODES: [Encoding; 2] = [Encoding::RLE_DICTIONARY, Encoding::PLAIN_DICTIONARY];

/// True for the number of one of the encodings.
fn is_of(encodings: [Encoding; 2], number: i32) -> bool {
    encodings.into_iter().any(|encoding| encoding as i32 == number)
}

fn read_header<T: ChunkReader>(file: &SharedFile<T>, at: u64, end: u64) -> Result<PageHeader, ReadError> {
    let mut want = HEADER_BYTES;
    loop {
        let there = usize::try_from(end.saturating_sub(at)).unwrap_or(usize::MAX);
        let bytes = file.get_bytes(at, want.min(there)).map_err(|error| file.tell(at, &error))?;
        if let Some(header) = PageHeader::parse(&bytes) {
            return Ok(header);
        }
        if want >= there.min(MAX_HEADER_BYTES) {
            return Err(corrupt(at, "the header of a page cannot be read"));
        }
        want = want.saturating_mul(8);
    }
}
