//! The keys of the objects that count only if a manifest lists them.

use crate::BatchId;
use crate::layout::{BATCHES, DATA, DATABASE_REJECTS};

/// An object in the processed bucket that counts only if the manifest of its batch lists it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ManifestObject {
    /// A chunk of this batch.
    Chunk(BatchId),
    /// A Parquet file of this batch.
    Parquet(BatchId),
}

impl ManifestObject {
    /// Returns the object with this key, or `None` for every other object.
    pub fn parse(key: &str) -> Option<Self> {
        if let Some((batch, name)) = key.strip_prefix(BATCHES).and_then(|rest| rest.split_once("/chunks/")) {
            let is_chunk = name.ends_with(".copy.zst") && !name.contains('/');
            return batch.parse().ok().filter(|_| is_chunk).map(Self::Chunk);
        }
        let [_entity, source, batch, name] = key.strip_prefix(DATA)?.split('/').collect::<Vec<_>>()[..]
        else {
            return None;
        };
        let is_parquet = source.starts_with("source=") && name.ends_with(".parquet");
        let batch = batch.strip_prefix("batch=").filter(|_| is_parquet)?;
        batch.parse().ok().map(Self::Parquet)
    }
}

/// Returns the source and the batch of a file of rejected rows in the quarantine bucket, which counts only if the
/// manifest or the receipt lists it. `None` for every other key.
pub fn parse_rejects(key: &str) -> Option<(&str, BatchId)> {
    let [source, batch, name] = key.split('/').collect::<Vec<_>>()[..] else { return None };
    let is_rejects = name.starts_with("rejects-") && name.ends_with(".ndjson.zst");
    batch.parse().ok().filter(|_| is_rejects).map(|batch| (source, batch))
}

/// Returns whether a file of rejected rows has those that the database refused.
pub fn is_database_rejects(key: &str) -> bool {
    key.rsplit('/').next().is_some_and(|name| name.starts_with(DATABASE_REJECTS))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout;

    #[test]
    fn the_batch_of_an_object_that_a_manifest_lists_is_in_its_key() {
        let (batch, hash) = (BatchId::from_u128(7), "0123456789abcdef0");
        for (key, expected) in [
            (layout::chunk(&batch, 0, 3, hash), Some(ManifestObject::Chunk(batch))),
            // Of a release whose keys had no hash.
            (
                format!("batches/{batch}/chunks/00000-00000.deduplicated.copy.zst"),
                Some(ManifestObject::Chunk(batch)),
            ),
            (layout::parquet("products", "abt", &batch, 0, 1, hash), Some(ManifestObject::Parquet(batch))),
            (layout::manifest(&batch), None),
            (layout::published(&batch), None),
            (layout::report(&batch, 0), None),
            (layout::batch_contract(&batch), None),
            (layout::receipt("abt", &batch), None),
            ("batches/x/chunks/0.copy.zst".to_owned(), None),
            (format!("batches/{batch}/chunks/a/0.copy.zst"), None),
            (format!("data/products/source=abt/batch={batch}/x.csv"), None),
            (format!("data/products/batch={batch}/0.parquet"), None),
            (format!("other/{batch}/0.parquet"), None),
        ] {
            assert_eq!(ManifestObject::parse(&key), expected, "{key}");
        }
        let key = layout::rejects("abt", &batch, 0, 1, hash);
        assert_eq!(parse_rejects(&key), Some(("abt", batch)));
        assert!(!is_database_rejects(&key));
        let key = layout::database_rejects("abt", &batch, 3, hash);
        assert_eq!(parse_rejects(&key), Some(("abt", batch)));
        assert!(is_database_rejects(&key));
        for key in ["abt/x/rejects-0.ndjson.zst".to_owned(), format!("abt/{batch}/other.csv"), "a".to_owned()]
        {
            assert_eq!(parse_rejects(&key), None, "{key}");
        }
    }
}
