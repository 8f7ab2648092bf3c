//! `penstock`: the operator's and the contract author's tool.

mod commands;
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
    match commands::run(cli) {
        Ok(exit) => exit.into(),
        Err(error) => {
            eprintln!("penstock: {error:#}");
            exit::NOT_DONE.into()
        }
    }
}
