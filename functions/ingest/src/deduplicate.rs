//! Takes out of a batch's chunks the rows that a newer row in another chunk replaces.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use penstock_aws::store::ObjectStore;
use penstock_engine::{ChunkEncoder, Duplicates, decode_chunk};
use penstock_pipeline::{Chunk, ChunkBody, layout};

use crate::encode::Encoded;
use crate::error::IngestError;

/// Writes each chunk that has such rows once more, under a key of its own: whoever takes the same drop at the same time
/// writes the same bytes under the same keys, and never others under a key that is published.
///
/// # Errors
/// When the store fails, or a chunk is not what was written.
pub(crate) async fn deduplicate(store: &impl ObjectStore, encoded: &mut Encoded) -> Result<(), IngestError> {
    let Encoded { chunks, chunk_rows, duplicates, .. } = encoded;
    for (chunk, rows) in chunks.iter_mut().zip(chunk_rows.iter()) {
        // A chunk whose text does not show the order of its keys is put in order, and counted, by the database.
        let Some(known) = chunk.deduplicated else { continue };
        let replaced = u32::try_from(duplicates.replaced_in(rows.clone())).unwrap_or(u32::MAX);
        if replaced > known {
            rewrite(store, chunk, duplicates).await?;
            chunk.deduplicated = Some(replaced);
        }
    }
    Ok(())
}

async fn rewrite(
    store: &impl ObjectStore,
    chunk: &mut Chunk,
    duplicates: &Duplicates,
) -> Result<(), IngestError> {
    let broken = |what: String| IngestError::Encode(format!("chunk {}: {what}", chunk.index));
    let stored = match &chunk.body {
        ChunkBody::Inline(text) => {
            Bytes::from(BASE64.decode(text).map_err(|error| broken(error.to_string()))?)
        }
        ChunkBody::Object { bucket, key } => {
            let found = store.get(bucket, key).await?;
            found.ok_or_else(|| broken("is not there any more".to_owned()))?
        }
    };
    let max_bytes = usize::try_from(chunk.text_bytes).unwrap_or(usize::MAX);
    let text = decode_chunk(&stored, max_bytes).map_err(|error| broken(error.to_string()))?;
    drop(stored);
    let text = duplicates.without_replaced(&text);
    let encoded = ChunkEncoder::new().and_then(|mut encoder| encoder.encode(&text));
    let encoded = encoded.map_err(|error| broken(error.to_string()))?;
    chunk.sha256 = encoded.sha256_hex();
    chunk.text_bytes = text.len() as u64;
    match &mut chunk.body {
        ChunkBody::Inline(text) => *text = BASE64.encode(&encoded.bytes),
        ChunkBody::Object { bucket, key } => {
            *key = layout::deduplicated(key);
            store.put(bucket, key, Bytes::from(encoded.bytes)).await?;
        }
    }
    Ok(())
}
