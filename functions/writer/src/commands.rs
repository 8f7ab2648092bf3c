//! Executes the commands of an operator.

use std::sync::Arc;
use std::time::Instant;

use jiff::Timestamp;
use penstock_aws::commit::update_receipt;
use penstock_aws::deadline::Deadline;
use penstock_aws::queue::Queue;
use penstock_aws::sqs_event::{SqsBatchResponse, SqsEvent};
use penstock_aws::store::ObjectStore;
use penstock_contract::Contract;
use penstock_pipeline::writer_command::{
    MAX_LEDGER_BATCHES, WithdrawnRows, WriterAnswer, WriterCommand, WriterRequest,
};
use penstock_pipeline::{BatchId, LoadMessage, Manifest, Receipt, ReceiptChange};
use serde::{Deserialize, Serialize};

use crate::chunk::fetch;
use crate::database::TargetDatabase;
use crate::error::LoadError;
use crate::handler::{MARGIN, MIN_TRANSACTION_TIME, Writer, handle};
use crate::operator::OperatorDatabase;
use crate::withdraw::RestoredChunks;

/// The payload of an invocation.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub enum WriterEvent {
    /// A command of an operator.
    Command(WriterRequest),
    /// Messages of the load queue.
    Messages(SqsEvent),
}

/// The response to an invocation.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum WriterResponse {
    /// The answer of a command.
    Answer(WriterAnswer),
    /// The messages that will be retried.
    Messages(SqsBatchResponse),
}

/// Loads messages or executes a command.
pub async fn invoke<S: ObjectStore, Q: Queue, D: TargetDatabase + OperatorDatabase>(
    writer: &mut Writer<S, Q, D>,
    event: &WriterEvent,
    deadline: Deadline,
) -> WriterResponse {
    match event {
        WriterEvent::Messages(messages) => WriterResponse::Messages(handle(writer, messages, deadline).await),
        WriterEvent::Command(request) => {
            WriterResponse::Answer(Box::pin(execute(writer, &request.command, deadline)).await)
        }
    }
}

/// Executes a command.
pub async fn execute<S: ObjectStore, Q, D: OperatorDatabase>(
    writer: &mut Writer<S, Q, D>,
    command: &WriterCommand,
    deadline: Deadline,
) -> WriterAnswer {
    let stop = deadline.earlier_by(MARGIN).instant();
    let answer = match command {
        WriterCommand::Ledger { batches } => ledger(writer, batches).await,
        WriterCommand::CheckTable { contract, source } => check_table(writer, contract, source).await,
        WriterCommand::Withdraw { batch, dry_run } => withdraw(writer, batch, *dry_run, stop).await,
    };
    answer.unwrap_or_else(|error| {
        let (message, transient) = (error.to_string(), error.is_transient());
        tracing::warn!(error = message, transient, "command failed");
        WriterAnswer::Failed { message, transient }
    })
}

fn refused(message: String) -> WriterAnswer {
    WriterAnswer::Failed { message, transient: false }
}

async fn ledger<S, Q, D: OperatorDatabase>(
    writer: &mut Writer<S, Q, D>,
    batches: &[BatchId],
) -> Result<WriterAnswer, LoadError> {
    if batches.len() > MAX_LEDGER_BATCHES {
        return Ok(refused(format!("{} batches are more than {MAX_LEDGER_BATCHES}", batches.len())));
    }
    Ok(WriterAnswer::Ledger(writer.database.ledger(batches).await?))
}

async fn check_table<S, Q, D: OperatorDatabase>(
    writer: &mut Writer<S, Q, D>,
    contract: &str,
    source: &str,
) -> Result<WriterAnswer, LoadError> {
    match penstock_contract::parse_source("contract", contract, source) {
        Ok(contract) => Ok(WriterAnswer::Table(writer.database.check_table(&contract).await?)),
        Err(errors) => Ok(refused(errors.to_string())),
    }
}

