//! The footer of a Parquet file, which describes the schema and the row groups. It is inspected before it is decoded.

use std::collections::BTreeSet;
use std::io::Read;
use std::ops::Range;
use std::sync::Arc;

use arrow_schema::{DataType, Field, FieldRef, Schema, TimeUnit};
use bytes::Bytes;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};
use parquet::basic::{ConvertedType, LogicalType, Type as Physical};
use parquet::errors::ParquetError;
use parquet::file::metadata::{
    ParquetMetaData, ParquetMetaDataOptions, ParquetMetaDataReader, ParquetStatisticsPolicy,
};
use parquet::file::reader::{ChunkReader, Length};
use parquet::schema::types::{SchemaDescriptor, Type, TypePtr};
use penstock_contract::Compression;

use super::error::{corrupt, unreadable};
use super::guard::guarded;
use super::shared::SharedFile;
use super::thrift::{BINARY, I32, I64, LIST, STRUCT, Walker};
use super::values::{Leaves, is_interval};
use crate::error::{ReadError, UnreadableCode};
use crate::input::magic::{HEAD_BYTES, check_compressed_twice, recognise};
use crate::input::{compression_name, compression_of};

const MAGIC: &[u8; 4] = b"PAR1";
const ENCRYPTED_MAGIC: &[u8; 4] = b"PARE";
/// Size of the smallest file: magic number, footer length, magic number.
const MIN_FILE_BYTES: u64 = 12;
/// Size of the footer length and the magic number after it.
const TAIL_BYTES: usize = 8;
const MAX_FOOTER_BYTES: usize = 64 * 1024 * 1024;
/// Largest number of columns and groups of columns, without the root of the schema.
const MAX_SCHEMA_ELEMENTS: usize = 20_000;
/// Deepest nesting of groups. The decoders recurse.
const MAX_SCHEMA_DEPTH: usize = 64;

/// A decoded footer.
pub(super) struct Footer {
    /// The metadata with the file's types, except that text is read as bytes, INT96 as microseconds and INTERVAL as
    /// bytes.
    pub(super) metadata: ArrowReaderMetadata,
    /// The same with INT96 as nanoseconds; `None` if the file has no such column.
    pub(super) nanos: Option<ArrowReaderMetadata>,
    /// The fields in the file's schema.
    pub(super) fields: Vec<TypePtr>,
    /// The encrypted leaf columns of a file with a plain-text footer.
    pub(super) encrypted: BTreeSet<usize>,
}

/// Reads the footer.
///
/// # Errors
/// Returns an error if the file is not Parquet, truncated, inconsistent or encrypted.
pub(super) fn read_footer<T: ChunkReader>(file: &SharedFile<T>) -> Result<Footer, ReadError> {
    let bytes = footer_bytes(file)?;
    let at = file.len().saturating_sub(TAIL_BYTES as u64).saturating_sub(bytes.len() as u64);
    let details = inspect(&bytes).map_err(|fault| fault.error(at))?;
    if details.is_external {
        let message = "the Parquet file contains only metadata: its columns are in other files; deliver those files instead";
        return Err(unreadable(UnreadableCode::UnsupportedFeature, at, message.to_owned()));
    }
    let bytes = if details.unspecified.is_empty() {
        bytes
    } else {
        remove_ranges(&bytes, &details.unspecified).into()
    };
    match guarded(|| decode(&bytes)) {
        Ok(footer) => Ok(Footer { encrypted: details.encrypted, ..footer }),
        // The metadata of an encrypted column may be encrypted as well.
        Err(_) if !details.encrypted.is_empty() => Err(encrypted(at)),
        Err(error) => Err(file.to_read_error(at, &error)),
    }
}

