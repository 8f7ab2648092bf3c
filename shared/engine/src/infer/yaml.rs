//! A draft of a contract, and its text in YAML.

use penstock_contract::Compression;

use crate::encode::sha256_hex;

/// A draft of a contract.
#[derive(Debug, Clone)]
pub(super) struct ContractDraft {
    pub(super) source: String,
    pub(super) entity: String,
    pub(super) file: FileDraft,
    pub(super) columns: Vec<ColumnDraft>,
    /// The harmonised name of the event time's column.
    pub(super) event_time: Option<String>,
    /// Comments on the whole contract, one per line.
    pub(super) comments: Vec<String>,
    /// The maximum percentage of rejects, if the default would refuse the sample.
    pub(super) max_rejects_percent: Option<u64>,
}

/// The properties of `servers[0]`.
#[derive(Debug, Clone, Default)]
pub(super) struct FileDraft {
    pub(super) kind: FileKind,
    /// The encoding; `None` if it is not known, and not declared.
    pub(super) encoding: Option<String>,
    pub(super) compression: Option<Compression>,
}

/// The format with its dialect. Parts that are `None` are not declared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum FileKind {
    Delimited(DelimitedDraft),
    Ndjson,
    JsonArray {
        /// The keys that lead to the array.
        path: Vec<String>,
    },
    Parquet,
    Avro,
}

impl FileKind {
    /// Returns true if the file has a schema with the types of its columns.
    pub(super) fn has_types(&self) -> bool {
        match self {
            Self::Parquet | Self::Avro => true,
            Self::Delimited(_) | Self::Ndjson | Self::JsonArray { .. } => false,
        }
    }

    /// Returns true if a column of documents reads JSON from text.
    pub(super) fn has_documents_in_text(&self) -> bool {
        !matches!(self, Self::Ndjson | Self::JsonArray { .. })
    }
}

impl Default for FileKind {
    fn default() -> Self {
        Self::Delimited(DelimitedDraft::default())
    }
}

/// The dialect of a delimited file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct DelimitedDraft {
    pub(super) delimiter: Option<String>,
    pub(super) quote: Option<QuoteDraft>,
    pub(super) escape: Option<char>,
    pub(super) skip_initial_space: bool,
    pub(super) header: bool,
    pub(super) skip_lines: u32,
}

