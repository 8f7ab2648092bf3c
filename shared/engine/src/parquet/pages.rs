//! The pages of a row group, before one is decompressed: what they become must fit into the memory.

use parquet::basic::Compression;
use parquet::file::metadata::{ColumnChunkMetaData, RowGroupMetaData};
use parquet::file::reader::{ChunkReader, Length};

use super::shared::Shared;
use super::thrift::{I32, STRUCT, Walker};
use super::{corrupt, unreadable};
use crate::error::{ReadError, UnreadableCode};

/// A header holds a page's smallest and largest value, which may be long.
const MAX_HEADER_BYTES: usize = 16 * 1024 * 1024;
const HEADER_BYTES: usize = 256;
/// Of one page. Writers end them at about a mebibyte.
const MAX_PAGE_BYTES: u64 = 128 * 1024 * 1024;
/// Of the largest page and the dictionary of each column that is read: they are in memory together.
const MAX_OPEN_BYTES: u64 = 512 * 1024 * 1024;
/// Of one page of a list or a map: one row may have them all, and each takes memory however well it is packed.
const MAX_NESTED_VALUES: u64 = 8 * 1024 * 1024;

/// Goes through the headers of the pages of some columns, and tells their bytes after decompression.
///
/// # Errors
/// When a page contradicts the footer or would be too large.
pub(super) fn look_through<T: ChunkReader>(
    file: &Shared<T>,
    group: &RowGroupMetaData,
    leaves: &[usize],
) -> Result<u64, ReadError> {
    let mut bytes = 0_u64;
    let mut open_bytes = 0_u64;
    for leaf in leaves {
        let Some(column) = group.columns().get(*leaf) else {
            return Err(corrupt(0, "a row group lacks a column"));
        };
        let largest = look_through_column(file, column, &mut bytes)?;
        open_bytes = open_bytes.saturating_add(largest);
        if open_bytes > MAX_OPEN_BYTES {
            let message = format!(
                "the pages of its columns have more than {MAX_OPEN_BYTES} bytes; write smaller pages"
            );
            return Err(corrupt(place(column).0, &message));
        }
    }
    Ok(bytes)
}

/// The bytes of the largest page and of the dictionary.
fn look_through_column<T: ChunkReader>(
    file: &Shared<T>,
    column: &ColumnChunkMetaData,
    bytes: &mut u64,
) -> Result<u64, ReadError> {
    let (mut at, length) = place(column);
    if matches!(column.compression(), Compression::BROTLI(_) | Compression::LZO) {
        let message =
            format!("its pages are compressed by {}; write it with zstd or snappy", column.compression());
        return Err(unreadable(UnreadableCode::UnsupportedFeature, at, message));
    }
    let end = at.checked_add(length).filter(|end| *end <= file.len());
    let Some(end) = end else {
        return Err(corrupt(at, "a column goes beyond the end of the file: it breaks off, or is damaged"));
    };
    let is_nested = column.column_descr().max_rep_level() > 0;
    let (mut largest, mut dictionary) = (0_u64, 0_u64);
    while at < end {
        let header = read_header(file, at, end)?;
        let is_dictionary = header.kind == Header::DICTIONARY;
        if is_dictionary && header.values > header.uncompressed.max(1) {
            return Err(corrupt(at, "a dictionary has more values than bytes"));
        }
        if header.uncompressed > MAX_PAGE_BYTES || is_nested && header.values > MAX_NESTED_VALUES {
            let message = format!(
                "a page of column `{}` has {} bytes and {} values, which is too much; write smaller pages",
                column.column_path().string(),
                header.uncompressed,
                header.values
            );
            return Err(corrupt(at, &message));
        }
        if is_dictionary {
            dictionary = dictionary.max(header.uncompressed);
        } else {
            largest = largest.max(header.uncompressed);
        }
        *bytes = bytes.saturating_add(header.uncompressed);
        at = at.saturating_add(header.length).saturating_add(header.compressed);
        if at > end {
            return Err(corrupt(at, "a page goes beyond its column"));
        }
    }
    Ok(largest.saturating_add(dictionary))
}

/// Where a column begins, and its bytes.
pub(super) fn place(column: &ColumnChunkMetaData) -> (u64, u64) {
    let data = column.data_page_offset();
    let start = column.dictionary_page_offset().filter(|dictionary| *dictionary > 0 && *dictionary < data);
    let number = |number: i64| u64::try_from(number).unwrap_or(u64::MAX);
    (number(start.unwrap_or(data)), number(column.compressed_size()))
}

/// What a page says of itself.
#[derive(Debug, Default)]
struct Header {
    kind: i32,
    /// Its own bytes.
    length: u64,
    uncompressed: u64,
    compressed: u64,
    values: u64,
}

impl Header {
    const DICTIONARY: i32 = 2;

    /// `None`: it goes on beyond the bytes, or is none.
    fn parse(bytes: &[u8]) -> Option<Self> {
        const PAGES_WITH_VALUES: [i16; 3] = [5, 7, 8];
        let mut header = Self::default();
        let mut walker = Walker::new(bytes);
        // What is negative is more than there may be.
        let size = |number: i32| u64::try_from(number).unwrap_or(u64::MAX);
        walker.structure(|walker, number, kind| {
            match (number, kind) {
                (1, I32) => header.kind = walker.i32()?,
                (2, I32) => header.uncompressed = size(walker.i32()?),
                (3, I32) => header.compressed = size(walker.i32()?),
                (number, STRUCT) if PAGES_WITH_VALUES.contains(&number) => {
                    walker.structure(|walker, number, kind| {
                        let is_count = (number, kind) == (1, I32);
                        if is_count {
                            header.values = size(walker.i32()?);
                        }
                        Some(is_count)
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

fn read_header<T: ChunkReader>(file: &Shared<T>, at: u64, end: u64) -> Result<Header, ReadError> {
    let mut want = HEADER_BYTES;
    loop {
        let there = usize::try_from(end.saturating_sub(at)).unwrap_or(usize::MAX);
        let bytes = file.get_bytes(at, want.min(there)).map_err(|error| file.tell(at, &error))?;
        if let Some(header) = Header::parse(&bytes) {
            return Ok(header);
        }
        if want >= there.min(MAX_HEADER_BYTES) {
            return Err(corrupt(at, "the header of a page cannot be read"));
        }
        want = want.saturating_mul(8);
    }
}