fn decode(bytes: &[u8]) -> Result<Footer, ParquetError> {
    let schema = ParquetMetaDataReader::decode_schema(bytes)?;
    let fields = schema.root_schema().get_fields().to_vec();
    let raw = Type::group_type_builder(schema.name())
        .with_fields(fields.iter().map(text_as_bytes).collect::<Result<_, _>>()?)
        .build()?;
    let options = ParquetMetaDataOptions::new()
        .with_schema(Arc::new(SchemaDescriptor::new(Arc::new(raw))))
        .with_column_stats_policy(ParquetStatisticsPolicy::SkipAll)
        .with_size_stats_policy(ParquetStatisticsPolicy::SkipAll);
    let metadata = ParquetMetaDataReader::decode_metadata_with_options(bytes, Some(&options))?;
    let metadata = Arc::new(metadata);
    let plain = ArrowReaderMetadata::try_new(
        Arc::clone(&metadata),
        ArrowReaderOptions::new().with_skip_arrow_metadata(true),
    )?;
    let has_int96 = fields.iter().any(has_int96);
    let hinted = |metadata: &Arc<ParquetMetaData>, int96| {
        let schema = hinted(plain.schema(), &fields, int96);
        let options = ArrowReaderOptions::new().with_schema(Arc::new(schema));
        ArrowReaderMetadata::try_new(Arc::clone(metadata), options)
    };
    let nanos = has_int96.then(|| hinted(&metadata, TimeUnit::Nanosecond)).transpose()?;
    let metadata = hinted(&metadata, TimeUnit::Microsecond)?;
    Ok(Footer { metadata, nanos, fields, encrypted: BTreeSet::new() })
}

fn footer_bytes<T: ChunkReader>(file: &SharedFile<T>) -> Result<Bytes, ReadError> {
    let length = file.len();
    if length == 0 {
        return Err(ReadError::Empty);
    }
    let head = file
        .get_bytes(0, usize::try_from(length).map_or(HEAD_BYTES, |length| length.min(HEAD_BYTES)))
        .map_err(|error| file.to_read_error(0, &error))?;
    if !head.starts_with(MAGIC) || length < MIN_FILE_BYTES {
        return Err(wrong_format(&head));
    }
    let tail_at = length.saturating_sub(TAIL_BYTES as u64);
    let tail = file.get_bytes(tail_at, TAIL_BYTES).map_err(|error| file.to_read_error(tail_at, &error))?;
    let Some(([l1, l2, l3, l4], magic)) = tail.split_first_chunk::<4>() else {
        return Err(truncated(length));
    };
    if magic == ENCRYPTED_MAGIC {
        return Err(encrypted(tail_at));
    }
    if magic != MAGIC {
        return Err(truncated(length));
    }
    let footer_bytes = u32::from_le_bytes([*l1, *l2, *l3, *l4]);
    let footer_bytes = usize::try_from(footer_bytes).expect("32 bits fit in a usize");
    let at = tail_at.checked_sub(footer_bytes as u64).filter(|at| *at >= MAGIC.len() as u64);
    let Some(at) = at.filter(|_| footer_bytes <= MAX_FOOTER_BYTES) else {
        return Err(corrupt(tail_at, &format!("its footer has an invalid length of {footer_bytes} bytes")));
    };
    file.get_bytes(at, footer_bytes).map_err(|error| file.to_read_error(at, &error))
}

fn truncated(length: u64) -> ReadError {
    let message = "the Parquet file is truncated: it does not end with `PAR1`; deliver the complete file";
    unreadable(UnreadableCode::TruncatedFile, length, message.to_owned())
}

/// Returns the error for a file that is not Parquet. It names the actual format if that is recognised.
fn wrong_format(head: &[u8]) -> ReadError {
    if head.starts_with(ENCRYPTED_MAGIC) {
        return encrypted(0);
    }
    if MAGIC.starts_with(head) || head.starts_with(MAGIC) {
        return truncated(head.len() as u64);
    }
    if let Some(recognised) = recognise(head) {
        return recognised.error(Compression::Plain);
    }
    let compression = compression_of(head);
    if let Some(inside) = decompress_head(head, compression) {
        if let Err(error) = check_compressed_twice(&inside, compression) {
            return error;
        }
        if let Some(recognised) = recognise(&inside).filter(|recognised| !recognised.is_parquet()) {
            return recognised.error(compression);
        }
    }
    let message = if compression == Compression::Plain {
        "the contract declares Parquet, but the file does not begin with `PAR1`; deliver Parquet, or correct `format` in the \
         contract"
            .to_owned()
    } else {
        format!(
            "the file is compressed with {} as a whole, which is not supported for Parquet; deliver it uncompressed (Parquet \
             compresses its pages itself)",
            compression_name(compression)
        )
    };
    unreadable(UnreadableCode::WrongFormat, 0, message)
}

