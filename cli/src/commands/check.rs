//! `penstock check`

mod accepted;
pub(super) mod checked_input;
mod copy_text;
mod input;
mod output;
mod reject_file;
pub(super) mod report;
mod text_rows;

use std::fs::File;
use std::io::{Read, Seek as _, SeekFrom};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context as _, Result};
use clap::Args;
use penstock_contract::Contract;
use penstock_engine::{Block, Limits, Plan, PseudonymKey, ReadError, Reader};

use crate::contracts::{self, OverlayArg};
use crate::exit::Exit;
use accepted::{AcceptedFile, AcceptedRowsFile};
use checked_input::CheckedInput;
use input::CheckInput;
use reject_file::RejectFile;
use report::{CheckReport, FileReport, Verdict, describe};

/// Check files against a contract on this machine, without a stack, and print the numbers of accepted and rejected rows
/// with the reasons.
#[derive(Debug, Args)]
pub(crate) struct CheckCommand {
    /// The ODCS contract
    #[arg(long)]
    contract: PathBuf,
    #[command(flatten)]
    overlay: OverlayArg,
    /// The source to check against, for a contract that describes several
    #[arg(long)]
    source: Option<String>,
    /// Files, patterns such as 'feeds/*.csv', s3://BUCKET/KEY, or - for standard input; each one is a separate batch
    #[arg(required = true, value_name = "FILE")]
    files: Vec<String>,
    /// Write each rejected row with its position and reasons to this file, one JSON object per line
    #[arg(long, value_name = "OUT")]
    rejects: Option<PathBuf>,
    /// Write the rows that would be loaded to this file: .parquet, .csv or .ndjson
    #[arg(long, value_name = "OUT", value_parser = AcceptedFile::parse)]
    accepted: Option<AcceptedFile>,
    /// File with the pseudonym key [default: a random key for this run]
    #[arg(long, value_name = "FILE")]
    pseudonym_key: Option<PathBuf>,
    /// Print JSON, as described in docs/check.md
    #[arg(long)]
    json: bool,
}

impl CheckCommand {
    pub(crate) fn run(self) -> Result<Exit> {
        let document = contracts::read_valid(&self.contract, &self.overlay, self.source.as_deref())?;
        let contract = contracts::select(document, self.source.as_deref())?;
        let key = self.pseudonym_key(&contract)?;
        let plan = Plan::compile_with(&contract, key.as_ref());
        let plan = Arc::new(plan.with_context(|| format!("{}", self.contract.display()))?);
        let inputs = CheckInput::parse_all(&self.files)?;
        let has_several = inputs.len() > 1;
        let mut rejects =
            self.rejects.as_deref().map(|path| RejectFile::create(path, has_several)).transpose()?;
        let mut accepted =
            self.accepted.as_ref().map(|file| AcceptedRowsFile::create(file, &plan)).transpose()?;

        let mut report = CheckReport { verdict: Verdict::Accepted, files: Vec::new() };
        for input in &inputs {
            let file = check(input, &contract, &plan, rejects.as_mut(), accepted.as_mut())?;
            if !self.json {
                out!("{}", describe(&file));
            }
            report.verdict = report.verdict.max(file.verdict);
            report.files.push(file);
        }
        rejects.map_or(Ok(()), RejectFile::finish)?;
        accepted.map_or(Ok(()), AcceptedRowsFile::finish)?;
        if self.json {
            outln!("{}", serde_json::to_string_pretty(&report).context("writing the report")?);
        }
        Ok(report.verdict.exit())
    }

    fn pseudonym_key(&self, contract: &Contract) -> Result<Option<PseudonymKey>> {
        let mut secret = Vec::new();
        match &self.pseudonym_key {
            Some(path) => {
                let context = || format!("{}", path.display());
                File::open(path).with_context(context)?.read_to_end(&mut secret).with_context(context)?;
            }
            None => return random_key(contract),
        }
        Ok(Some(PseudonymKey::new(secret.trim_ascii_end())?))
    }
}

/// Returns a random key if the contract needs one. It is sufficient if the pseudonyms are not stored.
pub(super) fn random_key(contract: &Contract) -> Result<Option<PseudonymKey>> {
    if !contract.entity.columns.iter().any(|column| column.pseudonymise) {
        return Ok(None);
    }
    let mut secret = Vec::new();
    let random = File::open("/dev/urandom").context("making a key for this run")?;
    random.take(32).read_to_end(&mut secret).context("making a key for this run")?;
    Ok(Some(PseudonymKey::new(&secret)?))
}

/// Checks one input. Passes its rejects and accepted rows to the files.
fn check(
    input: &CheckInput,
    contract: &Contract,
    plan: &Arc<Plan>,
    rejects: Option<&mut RejectFile>,
    accepted: Option<&mut AcceptedRowsFile>,
) -> Result<FileReport> {
    let name = input.name();
    let (mut rejects, mut accepted) = (rejects, accepted);
    let is_read_twice = accepted.as_ref().is_some_and(|accepted| accepted.needs_second_pass());
    let may_seek = plan.needs_seek() || plan.seek_head_bytes() > 0;
    let file = (is_read_twice || may_seek).then(|| input.file()).transpose()?;
    let started = Instant::now();
    let mut checked = CheckedInput::default();
    let on_block = |block: &Block| {
        if let Some(file) = &mut rejects {
            block.rejects.iter().try_for_each(|reject| file.write(&name, reject))?;
        }
        accepted.as_mut().map_or(Ok(()), |file| file.add(&block.rows))
    };
    let limits = Limits { arrow: false, ..Limits::default() };
    let result = match &file {
        Some(file) => checked.read(plan, open(plan, limits, file)?, on_block),
        None => checked.read(plan, Reader::open(plan, limits, input.stream()?), on_block),
    };
    let error = result.with_context(|| input.name())?;
    let seconds = started.elapsed().as_secs_f64();
    let report = FileReport::new(input.name(), contract, &checked, error.as_ref(), seconds);
    if let Some(accepted) = accepted {
        let result = if report.verdict.loads() {
            accepted.commit(&checked.duplicates, || {
                let file = file.as_ref().expect("a second pass reads a file");
                let limits = Limits { arrow: true, ..Limits::default() };
                Ok(open(plan, limits, file)??)
            })
        } else {
            accepted.discard()
        };
        result.with_context(|| input.name())?;
    }
    Ok(report)
}

/// Opens the file from its beginning; can be called repeatedly.
pub(super) fn open(plan: &Plan, limits: Limits, file: &File) -> Result<Result<Reader<'static>, ReadError>> {
    let mut file = file.try_clone().context("opening the file again")?;
    file.seek(SeekFrom::Start(0)).context("reading the file again")?;
    Ok(Reader::open_seekable(plan, limits, file))
}