impl Default for DelimitedDraft {
    /// Returns a dialect with a header, of which all other parts are detected.
    fn default() -> Self {
        Self {
            delimiter: None,
            quote: None,
            escape: None,
            skip_initial_space: false,
            header: true,
            skip_lines: 0,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum QuoteDraft {
    None,
    Char(char),
}

/// A column of the contract.
#[derive(Debug, Clone)]
pub(super) struct ColumnDraft {
    pub(super) name: String,
    pub(super) physical_name: String,
    pub(super) kind: DraftType,
    /// The type in the file's schema.
    pub(super) declared: Option<DraftType>,
    /// Some of its values are JSON numbers.
    pub(super) has_json_numbers: bool,
    pub(super) required: bool,
    /// The reason it is the primary key; `None` if it is not.
    pub(super) key: Option<String>,
    /// The allowed values; any if empty.
    pub(super) allowed: Vec<String>,
    /// Spellings of a missing value.
    pub(super) null_values: Vec<String>,
    /// The number of rows with NaN, if that is one of those spellings.
    pub(super) nan_rows: Option<u64>,
    /// A comment with counts of the values.
    pub(super) statistics: Option<String>,
    /// A comment with the type that nearly all values fit, and the number of values that do not.
    pub(super) nearly: Option<String>,
    /// Comments on the type.
    pub(super) comments: Vec<String>,
}

/// A type with the options for reading it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct DraftType {
    pub(super) logical: &'static str,
    /// The type in PostgreSQL.
    pub(super) physical: String,
    /// `logicalTypeOptions.format`.
    pub(super) format: Option<&'static str>,
    pub(super) decimal_separator: Option<char>,
    pub(super) group_separator: Option<char>,
    /// The spellings of true and false.
    pub(super) booleans: Option<(&'static str, &'static str)>,
}

impl DraftType {
    pub(super) fn new(logical: &'static str, physical: impl Into<String>) -> Self {
        Self {
            logical,
            physical: physical.into(),
            format: None,
            decimal_separator: None,
            group_separator: None,
            booleans: None,
        }
    }

    /// Returns the type of any text.
    pub(super) fn text() -> Self {
        Self::new("string", "text")
    }

    /// Returns the type of a JSON object or array.
    pub(super) fn document(is_array: bool) -> Self {
        Self::new(if is_array { "array" } else { "object" }, "jsonb")
    }

    pub(super) fn is_document(&self) -> bool {
        self.physical == "jsonb"
    }
}

impl ColumnDraft {
    /// Returns a column that accepts any text.
    pub(super) fn plain(name: String, physical_name: String) -> Self {
        Self {
            name,
            physical_name,
            kind: DraftType::text(),
            declared: None,
            has_json_numbers: false,
            required: false,
            key: None,
            allowed: Vec::new(),
            null_values: Vec::new(),
            nan_rows: None,
            statistics: None,
            nearly: None,
            comments: Vec::new(),
        }
    }
}

impl ContractDraft {
    /// Returns a contract that is only used to read the sample.
    pub(super) fn probe(file: FileDraft, columns: Vec<ColumnDraft>) -> Self {
        Self {
            source: "probe".to_owned(),
            entity: "probe".to_owned(),
            file,
            columns,
            event_time: None,
            comments: Vec::new(),
            max_rejects_percent: None,
        }
    }

    /// Returns the contract's text. The same draft yields the same text.
    pub(super) fn yaml(&self) -> String {
        let mut text = String::new();
        text.push_str("apiVersion: v3.1.0\nkind: DataContract\n");
        line(&mut text, 0, "id", &format!("inferred-{}", self.digest()));
        line(&mut text, 0, "name", &quoted(&self.source));
        text.push_str("version: 1.0.0\nstatus: draft\n\nservers:\n  - server: raw\n    type: s3\n");
        line(&mut text, 4, "location", &quoted(&format!("s3://raw/{}/", self.source)));
        self.file.write(&mut text);
        self.write_settings(&mut text);
        text.push_str("\nschema:\n");
        line(&mut text, 2, "- name", &quoted(&self.entity));
        line(&mut text, 4, "physicalName", &quoted(&format!("public.{}", self.entity)));
        text.push_str("    properties:\n");
        for column in &self.columns {
            column.write(&mut text);
        }
        text
    }

    /// Writes the contract's custom properties, after the comments on the contract.
    fn write_settings(&self, text: &mut String) {
        if self.event_time.is_none() && self.max_rejects_percent.is_none() && self.comments.is_empty() {
            return;
        }
        text.push('\n');
        for comment in &self.comments {
            write_comment(text, 0, comment);
        }
        if self.event_time.is_some() || self.max_rejects_percent.is_some() {
            text.push_str("customProperties:\n");
        }
        if let Some(column) = &self.event_time {
            custom(text, 2, "eventTime", &quoted(column));
        }
        if let Some(percent) = self.max_rejects_percent {
            custom(text, 2, "maxRejectsPercent", &percent.to_string());
        }
    }

    /// Returns a digest of the source and the producer's names, so that another sample of the feed yields the same id.
    fn digest(&self) -> String {
        let mut named = self.source.clone();
        for column in &self.columns {
            named.push('\n');
            named.push_str(&column.physical_name);
        }
        sha256_hex(named.as_bytes()).chars().take(16).collect()
    }
}

impl FileDraft {
    fn write(&self, text: &mut String) {
        let mut properties: Vec<(&str, String)> = Vec::new();
        match &self.kind {
            FileKind::Delimited(dialect) => {
                text.push_str("    format: csv\n");
                dialect.write(&mut properties);
            }
            FileKind::Ndjson => text.push_str("    format: json\n    delimiter: new_line\n"),
            FileKind::JsonArray { path } => {
                text.push_str("    format: json\n    delimiter: array\n");
                if !path.is_empty() {
                    properties.push(("path", quoted(&format!("$.{}", path.join(".")))));
                }
            }
            FileKind::Parquet => text.push_str("    format: parquet\n"),
            FileKind::Avro => text.push_str("    format: avro\n"),
        }
        if let Some(encoding) = &self.encoding {
            properties.push(("encoding", quoted(encoding)));
        }
        if let Some(compression) = self.compression.map(declared_name) {
            properties.push(("compression", compression.to_owned()));
        }
        if !properties.is_empty() {
            text.push_str("    customProperties:\n");
        }
        for (name, value) in properties {
            custom(text, 6, name, &value);
        }
    }
}

impl DelimitedDraft {
    fn write(&self, properties: &mut Vec<(&str, String)>) {
        if let Some(delimiter) = &self.delimiter {
            let shown = if delimiter == "\t" { "tab".to_owned() } else { quoted(delimiter) };
            properties.push(("delimiter", shown));
        }
        match self.quote {
            None => {}
            Some(QuoteDraft::None) => properties.push(("quote", "none".to_owned())),
            Some(QuoteDraft::Char(quote)) => properties.push(("quote", quoted(&quote.to_string()))),
        }
        if let Some(escape) = self.escape {
            properties.push(("escape", quoted(&escape.to_string())));
        }
        if self.skip_initial_space {
            properties.push(("skipInitialSpace", "true".to_owned()));
        }
        properties.push(("header", self.header.to_string()));
        if self.skip_lines > 0 {
            properties.push(("skipLines", self.skip_lines.to_string()));
        }
    }
}

/// Returns the name of a compression in contracts.
fn declared_name(compression: Compression) -> &'static str {
    match compression {
        Compression::Plain => "none",
        Compression::Gzip => "gzip",
        Compression::Zstd => "zstd",
        Compression::Bzip2 => "bzip2",
        Compression::Xz => "xz",
        Compression::Zip => "zip",
    }
}

impl ColumnDraft {
    fn write(&self, text: &mut String) {
        for comment in self.statistics.iter().chain(&self.nearly).chain(&self.comments).chain(&self.key) {
            write_comment(text, 6, comment);
        }
        line(text, 6, "- name", &quoted(&self.name));
        if self.physical_name != self.name {
            line(text, 8, "physicalName", &quoted(&self.physical_name));
        }
        line(text, 8, "logicalType", self.kind.logical);
        if let Some(format) = self.kind.format {
            text.push_str("        logicalTypeOptions:\n");
            line(text, 10, "format", &quoted(format));
        }
        line(text, 8, "physicalType", &self.kind.physical);
        if self.required {
            line(text, 8, "required", "true");
        }
        if self.key.is_some() {
            line(text, 8, "primaryKey", "true");
            line(text, 8, "primaryKeyPosition", "1");
        }
        if !self.allowed.is_empty() {
            text.push_str("        quality:\n          - metric: invalidValues\n            arguments:\n");
            line(text, 14, "validValues", &list(&self.allowed));
            text.push_str("            mustBe: 0\n");
        }
        self.write_custom(text);
    }