/// Returns the first decompressed bytes of a file, as far as its first bytes can be decompressed.
fn decompress_head(head: &[u8], compression: Compression) -> Option<Vec<u8>> {
    let mut inside = Vec::new();
    // The head is truncated, so an error follows the bytes that can be decompressed.
    let _truncated = match compression {
        Compression::Gzip => {
            flate2::read::GzDecoder::new(head).take(HEAD_BYTES as u64).read_to_end(&mut inside)
        }
        Compression::Zstd => {
            zstd::Decoder::new(head).and_then(|zstd| zstd.take(HEAD_BYTES as u64).read_to_end(&mut inside))
        }
        Compression::Bzip2 => {
            bzip2::read::BzDecoder::new(head).take(HEAD_BYTES as u64).read_to_end(&mut inside)
        }
        Compression::Plain | Compression::Xz | Compression::Zip => return None,
    };
    Some(inside)
}

fn encrypted(byte_offset: u64) -> ReadError {
    let message =
        "the Parquet file is encrypted, which is not supported; write it without encryption".to_owned();
    unreadable(UnreadableCode::UnsupportedFeature, byte_offset, message)
}

/// Properties of a footer that the decoder does not report.
#[derive(Debug, Default)]
struct FooterDetails {
    encrypted: BTreeSet<usize>,
    /// Whether columns are in other files, as in a `_metadata` file.
    is_external: bool,
    /// The bytes from the first field whose type is not that of the specification to the end of its structure. The
    /// decoder would misinterpret such fields; other readers ignore them.
    unspecified: Vec<Range<usize>>,
}

