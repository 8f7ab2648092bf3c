#![doc = include_str!("../README.md")]
// These macros panic when the reader has closed the pipe. The macros of `out` do not.
#![deny(clippy::print_stdout, clippy::print_stderr)]

#[macro_use]
mod out;

mod batches;
mod commands;
mod contracts;
mod exit;
mod objects;
mod render;
mod republication;
mod settings;
mod sources;
mod times;
mod waiting;
mod writer;

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    let cli = match commands::Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // `--help` is an error too. An error of `print` is ignored, because it could not be reported anywhere.
            error.print().ok();
            return if error.use_stderr() { exit::NOT_DONE.into() } else { exit::SUCCESS.into() };
        }
    };
    let result = commands::run(cli).map_err(|error| message(&error));
    match result.and_then(|exit| out::finish().map(|()| exit)) {
        Ok(exit) => exit.into(),
        Err(error) => {
            errln!("penstock: {error}");
            exit::NOT_DONE.into()
        }
    }
}

/// Returns the messages of an error and its causes. Omits a cause that the previous message ends with.
fn message(error: &anyhow::Error) -> String {
    let mut message = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if message.is_empty() {
            message = cause;
        } else if !message.ends_with(&cause) {
            message = format!("{message}: {cause}");
        }
    }
    message
}
