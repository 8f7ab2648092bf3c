//! Standard output and standard error, for somebody who may stop reading: `penstock … | head`.
//!
//! `println!` panics then. Here what nobody reads is dropped, while the command goes on with its work and says by its
//! exit status how that ended: contracts are published and rejects written to their file whoever looks on. A command
//! that only shows something asks [`is_closed`] and stops.

use std::fmt;
use std::io::{self, Write as _};
use std::sync::OnceLock;

/// Why standard output took no more. Nothing is written after it: what follows a gap would mislead.
static FAULT: OnceLock<io::Error> = OnceLock::new();

/// `print!` that never panics.
macro_rules! out {
    ($($text:tt)*) => { $crate::out::write(format_args!($($text)*)) };
}

/// `println!` that never panics.
macro_rules! outln {
    () => { $crate::out::write(format_args!("\n")) };
    ($($text:tt)*) => { $crate::out::write(format_args!("{}\n", format_args!($($text)*))) };
}

/// `eprintln!` that never panics.
macro_rules! errln {
    ($($text:tt)*) => { $crate::out::tell(format_args!($($text)*)) };
}

/// Writes to standard output, unless that has failed before.
pub(crate) fn write(text: fmt::Arguments<'_>) {
    if FAULT.get().is_none()
        && let Err(error) = io::stdout().write_fmt(text)
    {
        FAULT.get_or_init(|| error);
    }
}

/// Writes a line to standard error. When that fails there is nobody left to tell.
pub(crate) fn tell(text: fmt::Arguments<'_>) {
    writeln!(io::stderr(), "{text}").ok();
}

/// True when nothing more of what is shown arrives anywhere.
pub(crate) fn is_closed() -> bool {
    FAULT.get().is_some()
}

/// Writes what has not been written yet.
///
/// # Errors
/// When something of the output was lost, other than to a reader who has enough.
pub(crate) fn finish() -> Result<(), String> {
    if FAULT.get().is_none()
        && let Err(error) = io::stdout().flush()
    {
        FAULT.get_or_init(|| error);
    }
    match FAULT.get() {
        Some(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(format!("writing the output: {error}"))
        }
        _ => Ok(()),
    }
}
