//! Contracts that pseudonymise: with a key, without one, and with a key that cannot be read.

use penstock_aws::sqs_event::SqsBatchResponse;
use penstock_aws::testing::MemorySecrets;
use penstock_pipeline::{ReceiptState, RefusalCode, batch_id, layout};

use crate::support::{CONTRACT, World, copy_text};

const FILE: &str = "id,price,mail\na,1.25,ann@example.com\nb,2.75,\nc,dear,carl@example.com\n";
const KEY: &str = "0123456789abcdef0123456789abcdef";
/// `printf ann@example.com | openssl dgst -sha256 -hmac 0123456789abcdef0123456789abcdef`
const ANN: &str = "093e3dd9df951c5008225d533a0175475075f7551ed269c5e61fa29bc2819ae4";

fn world(secrets: MemorySecrets, arn: Option<&str>) -> World {
    let variables: Vec<_> = arn.map(|arn| ("PENSTOCK_PSEUDONYM_SECRET_ARN", arn)).into_iter().collect();
    let column = "      - {name: mail, logicalType: string, customProperties: \
                  [{property: penstock.pseudonymise, value: true}]}\n";
    World::with(&format!("{CONTRACT}{column}"), secrets, &variables)
}

#[tokio::test]
async fn a_pseudonymised_value_is_never_written_but_its_pseudonym_is() {
    // Secrets are often stored with a line feed at the end.
    let world = world(MemorySecrets::new([("key", &format!("{KEY}\n"))]), Some("key"));
    let batch = world.process("shop/a.csv", FILE).await;
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
async fn without_a_key_the_drop_is_refused() {
    let world = world(MemorySecrets::default(), None);
    let drop = world.put("shop/a.csv", FILE);
    assert_eq!(world.deliver(&[&drop]).await, SqsBatchResponse::default());
    let batch = batch_id(&drop, None);
    let refusal = world.receipt("shop", &batch).refusal.unwrap();
    assert_eq!(refusal.code, RefusalCode::InvalidContract);
    assert!(
        refusal.message.contains("mail") && refusal.message.contains("no pseudonym key"),
        "{}",
        refusal.message
    );
    assert_eq!(world.receipt("shop", &batch).state, ReceiptState::Refused);
}

#[tokio::test]
async fn a_transient_fault_of_the_secret_is_retried_and_a_permanent_one_is_a_dead_letter() {
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
