//! The writer function, which answers questions about the database. It alone has a connection to it.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, bail};
use bytes::Bytes;
use penstock_aws::lambda::LambdaInvoker;
use penstock_pipeline::BatchId;
use penstock_pipeline::writer_command::{
    LedgerBatch, MAX_LEDGER_BATCHES, TableCheck, WithdrawnRows, WriterAnswer, WriterCommand, WriterRequest,
};

use crate::settings::StackSettings;

/// The alias of the released version.
const QUALIFIER: &str = "live";

/// The writer of a stack.
#[derive(Debug)]
pub(crate) enum WriterFunction {
    /// The runner of the local stack at this URL.
    Local(String),
    /// A function in AWS.
    Lambda { invoker: Box<LambdaInvoker>, function: String },
}

impl WriterFunction {
    /// Returns the writer of the stack that the settings describe.
    pub(crate) fn find(settings: &StackSettings) -> Result<Self> {
        if let Some(url) = settings.optional("PENSTOCK_CONTROL_URL") {
            return Ok(Self::Local(url.to_owned()));
        }
        let function = match (
            settings.optional("PENSTOCK_WRITER_FUNCTION"),
            settings.optional("PENSTOCK_ENVIRONMENT"),
        ) {
            (Some(function), _) => function.to_owned(),
            (None, Some(environment)) => format!("penstock-{environment}-writer"),
            (None, None) => bail!(
                "this command asks the writer function: set PENSTOCK_ENVIRONMENT to the name of the environment, or \
                 PENSTOCK_WRITER_FUNCTION to the name of the function"
            ),
        };
        Ok(Self::Lambda { invoker: Box::new(LambdaInvoker::new(&settings.aws()?)), function })
    }

    /// Returns what the ledger has of the batches.
    pub(crate) async fn ledger(&self, batches: &[BatchId]) -> Result<BTreeMap<BatchId, LedgerBatch>> {
        let mut found = BTreeMap::new();
        for group in batches.chunks(MAX_LEDGER_BATCHES) {
            let answer = self.ask(WriterCommand::Ledger { batches: group.to_vec() }).await?;
            let WriterAnswer::Ledger(batches) = answer else { return Err(unexpected(&answer)) };
            found.extend(batches.into_iter().map(|batch| (batch.batch_id, batch)));
        }
        Ok(found)
    }

    /// Withdraws a batch, or only counts its rows.
    pub(crate) async fn withdraw(&self, batch: BatchId, dry_run: bool) -> Result<WithdrawnRows> {
        let answer = self.ask(WriterCommand::Withdraw { batch, dry_run }).await?;
        let WriterAnswer::Withdrawn(rows) = answer else { return Err(unexpected(&answer)) };
        Ok(rows)
    }

    /// Compares a contract with its target table.
    pub(crate) async fn check_table(&self, contract: String, source: String) -> Result<TableCheck> {
        let answer = self.ask(WriterCommand::CheckTable { contract, source }).await?;
        let WriterAnswer::Table(check) = answer else { return Err(unexpected(&answer)) };
        Ok(check)
    }

    async fn ask(&self, command: WriterCommand) -> Result<WriterAnswer> {
        let payload = serde_json::to_vec(&WriterRequest { command }).context("writing the command")?;
        let response = match self {
            Self::Local(url) => {
                Bytes::from(penstock_local::invoke_function(url, "writer", payload.into()).await?)
            }
            Self::Lambda { invoker, function } => invoker.invoke(function, QUALIFIER, payload).await?,
        };
        let answer = serde_json::from_slice(&response).with_context(|| {
            format!(
                "the writer's response is not an answer to a command; its release may be older than this program: {}",
                String::from_utf8_lossy(&response)
            )
        })?;
        match answer {
            WriterAnswer::Failed { message, transient: true } => {
                bail!("the writer could not answer now: {message}; try again")
            }
            WriterAnswer::Failed { message, transient: false } => {
                bail!("the writer refused the command: {message}")
            }
            WriterAnswer::Ledger(_) | WriterAnswer::Withdrawn(_) | WriterAnswer::Table(_) => Ok(answer),
        }
    }
}

fn unexpected(answer: &WriterAnswer) -> anyhow::Error {
    anyhow::anyhow!("the writer gave the answer of another command: {answer:?}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_function_is_found_by_the_environment() {
        let aws = [("AWS_REGION", "eu-west-1"), ("AWS_ACCESS_KEY_ID", "a"), ("AWS_SECRET_ACCESS_KEY", "b")];
        let find = |own: &[(&str, &str)]| {
            let variables =
                aws.iter().chain(own).map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
            WriterFunction::find(&StackSettings::of(variables.collect()))
        };
        let function = |own: &[(&str, &str)]| match find(own) {
            Ok(WriterFunction::Lambda { function, .. }) => function,
            other => panic!("{other:?}"),
        };
        assert_eq!(function(&[("PENSTOCK_ENVIRONMENT", "prod")]), "penstock-prod-writer");
        let both = [("PENSTOCK_ENVIRONMENT", "prod"), ("PENSTOCK_WRITER_FUNCTION", "other")];
        assert_eq!(function(&both), "other");
        let local = find(&[("PENSTOCK_CONTROL_URL", "http://127.0.0.1:1")]);
        assert!(matches!(local, Ok(WriterFunction::Local(url)) if url == "http://127.0.0.1:1"));
        let error = find(&[]).unwrap_err().to_string();
        assert!(error.contains("set PENSTOCK_ENVIRONMENT"), "{error}");
    }
}
