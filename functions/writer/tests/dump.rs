//! The dump of the writer's variables, limits and codes is current.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use penstock_aws::clients::{CONNECT_TIMEOUT, READ_TIMEOUT};
use penstock_aws::config::Variables;
use penstock_aws::database::LOGIN_TIMEOUT;
use penstock_aws::testing::assert_dumped;
use penstock_writer::STATEMENT_TIMEOUT;
use penstock_writer::config::WriterConfig;
use penstock_writer::handler::{MARGIN, MIN_TRANSACTION_TIME};
use serde_json::json;

/// `tests/infra` compares the template, the README and the runbook with it.
#[test]
fn the_dump_of_the_writer_is_current() {
    let dump = json!({
        "variables": WriterConfig::new(Variables::new([])).unwrap_err().variables,
        "margin_seconds": MARGIN.as_secs(),
        "connect_timeout_seconds": CONNECT_TIMEOUT.as_secs(),
        "read_timeout_seconds": READ_TIMEOUT.as_secs(),
        "login_timeout_seconds": LOGIN_TIMEOUT.as_secs(),
        "min_transaction_seconds": MIN_TRANSACTION_TIME.as_secs(),
        "statement_timeout_seconds": STATEMENT_TIMEOUT.as_secs(),
    });
    assert_dumped("functions/writer", &dump);
}
