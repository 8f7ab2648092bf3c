//! The end of a Parquet file, which says where everything is: looked through, then decoded.

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
/// Magic, the footer's length, magic.
const SHORTEST: u64 = 12;
/// The footer's length and the magic after it.
const TAIL_BYTES: usize = 8;
const MAX_FOOTER_BYTES: usize = 64 * 1024 * 1024;
/// Columns and groups of columns, without the root of the schema.
const MAX_SCHEMA_ELEMENTS: usize = 20_000;
/// Groups within groups: the decoders recurse.
const MAX_SCHEMA_DEPTH: usize = 64;

/// What a file says of itself.
pub(super) struct Footer {
    /// With the file's own types, but that nothing is taken for text before each value was looked at, INT96 is read as
    /// microseconds, and INTERVAL as bytes.
    pub(super) metadata: ArrowReaderMetadata,
    /// The same with INT96 as nanoseconds; only where the file has such a column.
    pub(super) nanos: Option<ArrowReaderMetadata>,
    /// The fields as the file describes them.
    pub(super) fields: Vec<TypePtr>,
    /// Leaf columns that are encrypted while the footer is not.
    pub(super) encrypted: BTreeSet<usize>,
}

/// Reads the footer.
///
/// # Errors
/// When the file is not Parquet, breaks off, contradicts itself, or is encrypted.
pub(super) fn read_footer<T: ChunkReader>(file: &SharedFile<T>) -> Result<Footer, ReadError> {
    let bytes = footer_bytes(file)?;
    let at = file.len().saturating_sub(TAIL_BYTES as u64).saturating_sub(bytes.len() as u64);
    let shape = look_at(&bytes).map_err(|fault| fault.error(at))?;
    if shape.is_elsewhere {
        let message = "the Parquet file has no rows of its own: its columns are in other files, which are to be dropped instead";
        return Err(unreadable(UnreadableCode::UnsupportedFeature, at, message.to_owned()));
    }
    let bytes = if shape.foreign.is_empty() { bytes } else { without(&bytes, &shape.foreign).into() };
    match guarded(|| decode(&bytes)) {
        Ok(footer) => Ok(Footer { encrypted: shape.encrypted, ..footer }),
        // What describes an encrypted column may be encrypted, too.
        Err(_) if !shape.encrypted.is_empty() => Err(encrypted(at)),
        Err(error) => Err(file.tell(at, &error)),
    }
}

fn decode(bytes: &[u8]) -> Result<Footer, ParquetError> {
    let schema = ParquetMetaDataReader::decode_schema(bytes)?;
    let fields = schema.root_schema().get_fields().to_vec();
    let raw = Type::group_type_builder(schema.name())
        .with_fields(fields.iter().map(without_text).collect::<Result<_, _>>()?)
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
        .map_err(|error| file.tell(0, &error))?;
    if !head.starts_with(MAGIC) || length < SHORTEST {
        return Err(wrong_format(&head));
    }
    let tail_at = length.saturating_sub(TAIL_BYTES as u64);
    let tail = file.get_bytes(tail_at, TAIL_BYTES).map_err(|error| file.tell(tail_at, &error))?;
    let Some(([l1, l2, l3, l4], magic)) = tail.split_first_chunk::<4>() else {
        return Err(truncated(length));
    };
    if magic == ENCRYPTED_MAGIC {
        return Err(encrypted(tail_at));
    }
    if magic != MAGIC {
        return Err(truncated(length));
    }
    let footer_bytes = usize::try_from(u32::from_le_bytes([*l1, *l2, *l3, *l4])).unwrap_or(usize::MAX);
    let at = tail_at.checked_sub(footer_bytes as u64).filter(|at| *at >= MAGIC.len() as u64);
    let Some(at) = at.filter(|_| footer_bytes <= MAX_FOOTER_BYTES) else {
        return Err(corrupt(tail_at, &format!("its footer is said to have {footer_bytes} bytes")));
    };
    file.get_bytes(at, footer_bytes).map_err(|error| file.tell(at, &error))
}

fn truncated(length: u64) -> ReadError {
    let message = "the Parquet file breaks off: it does not end with `PAR1`; drop it again, whole";
    unreadable(UnreadableCode::TruncatedFile, length, message.to_owned())
}

