//! Grouping of chunks into transactions.

use std::collections::{BTreeMap, BTreeSet};

use penstock_contract::TableName;
use penstock_pipeline::{BatchId, LoadMessage};

/// The maximum number of rows when several chunks share a transaction. A larger chunk has its own: from 10,000 rows on,
/// the cost of a transaction is negligible compared with that of its rows, and a longer one holds its locks longer.
pub const MAX_SHARED_ROWS: u64 = 20_000;

/// Returns groups of messages, as indexes, that can share a transaction.
///
/// Messages of a group have the same contract version and message version, and so the same table and columns. When a
/// chunk occurs twice, its messages are in different groups, so that the chunk is in the ledger before the second one
/// is processed. A batch that replaces other batches shares no transaction with another batch, because the batches to
/// compare with differ.
pub fn groups(messages: &[&LoadMessage]) -> Vec<Vec<usize>> {
    let mut by_contract: BTreeMap<(&str, &str, bool, Option<BatchId>), Vec<usize>> = BTreeMap::new();
    for (index, message) in messages.iter().enumerate() {
        let replaces = message.overwrites.is_some() || message.message_version == LoadMessage::REPLAYING;
        let replacing = replaces.then_some(message.batch_id);
        let contract =
            (message.source.as_str(), message.contract_version.as_str(), message.has_rescued(), replacing);
        by_contract.entry(contract).or_default().push(index);
    }
    by_contract.into_values().flat_map(|indexes| pack(messages, indexes)).collect()
}

/// Returns groups in an order in which the sources take turns, so that no source waits for all chunks of another.
/// `entropy` selects the source that is first. Groups that `is_doubtful` are last: they may take long.
pub fn take_turns(
    messages: &[&LoadMessage],
    groups: Vec<Vec<usize>>,
    entropy: u64,
    is_doubtful: impl Fn(&TableName) -> bool,
) -> Vec<Vec<usize>> {
    let mut by_source: BTreeMap<&str, Vec<Vec<usize>>> = BTreeMap::new();
    let (doubtful, others): (Vec<_>, Vec<_>) =
        groups.into_iter().partition(|group| is_doubtful(&messages[group[0]].table));
    let mut ordered = Vec::new();
    for part in [others, doubtful] {
        for group in part {
            by_source.entry(&messages[group[0]].source).or_default().push(group);
        }
        let mut sources: Vec<_> = std::mem::take(&mut by_source).into_values().map(Vec::into_iter).collect();
        if let Some(first) = entropy.checked_rem(sources.len() as u64) {
            sources.rotate_left(usize::try_from(first).expect("an index of a list fits into usize"));
        }
        while !sources.is_empty() {
            ordered.extend(sources.iter_mut().filter_map(Iterator::next));
            sources.retain(|groups| groups.len() > 0);
        }
    }
    ordered
}

fn pack(messages: &[&LoadMessage], mut indexes: Vec<usize>) -> Vec<Vec<usize>> {
    let chunk = |index: usize| (messages[index].batch_id, messages[index].chunk.index);
    indexes.sort_by_key(|index| chunk(*index));
    let (mut packed, mut group, mut rows) = (Vec::new(), Vec::new(), 0u64);
    let mut chunks = BTreeSet::new();
    for index in indexes {
        let chunk_rows = u64::from(messages[index].chunk.rows);
        if rows + chunk_rows > MAX_SHARED_ROWS || chunks.contains(&chunk(index)) {
            packed.push(std::mem::take(&mut group));
            chunks.clear();
            rows = 0;
        }
        rows += chunk_rows;
        chunks.insert(chunk(index));
        group.push(index);
    }
    packed.push(group);
    packed.retain(|group| !group.is_empty());
    packed
}

#[cfg(test)]
mod tests {
    use penstock_contract::TableName;
    use penstock_pipeline::{Chunk, ChunkBody, Overwritten};
    use uuid::Uuid;

    use super::*;

