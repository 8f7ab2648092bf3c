//! Contracts that pseudonymise: with the key, without one, and with one that cannot be had now.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use penstock_aws::config::Variables;
use penstock_aws::sqs_event::SqsBatchResponse;
use penstock_aws::testing::{MemoryJobs, MemoryQueue, MemorySecrets, MemoryStore};
use penstock_pipeline::{ReceiptState, RefusalCode, batch_id, layout};

use super::{CONTRACT, VARIABLES, World, copy_text};
use crate::config::Config;
use crate::handler::Ingest;

const FILE: &str = "id,price,mail\na,1.25,ann@example.com\nb,2.75,\nc,dear,carl@example.com\n";
const KEY: &str = "0123456789abcdef0123456789abcdef";
/// `printf ann@example.com | openssl dgst -sha256 -hmac 0123456789abcdef0123456789abcdef`
const ANN: &str = "093e3dd9df951c5008225d533a0175475075f7551ed269c5e61fa29bc2819ae4";

fn world(secrets: MemorySecrets, arn: Option<&str>) -> World {
    let mut variables = VARIABLES.to_vec();
    variables.extend(arn.map(|arn| ("PENSTOCK_PSEUDONYM_SECRET_ARN", arn)));
    let variables = variables.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
    let config = Config::new(Variables::new(variables)).unwrap();
    let store = MemoryStore::new();
    let column = "      - {name: mail, logicalType: string, customProperties: \
                  [{property: penstock.pseudonymise, value: true}]}\n";
    store.insert("artifacts", &layout::current_contract("shop"), format!("{CONTRACT}{column}"));
    World { ingest: Ingest::new(store, MemoryQueue::new(), MemoryJobs::new(), secrets, config) }
}

#[tokio::test]
async fn a_pseudonymised_value_stands_nowhere_and_its_pseudonym_in_chunk_and_reject() {
    // A secret is often stored with the line feed that the shell put behind it.
    let world = world(MemorySecrets::new([("key", &format!("{KEY}\n"))]), Some("key"));
    let batch = world.take("shop/a.csv", FILE).await;
    let [message] = &world.messages()[..] else { panic!("one message") };
    assert!(copy_text(message, world.store()).starts_with(&format!("a\t1.25\t{ANN}\t")));
    let receipt = world.receipt("shop", &batch);
    let key = receipt.rejects[0].strip_prefix("s3://quarantine/").unwrap().to_owned();
    let rejects = zstd::decode_all(&*world.store().object("quarantine", &key).unwrap()).unwrap();
    let rejects = String::from_utf8(rejects).unwrap();
    assert!(rejects.contains("dear") && !rejects.contains("carl@"), "{rejects}");
    for key in world.store().keys("processed", "") {
        let object = world.store().object("processed", &key).unwrap();
        assert!(!object.windows(4).any(|bytes| bytes == b"ann@"), "{key}");
    }
}

#[tokio::test]
async fn without_a_key_the_drop_is_refused_and_says_what_is_missing() {
    let world = world(MemorySecrets::default(), None);
    let drop = world.put("shop/a.csv", FILE);
    assert_eq!(world.deliver(&[&drop]).await, SqsBatchResponse::default());
    let batch = batch_id(&drop, None);
    let refusal = world.receipt("shop", &batch).refusal.unwrap();
    assert_eq!(refusal.code, RefusalCode::InvalidContract);
    assert!(refusal.message.contains("mail") && refusal.message.contains("no key"), "{}", refusal.message);
    assert_eq!(world.receipt("shop", &batch).state, ReceiptState::Refused);
}

#[tokio::test]
async fn a_drop_waits_for_a_secret_that_cannot_be_read_now_and_is_dead_with_one_that_never_can() {
    let later = world(MemorySecrets::new([("key", "")]), Some("key"));
    let drop = later.put("shop/a.csv", FILE);
    assert_eq!(later.deliver(&[&drop]).await.batch_item_failures.len(), 1);
    assert_eq!(later.store().keys("processed", ""), Vec::<String>::new());

    for secrets in [MemorySecrets::default(), MemorySecrets::new([("key", "short")])] {
        let never = world(secrets, Some("key"));
        let drop = never.put("shop/a.csv", FILE);
        assert_eq!(never.deliver(&[&drop]).await, SqsBatchResponse::default());
        let [dead] = &never.queue().dead()[..] else { panic!("one dead letter") };
        assert!(format!("{dead:?}").contains("secret_refused"), "{dead:?}");
        assert!(
            never.store().object("processed", &layout::manifest(&batch_id(&drop, Some("1.0.0")))).is_none()
        );
    }
}
