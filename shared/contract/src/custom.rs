//! Penstock's custom properties: one table of their names, levels, values, defaults and effects.

use std::collections::HashSet;

use crate::error::{Errors, nearest, suggestion};
use crate::node_ref::NodeRef;

/// The prefix of all names. Properties with another prefix belong to other tools and are ignored.
pub(crate) const PREFIX: &str = "penstock.";

/// The part of a contract that a custom property belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// `customProperties` of the contract, or of an object of its `schema`.
    Contract,
    /// `customProperties` of the first server of type `s3`.
    Server,
    /// `customProperties` of a property.
    Property,
    /// Any other place where ODCS allows custom properties. Penstock has none there.
    Elsewhere,
}

impl Level {
    /// Returns the name of the level in the table of `docs/contract.md`.
    pub fn name(self) -> &'static str {
        match self {
            Level::Contract => "contract",
            Level::Server => "server",
            Level::Property => "property",
            Level::Elsewhere => "elsewhere",
        }
    }
}

/// The description of a custom property.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CustomProperty {
    /// Name, e.g. `penstock.write`.
    pub name: &'static str,
    /// The level at which it is set.
    pub level: Level,
    /// The values that it may have.
    pub values: &'static str,
    /// The behaviour without it.
    pub default: &'static str,
    /// The effect.
    pub effect: &'static str,
}

const fn row(
    name: &'static str,
    level: Level,
    values: &'static str,
    default: &'static str,
    effect: &'static str,
) -> CustomProperty {
    CustomProperty { name, level, values, default, effect }
}

