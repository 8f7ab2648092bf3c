//! The fields of a file that are read, and the columns that read them.

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

const BOUND: &str = "columns are bound to fields of the file";

/// A field of the file that is read.
pub(super) struct ReadField {
    /// The index in the file's schema.
    pub(super) index: usize,
    /// The name as a JSON string without quotes.
    pub(super) key: String,
    /// The leaf columns in the file's schema.
    pub(super) leaves: Vec<TypePtr>,
    pub(super) has_int96: bool,
    /// The spellings of a missing value that all columns that read the field share; `None` if no column reads it.
    null_values: Option<Vec<String>>,
    pub(super) is_unexpected: bool,
    /// Whether texts may be read as dictionary codes. Each value of the dictionary is then checked once for all rows.
    pub(super) may_be_coded: bool,
}

impl ReadField {
    /// Returns a buffer for the values of the field: a document if columns read it.
    pub(super) fn written(&self) -> WrittenCell {
        self.null_values.clone().map_or_else(WrittenCell::default, WrittenCell::document)
    }
}

/// Returns the fields that are read, in the order of the file, and the index among them for each column.
pub(super) fn read_fields(
    footer: &Footer,
    layout: &RecordLayout,
    rows: &Rows,
    is_unexpected_wanted: bool,
) -> (Vec<ReadField>, Vec<Option<usize>>) {
    let mut readers: Vec<Vec<usize>> = vec![Vec::new(); footer.fields.len()];
    for (column, field) in layout.fields.iter().enumerate() {
        if let Some(field) = field {
            readers.get_mut(*field).expect(BOUND).push(column);
        }
    }
    let mut unread: HashMap<usize, &str> = HashMap::new();
    if is_unexpected_wanted {
        unread.extend(layout.unexpected.iter().map(|(name, field)| (*field, name.as_str())));
    }
    let mut fields: Vec<ReadField> = Vec::new();
    // For each field of the file, its index among those that are read.
    let mut indexes: Vec<Option<usize>> = vec![None; footer.fields.len()];
    let of_file = footer.fields.iter().zip(&readers).zip(&mut indexes).enumerate();
    for (index, ((kind, readers), read_index)) in of_file {
        let unread = unread.get(&index).copied();
        if readers.is_empty() && unread.is_none() {
            continue;
        }
        // A field without a name is bound by its position.
        let reader = readers.first().and_then(|column| rows.columns().get(*column));
        let name = match kind.name() {
            "" => {
                let bound = unread.or(reader.map(|column| column.physical_name.as_str()));
                bound.expect("a column reads the field, or it is unexpected")
            }
            name => name,
        };
        let mut quoted = String::new();
        write_json_text(name, &mut quoted);
        let key = quoted.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
        let key = key.expect("a JSON string is quoted").to_owned();
        let is_unexpected = unread.is_some();
        let may_be_coded = !is_unexpected
            && is_text(footer.metadata.schema().fields(), kind, index)
            && readers.iter().all(|column| rows.takes_codes(*column));
        *read_index = Some(fields.len());
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
    let read_index = |field: &Option<usize>| field.and_then(|field| *indexes.get(field).expect(BOUND));
    (fields, layout.fields.iter().map(read_index).collect())
}

/// Refuses a file with an encrypted column that is to be read.
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
        "encrypted columns are not supported: {}; write the Parquet file without encryption",
        names.join(", ")
    );
    Err(unreadable(UnreadableCode::UnsupportedFeature, 0, message))
}

/// Returns whether a field contains texts.
fn is_text(types: &Fields, field: &Type, index: usize) -> bool {
    types.get(index).is_some_and(|arrow| *arrow.data_type() == DataType::BinaryView) && !is_bson(field)
}
