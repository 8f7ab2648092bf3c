//! Text into typed values, exactly, and the rules that hold for them.

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

/// What a column's text is read as. With a tag of its own, which is read for each value.
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

/// Where texts stand that have to be made: one for the whole run.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    pub(crate) changed: String,
    pub(crate) digits: String,
    /// The text of a typed value.
    pub(crate) typed: String,
    pub(crate) document: DocumentScratch,
}

/// What a column's documents must be.
#[derive(Debug, Clone)]
pub(crate) struct DocumentCast {
    pub(super) is_array: bool,
    /// `None`: the contract says nothing of what is inside.
    pub(crate) structure: Option<Box<DocumentStructure>>,
}

/// What is said of the insides of an object or an array.
#[derive(Debug, Clone)]
pub(crate) struct DocumentStructure {
    /// In the order of the contract.
    pub(super) members: Vec<DocumentMember>,
    /// Indexes of `members`, in the order of the producer's keys.
    pub(super) by_key: Vec<usize>,
    pub(super) items: Option<NestedCast>,
    pub(super) rules: Rules,
}

#[derive(Debug, Clone)]
pub(crate) struct DocumentMember {
    pub(super) part: NestedCast,
    /// The key that is stored, as JSON without the quotes, where it is not the producer's.
    pub(super) renamed: Option<String>,
}

/// A member of an object, or the items of an array.
#[derive(Debug, Clone)]
pub(crate) struct NestedCast {
    /// The key that is stored.
    pub(crate) name: String,
    /// The producer's key.
    pub(crate) physical_name: String,
    pub(crate) is_required: bool,
    pub(crate) cast: Cast,
    pub(crate) rules: Rules,
    pub(crate) type_rule: String,
}

/// Room for texts that have to be made: one for the whole run.
#[derive(Debug, Default)]
pub(crate) struct DocumentScratch {
    pub(super) text: String,
    pub(super) digits: String,
}