/// Every custom property of Penstock. A test compares the table in `docs/contract.md` with this one.
pub static CUSTOM_PROPERTIES: &[CustomProperty] = &[
    row(
        "penstock.source",
        Level::Contract,
        "lower-case letters, digits, `_` and `-`",
        "ODCS `name` in these letters; with several objects in `schema`, the `name` of the object",
        "The source: the first segment of the keys of its files. With several objects, each object has its own.",
    ),
    row(
        "penstock.write",
        Level::Contract,
        "`upsert`, `append`",
        "`upsert` with a primary key, else `append`",
        "`upsert`: a row replaces the row with the same key unless the existing row is newer. `append`: every row is inserted; a row of a redelivered file is inserted once.",
    ),
    row(
        "penstock.eventTime",
        Level::Contract,
        "a column",
        "the time of the drop",
        "The column that decides which row is newer. It must be a date or timestamp and `required`.",
    ),
    row(
        "penstock.priority",
        Level::Contract,
        "−32768 to 32767",
        "`0`",
        "Of two rows with the same key and event time, the row with the higher priority wins.",
    ),
    row(
        "penstock.maxRejects",
        Level::Contract,
        "a number of rows",
        "no limit in rows",
        "A batch with more rejects is refused as a whole.",
    ),
    row(
        "penstock.maxRejectsPercent",
        Level::Contract,
        "0 to 100",
        "`10`; no limit in percent when `penstock.maxRejects` is set",
        "A batch with more rejects, in percent of its rows, is refused as a whole.",
    ),
    row(
        "penstock.maxKeyBytes",
        Level::Contract,
        "1 to 2680, fewer with more columns in the key",
        "`2048`",
        "A row whose primary key has more bytes, as text, is rejected (`too_long`), because PostgreSQL limits the size of an index entry. It has no effect without `upsert`.",
    ),
    row(
        "penstock.route",
        Level::Contract,
        "`auto`, `lambda`, `spark`",
        "`auto`",
        "The engine that reads the drop. `auto` decides by size.",
    ),
    row(
        "penstock.unexpectedColumns",
        Level::Contract,
        "`rescue`, `ignore`, `reject`",
        "`rescue`",
        "Values of columns that the contract does not describe. `rescue`: they are stored by name in `_rescued`. `ignore`: they are ignored. `reject`: a row that has one is rejected.",
    ),
    row(
        "penstock.missingColumns",
        Level::Contract,
        "`refuse`, `null`",
        "`refuse`",
        "A file whose header lacks a column of the contract. `refuse`: it is refused as a whole. `null`: the column has no value in any row.",
    ),
    row(
        "penstock.overwrite",
        Level::Contract,
        "`add`, `replace`, `keep`",
        "`add`",
        "A second version of an object under the same key. `add`: it is loaded independently. `replace`: it is loaded, and the rows of the earlier version are deleted. `keep`: it is ignored.",
    ),
    row(
        "penstock.delimiter",
        Level::Server,
        "one or more characters, or `tab`",
        "the `sep=` line of Excel, or detected (`tab` for `format: tsv`)",
        "The field delimiter.",
    ),
    row(
        "penstock.quote",
        Level::Server,
        "one ASCII character, or `none`",
        "detected",
        "The character that fields may be enclosed in. `none`: quotes are ordinary characters.",
    ),
    row(
        "penstock.escape",
        Level::Server,
        "one ASCII character",
        "detected: a doubled quote, or `\\`",
        "The character that escapes a quote inside a quoted field. Before any character other than a quote or itself it is an ordinary character.",
    ),
    row(
        "penstock.skipInitialSpace",
        Level::Server,
        "`true`, `false`",
        "detected; ambiguous rows are rejected",
        "Whether spaces and tabs around a quoted field and before an unquoted one are skipped, as in `1, \"a\" ,2`. Characters of the delimiter are never skipped.",
    ),
    row(
        "penstock.header",
        Level::Server,
        "`true`, `false`",
        "detected",
        "Whether the first record names the columns. Without a header the file has the columns of the contract in the same order, except those with a `penstock.constant`.",
    ),
    row(
        "penstock.headerRows",
        Level::Server,
        "a whole number from 1",
        "detected, otherwise `1`",
        "The number of header records. With several, the cells of a column, from top to bottom and joined by spaces, are its name.",
    ),
    row(
        "penstock.skipLines",
        Level::Server,
        "a whole number",
        "detected: the lines before the first one with the contract's names",
        "The number of lines to skip before the header, regardless of their content.",
    ),
    row(
        "penstock.comment",
        Level::Server,
        "a text, such as `#`",
        "none",
        "Lines that begin with it are skipped.",
    ),
    row(
        "penstock.ragged",
        Level::Server,
        "`reject`, `pad`, `truncate`, `rescue`",
        "`reject`",
        "A row with fewer or more fields than the header. `reject`: it is rejected. `pad`: fields missing at its end are missing values; a row with more fields is rejected. `truncate`: surplus fields are dropped. `rescue`: surplus fields are stored in `_rescued` as `_column_N`. With `truncate` and `rescue`, a row with fewer fields is rejected.",
    ),
    row(
        "penstock.blankRows",
        Level::Server,
        "`skip`, `reject`",
        "`skip`",
        "A row whose fields are all empty or white space, such as `,,`. `skip`: it is skipped and counted as `blank`. `reject`: it is rejected as `blank_row`.",
    ),
    row(
        "penstock.repeatedHeaders",
        Level::Server,
        "`skip`, `keep`",
        "`skip`",
        "A record that repeats the header. `skip`: it is skipped and counted as `repeated_headers`. `keep`: it is read as a row.",
    ),
    row(
        "penstock.headerCase",
        Level::Server,
        "`sensitive`, `insensitive`",
        "`sensitive`",
        "Whether column names of a delimited, Parquet or Avro file must match the contract's in letter case.",
    ),
    row(
        "penstock.emptyFile",
        Level::Server,
        "`accept`, `refuse`",
        "a file of 0 bytes is refused, any other file without rows is accepted",
        "A file without rows. `accept`: it is loaded as a batch of 0 rows, even if it has 0 bytes. `refuse`: it is refused as `empty`, even if it has a header.",
    ),
    row(
        "penstock.path",
        Level::Server,
        "keys with dots, such as `$.data.items`",
        "`$`: the document is the array",
        "The path of the array of objects in a JSON document.",
    ),
    row(
        "penstock.encoding",
        Level::Server,
        "a label of the WHATWG encoding standard, e.g. `windows-1252`, `utf-16le`",
        "detected from a byte-order mark or the first bytes, otherwise `utf-8`",
        "The encoding of the file.",
    ),
    row(
        "penstock.nullValues",
        Level::Server,
        "a list of strings",
        "none",
        "Spellings of a missing value in every column, in addition to the empty string.",
    ),
    row(
        "penstock.compression",
        Level::Server,
        "`none`, `gzip`, `zstd`, `bzip2`, `xz`, `zip` (with one member)",
        "detected from the content",
        "The compression of the whole file. A file with another compression is refused.",
    ),
    row(
        "penstock.column",
        Level::Property,
        "a letter, then letters, digits and `_`; at most 63 bytes",
        "ODCS `name` in these characters",
        "The column of the table. The column of the file is still `physicalName`, or `name` without one.",
    ),
    row(
        "penstock.constant",
        Level::Property,
        "a value",
        "none",
        "The value of every row; nothing is read from the file.",
    ),
    row(
        "penstock.default",
        Level::Property,
        "a value",
        "none",
        "Replaces a missing value, and a value that `penstock.extract` does not match.",
    ),
    row(
        "penstock.trim",
        Level::Property,
        "`true`, `false`",
        "`true`",
        "Whether white space at both ends is removed.",
    ),
    row(
        "penstock.nullValues",
        Level::Property,
        "a list of strings",
        "none",
        "Additional spellings of a missing value in this column.",
    ),
    row(
        "penstock.extract",
        Level::Property,
        "a regular expression with a group",
        "none",
        "The value is replaced by the text of the first group. A value that does not match is rejected, or missing if `penstock.default` is set.",
    ),
    row(
        "penstock.pseudonymise",
        Level::Property,
        "`true`, `false`",
        "`false`",
        "A string is stored only as the 64 hexadecimal digits of its HMAC-SHA-256, in a column of type `text`. Its rules are checked first.",
    ),
    row(
        "penstock.case",
        Level::Property,
        "`upper`, `lower`",
        "unchanged",
        "The letter case that a string is converted to before its rules are checked.",
    ),
    row(
        "penstock.decimalSeparator",
        Level::Property,
        "one character",
        "`.`",
        "The decimal separator of a number.",
    ),
    row(
        "penstock.groupSeparator",
        Level::Property,
        "one character",
        "none",
        "The group separator, which is removed from a number before it is parsed.",
    ),
    row(
        "penstock.negative",
        Level::Property,
        "`leading`, `trailing`, `parentheses`, `any`",
        "`leading`",
        "How negative numbers are written: `-12`, `12-`, `(12)`, or any of these. A number has at most one sign. A plus sign may be where a minus sign may be, and always in front.",
    ),
    row(
        "penstock.percent",
        Level::Property,
        "`points`, `fraction`",
        "none; a number with `%` is rejected",
        "The values are percentages and end with `%`; a value without it is rejected. `points`: `7%` becomes 7. `fraction`: `7%` becomes 0.07, exactly.",
    ),
    row(
        "penstock.yearPivot",
        Level::Property,
        "a year from 1 to 9900",
        "`2000`",
        "The first of the hundred years that `yy` in a date's `format` covers: with `1950`, `49` is 2049 and `50` is 1950.",
    ),
    row(
        "penstock.numericTime",
        Level::Property,
        "`epoch-seconds`, `epoch-millis`, `epoch-micros`, `epoch-nanos`, `excel-1900`, `excel-1904`",
        "none",
        "The unit of a date or timestamp that is written as a number: the time since 1970-01-01T00:00Z, or a serial number of Excel's 1900 or 1904 date system.",
    ),
    row(
        "penstock.trueValues",
        Level::Property,
        "a list of strings",
        "`true`",
        "Additional spellings of true, in any letter case.",
    ),
    row(
        "penstock.falseValues",
        Level::Property,
        "a list of strings",
        "`false`",
        "Additional spellings of false, in any letter case.",
    ),
];

