//! `penstock`: the operator's and the contract author's tool.

// Their macros write where these would panic, for want of a reader.
#![deny(clippy::print_stdout, clippy::print_stderr)]

#[macro_use]
mod out;

mod commands;
mod contracts;
mod exit;
mod render;
mod settings;

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    let cli = match commands::Cli::try_parse() {
        Ok(cli) => cli,
        Err(message) => {
            // `--help` comes this way too. When the terminal is gone there is nobody left to tell.
            message.print().ok();
            return if message.use_stderr() { exit::NOT_DONE.into() } else { exit::SUCCESS.into() };
        }
    };
    let ended = commands::run(cli).map_err(|error| message(&error));
    match ended.and_then(|exit| out::finish().map(|()| exit)) {
        Ok(exit) => exit.into(),
        Err(error) => {
            errln!("penstock: {error}");
            exit::NOT_DONE.into()
        }
    }
}

/// The error and its causes. A cause that the message before it ends with is not printed again.
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
