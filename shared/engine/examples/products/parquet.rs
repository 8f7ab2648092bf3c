//! Writes the product rows as typed Parquet, and reads it with the `parquet` crate alone.

use std::error::Error;
use std::fs::File;
use std::hint::black_box;
use std::sync::Arc;

use arrow_array::{
    ArrayRef, Decimal128Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use arrow_schema::{DataType, Field, Schema, TimeUnit};
use jiff::Timestamp;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::basic::Compression;
use parquet::file::properties::WriterProperties;

use super::{Faults, Product, products};

const BATCH_ROWS: usize = 65_536;

/// Writes rows as most writers do: compressed with Snappy, with dictionaries and statistics. A text that its type cannot represent
/// becomes a missing value.
///
/// # Errors
/// If the file cannot be written.
pub(crate) fn write_parquet(rows: u64, faults: Faults, file: File) -> Result<(), Box<dyn Error>> {
    let text = |name: &str| Field::new(name, DataType::Utf8, true);
    let schema = Arc::new(Schema::new(vec![
        text("id"),
        text("source"),
        text("title"),
        text("brand"),
        text("category"),
        Field::new("price", DataType::Decimal128(12, 2), true),
        text("currency"),
        Field::new("gtin", DataType::Int64, true),
        Field::new("updated_at", DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())), true),
        text("attributes"),
    ]));
    let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
    let mut writer = ArrowWriter::try_new(file, Arc::clone(&schema), Some(properties))?;
    let mut products = products(rows, faults);
    loop {
        let batch: Vec<Product> = products.by_ref().take(BATCH_ROWS).collect();
        if batch.is_empty() {
            break;
        }
        writer.write(&RecordBatch::try_new(Arc::clone(&schema), columns(&batch)?)?)?;
    }
    writer.close()?;
    Ok(())
}

fn columns(products: &[Product]) -> Result<Vec<ArrayRef>, Box<dyn Error>> {
    let texts = |text: fn(&Product) -> &str| -> ArrayRef {
        Arc::new(products.iter().map(|product| Some(text(product))).collect::<StringArray>())
    };
    let prices: Decimal128Array = products.iter().map(|product| cents(&product.price)).collect();
    let gtins: Int64Array = products.iter().map(|product| product.gtin.parse().ok()).collect();
    let instant = |product: &Product| product.updated_at.parse::<Timestamp>().ok();
    let times: TimestampMicrosecondArray =
        products.iter().map(|product| instant(product).map(Timestamp::as_microsecond)).collect();
    Ok(vec![
        texts(|product| &product.id),
        texts(|product| &product.source),
        texts(|product| &product.title),
        texts(|product| product.brand),
        texts(|product| product.category),
        Arc::new(prices.with_precision_and_scale(12, 2)?),
        texts(|product| product.currency),
        Arc::new(gtins),
        Arc::new(times.with_timezone("UTC")),
        texts(|product| &product.attributes),
    ])
}

fn cents(price: &str) -> Option<i128> {
    let (whole, fraction) = price.split_once('.').filter(|(_, fraction)| fraction.len() == 2)?;
    format!("{whole}{fraction}").parse().ok()
}

/// Reads all columns in batches and ignores them. Returns the number of rows.
///
/// # Errors
/// If the file cannot be read.
pub(crate) fn read_alone(file: File) -> Result<u64, Box<dyn Error>> {
    let reader = ParquetRecordBatchReaderBuilder::try_new(file)?.build()?;
    let mut rows = 0;
    for batch in reader {
        rows += black_box(batch?).num_rows() as u64;
    }
    Ok(rows)
}
