//! `penstock check`

use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context as _, Result, bail};
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use penstock_aws::spill::TempFiles;
use penstock_contract::Contract;
use penstock_engine::{
    Dialect, DuplicateFinder, Duplicates, Limits, Plan, PseudonymKey, QualityOutcome, ReadError, Reader,
    Reject, Totals,
};
use penstock_pipeline::{Refusal, failed_quality, too_many_rejects};
use serde::Serialize;

use crate::exit::{self, Exit};
use crate::render;

/// Files above this have a progress bar.
const PROGRESS_MIN_BYTES: u64 = 32 * 1024 * 1024;

/// Take a file through a contract here, without a stack: what would be accepted, what refused and why.
#[derive(Debug, Args)]
pub(crate) struct Check {
    /// The ODCS contract
    #[arg(long)]
    contract: PathBuf,
    /// The file
    file: PathBuf,
    /// Write each rejected row with its place and its reasons to this file, one JSON object a line
    #[arg(long, value_name = "OUT")]
    rejects: Option<PathBuf>,
    /// The key of pseudonyms, as bytes; without it a contract that pseudonymises is checked with a key for this run only
    #[arg(long, value_name = "FILE")]
    pseudonym_key: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// What would become of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Verdict {
    /// Every row would be loaded.
    Accepted,
    /// Some rows would be rejected, the others loaded.
    SomeRejected,
    /// Nothing would be loaded, by a rule.
    Refused,
    /// The file cannot be read to its end.
    Unreadable,
}

/// What `--json` prints.
#[derive(Debug, Serialize)]
struct Outcome {
    file: String,
    source: String,
    contract_version: String,
    verdict: Verdict,
    refusal: Option<Refusal>,
    #[serde(flatten)]
    totals: Totals,
    /// Accepted rows that a newer row of the same key replaces.
    deduplicated: u64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    quality: Vec<QualityOutcome>,
    dialect: Option<Dialect>,
    seconds: f64,
    rows_per_second: u64,
}

