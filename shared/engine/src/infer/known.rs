//! The parts of the sample's format that the caller knows.

use penstock_contract::{ContractErrors, DelimitedDialect, Quote};

use super::error::InferError;
use super::yaml::{ColumnDraft, ContractDraft, DelimitedDraft, FileDraft, FileKind, QuoteDraft};
use crate::format::FileFormat;

/// The known parts of the sample's format. The others, which are `None`, are detected.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KnownFormat {
    /// The format of the file.
    pub kind: Option<FileFormat>,
    /// The encoding as a label of the WHATWG standard, e.g. `windows-1252`.
    pub encoding: Option<String>,
    /// The field delimiter.
    pub delimiter: Option<String>,
    /// The quote.
    pub quote: Option<Quote>,
    /// The escape inside quotes.
    pub escape: Option<u8>,
    /// True if the first record names the columns.
    pub header: Option<bool>,
    /// The number of lines before the header.
    pub skip_lines: Option<u32>,
    /// The keys that lead to the array of objects in a JSON document.
    pub path: Option<Vec<String>>,
}

impl KnownFormat {
    /// Returns the format of the file, if it is given or implied by another part.
    pub(super) fn kind(&self) -> Option<FileFormat> {
        let of_delimited = self.has_dialect().then_some(FileFormat::Delimited);
        let of_array = self.path.is_some().then_some(FileFormat::JsonArray);
        self.kind.or(of_delimited).or(of_array)
    }

    /// Returns the known part of the dialect, without the lines before the header.
    pub(super) fn dialect(&self) -> DelimitedDialect {
        DelimitedDialect {
            delimiter: self.delimiter.clone(),
            quote: self.quote,
            escape: self.escape,
            ..DelimitedDialect::default()
        }
    }

    /// Checks the known parts against the rules of contracts.
    pub(super) fn check(&self) -> Result<(), InferError> {
        let is_typed = self.kind().is_some_and(|kind| !kind.is_text());
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
        let contract = penstock_contract::parse("options", &ContractDraft::probe(file, vec![column]).yaml());
        // Only the messages are shown, as the caller did not write the contract to which their positions refer.
        let without_positions = |errors: ContractErrors| {
            let messages: Vec<String> = errors.into_iter().map(|error| error.message).collect();
            InferError::Dialect(messages.join("; "))
        };
        contract.map(drop).map_err(without_positions)
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
