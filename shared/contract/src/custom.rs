//! Penstock's own custom properties: one table of their names, levels, values, defaults and effects.

use std::collections::HashSet;

use crate::at::At;
use crate::error::{Errors, mend, nearest};

/// What all names begin with; others belong to other tools and are left alone.
pub(crate) const PREFIX: &str = "penstock.";

/// Where a custom property stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// `customProperties` of the contract, or of an object of its `schema`.
    Contract,
    /// `customProperties` of the first server of type `s3`.
    Server,
    /// `customProperties` of a property.
    Property,
    /// Anywhere else that ODCS allows custom properties; Penstock has none there.
    Elsewhere,
}

impl Level {
    /// The level in words, as in the table of the docs.
    pub fn name(self) -> &'static str {
        match self {
            Level::Contract => "contract",
            Level::Server => "server",
            Level::Property => "property",
            Level::Elsewhere => "elsewhere",
        }
    }
}

/// One custom property, in words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CustomProperty {
    /// Name, e.g. `penstock.write`.
    pub name: &'static str,
    /// Where it stands.
    pub level: Level,
    /// What it may be.
    pub values: &'static str,
    /// What holds without it.
    pub default: &'static str,
    /// What it does.
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

/// Every custom property that Penstock reads; the table in `docs/contract.md` is this one.
pub static CUSTOM_PROPERTIES: &[CustomProperty] = &[
    row(
        "penstock.source",
        Level::Contract,
        "lower-case letters, digits, `_` and `-`",
        "ODCS `name` in these letters; with several objects in `schema`, the `name` of the object",
        "The source: the first part of the keys that its files are dropped under. With several objects it is set at each of them.",
    ),
    row(
        "penstock.write",
        Level::Contract,
        "`upsert`, `append`",
        "`upsert` with a primary key, else `append`",
        "`upsert`: a row replaces the row of the same key unless that is newer. `append`: every row is added; a row that is delivered again is not.",
    ),
    row(
        "penstock.eventTime",
        Level::Contract,
        "a column",
        "the time of the drop",
        "Which row is newer. The column is a date or timestamp and `required`.",
    ),
    row(
        "penstock.priority",
        Level::Contract,
        "−32768 to 32767",
        "`0`",
        "Between rows of one key and one event time the higher priority wins.",
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
        "1 to 2680, less with more columns in the key",
        "`2048`",
        "A row whose primary key has more bytes, as text, is a reject (`too_long`): an entry of PostgreSQL's index has a limit. Without `upsert` it has no effect.",
    ),
    row(
        "penstock.route",
        Level::Contract,
        "`auto`, `lambda`, `spark`",
        "`auto`",
        "Which engine reads the drop; `auto` goes by size.",
    ),
    row(
        "penstock.unexpectedColumns",
        Level::Contract,
        "`rescue`, `ignore`, `reject`",
        "`rescue`",
        "Columns of the file that no column of the contract reads are kept by name in `_rescued`, left out, or make each row that has one a reject.",
    ),
    row(
        "penstock.missingColumns",
        Level::Contract,
        "`refuse`, `null`",
        "`refuse`",
        "A file whose header lacks a column that the contract reads is refused as a whole, or the column is missing in every row.",
    ),
    row(
        "penstock.overwrite",
        Level::Contract,
        "`add`, `replace`, `keep`",
        "`add`",
        "A second version of an object under the same key is one more drop, or stands for the first, whose rows are taken out, or is not read.",
    ),
    row(
        "penstock.delimiter",
        Level::Server,
        "one or more characters, or `tab`",
        "the `sep=` line of Excel, or found by sniffing (`tab` for `format: tsv`)",
        "What separates the fields.",
    ),
    row(
        "penstock.quote",
        Level::Server,
        "one ASCII character, or `none`",
        "found by sniffing",
        "What fields may be enclosed in. `none`: quotes are ordinary characters.",
    ),
    row(
        "penstock.escape",
        Level::Server,
        "one ASCII character",
        "found by sniffing: the quote doubled, or `\\`",
        "What makes a quote inside a quoted field an ordinary character. Before any other character but itself it is an ordinary character, too.",
    ),
    row(
        "penstock.skipInitialSpace",
        Level::Server,
        "`true`, `false`",
        "found by sniffing; rows in which it is in doubt are rejects",
        "Whether spaces and tabs around a quoted field and before an unquoted one are skipped, as in `1, \"a\" ,2`. A character of the delimiter is never skipped.",
    ),
    row(
        "penstock.header",
        Level::Server,
        "`true`, `false`",
        "found by sniffing",
        "Whether the first record names the columns. Without a header the file has the columns of the contract, in its order, those with a `penstock.constant` left out.",
    ),
    row(
        "penstock.headerRows",
        Level::Server,
        "a whole number from 1",
        "found by sniffing, else `1`",
        "How many records name the columns together: of several, what stands in a column from top to bottom is its name, with spaces between.",
    ),
    row(
        "penstock.skipLines",
        Level::Server,
        "a whole number",
        "found by sniffing: the lines before the first one that has the contract's names",
        "The number of lines before the header, which are skipped whatever they contain.",
    ),
    row(
        "penstock.comment",
        Level::Server,
        "a text, such as `#`",
        "none",
        "Lines that begin with it are left out.",
    ),
    row(
        "penstock.ragged",
        Level::Server,
        "`reject`, `pad`, `truncate`, `rescue`",
        "`reject`",
        "What happens to a row with fewer or more fields than the header. `reject`: it is rejected. `pad`: fields missing at its end are missing values; a row with more fields is rejected. `truncate`: surplus fields are dropped. `rescue`: surplus fields are kept in `_rescued` as `_column_N`; under both a row with fewer fields is rejected.",
    ),
    row(
        "penstock.blankRows",
        Level::Server,
        "`skip`, `reject`",
        "`skip`",
        "What happens to a row whose fields are all empty or white space, such as `,,`: it is skipped and counted as `blank`, or rejected as `blank_row`.",
    ),
    row(
        "penstock.repeatedHeaders",
        Level::Server,
        "`skip`, `keep`",
        "`skip`",
        "What happens to a record that repeats the header: it is skipped and counted as `repeated_headers`, or read as a row.",
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
        "a file of 0 bytes is refused, another one without rows is accepted",
        "What happens to a file without rows: it is loaded as a batch of 0 rows even if it has 0 bytes, or refused as `empty` even if it has a header.",
    ),
    row(
        "penstock.path",
        Level::Server,
        "keys with dots, such as `$.data.items`",
        "`$`: the document is the array",
        "Where in a JSON document the array of objects is.",
    ),
    row(
        "penstock.encoding",
        Level::Server,
        "a label of the WHATWG encoding standard, e.g. `windows-1252`, `utf-16le`",
        "told by a byte-order mark or the first bytes, else `utf-8`",
        "The encoding of the file.",
    ),
    row(
        "penstock.nullValues",
        Level::Server,
        "a list of strings",
        "none",
        "Spellings of a missing value in every column. The empty string always is one.",
    ),
    row(
        "penstock.compression",
        Level::Server,
        "`none`, `gzip`, `zstd`, `bzip2`, `xz`, `zip` (with one member)",
        "told by the content",
        "The compression of the whole file; another one is refused.",
    ),
    row(
        "penstock.column",
        Level::Property,
        "a letter, then letters, digits and `_`; at most 63 bytes",
        "ODCS `name` in these characters",
        "The column of the table. The file is still read by `physicalName`, or else by `name`.",
    ),
    row(
        "penstock.constant",
        Level::Property,
        "a value",
        "none",
        "Every row gets this value; nothing is read from the file.",
    ),
    row(
        "penstock.default",
        Level::Property,
        "a value",
        "none",
        "Takes the place of a missing value, and of one that `penstock.extract` finds nothing in.",
    ),
    row(
        "penstock.trim",
        Level::Property,
        "`true`, `false`",
        "`true`",
        "Whether white space at both ends is taken off.",
    ),
    row(
        "penstock.nullValues",
        Level::Property,
        "a list of strings",
        "none",
        "Further spellings of a missing value in this column.",
    ),
    row(
        "penstock.extract",
        Level::Property,
        "a regular expression with a group",
        "none",
        "The value becomes what the first group matches. A value that does not match is a reject, or missing where `penstock.default` is set.",
    ),
    row(
        "penstock.pseudonymise",
        Level::Property,
        "`true`, `false`",
        "`false`",
        "The value of a string leaves the engine only as the 64 hexadecimal digits of its HMAC-SHA-256, and its column is `text`. Rules are checked before.",
    ),
    row(
        "penstock.case",
        Level::Property,
        "`upper`, `lower`",
        "as it is",
        "Letter case that a string is brought to, before its rules are checked.",
    ),
    row(
        "penstock.decimalSeparator",
        Level::Property,
        "one character",
        "`.`",
        "What stands before the fraction of a number.",
    ),
    row(
        "penstock.groupSeparator",
        Level::Property,
        "one character",
        "none",
        "Taken out of a number before it is read.",
    ),
    row(
        "penstock.negative",
        Level::Property,
        "`leading`, `trailing`, `parentheses`, `any`",
        "`leading`",
        "How a text marks a negative number: `-12`, `12-`, `(12)`, or any one of these. A number has at most one mark; a plus sign may be at the same place as a minus sign, and in front in any case.",
    ),
    row(
        "penstock.percent",
        Level::Property,
        "`points`, `fraction`",
        "none; a number with `%` is refused",
        "Texts are percentages and end with `%`; a text without it is refused. `points`: `7%` becomes 7. `fraction`: `7%` becomes 0.07, exactly.",
    ),
    row(
        "penstock.yearPivot",
        Level::Property,
        "a year from 1 to 9900",
        "`2000`",
        "The first of the hundred years that `yy` in a date's `format` means: with `1950`, `49` is 2049 and `50` is 1950.",
    ),
    row(
        "penstock.numericTime",
        Level::Property,
        "`epoch-seconds`, `epoch-millis`, `epoch-micros`, `epoch-nanos`, `excel-1900`, `excel-1904`",
        "none",
        "A date or timestamp is written as a number: the time since 1970-01-01T00:00Z, or a serial number of Excel's 1900 or 1904 date system.",
    ),
    row(
        "penstock.trueValues",
        Level::Property,
        "a list of strings",
        "`true`",
        "Further spellings of true, in any letter case.",
    ),
    row(
        "penstock.falseValues",
        Level::Property,
        "a list of strings",
        "`false`",
        "Further spellings of false, in any letter case.",
    ),
];

