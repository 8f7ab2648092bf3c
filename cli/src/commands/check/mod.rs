//! `penstock check`

mod accepted;
mod copy_text;
mod input;
mod outcome;
mod output;
mod text_rows;

use std::fs::File;
use std::io::{BufWriter, Read, Seek as _, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context as _, Result};
use clap::Args;
use penstock_aws::spill::TempFiles;
use penstock_contract::Contract;
use penstock_engine::{
    Block, Dialect, DuplicateFinder, Duplicates, Limits, Plan, PseudonymKey, QualityOutcome, ReadError,
    Reader, Reject, Totals,
};
use serde_json::json;

use crate::contracts::{self, OverlayArg};
use crate::exit::Exit;
use accepted::{AcceptedFile, AcceptedRowsFile};
use input::Input;
use outcome::{Answer, Outcome, Verdict, show};

/// Take files through a contract here, without a stack: what would be accepted, what refused and why.
#[derive(Debug, Args)]
pub(crate) struct Check {
    /// The ODCS contract
    #[arg(long)]
    contract: PathBuf,
    #[command(flatten)]
    overlay: OverlayArg,
    /// Which source of a contract that describes several
    #[arg(long)]
    source: Option<String>,
    /// Files, patterns such as 'feeds/*.csv', s3://BUCKET/KEY, or - for standard input; each is a batch of its own
    #[arg(required = true, value_name = "FILE")]
    files: Vec<String>,
    /// Write each rejected row with its place and its reasons to this file, one JSON object a line
    #[arg(long, value_name = "OUT")]
    rejects: Option<PathBuf>,
    /// Write the rows that would be loaded to this file: .parquet, .csv or .ndjson
    #[arg(long, value_name = "OUT", value_parser = AcceptedFile::parse)]
    accepted: Option<AcceptedFile>,
    /// The key of pseudonyms, as bytes; without it a contract that pseudonymises is checked with a key for this run only
    #[arg(long, value_name = "FILE")]
    pseudonym_key: Option<PathBuf>,
    /// Print JSON, as docs/check.md tells it
    #[arg(long)]
    json: bool,
}

impl Check {
    pub(crate) fn run(self) -> Result<Exit> {
        let document = contracts::read_valid(&self.contract, &self.overlay, self.source.as_deref())?;
        let contract = contracts::select(document, self.source.as_deref())?;
        let key = self.pseudonym_key(&contract)?;
        let plan = Plan::compile_with(&contract, key.as_ref());
        let plan = Arc::new(plan.with_context(|| format!("{}", self.contract.display()))?);
        let inputs = Input::all(&self.files)?;
        let is_many = inputs.len() > 1;
        let mut rejects =
            self.rejects.as_deref().map(|path| RejectFile::create(path, is_many)).transpose()?;
        let mut accepted =
            self.accepted.as_ref().map(|file| AcceptedRowsFile::create(file, &plan)).transpose()?;

        let mut answer = Answer { verdict: Verdict::Accepted, files: Vec::new() };
        for input in &inputs {
            let outcome = self.check(input, &contract, &plan, rejects.as_mut(), accepted.as_mut())?;
            if !self.json {
                out!("{}", show(&outcome));
            }
            answer.verdict = answer.verdict.max(outcome.verdict);
            answer.files.push(outcome);
        }
        rejects.map_or(Ok(()), RejectFile::finish)?;
        accepted.map_or(Ok(()), AcceptedRowsFile::finish)?;
        if self.json {
            outln!("{}", serde_json::to_string_pretty(&answer).context("writing the outcome")?);
        }
        Ok(answer.verdict.exit())
    }

    fn check(
        &self,
        input: &Input,
        contract: &Contract,
        plan: &Arc<Plan>,
        rejects: Option<&mut RejectFile>,
        accepted: Option<&mut AcceptedRowsFile>,
    ) -> Result<Outcome> {
        let name = input.name();
        let (mut rejects, mut accepted) = (rejects, accepted);
        let is_read_twice = accepted.as_ref().is_some_and(|accepted| accepted.needs_second_reading());
        let may_seek = plan.needs_seek() || plan.seek_head_bytes() > 0;
        let file = (is_read_twice || may_seek).then(|| input.file()).transpose()?;
        let started = Instant::now();
        let mut found = Found::default();
        let on_block = |block: &Block| {
            if let Some(file) = &mut rejects {
                block.rejects.iter().try_for_each(|reject| file.write(&name, reject))?;
            }
            accepted.as_mut().map_or(Ok(()), |file| file.add(&block.rows))
        };
        let limits = Limits { arrow: false, ..Limits::default() };
        let ended = match &file {
            Some(file) => found.read(plan, open(plan, limits, file)?, on_block),
            None => found.read(plan, Reader::open(plan, limits, input.stream()?), on_block),
        };
        let ended = ended.with_context(|| input.name())?;
        let seconds = started.elapsed().as_secs_f64();
        let outcome = Outcome::new(input.name(), contract, &found, ended.as_ref(), seconds);
        if let Some(accepted) = accepted {
            let ended = match outcome.verdict.loads() {
                true => accepted.keep(&found.duplicates, || {
                    let file = file.as_ref().context("the input is not a file")?;
                    let limits = Limits { arrow: true, ..Limits::default() };
                    Ok(open(plan, limits, file)??)
                }),
                false => accepted.discard(),
            };
            ended.with_context(|| input.name())?;
        }
        Ok(outcome)
    }

