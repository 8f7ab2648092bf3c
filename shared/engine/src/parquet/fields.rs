//! The fields of a file that are read, and which columns read them.

use std::collections::HashMap;

use arrow_schema::{DataType, Fields};
use parquet::schema::types::{Type, TypePtr};

use super::error::unreadable;
use super::footer::{Footer, has_int96, leaves};
use super::values::is_bson;
use super::written::WrittenCell;
use crate::cast::typed::write_json_text;
use crate::delimited::RecordLayout;
use crate::error::{ReadError, UnreadableCode};
use crate::program::common_null_values;
use crate::rows::Rows;

/// A field of the file that is read.
pub(super) struct ReadField {
    /// In the file's schema.
    pub(super) index: usize,
    /// The name as JSON, without quotes.
    pub(super) key: String,
    /// Its columns as the file describes them.
    pub(super) leaves: Vec<TypePtr>,
    pub(super) has_int96: bool,
    /// The spellings of a missing value that all columns that read it have; `None` when none reads it.
    null_values: Option<Vec<String>>,
    pub(super) is_unexpected: bool,
    /// Texts that may come as places in a dictionary, which is looked at once for all of its rows.
    pub(super) may_be_coded: bool,
}

impl ReadField {
    /// Where the values of the field are written: as a document if columns read it.
    pub(super) fn written(&self) -> WrittenCell {
        self.null_values.clone().map_or_else(WrittenCell::default, WrittenCell::document)
    }
}

/// The fields that are read, in the order of the file, and by column its place among them.
pub(super) fn read_fields(
    footer: &Footer,
    layout: &RecordLayout,
    rows: &Rows,
    is_unexpected_wanted: bool,
) -> (Vec<ReadField>, Vec<Option<usize>>) {
    let mut readers: Vec<Vec<usize>> = vec![Vec::new(); footer.fields.len()];
    for (column, field) in layout.fields.iter().enumerate() {
        field.and_then(|field| readers.get_mut(field)).into_iter().for_each(|readers| readers.push(column));
    }
    let mut unread: HashMap<usize, &str> = HashMap::new();
    if is_unexpected_wanted {
        unread.extend(layout.unexpected.iter().map(|(name, field)| (*field, name.as_str())));
    }
    let mut fields: Vec<ReadField> = Vec::new();
    // By field of the file, its place among those that are read.
    let mut places: Vec<Option<usize>> = vec![None; footer.fields.len()];
    let of_file = footer.fields.iter().zip(&readers).zip(&mut places).enumerate();
    for (index, ((kind, readers), place)) in of_file {
        let unread = unread.get(&index).copied();
        if readers.is_empty() && unread.is_none() {
            continue;
        }
        // A field without a name has a positional one.
        let reader = readers.first().and_then(|column| rows.columns().get(*column));
        let name = match kind.name() {
            "" => unread.or(reader.map(|column| column.physical_name.as_str())).unwrap_or_default(),
            name => name,
        };
        let mut key = String::new();
        write_json_text(name, &mut key);
        let key = key.trim_start_matches('"').strip_suffix('"').unwrap_or_default().to_owned();
        let is_unexpected = unread.is_some();
        let may_be_coded = !is_unexpected
            && is_text(footer.metadata.schema().fields(), kind, index)
            && readers.iter().all(|column| rows.takes_codes(*column));
        *place = Some(fields.len());
        fields.push(ReadField {
            index,
            key,
            leaves: leaves(kind),
            has_int96: has_int96(kind),
            null_values: common_null_values(readers, rows.columns()),
            is_unexpected,
            may_be_coded,
        });
    }
    let place = |field: &Option<usize>| field.and_then(|field| places.get(field).copied().flatten());
    (fields, layout.fields.iter().map(place).collect())
}

/// Refuses a file in which a column that is read is encrypted.
pub(super) fn check_encryption(footer: &Footer, fields: &[ReadField]) -> Result<(), ReadError> {
    let schema = footer.metadata.metadata().file_metadata().schema_descr();
    let is_read = |leaf: &usize| {
        *leaf < schema.num_columns()
            && fields.iter().any(|field| field.index == schema.get_column_root_idx(*leaf))
    };
    let names: Vec<String> = (footer.encrypted.iter().copied())
        .filter(is_read)
        .map(|leaf| format!("`{}`", schema.column(leaf).path().string()))
        .collect();
    if names.is_empty() {
        return Ok(());
    }
    let message = format!(
        "columns of the Parquet file are encrypted, which are not read: {}; write them without encryption",
        names.join(", ")
    );
    Err(unreadable(UnreadableCode::UnsupportedFeature, 0, message))
}

/// True for a field of texts.
fn is_text(types: &Fields, field: &Type, index: usize) -> bool {
    types.get(index).is_some_and(|arrow| *arrow.data_type() == DataType::BinaryView) && !is_bson(field)
}