    fn write_custom(&self, text: &mut String) {
        let mut properties: Vec<(&str, String)> = Vec::new();
        if let Some(separator) = self.kind.decimal_separator {
            properties.push(("decimalSeparator", quoted(&separator.to_string())));
        }
        if let Some(separator) = self.kind.group_separator {
            properties.push(("groupSeparator", quoted(&separator.to_string())));
        }
        if let Some((yes, no)) = self.kind.booleans {
            properties.push(("trueValues", list(&[yes.to_owned()])));
            properties.push(("falseValues", list(&[no.to_owned()])));
        }
        if !self.null_values.is_empty() {
            properties.push(("nullValues", list(&self.null_values)));
        }
        if !properties.is_empty() {
            text.push_str("        customProperties:\n");
        }
        for (name, value) in properties {
            custom(text, 10, name, &value);
        }
    }
}

fn write_comment(text: &mut String, indent: usize, comment: &str) {
    text.push_str(&format!("{:indent$}# {comment}\n", ""));
}

fn line(text: &mut String, indent: usize, key: &str, value: &str) {
    text.push_str(&format!("{:indent$}{key}: {value}\n", ""));
}

fn custom(text: &mut String, indent: usize, name: &str, value: &str) {
    text.push_str(&format!("{:indent$}- property: penstock.{name}\n{:indent$}  value: {value}\n", "", ""));
}

fn list(values: &[String]) -> String {
    let values: Vec<String> = values.iter().map(|value| quoted(value)).collect();
    format!("[{}]", values.join(", "))
}

/// Returns a scalar that YAML reads as a string. Words that look like names are not quoted.
fn quoted(value: &str) -> String {
    const NOT_STRINGS: [&str; 10] = ["true", "false", "null", "yes", "no", "on", "off", "y", "n", "nan"];
    let is_word = value.starts_with(|first: char| first.is_ascii_lowercase())
        && value
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'_' | b'-'))
        && !NOT_STRINGS.contains(&value);
    if is_word {
        return value.to_owned();
    }
    let mut text = String::from("\"");
    for letter in value.chars() {
        match letter {
            '"' | '\\' => {
                text.push('\\');
                text.push(letter);
            }
            '\t' => text.push_str("\\t"),
            _ if letter == ' ' || letter.is_ascii_graphic() || letter.is_alphanumeric() => text.push(letter),
            // YAML does not allow control characters, and reads some other characters as line ends.
            _ => text.push_str(&format!("\\U{:08x}", u32::from(letter))),
        }
    }
    text.push('"');
    text
}