    fn pseudonym_key(&self, contract: &Contract) -> Result<Option<PseudonymKey>> {
        let mut secret = Vec::new();
        match &self.pseudonym_key {
            Some(path) => {
                let context = || format!("{}", path.display());
                File::open(path).with_context(context)?.read_to_end(&mut secret).with_context(context)?;
            }
            // Nothing is kept that it would have to fit.
            None if contract.entity.columns.iter().any(|column| column.pseudonymise) => {
                let random = File::open("/dev/urandom").context("making a key for this run")?;
                random.take(32).read_to_end(&mut secret).context("making a key for this run")?;
            }
            None => return Ok(None),
        }
        Ok(Some(PseudonymKey::new(secret.trim_ascii_end())?))
    }
}

/// Opens the file at its beginning, each time it is called.
fn open(plan: &Plan, limits: Limits, file: &File) -> Result<Result<Reader<'static>, ReadError>> {
    let mut file = file.try_clone().context("opening the file again")?;
    file.seek(SeekFrom::Start(0)).context("reading the file again")?;
    Ok(Reader::open_seekable(plan, limits, file))
}

/// What has been read so far; still true when the reading ends in an error.
#[derive(Debug, Default)]
struct Found {
    totals: Totals,
    dialect: Option<Dialect>,
    /// Known only when the file was read to its end, and so are the checks.
    duplicates: Duplicates,
    quality: Vec<QualityOutcome>,
}

impl Found {
    /// Reads to the end, or to what makes the rest unreadable, which is the answer's error.
    fn read(
        &mut self,
        plan: &Plan,
        reader: Result<Reader<'_>, ReadError>,
        mut on_block: impl FnMut(&Block) -> Result<()>,
    ) -> Result<Option<ReadError>> {
        let mut reader = match reader {
            Ok(reader) => reader,
            Err(ReadError::Io(error)) => return Err(error).context("reading the file"),
            Err(error) => return Ok(Some(error)),
        };
        self.dialect = Some(reader.dialect().clone());
        let mut finder = DuplicateFinder::new(TempFiles::default());
        let ended = loop {
            match reader.next_block() {
                Ok(Some(block)) => {
                    on_block(&block)?;
                    finder.add(&block.rows.keys).context("keeping keys in temporary files")?;
                    reader.recycle(block.rows.copy_text);
                }
                Ok(None) => break None,
                Err(ReadError::Io(error)) => return Err(error).context("reading the file"),
                Err(error) => break Some(error),
            }
        };
        self.totals = reader.totals().clone();
        if ended.is_none() {
            self.duplicates = finder.finish().context("reading keys from temporary files")?;
            self.quality = plan.judge(&self.totals, &self.duplicates);
        }
        Ok(ended)
    }
}

/// The rejects as lines of JSON.
struct RejectFile {
    path: PathBuf,
    /// Each line tells the file that its row is of.
    names_file: bool,
    out: BufWriter<File>,
}

impl RejectFile {
    fn create(path: &Path, names_file: bool) -> Result<Self> {
        let file = File::create(path).with_context(|| format!("{}", path.display()))?;
        Ok(Self { path: path.to_owned(), names_file, out: BufWriter::new(file) })
    }

    fn write(&mut self, file: &str, reject: &Reject) -> Result<()> {
        let mut line = json!(reject);
        if let Some(line) = line.as_object_mut().filter(|_| self.names_file) {
            line.insert("file".to_owned(), json!(file));
        }
        serde_json::to_writer(&mut self.out, &line).context("writing a reject")?;
        self.out.write_all(b"\n").with_context(|| format!("{}", self.path.display()))
    }

    fn finish(mut self) -> Result<()> {
        self.out.flush().with_context(|| format!("{}", self.path.display()))
    }
}
