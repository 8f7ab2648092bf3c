//! Results that depend on the whole batch: duplicates, quality checks, counts.

use penstock_pipeline::{ChunkBody, LoadMessage, ManifestState, ReceiptState, RefusalCode, layout};

use crate::support::{CONTRACT, World, copy_text};

/// Returns a file with `count` keys. All except the first are repeated at the end.
fn repeated(count: usize) -> String {
    let mut file = "id,price\n".to_owned();
    (0..count).chain(1..count).for_each(|row| file.push_str(&format!("p{row},{row}.25\n")));
    file
}

#[tokio::test]
async fn a_row_that_is_replaced_by_a_row_of_another_chunk_is_removed() {
    for count in [5, 40] {
        let world = World::new();
        world.process("shop/a.csv", repeated(count)).await;
        let messages = world.messages();
        let is_inline = messages.iter().all(|message| matches!(message.chunk.body, ChunkBody::Inline(_)));
        assert_eq!(is_inline, count == 5, "both kinds of body are tested");

        let mut keys = Vec::new();
        for message in &messages {
            let text = copy_text(message, world.store());
            assert_eq!(text.len() as u64, message.chunk.text_bytes);
            assert_eq!(text.lines().count(), message.chunk.text_rows() as usize);
            keys.extend(text.lines().map(|line| line.split('\t').next().unwrap().to_owned()));
        }
        let rows: u32 = messages.iter().map(|message| message.chunk.rows).sum();
        let deduplicated: u32 = messages.iter().map(|message| message.chunk.deduplicated.unwrap()).sum();
        assert_eq!((rows as usize, deduplicated as usize), (2 * count - 1, count - 1));
        keys.sort();
        keys.dedup();
        assert_eq!(keys.len(), count, "each key remains once");
    }
}

#[tokio::test]
async fn a_drop_that_is_processed_twice_at_the_same_time_has_the_same_chunks() {
    let world = World::new();
    let drop = world.put("shop/a.csv", repeated(40));
    let drops = [&drop];
    let (one, other) = tokio::join!(world.deliver(&drops), world.deliver(&drops));
    assert_eq!((one, other), Default::default());
    for message in world.messages() {
        let ChunkBody::Object { bucket, key } = &message.chunk.body else { panic!("an object") };
        let stored = world.store().object(bucket, key).unwrap();
        assert_eq!(penstock_engine::sha256_hex(&stored), message.chunk.sha256, "{key}");
    }
}

#[tokio::test]
async fn a_batch_that_fails_a_quality_check_is_refused_with_its_description() {
    let world = World::new();
    let checks = "    quality:\n\
                  \x20     - {metric: rowCount, mustBeGreaterThan: 2, name: enough}\n\
                  \x20     - {metric: rowCount, mustBeGreaterThan: 100, severity: warning}\n";
    let contract = format!("{CONTRACT}{checks}");
    world.store().insert("artifacts", &layout::current_contract("shop"), contract);
    let batch = world.process("shop/a.csv", "id,price\na,1\nb,2\n").await;
    assert_eq!(world.messages(), []);
    assert!(matches!(world.manifest(&batch).state, ManifestState::Refused(_)));
    let receipt = world.receipt("shop", &batch);
    assert_eq!(receipt.state, ReceiptState::Refused);
    let refusal = receipt.refusal.unwrap();
    assert_eq!(refusal.code, RefusalCode::Quality);
    assert!(
        refusal
            .message
            .starts_with("quality check `enough` failed: it requires that the number of rows is more than 2, but counted 2 of 2 rows")
    );
    let checks: Vec<_> =
        receipt.quality.iter().map(|check| (check.count, check.holds, check.refuses)).collect();
    assert_eq!(checks, [(2, false, true), (2, false, false)]);

    let batch = world.process("shop/b.csv", "id,price\na,1\nb,2\nc,3\n").await;
    assert_eq!(world.receipt("shop", &batch).state, ReceiptState::Read);
}

#[tokio::test]
async fn blank_rows_and_repeated_headers_are_in_the_receipt_and_not_among_the_rejects() {
    let world = World::new();
    let batch = world.process("shop/a.csv", "id,price\na,1\n,\nid,price\nb,2\n,\n , \n").await;
    let rows = world.receipt("shop", &batch).rows;
    assert_eq!((rows.read, rows.accepted, rows.rejected, rows.blank, rows.repeated_headers), (5, 2, 0, 3, 1));
    let [message] = &world.messages()[..] else { panic!("one message") };
    assert_eq!(message.message_version, LoadMessage::WITH_BLANK_ROWS);
}
