//! Standard output and standard error for a reader that may close the pipe: `penstock … | head`.
//!
//! `println!` panics when the pipe is closed. The macros here discard the text instead, and the command continues: its
//! work, such as publishing contracts or writing a file of rejects, and its exit status do not depend on the reader. A
//! command that only prints calls [`is_closed`] and stops.

use std::fmt;
use std::io::{self, Write as _};
use std::sync::OnceLock;

/// The first error of standard output. Nothing is written after it: output with a gap would be misleading.
static ERROR: OnceLock<io::Error> = OnceLock::new();

/// `print!` without a panic.
macro_rules! out {
    ($($text:tt)*) => { $crate::out::write(format_args!($($text)*)) };
}

/// `println!` without a panic.
macro_rules! outln {
    () => { $crate::out::write(format_args!("\n")) };
    ($($text:tt)*) => { $crate::out::write(format_args!("{}\n", format_args!($($text)*))) };
}

/// `eprintln!` without a panic.
macro_rules! errln {
    ($($text:tt)*) => { $crate::out::write_error_line(format_args!($($text)*)) };
}

/// Writes to standard output. Does nothing after an error.
pub(crate) fn write(text: fmt::Arguments<'_>) {
    if ERROR.get().is_none()
        && let Err(error) = io::stdout().write_fmt(text)
    {
        ERROR.get_or_init(|| error);
    }
}

/// Writes a line to standard error. Ignores an error, which could not be reported anywhere.
pub(crate) fn write_error_line(text: fmt::Arguments<'_>) {
    writeln!(io::stderr(), "{text}").ok();
}

/// Returns whether standard output has failed, so that further output is discarded.
pub(crate) fn is_closed() -> bool {
    ERROR.get().is_some()
}

/// Writes what is buffered, for a reader that waits for it.
pub(crate) fn flush() {
    if ERROR.get().is_none()
        && let Err(error) = io::stdout().flush()
    {
        ERROR.get_or_init(|| error);
    }
}

/// Flushes standard output.
///
/// # Errors
/// Returns an error if output was lost, except to a reader that closed the pipe.
pub(crate) fn finish() -> Result<(), String> {
    flush();
    match ERROR.get() {
        Some(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(format!("writing the output: {error}"))
        }
        Some(_) | None => Ok(()),
    }
}
