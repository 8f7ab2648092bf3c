//! A row group as an input of the column readers of the `parquet` crate.
//!
//! The crate verifies the checksum of each page that has one (its feature `crc`). Its errors do not identify the page;
//! that is added here.

use std::sync::Arc;

use arrow_schema::{DataType, Field, FieldRef, Fields};
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, RowGroups};
use parquet::arrow::{ProjectionMask, parquet_to_arrow_field_levels};
use parquet::column::page::{Page, PageIterator, PageMetadata, PageReader};
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::{ParquetMetaData, RowGroupMetaData};
use parquet::file::reader::ChunkReader;
use parquet::file::serialized_reader::SerializedPageReader;

use super::pages::{PageStarts, with_valid_dictionary_offset};
use super::shared::{PagePosition, SharedFile};

/// A row group whose pages have been scanned.
pub(super) struct RowGroup<T: ChunkReader> {
    pub(super) file: SharedFile<T>,
    pub(super) metadata: Arc<ParquetMetaData>,
    pub(super) index: usize,
    /// The page offsets of each leaf column that is read.
    pub(super) starts: PageStarts,
}

impl<T: ChunkReader + 'static> RowGroup<T> {
    /// Returns a reader for the columns in `mask`. `types`: the types of all columns of the file.
    pub(super) fn batches(
        &self,
        mask: ProjectionMask,
        types: &Fields,
        batch_rows: usize,
    ) -> Result<ParquetRecordBatchReader> {
        let schema = self.metadata.file_metadata().schema_descr();
        let levels = parquet_to_arrow_field_levels(schema, mask, Some(types))?;
        ParquetRecordBatchReader::try_new_with_row_groups(&levels, self, batch_rows, None)
    }
}

/// Returns the types of a file's fields, with those in `coded` replaced by a dictionary type.
pub(super) fn with_dictionaries(types: &Fields, coded: &[usize]) -> Fields {
    let coded_type = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Binary));
    let of_field = |(index, field): (usize, &FieldRef)| {
        if coded.contains(&index) {
            Arc::new(Field::clone(field).with_data_type(coded_type.clone()))
        } else {
            Arc::clone(field)
        }
    };
    types.iter().enumerate().map(of_field).collect()
}

impl<T: ChunkReader + 'static> RowGroups for RowGroup<T> {
    fn num_rows(&self) -> usize {
        self.row_groups().map(|group| usize::try_from(group.num_rows()).expect("checked on opening")).sum()
    }

    fn column_chunks(&self, leaf: usize) -> Result<Box<dyn PageIterator>> {
        let column = self.metadata.row_groups().get(self.index).and_then(|group| group.columns().get(leaf));
        let column = column.ok_or_else(|| {
            ParquetError::General("a row group has fewer columns than the schema".to_owned())
        })?;
        let column = with_valid_dictionary_offset(column)?;
        let name = column.column_path().string();
        let file = self.file.clone();
        let pages = SerializedPageReader::new(Arc::new(file.clone()), &column, self.num_rows(), None)?;
        let starts = self.starts.get(&leaf).cloned();
        let starts = starts.ok_or_else(|| ParquetError::General("a column was not scanned".to_owned()))?;
        let pages = Box::new(ColumnPages { file, pages, name, row_group: self.index, starts, read: 0 });
        Ok(Box::new(ColumnPageIterator(Some(pages))))
    }

    fn row_groups(&self) -> Box<dyn Iterator<Item = &RowGroupMetaData> + '_> {
        Box::new(self.metadata.row_groups().get(self.index).into_iter())
    }

    fn metadata(&self) -> &ParquetMetaData {
        &self.metadata
    }
}

/// An iterator over one column of one row group.
struct ColumnPageIterator(Option<Box<dyn PageReader>>);

impl Iterator for ColumnPageIterator {
    type Item = Result<Box<dyn PageReader>>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.take().map(Ok)
    }
}

impl PageIterator for ColumnPageIterator {}

/// A reader of a column's pages that reports the position of a failed page.
struct ColumnPages<T: ChunkReader> {
    file: SharedFile<T>,
    pages: SerializedPageReader<SharedFile<T>>,
    name: String,
    row_group: usize,
    /// The first byte of each page.
    starts: Arc<[u64]>,
    /// The number of pages that have been read or skipped.
    read: usize,
}

impl<T: ChunkReader> ColumnPages<T> {
    /// Records the position of the next page if the result is an error.
    fn locate<R>(&self, result: Result<R>) -> Result<R> {
        let Some(byte_offset) = self.starts.get(self.read) else { return result };
        let page = PagePosition { column: &self.name, row_group: self.row_group, byte_offset: *byte_offset };
        result.inspect_err(|error| self.file.record_page_error(&page, error))
    }
}

impl<T: ChunkReader> PageReader for ColumnPages<T> {
    fn get_next_page(&mut self) -> Result<Option<Page>> {
        let page = self.pages.get_next_page();
        let page = self.locate(page)?;
        self.read = self.read.saturating_add(1);
        Ok(page)
    }

    fn peek_next_page(&mut self) -> Result<Option<PageMetadata>> {
        let page = self.pages.peek_next_page();
        self.locate(page)
    }

    fn skip_next_page(&mut self) -> Result<()> {
        let skipped = self.pages.skip_next_page();
        self.locate(skipped)?;
        self.read = self.read.saturating_add(1);
        Ok(())
    }

    fn at_record_boundary(&mut self) -> Result<bool> {
        self.pages.at_record_boundary()
    }
}

impl<T: ChunkReader> Iterator for ColumnPages<T> {
    type Item = Result<Page>;

    fn next(&mut self) -> Option<Self::Item> {
        self.get_next_page().transpose()
    }
}
