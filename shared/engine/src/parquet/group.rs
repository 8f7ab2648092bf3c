//! A row group as the column readers of the `parquet` crate take it.
//!
//! Pages that are packed with Snappy, as most are, are unpacked here: the crate clears their room byte by byte first where
//! it is built for size, which takes longer than unpacking them.

use std::sync::Arc;

use arrow_schema::{DataType, Field, FieldRef, Fields};
use bytes::Bytes;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, RowGroups};
use parquet::arrow::{ProjectionMask, parquet_to_arrow_field_levels};
use parquet::basic::Compression;
use parquet::column::page::{Page, PageIterator, PageMetadata, PageReader};
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData, RowGroupMetaData};
use parquet::file::reader::ChunkReader;
use parquet::file::serialized_reader::SerializedPageReader;
use snap::raw::Decoder;

use super::shared::Shared;

/// A row group of a file whose pages have been looked through.
pub(super) struct RowGroup<T: ChunkReader> {
    pub(super) file: Shared<T>,
    pub(super) metadata: Arc<ParquetMetaData>,
    pub(super) index: usize,
}

impl<T: ChunkReader + 'static> RowGroup<T> {
    /// The rows of some columns. `types`: of all columns of the file.
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

/// The types of a file's fields, but that some come as places in a dictionary.
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
        self.row_groups().map(|group| usize::try_from(group.num_rows()).unwrap_or_default()).sum()
    }

    fn column_chunks(&self, leaf: usize) -> Result<Box<dyn PageIterator>> {
        let column = self.metadata.row_groups().get(self.index).and_then(|group| group.columns().get(leaf));
        let column = column.ok_or_else(|| ParquetError::General("a row group lacks a column".to_owned()))?;
        let pages = |column: &ColumnChunkMetaData| {
            SerializedPageReader::new(Arc::new(self.file.clone()), column, self.num_rows(), None)
        };
        let pages: Box<dyn PageReader> = if column.compression() == Compression::SNAPPY {
            let packed = column.clone().into_builder().set_compression(Compression::UNCOMPRESSED).build()?;
            Box::new(SnappyPages { pages: pages(&packed)?, decoder: Decoder::new() })
        } else {
            Box::new(pages(column)?)
        };
        Ok(Box::new(Chunk(Some(pages))))
    }

    fn row_groups(&self) -> Box<dyn Iterator<Item = &RowGroupMetaData> + '_> {
        Box::new(self.metadata.row_groups().get(self.index).into_iter())
    }

    fn metadata(&self) -> &ParquetMetaData {
        &self.metadata
    }
}

/// A column of one row group.
struct Chunk(Option<Box<dyn PageReader>>);

impl Iterator for Chunk {
    type Item = Result<Box<dyn PageReader>>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.take().map(Ok)
    }
}

impl PageIterator for Chunk {}

/// Pages of a column that its reader takes for unpacked ones.
struct SnappyPages<T: ChunkReader> {
    pages: SerializedPageReader<Shared<T>>,
    decoder: Decoder,
}

impl<T: ChunkReader> SnappyPages<T> {
    fn unpacked(&mut self, mut page: Page) -> Result<Page> {
        match &mut page {
            Page::DataPage { buf, .. } | Page::DictionaryPage { buf, .. } => *buf = self.unpack(buf, 0)?,
            Page::DataPageV2 {
                buf, def_levels_byte_len, rep_levels_byte_len, is_compressed: true, ..
            } => {
                let levels = u64::from(*def_levels_byte_len).saturating_add(u64::from(*rep_levels_byte_len));
                *buf = self.unpack(buf, usize::try_from(levels).unwrap_or(usize::MAX))?;
            }
            Page::DataPageV2 { .. } => {}
        }
        Ok(page)
    }

    /// The first bytes of a page may be levels, which are not packed. That the others become as many as the page says has
    /// been seen to.
    fn unpack(&mut self, page: &Bytes, levels: usize) -> Result<Bytes> {
        let fail = |why: &str| ParquetError::General(format!("a page cannot be unpacked: {why}"));
        let (levels, packed) = page.split_at_checked(levels).ok_or_else(|| fail("it breaks off"))?;
        if packed.is_empty() {
            return Ok(page.clone());
        }
        let unpacked = self.decoder.decompress_vec(packed).map_err(|error| fail(&error.to_string()))?;
        Ok(if levels.is_empty() { unpacked.into() } else { [levels, &unpacked].concat().into() })
    }
}

impl<T: ChunkReader> PageReader for SnappyPages<T> {
    fn get_next_page(&mut self) -> Result<Option<Page>> {
        let page = self.pages.get_next_page()?;
        page.map(|page| self.unpacked(page)).transpose()
    }

    fn peek_next_page(&mut self) -> Result<Option<PageMetadata>> {
        self.pages.peek_next_page()
    }

    fn skip_next_page(&mut self) -> Result<()> {
        self.pages.skip_next_page()
    }

    fn at_record_boundary(&mut self) -> Result<bool> {
        self.pages.at_record_boundary()
    }
}

impl<T: ChunkReader> Iterator for SnappyPages<T> {
    type Item = Result<Page>;

    fn next(&mut self) -> Option<Self::Item> {
        self.get_next_page().transpose()
    }
}
