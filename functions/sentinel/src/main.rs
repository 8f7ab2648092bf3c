//! The sentinel function: looks for late sources, missed drops and stuck batches, on a schedule.

mod config;

use penstock_aws::telemetry;

use crate::config::Config;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    telemetry::init();
    let config = Config::from_env()?;
    tracing::info!(bucket = config.raw_bucket, "configured");
    Ok(())
}