    fn message(source: &str, batch: u128, index: u32, rows: u32) -> LoadMessage {
        LoadMessage {
            message_version: LoadMessage::VERSION,
            batch_id: Uuid::from_u128(batch),
            source: source.into(),
            table: TableName { schema: "public".into(), table: "t".into() },
            contract_version: "1.0.0".into(),
            dropped_at: jiff::Timestamp::UNIX_EPOCH,
            chunk_count: 9,
            overwrites: None,
            chunk: Chunk {
                index,
                rows,
                deduplicated: None,
                row_base: 0,
                sha256: String::new(),
                text_bytes: 0,
                body: ChunkBody::Inline(String::new()),
            },
        }
    }

    fn groups_of(messages: &[LoadMessage]) -> Vec<Vec<usize>> {
        groups(&messages.iter().collect::<Vec<_>>())
    }

    #[test]
    fn small_chunks_share_a_transaction_and_large_ones_do_not() {
        let messages = [
            message("a", 2, 0, 200),
            message("a", 1, 1, 50_000),
            message("a", 1, 0, 50_000),
            message("a", 3, 0, 15_000),
            message("a", 4, 0, 6_000),
        ];
        assert_eq!(groups_of(&messages), [vec![2], vec![1], vec![0, 3], vec![4]]);
    }

    #[test]
    fn only_chunks_of_one_contract_share_a_transaction() {
        let mut messages = vec![message("a", 1, 0, 1), message("b", 2, 0, 1), message("a", 3, 0, 1)];
        messages[2].contract_version = "1.1.0".into();
        messages.push(message("a", 4, 0, 1));
        messages[3].message_version = 1;
        assert_eq!(groups_of(&messages), [vec![3], vec![0], vec![2], vec![1]]);
    }

    #[test]
    fn a_batch_that_replaces_versions_shares_no_transaction() {
        let overwrites = Some(Overwritten { bucket: "raw".into(), key: "a/b".into(), sequencer: None });
        let of =
            |batch, index| LoadMessage { overwrites: overwrites.clone(), ..message("a", batch, index, 1) };
        assert_eq!(groups_of(&[of(1, 0), of(2, 0), of(1, 1)]), [vec![0, 2], vec![1]]);
    }

    #[test]
    fn a_chunk_that_occurs_twice_is_in_two_groups() {
        let messages = [message("a", 1, 0, 5), message("a", 1, 0, 5), message("a", 1, 1, 5)];
        assert_eq!(groups_of(&messages), [vec![0], vec![1, 2]]);
    }

    #[test]
    fn no_messages_have_no_groups() {
        assert!(groups_of(&[]).is_empty());
        assert!(take_turns(&[], Vec::new(), 7, |_| true).is_empty());
    }

    #[test]
    fn sources_take_turns_and_doubtful_tables_are_last() {
        let mut messages: Vec<LoadMessage> = (0..4).map(|index| message("a", 1, index, 20_000)).collect();
        messages.push(message("b", 2, 0, 20_000));
        messages.push(message("b", 2, 1, 20_000));
        messages.push(message("c", 3, 0, 20_000));
        messages[6].table.table = "locked".into();
        let messages: Vec<&LoadMessage> = messages.iter().collect();
        let turns = |entropy, doubtful: &str| -> String {
            let groups = take_turns(&messages, groups(&messages), entropy, |table| table.table == doubtful);
            assert_eq!(groups.iter().map(Vec::len).sum::<usize>(), messages.len());
            groups.iter().map(|group| messages[group[0]].source.as_str()).collect()
        };
        assert_eq!(turns(0, ""), "abcabaa");
        assert_eq!(turns(1, ""), "bcabaaa");
        assert_eq!(turns(u64::MAX, ""), "abcabaa");
        assert_eq!(turns(0, "locked"), "abab".to_owned() + "aac");
        assert_eq!(turns(2, "t"), "cabab".to_owned() + "aa");
    }
}