/// The reason why a footer is refused.
#[derive(Debug)]
enum FooterFault {
    /// The footer is inconsistent or truncated.
    Damaged(&'static str),
    /// The schema exceeds a limit.
    TooLarge(String),
}

impl FooterFault {
    fn error(self, at: u64) -> ReadError {
        match self {
            Self::Damaged(reason) => corrupt(at, &format!("its footer is invalid: {reason}")),
            Self::TooLarge(message) => unreadable(UnreadableCode::UnsupportedFeature, at, message),
        }
    }
}

/// Returns the footer without the bytes of some ranges, which are in order.
fn remove_ranges(footer: &[u8], ranges: &[Range<usize>]) -> Vec<u8> {
    let ends = std::iter::once(0).chain(ranges.iter().map(|range| range.end));
    let starts = ranges.iter().map(|range| range.start).chain([footer.len()]);
    let retained = |(from, to): (usize, usize)| footer.get(from..to).expect("the ranges are in order");
    ends.zip(starts).flat_map(retained).copied().collect()
}

/// Checks the structure of the footer and its schema, and collects details of its row groups.
fn inspect(footer: &[u8]) -> Result<FooterDetails, FooterFault> {
    const SCHEMA: i16 = 2;
    const ROW_GROUPS: i16 = 4;
    let mut walker = Walker::new(footer);
    let mut details = FooterDetails::default();
    let mut schema = Ok(());
    let read = walker.structure(|walker, number, kind| {
        match number {
            SCHEMA if kind == LIST => {
                schema = std::mem::replace(&mut schema, Ok(())).and(check_schema(walker)?)
            }
            ROW_GROUPS if kind == LIST => inspect_row_groups(walker, footer.len(), &mut details)?,
            SCHEMA | ROW_GROUPS => return None,
            _ => return Some(false),
        }
        schema.is_ok().then_some(true)
    });
    schema?;
    read.map(|()| details).ok_or(FooterFault::Damaged("it is truncated, or not a footer"))
}

/// Reads the list of schema elements and checks its limits.
fn check_schema(walker: &mut Walker<'_>) -> Option<Result<(), FooterFault>> {
    let (count, kind) = walker.list()?;
    // The first element is the root, which is not a column.
    let columns = count.saturating_sub(1);
    if columns > MAX_SCHEMA_ELEMENTS {
        let message = format!(
            "the Parquet file has {columns} columns and groups of columns, more than the limit of {MAX_SCHEMA_ELEMENTS}; \
             deliver a file with fewer columns"
        );
        return Some(Err(FooterFault::TooLarge(message)));
    }
    if count > 0 && kind != STRUCT {
        return None;
    }
    let mut children = Vec::new();
    for _ in 0..count {
        let mut own = None;
        walker.structure(|walker, number, kind| {
            if number != 5 {
                return Some(false);
            }
            // A repeated field, or one of another type, could be interpreted differently by the decoder.
            if kind != I32 || own.is_some() {
                return None;
            }
            own = Some(walker.i32()?);
            Some(true)
        })?;
        // Leaf columns have no number of children.
        children.push(own.unwrap_or(0));
    }
    Some(check_depth(&children))
}

/// Reads the list of row groups and collects details of their columns.
fn inspect_row_groups(walker: &mut Walker<'_>, length: usize, details: &mut FooterDetails) -> Option<()> {
    const COLUMNS: i16 = 1;
    const FILE_PATH: i16 = 1;
    const METADATA: i16 = 3;
    const CRYPTO_METADATA: i16 = 8;
    const ENCRYPTED_METADATA: i16 = 9;
    let (groups, kind) = walker.list()?;
    if groups > 0 && kind != STRUCT {
        return None;
    }
    for _ in 0..groups {
        walker.structure(|walker, number, kind| {
            if number != COLUMNS || kind != LIST {
                return Some(false);
            }
            let (columns, kind) = walker.list()?;
            if columns > 0 && kind != STRUCT {
                return None;
            }
            for column in 0..columns {
                walker.structure(|walker, number, kind| {
                    match number {
                        FILE_PATH if kind == BINARY => details.is_external |= !walker.binary()?.is_empty(),
                        METADATA if kind == STRUCT => {
                            details.unspecified.extend(unspecified_fields(walker, length)?);
                        }
                        CRYPTO_METADATA | ENCRYPTED_METADATA => {
                            details.encrypted.insert(column);
                            return Some(false);
                        }
                        _ => return Some(false),
                    }
                    Some(true)
                })?;
            }
            Some(true)
        })?;
    }
    Some(())
}

/// Reads a column's metadata. Returns the range from the first field whose type is not that of the specification to the
/// end of the structure. These are statistics and similar fields; the required fields have lower numbers.
fn unspecified_fields(walker: &mut Walker<'_>, length: usize) -> Option<Option<Range<usize>>> {
    let mut before = length.checked_sub(walker.rest())?;
    let mut start = None;
    walker.structure(|walker, number, kind| {
        let specified = match number {
            // Statistics, size statistics and geospatial statistics.
            12 | 16 | 17 => STRUCT,
            // Encoding statistics.
            13 => LIST,
            // Offset and length of the Bloom filter.
            14 => I64,
            15 => I32,
            _ => kind,
        };
        if kind != specified {
            start.get_or_insert(before);
        }
        walker.skip_field(kind)?;
        before = length.checked_sub(walker.rest())?;
        Some(true)
    })?;
    // The byte that ends the structure is not part of the range.
    Some(start.map(|start| start..before))
}

/// Checks the depth of a schema. Its elements are in depth-first order, each with the number of its children.
fn check_depth(children: &[i32]) -> Result<(), FooterFault> {
    let mut open: Vec<i32> = Vec::new();
    let mut remaining = children.len();
    for count in children {
        remaining = remaining.saturating_sub(1);
        while open.last() == Some(&0) {
            open.pop();
        }
        if let Some(missing) = open.last_mut() {
            *missing = missing.saturating_sub(1);
        }
        if *count < 0 {
            return Err(FooterFault::Damaged("a group of its schema has a negative number of columns"));
        }
        // The decoder allocates memory for this number.
        if usize::try_from(*count).is_ok_and(|count| count > remaining) {
            return Err(FooterFault::Damaged("a group of its schema has more columns than the schema"));
        }
        if *count > 0 {
            open.push(*count);
        }
        if open.len() > MAX_SCHEMA_DEPTH {
            let message = format!(
                "the Parquet file nests groups of columns more than {MAX_SCHEMA_DEPTH} levels deep, which is the limit; \
                 deliver a file with fewer levels"
            );
            return Err(FooterFault::TooLarge(message));
        }
    }
    Ok(())
}

/// Returns a type with text replaced by bytes. The decoder would fail on a page with one value that is not UTF-8, which
/// would make the file unreadable. Instead, each value is validated by itself.
fn text_as_bytes(field: &TypePtr) -> Result<TypePtr, ParquetError> {
    let info = field.get_basic_info();
    let id = info.has_id().then(|| info.id());
    let repetition = info.repetition();
    if field.is_group() {
        let fields = field.get_fields().iter().map(text_as_bytes).collect::<Result<_, _>>()?;
        let group = Type::group_type_builder(field.name())
            .with_repetition(repetition)
            .with_converted_type(info.converted_type())
            .with_logical_type(info.logical_type_ref().cloned())
            .with_id(id)
            .with_fields(fields);
        return Ok(Arc::new(group.build()?));
    }
    if is_interval(field) {
        // Arrow's interval types would lose the months.
        let leaf = Type::primitive_type_builder(field.name(), field.get_physical_type())
            .with_length(type_length(field))
            .with_repetition(repetition)
            .with_id(id);
        return Ok(Arc::new(leaf.build()?));
    }
    let is_text = field.get_physical_type() == Physical::BYTE_ARRAY
        && !matches!(info.logical_type_ref(), Some(LogicalType::Decimal { .. } | LogicalType::Unknown))
        && info.converted_type() != ConvertedType::DECIMAL;
    if !is_text {
        return Ok(Arc::clone(field));
    }
    let leaf = Type::primitive_type_builder(field.name(), Physical::BYTE_ARRAY)
        .with_repetition(repetition)
        .with_id(id);
    Ok(Arc::new(leaf.build()?))
}

fn type_length(field: &Type) -> i32 {
    match field {
        Type::PrimitiveType { type_length, .. } => *type_length,
        Type::GroupType { .. } => 0,
    }
}

/// Returns the Arrow schema to read. Bytes are read as views, which do not repeat the values of a dictionary for each
/// row, and INT96 in the given unit.
#[expect(clippy::wildcard_enum_match_arm, reason = "Arrow has many types; the others do not change")]
fn hinted(schema: &Schema, fields: &[TypePtr], int96: TimeUnit) -> Schema {
    let hinted = schema.fields().iter().zip(fields).map(|(arrow, kind)| {
        let leaves = leaves(kind);
        let arrow = hinted_field(arrow, &mut leaves.iter(), int96);
        match arrow.data_type() {
            DataType::Binary => arrow.with_data_type(DataType::BinaryView),
            _ => arrow,
        }
    });
    Schema::new(hinted.collect::<Vec<_>>())
}

#[expect(clippy::wildcard_enum_match_arm, reason = "all other types have no members")]
fn hinted_field(field: &Field, leaves: &mut Leaves<'_>, int96: TimeUnit) -> Field {
    let mut inner = |field: &FieldRef| Arc::new(hinted_field(field, leaves, int96));
    let data_type = match field.data_type() {
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(&mut inner).collect()),
        DataType::List(item) => DataType::List(inner(item)),
        DataType::Map(entry, is_sorted) => DataType::Map(inner(entry), *is_sorted),
        other => match leaves.next() {
            Some(leaf) if is_int96(leaf) => DataType::Timestamp(int96, None),
            Some(_) | None => other.clone(),
        },
    };
    field.clone().with_data_type(data_type)
}

/// Returns the leaf columns of a field; the field itself if it is one.
pub(super) fn leaves(field: &TypePtr) -> Vec<TypePtr> {
    if field.is_group() {
        field.get_fields().iter().flat_map(leaves).collect()
    } else {
        vec![Arc::clone(field)]
    }
}

pub(super) fn has_int96(field: &TypePtr) -> bool {
    leaves(field).iter().any(|leaf| is_int96(leaf))
}

fn is_int96(leaf: &Type) -> bool {
    leaf.is_primitive() && leaf.get_physical_type() == Physical::INT96
}
