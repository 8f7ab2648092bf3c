//! Removes the rows that are replaced by rows of other chunks from the chunks of a batch.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use penstock_aws::store::ObjectStore;
use penstock_engine::{ChunkEncoder, Duplicates, decode_chunk};
use penstock_pipeline::{BatchId, Chunk, ChunkBody, layout};

use crate::encode::{EncodedBatch, SPLIT};
use crate::error::IngestError;

/// Rewrites each chunk with such rows. The key contains a hash of the content, so the chunk that was written first is
/// not overwritten.
///
/// # Errors
/// Returns an error if a request fails, or a stored chunk is malformed.
pub(crate) async fn deduplicate(
    store: &impl ObjectStore,
    batch: &BatchId,
    encoded: &mut EncodedBatch,
) -> Result<(), IngestError> {
    let EncodedBatch { chunks, chunk_rows, duplicates, .. } = encoded;
    for (chunk, rows) in chunks.iter_mut().zip(chunk_rows.iter()) {
        // The database sorts and deduplicates a chunk whose text is not sorted by key.
        let Some(in_chunk) = chunk.deduplicated else { continue };
        let replaced = u32::try_from(duplicates.replaced_in(rows.clone()))
            .expect("a chunk has fewer than 2^32 rows, and so has their replaced part");
        if replaced > in_chunk {
            rewrite(store, batch, chunk, duplicates).await?;
            chunk.deduplicated = Some(replaced);
        }
    }
    Ok(())
}

async fn rewrite(
    store: &impl ObjectStore,
    batch: &BatchId,
    chunk: &mut Chunk,
    duplicates: &Duplicates,
) -> Result<(), IngestError> {
    let malformed = |fault: String| IngestError::Encode(format!("chunk {}: {fault}", chunk.number()));
    let stored = match &chunk.body {
        ChunkBody::Inline(text) => {
            Bytes::from(BASE64.decode(text).map_err(|error| malformed(error.to_string()))?)
        }
        ChunkBody::Object { bucket, key } => {
            let body = store.get(bucket, key).await?;
            body.ok_or_else(|| malformed("does not exist any more".to_owned()))?
        }
    };
    let max_bytes = usize::try_from(chunk.text_bytes).expect("the text of a chunk was in memory");
    let text = decode_chunk(&stored, max_bytes).map_err(|error| malformed(error.to_string()))?;
    drop(stored);
    let text = duplicates.without_replaced(&text);
    let encoded = ChunkEncoder::new().and_then(|mut encoder| encoder.encode(&text));
    let encoded = encoded.map_err(|error| malformed(error.to_string()))?;
    chunk.sha256 = encoded.sha256_hex();
    chunk.text_bytes = text.len() as u64;
    match &mut chunk.body {
        ChunkBody::Inline(text) => *text = BASE64.encode(&encoded.bytes),
        ChunkBody::Object { bucket, key } => {
            *key = layout::chunk(batch, SPLIT, chunk.index, &chunk.sha256);
            store.put(bucket, key, Bytes::from(encoded.bytes)).await?;
        }
    }
    Ok(())
}