/// Says what the file is instead, if it is known.
fn wrong_format(head: &[u8]) -> ReadError {
    if head.starts_with(ENCRYPTED_MAGIC) {
        return encrypted(0);
    }
    if MAGIC.starts_with(head) || head.starts_with(MAGIC) {
        return truncated(head.len() as u64);
    }
    if let Some(recognised) = recognise(head) {
        return recognised.refuse(Compression::Plain);
    }
    let compression = compression_of(head);
    if let Some(inside) = unpack_head(head, compression) {
        let unread = check_compressed_twice(&inside, compression);
        let known = recognise(&inside).filter(|found| !found.is_parquet());
        if let Err(error) = unread.and_then(|()| known.map_or(Ok(()), |found| Err(found.refuse(compression))))
        {
            return error;
        }
    }
    let message = if compression == Compression::Plain {
        "the file is not Parquet, as the contract says: it does not begin with `PAR1`; drop Parquet, or correct `format` in \
         the contract"
            .to_owned()
    } else {
        format!(
            "the file is compressed with {} as a whole, and Parquet must be read from its end: drop it uncompressed \
             (Parquet compresses inside)",
            compression_name(compression)
        )
    };
    unreadable(UnreadableCode::WrongFormat, 0, message)
}

/// The first bytes of what a compressed file has inside, as far as they can be made out.
fn unpack_head(head: &[u8], compression: Compression) -> Option<Vec<u8>> {
    let mut inside = Vec::new();
    // The head is cut off anywhere, which is an error after what could be decompressed.
    let _cut = match compression {
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
    let message = "the Parquet file is encrypted, which is not read: write it without".to_owned();
    unreadable(UnreadableCode::UnsupportedFeature, byte_offset, message)
}

/// What a footer says that the decoder does not look at.
#[derive(Debug, Default)]
struct FooterDetails {
    encrypted: BTreeSet<usize>,
    /// Columns are in other files, as those of a `_metadata` file.
    is_elsewhere: bool,
    /// Where fields begin that are of another type than the specification's, up to the ends of their structures. The
    /// decoder takes them for its own; other readers ignore them.
    foreign: Vec<Range<usize>>,
}

/// Why a footer is not read.
#[derive(Debug)]
enum FooterFault {
    /// It contradicts itself or breaks off.
    Damaged(&'static str),
    /// Its schema is beyond a limit.
    TooLarge(String),
}

impl FooterFault {
    fn error(self, at: u64) -> ReadError {
        match self {
            Self::Damaged(why) => corrupt(at, &format!("its footer cannot be read: {why}")),
            Self::TooLarge(message) => unreadable(UnreadableCode::UnsupportedFeature, at, message),
        }
    }
}

/// The footer without some of its bytes.
fn without(footer: &[u8], foreign: &[Range<usize>]) -> Vec<u8> {
    let ends = std::iter::once(0).chain(foreign.iter().map(|range| range.end));
    let starts = foreign.iter().map(|range| range.start).chain([footer.len()]);
    ends.zip(starts).flat_map(|(from, to)| footer.get(from..to).unwrap_or_default()).copied().collect()
}

/// Looks through the footer as a whole, at the shape of its schema, and at where its columns are.
fn look_at(footer: &[u8]) -> Result<FooterDetails, FooterFault> {
    const SCHEMA: i16 = 2;
    const ROW_GROUPS: i16 = 4;
    let mut walker = Walker::new(footer);
    let mut found = FooterDetails::default();
    let mut shape = Ok(());
    let read = walker.structure(|walker, number, kind| {
        match number {
            SCHEMA if kind == LIST => {
                shape = std::mem::replace(&mut shape, Ok(())).and(check_schema(walker)?)
            }
            ROW_GROUPS if kind == LIST => look_at_row_groups(walker, footer.len(), &mut found)?,
            SCHEMA | ROW_GROUPS => return None,
            _ => return Some(false),
        }
        shape.is_ok().then_some(true)
    });
    shape?;
    read.map(|()| found).ok_or(FooterFault::Damaged("it breaks off, or is no footer"))
}

/// Goes through the list of a schema's elements.
fn check_schema(walker: &mut Walker<'_>) -> Option<Result<(), FooterFault>> {
    let (count, kind) = walker.list()?;
    // The first element is the root, which is no column.
    let columns = count.saturating_sub(1);
    if columns > MAX_SCHEMA_ELEMENTS {
        let message = format!(
            "the Parquet file has {columns} columns and groups of columns, and at most {MAX_SCHEMA_ELEMENTS} are read: \
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
            // Said twice, or as another type, it could mean something else to the decoder.
            if kind != I32 || own.is_some() {
                return None;
            }
            own = Some(walker.i32()?);
            Some(true)
        })?;
        children.push(own.unwrap_or_default());
    }
    Some(check_depth(&children))
}

/// Goes through the list of row groups, for how their columns are stored.
fn look_at_row_groups(walker: &mut Walker<'_>, length: usize, found: &mut FooterDetails) -> Option<()> {
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
                        FILE_PATH if kind == BINARY => found.is_elsewhere |= !walker.binary()?.is_empty(),
                        METADATA if kind == STRUCT => found.foreign.extend(foreign(walker, length)?),
                        CRYPTO_METADATA | ENCRYPTED_METADATA => {
                            found.encrypted.insert(column);
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

/// Goes through a column's metadata. Gives the place of the first field of another type than the specification's and of
/// all after it, which are statistics and the like: the fields that are needed have lower numbers.
fn foreign(walker: &mut Walker<'_>, length: usize) -> Option<Option<Range<usize>>> {
    let mut before = length.checked_sub(walker.rest())?;
    let mut start = None;
    walker.structure(|walker, number, kind| {
        let specified = match number {
            // Statistics, sizes and places.
            12 | 16 | 17 => STRUCT,
            // How often each encoding is used.
            13 => LIST,
            // Where the Bloom filter is, and its length.
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
    // The byte that ends the structure stays.
    Some(start.map(|start| start..before))
}

/// The elements of a schema stand in the order of a walk through the tree, each with the number of its children.
fn check_depth(children: &[i32]) -> Result<(), FooterFault> {
    let mut open: Vec<i32> = Vec::new();
    let mut left = children.len();
    for count in children {
        left = left.saturating_sub(1);
        while open.last() == Some(&0) {
            open.pop();
        }
        if let Some(missing) = open.last_mut() {
            *missing = missing.saturating_sub(1);
        }
        if *count < 0 {
            return Err(FooterFault::Damaged("a group of its schema has fewer than no columns"));
        }
        // The decoder makes room for as many.
        if usize::try_from(*count).map_or(true, |count| count > left) {
            return Err(FooterFault::Damaged("a group of its schema has more columns than there are"));
        }
        if *count > 0 {
            open.push(*count);
        }
        if open.len() > MAX_SCHEMA_DEPTH {
            let message = format!(
                "the Parquet file has groups of columns nested more than {MAX_SCHEMA_DEPTH} levels deep, which is the limit: \
                 deliver a file with fewer levels"
            );
            return Err(FooterFault::TooLarge(message));
        }
    }
    Ok(())
}

/// The same without what says that bytes are text: one value that is not UTF-8 would cost its page, and with that the
/// file. Each value is looked at on its own instead.
fn without_text(field: &TypePtr) -> Result<TypePtr, ParquetError> {
    let info = field.get_basic_info();
    let id = info.has_id().then(|| info.id());
    let repetition = info.repetition();
    if field.is_group() {
        let fields = field.get_fields().iter().map(without_text).collect::<Result<_, _>>()?;
        let group = Type::group_type_builder(field.name())
            .with_repetition(repetition)
            .with_converted_type(info.converted_type())
            .with_logical_type(info.logical_type_ref().cloned())
            .with_id(id)
            .with_fields(fields);
        return Ok(Arc::new(group.build()?));
    }
    if is_interval(field) {
        // Arrow's intervals would lose the months.
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

/// Bytes as views: the values of a dictionary are not repeated for each row that has them. INT96 in the unit given.
#[expect(clippy::wildcard_enum_match_arm, reason = "Arrow has many types; the others stay")]
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

#[expect(clippy::wildcard_enum_match_arm, reason = "all other types have no insides")]
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

/// The columns of a field, itself if nothing is in it.
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
