//! The enumerations of the standard.

use crate::shape::WordList;

pub(crate) static API: WordList = WordList {
    what: "a version of ODCS",
    words: &["v3.1.0", "v3.0.2", "v3.0.1", "v3.0.0", "v3.2.0", "v2.2.2", "v2.2.1", "v2.2.0"],
};
pub(super) static DOCUMENTS: WordList = WordList { what: "a kind of document", words: &["DataContract"] };
pub(super) static OBJECTS: WordList = WordList { what: "a type of object", words: &["object"] };
pub(super) static RELATIONS: WordList = WordList { what: "a type of relationship", words: &["foreignKey"] };
pub(super) static DIMENSIONS: WordList = WordList {
    what: "a dimension of quality",
    words: &["accuracy", "completeness", "conformity", "consistency", "coverage", "timeliness", "uniqueness"],
};
pub(crate) static CHECKS: WordList =
    WordList { what: "a type of check", words: &["library", "text", "sql", "custom"] };
pub(crate) static METRICS: WordList = WordList {
    what: "a metric",
    words: &["nullValues", "missingValues", "invalidValues", "duplicateValues", "rowCount"],
};
pub(crate) static INTEGER_FORMATS: WordList = WordList {
    what: "a format of integer",
    words: &["i8", "i16", "i32", "i64", "i128", "u8", "u16", "u32", "u64", "u128"],
};
pub(crate) static NUMBER_FORMATS: WordList = WordList { what: "a format of number", words: &["f32", "f64"] };
pub(super) const LOGICAL_TYPES: [&str; 9] =
    ["string", "integer", "number", "boolean", "date", "timestamp", "time", "object", "array"];
/// Names of metrics in v3.0 and in tools of that time, under `rule`.
pub(super) const RULES: [(&str, &str); 6] = [
    ("nullCheck", "nullValues"),
    ("nullCount", "nullValues"),
    ("missingCount", "missingValues"),
    ("validValues", "invalidValues"),
    ("duplicateCount", "duplicateValues"),
    ("countCheck", "rowCount"),
];
/// The keys of a check that state a condition for the count.
pub(crate) const OPERATORS: [&str; 8] = [
    "mustBe",
    "mustNotBe",
    "mustBeGreaterThan",
    "mustBeGreaterOrEqualTo",
    "mustBeLessThan",
    "mustBeLessOrEqualTo",
    "mustBeBetween",
    "mustNotBeBetween",
];

/// Returns the metric that a rule of v3.0 counts.
pub(crate) fn metric_of_rule(rule: &str) -> Option<&'static str> {
    let metric = METRICS.words.iter().find(|metric| **metric == rule).copied();
    metric.or_else(|| RULES.iter().find(|(name, _)| *name == rule).map(|(_, metric)| *metric))
}

/// Returns the names of all rules.
pub(crate) fn rules() -> impl Iterator<Item = &'static str> {
    METRICS.words.iter().copied().chain(RULES.iter().map(|(name, _)| *name))
}