async fn withdraw<S: ObjectStore, Q, D: OperatorDatabase>(
    writer: &mut Writer<S, Q, D>,
    batch: &BatchId,
    dry_run: bool,
    stop: Instant,
) -> Result<WriterAnswer, LoadError> {
    let Some((manifest, contract)) = batch_of(writer, batch).await? else {
        return Ok(refused(format!("batch {batch} is refused or has no chunks: it has no rows to withdraw")));
    };
    let ledger = writer.database.ledger(std::slice::from_ref(batch)).await?;
    match ledger.first().and_then(|batch| batch.state.as_deref()) {
        Some("withdrawn") => {
            let rows = WithdrawnRows { deleted: 0, restored: Some(0) };
            // The receipts may not have been written when it was withdrawn.
            write_receipts(writer, &manifest).await?;
            return Ok(WriterAnswer::Withdrawn(rows));
        }
        Some("replaced") => {
            return Ok(refused(format!(
                "batch {batch} was replaced: withdraw the batch that replaced it, which restores its rows"
            )));
        }
        Some(_) | None => {}
    }
    if dry_run {
        let deleted = writer.database.count_rows(&contract, batch).await?;
        return Ok(WriterAnswer::Withdrawn(WithdrawnRows { deleted, restored: None }));
    }
    writer.database.begin_withdrawal(&contract, batch).await?;
    loop {
        let remaining = writer.database.remaining_chunks(&contract, batch).await?;
        for chunks in &remaining {
            if !collect(writer, (&contract, batch), chunks, stop).await? {
                let message = format!(
                    "the rows of {} other batches must still be read: repeat the command, which continues",
                    remaining.len()
                );
                return Ok(WriterAnswer::Failed { message, transient: true });
            }
        }
        if let Some(rows) = writer.database.finish_withdrawal(&contract, batch).await? {
            write_receipts(writer, &manifest).await?;
            return Ok(WriterAnswer::Withdrawn(rows));
        }
    }
}

/// Returns the manifest of a batch and the contract version under which it was read, or `None` if it has no chunks.
async fn batch_of<S: ObjectStore, Q, D>(
    writer: &mut Writer<S, Q, D>,
    batch: &BatchId,
) -> Result<Option<(Arc<Manifest>, Arc<Contract>)>, LoadError> {
    let manifest = writer.manifests.get(&writer.store, &writer.processed_bucket, batch).await?;
    let Some(message) = LoadMessage::of(&manifest).into_iter().next() else { return Ok(None) };
    let contract = writer.contracts.get(&writer.store, &writer.artifacts_bucket, &message).await?;
    Ok(Some((manifest, contract)))
}

/// Collects the rows of a batch's chunks. Returns false if there is no time for all of them.
async fn collect<S: ObjectStore, Q, D: OperatorDatabase>(
    writer: &mut Writer<S, Q, D>,
    (contract, batch): (&Contract, &BatchId),
    restored: &RestoredChunks,
    stop: Instant,
) -> Result<bool, LoadError> {
    let Some((manifest, of_batch)) = batch_of(writer, &restored.batch).await? else { return Ok(true) };
    let messages = LoadMessage::of(&manifest);
    for message in messages.into_iter().filter(|message| restored.chunks.contains(&message.chunk.index)) {
        if Instant::now() + MIN_TRANSACTION_TIME > stop {
            return Ok(false);
        }
        let chunk = fetch(&writer.store, message, manifest.clone()).await?;
        let withdrawn = (&contract.entity.table, batch);
        writer.database.collect_chunk(withdrawn, restored.part, &of_batch, &chunk).await?;
    }
    Ok(true)
}

/// Writes the receipts of a withdrawn batch and of the batches that it had replaced.
async fn write_receipts<S: ObjectStore, Q, D>(
    writer: &Writer<S, Q, D>,
    manifest: &Manifest,
) -> Result<(), LoadError> {
    let (store, bucket, source) = (&writer.store, &writer.processed_bucket, &manifest.source);
    let (now, mut replaced) = (Timestamp::now(), manifest.replays.clone());
    update_receipt(store, bucket, source, &manifest.batch_id, |current| {
        let current = current?;
        replaced.extend(current.replaced.iter().map(|replaced| replaced.batch_id));
        let withdrawn = current.clone().withdrawn(now);
        ReceiptChange::Withdraw.applies_to(Some(current), &withdrawn).then_some(withdrawn)
    })
    .await?;
    for batch in &replaced {
        update_receipt(store, bucket, source, batch, |current| {
            let current: &Receipt =
                current.filter(|receipt| receipt.replaced_by == Some(manifest.batch_id))?;
            let reinstated = current.clone().reinstated(now);
            ReceiptChange::Reinstate.applies_to(Some(current), &reinstated).then_some(reinstated)
        })
        .await?;
    }
    Ok(())
}