/// Returns the value of a custom property of `at`.
pub(crate) fn find<'n>(at: &NodeRef<'n>, name: &str) -> Option<NodeRef<'n>> {
    // Errors in the shape of the list are reported by the validation.
    let mut ignored = Errors::default();
    let list = at.get("customProperties")?.items(&mut ignored).ok()?;
    let found = list
        .into_iter()
        .find(|item| item.get("property").is_some_and(|key| key.str(&mut ignored) == Ok(name)))?;
    found.get("value").map(NodeRef::strict)
}

/// Reports misplaced, repeated and misspelled names of Penstock's properties in a list of custom properties.
pub(crate) fn check_names(list: &NodeRef<'_>, level: Level, errors: &mut Errors) {
    let mut distinct: HashSet<&str> = HashSet::new();
    for item in list.items(errors).into_iter().flatten() {
        if errors.is_full() {
            return;
        }
        let Some(property) = item.get("property") else { continue };
        let Ok(name) = property.str(errors) else { continue };
        let (prefix, rest) = name.split_once('.').unwrap_or((name, ""));
        let is_misspelled = !rest.is_empty() && nearest(prefix, ["penstock"]).is_some();
        if prefix != "penstock" && !is_misspelled {
            continue;
        }
        if !distinct.insert(name) {
            property.report(errors, format!("`{name}` is set twice"));
        } else if let Some(message) = fault(name, level) {
            property.report(errors, message);
        }
    }
}

fn fault(name: &str, level: Level) -> Option<String> {
    let levels: Vec<Level> =
        CUSTOM_PROPERTIES.iter().filter(|row| row.name == name).map(|row| row.level).collect();
    if levels.contains(&level) {
        return None;
    }
    if !levels.is_empty() {
        let owners: Vec<&str> = levels.iter().map(|level| owner(*level)).collect();
        return Some(format!(
            "`{name}` has no effect here; it belongs in the `customProperties` of {}",
            owners.join(" or of ")
        ));
    }
    let here = |row: &&CustomProperty| level == Level::Elsewhere || row.level == level;
    let names: Vec<&str> = CUSTOM_PROPERTIES.iter().filter(here).map(|row| row.name).collect();
    let anywhere = nearest(name, CUSTOM_PROPERTIES.iter().map(|row| row.name));
    let suggestion = match (nearest(name, names.iter().copied()), anywhere) {
        (None, Some(other)) => format!("; did you mean `{other}`?"),
        _ => suggestion(name, &names),
    };
    Some(format!("`{name}` is not a custom property of Penstock{suggestion}"))
}

fn owner(level: Level) -> &'static str {
    match level {
        Level::Contract => "the contract",
        Level::Server => "the server of type `s3`",
        Level::Property => "a property",
        Level::Elsewhere => "nothing",
    }
}
