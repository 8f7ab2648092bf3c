//! What the caller knows of the sample's format.

use penstock_contract::{ContractErrors, DelimitedDialect, Quote};

use super::error::InferError;
use super::yaml::{ColumnDraft, DelimitedDraft, Draft, FileDraft, FileKind, QuoteDraft};
use crate::format::FileFormat;

/// What is known of the sample's format. What is `None` is found by looking at the sample.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KnownFormat {
    /// The kind of file.
    pub kind: Option<FileFormat>,
    /// Encoding label of the WHATWG standard, e.g. `windows-1252`.
    pub encoding: Option<String>,
    /// Field delimiter.
    pub delimiter: Option<String>,
    /// Quote.
    pub quote: Option<Quote>,
    /// Escape inside quotes.
    pub escape: Option<u8>,
    /// True when the first record names the columns.
    pub header: Option<bool>,
    /// Lines before the header.
    pub skip_lines: Option<u32>,
    /// The keys that lead to the array of objects in a JSON document.
    pub path: Option<Vec<String>>,
}

impl KnownFormat {
    /// The kind of file that what is known is about; `None` when nothing says it.
    pub(super) fn kind(&self) -> Option<FileFormat> {
        let of_delimited = self.has_dialect().then_some(FileFormat::Delimited);
        let of_array = self.path.is_some().then_some(FileFormat::JsonArray);
        self.kind.or(of_delimited).or(of_array)
    }

    /// The dialect as far as it is known. The lines before the header are not part of it.
    pub(super) fn dialect(&self) -> DelimitedDialect {
        DelimitedDialect {
            delimiter: self.delimiter.clone(),
            quote: self.quote,
            escape: self.escape,
            ..DelimitedDialect::default()
        }
    }

    /// Holds what is known against the rules of contracts.
    pub(super) fn check(&self) -> Result<(), InferError> {
        let is_typed = matches!(self.kind(), Some(FileFormat::Parquet | FileFormat::Avro));
        if self.has_dialect() && self.kind() != Some(FileFormat::Delimited) {
            return Err(InferError::Options("the dialect of delimited files"));
        }
        if self.path.is_some() && self.kind() != Some(FileFormat::JsonArray) {
            return Err(InferError::Options("the path to a JSON array"));
        }
        if self.encoding.is_some() && is_typed {
            return Err(InferError::Options("an encoding"));
        }
        if self.escape.is_some() && self.quote == Some(Quote::None) {
            return Err(InferError::Dialect("an escape has no effect without a quote".to_owned()));
        }
        let Some(kind) = self.file_kind() else { return Ok(()) };
        let file = FileDraft { kind, encoding: self.encoding.clone(), compression: None };
        let column = ColumnDraft::plain("a".to_owned(), "a".to_owned());
        let contract = penstock_contract::parse("options", &Draft::probe(file, vec![column]).yaml());
        // Their places are those of a contract that nobody has written.
        let in_words = |errors: ContractErrors| {
            let messages: Vec<String> = errors.into_iter().map(|error| error.message).collect();
            InferError::Dialect(messages.join("; "))
        };
        contract.map(drop).map_err(in_words)
    }

    fn has_dialect(&self) -> bool {
        let Self { delimiter, quote, escape, header, skip_lines, .. } = self;
        let has_marks = delimiter.is_some() || quote.is_some() || escape.is_some();
        has_marks || header.is_some() || skip_lines.is_some()
    }

    fn file_kind(&self) -> Option<FileKind> {
        Some(match self.kind()? {
            FileFormat::Delimited => FileKind::Delimited(DelimitedDraft {
                delimiter: self.delimiter.clone(),
                quote: self.quote.map(|quote| match quote {
                    Quote::None => QuoteDraft::None,
                    Quote::Byte(byte) => QuoteDraft::Char(char::from(byte)),
                }),
                escape: self.escape.map(char::from),
                header: self.header.unwrap_or(true),
                skip_lines: self.skip_lines.unwrap_or(0),
                ..DelimitedDraft::default()
            }),
            FileFormat::Ndjson => FileKind::Ndjson,
            FileFormat::JsonArray => FileKind::JsonArray { path: self.path.clone().unwrap_or_default() },
            FileFormat::Parquet => FileKind::Parquet,
            FileFormat::Avro => FileKind::Avro,
        })
    }
}