/// The value of a custom property of the node that `at` is.
pub(crate) fn find<'n>(at: &At<'n>, name: &str) -> Option<At<'n>> {
    // Faults of the list's shape are told by `shape`; what can be read is.
    let mut unheard = Errors::default();
    let list = at.get("customProperties")?.items(&mut unheard).ok()?;
    let found = list
        .into_iter()
        .find(|item| item.get("property").is_some_and(|key| key.str(&mut unheard) == Ok(name)))?;
    found.get("value").map(At::strict)
}

/// Tells the names in a list of custom properties that are Penstock's, or meant to be, and wrong.
pub(crate) fn check_names(list: &At<'_>, level: Level, errors: &mut Errors) {
    let mut seen: HashSet<&str> = HashSet::new();
    for item in list.items(errors).unwrap_or_default() {
        if errors.is_full() {
            return;
        }
        let Some(property) = item.get("property") else { continue };
        let Ok(name) = property.str(errors) else { continue };
        let prefix = name.split('.').next().unwrap_or_default();
        let meant = prefix != "penstock" && name.contains('.') && nearest(prefix, ["penstock"]).is_some();
        if prefix != "penstock" && !meant {
            continue;
        }
        if !seen.insert(name) {
            property.report(errors, format!("`{name}` stands twice"));
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
        let places: Vec<&str> = levels.iter().map(|level| place(*level)).collect();
        return Some(format!(
            "`{name}` has no effect here; it belongs in the `customProperties` of {}",
            places.join(" or of ")
        ));
    }
    let here = |row: &&CustomProperty| level == Level::Elsewhere || row.level == level;
    let names: Vec<&str> = CUSTOM_PROPERTIES.iter().filter(here).map(|row| row.name).collect();
    let anywhere = nearest(name, CUSTOM_PROPERTIES.iter().map(|row| row.name));
    let mend = match (nearest(name, names.iter().copied()), anywhere) {
        (None, Some(other)) => format!("; did you mean `{other}`?"),
        _ => mend(name, &names),
    };
    Some(format!("`{name}` is not a property of Penstock{mend}"))
}

fn place(level: Level) -> &'static str {
    match level {
        Level::Contract => "the contract",
        Level::Server => "the server of type `s3`",
        Level::Property => "a property",
        Level::Elsewhere => "nothing",
    }
}