impl Check {
    pub(crate) fn run(self) -> Result<Exit> {
        let contract = self.read_contract()?;
        let key = self.pseudonym_key(&contract)?;
        let plan = Plan::compile_with(&contract, key.as_ref());
        let plan = Arc::new(plan.with_context(|| format!("{}", self.contract.display()))?);
        let mut rejects = self.rejects.as_deref().map(RejectFile::create).transpose()?;

        let started = Instant::now();
        let mut found = Found::default();
        let ended = found.read(&plan, open(&self.file)?, |reject| match &mut rejects {
            Some(file) => file.write(reject),
            None => Ok(()),
        })?;
        if let Some(file) = rejects {
            file.finish()?;
        }
        let outcome = self.outcome(&contract, found, ended, started.elapsed().as_secs_f64());
        if self.json {
            println!("{}", serde_json::to_string_pretty(&outcome).context("writing the outcome")?);
        } else {
            print!("{}", show(&outcome));
        }
        Ok(match outcome.verdict {
            Verdict::Accepted => exit::SUCCESS,
            Verdict::SomeRejected => exit::REJECTS,
            Verdict::Refused => exit::REFUSED,
            Verdict::Unreadable => exit::UNREADABLE,
        })
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

    fn read_contract(&self) -> Result<Contract> {
        let name = self.contract.display().to_string();
        let text = std::fs::read_to_string(&self.contract).with_context(|| name.clone())?;
        match penstock_contract::parse(&name, &text) {
            Ok(contract) => Ok(contract),
            Err(errors) => bail!("the contract is faulty:\n{errors}"),
        }
    }

    fn outcome(&self, contract: &Contract, found: Found, ended: Option<ReadError>, seconds: f64) -> Outcome {
        let Found { totals, dialect, duplicates, quality } = found;
        let (verdict, refusal) = match ended {
            Some(error) => {
                let (verdict, code) = match error {
                    ReadError::Empty => (Verdict::Refused, "empty"),
                    ReadError::Io(_) | ReadError::Unreadable { .. } | ReadError::TooLarge { .. } => {
                        (Verdict::Unreadable, "unreadable")
                    }
                };
                (verdict, Some(Refusal { code: code.to_owned(), message: error.to_string() }))
            }
            None => {
                match too_many_rejects(&totals, contract.max_rejects).or_else(|| failed_quality(&quality)) {
                    Some(refusal) => (Verdict::Refused, Some(refusal)),
                    None if totals.rejected > 0 => (Verdict::SomeRejected, None),
                    None => (Verdict::Accepted, None),
                }
            }
        };
        #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let rows_per_second = (totals.rows_read as f64 / seconds.max(1e-6)) as u64;
        Outcome {
            file: self.file.display().to_string(),
            source: contract.source.clone(),
            contract_version: contract.version.clone(),
            verdict,
            refusal,
            totals,
            deduplicated: duplicates.replaced(),
            quality,
            dialect,
            seconds,
            rows_per_second,
        }
    }
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
        plan: &Arc<Plan>,
        input: impl Read,
        mut on_reject: impl FnMut(&Reject) -> Result<()>,
    ) -> Result<Option<ReadError>> {
        let limits = Limits { arrow: false, ..Limits::default() };
        let mut reader = match Reader::open(Arc::clone(plan), limits, input) {
            Ok(reader) => reader,
            Err(ReadError::Io(error)) => return Err(error).context("reading the file"),
            Err(error) => return Ok(Some(error)),
        };
        self.dialect = Some(reader.dialect().clone());
        let mut finder = DuplicateFinder::new(TempFiles::default());
        let ended = loop {
            match reader.next_block() {
                Ok(Some(block)) => {
                    block.rejects.iter().try_for_each(&mut on_reject)?;
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
    out: BufWriter<File>,
}

impl RejectFile {
    fn create(path: &Path) -> Result<Self> {
        let file = File::create(path).with_context(|| format!("{}", path.display()))?;
        Ok(Self { path: path.to_owned(), out: BufWriter::new(file) })
    }

    fn write(&mut self, reject: &Reject) -> Result<()> {
        serde_json::to_writer(&mut self.out, reject).context("writing a reject")?;
        self.out.write_all(b"\n").with_context(|| format!("{}", self.path.display()))
    }

    fn finish(mut self) -> Result<()> {
        self.out.flush().with_context(|| format!("{}", self.path.display()))
    }
}

/// The file, with a progress bar when it is a long one.
fn open(path: &Path) -> Result<impl Read> {
    let context = || format!("{}", path.display());
    let file = File::open(path).with_context(context)?;
    let bytes = file.metadata().with_context(context)?.len();
    let bar = if bytes < PROGRESS_MIN_BYTES { ProgressBar::hidden() } else { progress(bytes) };
    Ok(bar.wrap_read(BufReader::with_capacity(256 * 1024, file)))
}

fn progress(bytes: u64) -> ProgressBar {
    let style = ProgressStyle::with_template("checking {bar:40} {bytes}/{total_bytes} {bytes_per_sec} {eta}");
    ProgressBar::new(bytes).with_style(style.expect("the template is well-formed"))
}

fn show(outcome: &Outcome) -> String {
    let totals = &outcome.totals;
    let verdict = match outcome.verdict {
        Verdict::Accepted => "accepted",
        Verdict::SomeRejected => "accepted, without the rejected rows",
        Verdict::Refused => "refused",
        Verdict::Unreadable => "unreadable",
    };
    let mut text = format!(
        "{}: {verdict}\nrows      {} read = {} accepted + {} rejected, {:.2} s, {} rows/s\n",
        outcome.file,
        render::number(totals.rows_read),
        render::number(totals.accepted),
        render::number(totals.rejected),
        outcome.seconds,
        render::number(outcome.rows_per_second),
    );
    if outcome.deduplicated > 0 {
        let count = render::number(outcome.deduplicated);
        text.push_str(&format!("repeated  {count} of the accepted rows have the key of a newer one\n"));
    }
    for check in &outcome.quality {
        let verdict = if check.holds { "holds" } else { "FAILS" };
        let QualityOutcome { check, rule, count, rows, .. } = check;
        text.push_str(&format!("check     {verdict}: {check}: {rule}; it is {count} of {rows}\n"));
    }
    if let Some(refusal) = &outcome.refusal {
        text.push_str(&format!("why       {}: {}\n", refusal.code, refusal.message));
    }
    if let Some(dialect) = &outcome.dialect {
        text.push_str(&format!("read as   {}\n", render::dialect(dialect)));
    }
    text + &render::reasons(&totals.by_reason)
}
