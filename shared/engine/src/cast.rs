//! Conversion of text to typed values, without loss, and the rules of the contract for them.

mod boolean;
mod canonical;
pub(crate) mod document;
pub(crate) mod format;
mod interval;
pub(crate) mod json;
pub(crate) mod number;
pub(crate) mod pattern;
pub(crate) mod rule;
pub(crate) mod text;
pub(crate) mod time;
pub(crate) mod typed;
pub(crate) mod unfit;
mod value;
pub(crate) mod zone;

pub(crate) use boolean::BooleanCast;
pub(crate) use interval::Interval;
use number::NumberCast;
use penstock_contract::Rules;
use text::TextCast;
use time::{DateCast, TimeCast, TimestampCast};
pub(crate) use value::CastValue;

/// The conversion of a column's text to a value.
///
/// `repr(u8)` gives it a tag of its own, because the tag is read for each value.
#[derive(Debug, Clone)]
#[repr(u8)]
pub(crate) enum Cast {
    Text(TextCast),
    Number(NumberCast),
    Boolean(BooleanCast),
    Date(DateCast),
    Time(TimeCast),
    Timestamp(TimestampCast),
    Json(DocumentCast),
}

/// Buffers for texts that a cast has to write, reused for all values.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    pub(crate) changed: String,
    pub(crate) digits: String,
    /// The text of a typed value.
    pub(crate) typed: String,
    pub(crate) document: DocumentScratch,
}

/// The cast of a column of JSON documents.
#[derive(Debug, Clone)]
pub(crate) struct DocumentCast {
    pub(super) is_array: bool,
    /// `None` if the contract does not describe the members or items.
    pub(crate) structure: Option<Box<DocumentStructure>>,
}

/// The contract's rules for the members of an object or the items of an array.
#[derive(Debug, Clone)]
pub(crate) struct DocumentStructure {
    /// The members in the order of the contract.
    pub(super) members: Vec<DocumentMember>,
    /// Indexes into `members`, sorted by the producer's keys.
    pub(super) by_key: Vec<usize>,
    pub(super) items: Option<NestedCast>,
    pub(super) rules: Rules,
}

/// A declared member of an object.
#[derive(Debug, Clone)]
pub(crate) struct DocumentMember {
    pub(super) nested: NestedCast,
    /// The stored key as JSON, without quotes. `None` if the producer's key is stored.
    pub(super) renamed: Option<String>,
}

/// The cast of an object's member or of an array's items.
#[derive(Debug, Clone)]
pub(crate) struct NestedCast {
    /// The stored key.
    pub(crate) name: String,
    /// The producer's key.
    pub(crate) physical_name: String,
    pub(crate) is_required: bool,
    pub(crate) cast: Cast,
    pub(crate) rules: Rules,
    pub(crate) type_rule: String,
}

/// Buffers for the texts of members and items, reused for all documents.
#[derive(Debug, Default)]
pub(crate) struct DocumentScratch {
    pub(super) text: String,
    pub(super) digits: String,
}
