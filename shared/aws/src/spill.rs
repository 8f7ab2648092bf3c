//! Temporary files for data that does not fit into memory.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};

use penstock_engine::{PARTITIONS, Spill};

/// Unnamed files in the system's temporary directory, which are deleted when this is dropped or the process ends.
#[derive(Debug, Default)]
pub struct TempFiles {
    files: Vec<Option<File>>,
}

impl Spill for TempFiles {
    fn append(&mut self, part: usize, bytes: &[u8]) -> io::Result<()> {
        if self.files.is_empty() {
            self.files.resize_with(PARTITIONS, || None);
        }
        let Some(slot) = self.files.get_mut(part) else { return Err(no_such_part(part)) };
        let file = match slot {
            Some(file) => file,
            None => slot.insert(tempfile::tempfile()?),
        };
        file.write_all(bytes)
    }

    fn take(&mut self, part: usize) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        if let Some(mut file) = self.files.get_mut(part).and_then(Option::take) {
            file.seek(SeekFrom::Start(0))?;
            file.read_to_end(&mut bytes)?;
        }
        Ok(bytes)
    }
}

/// Copies a stream to an unnamed file, which can be read at any position.
///
/// # Errors
/// Returns an error if the stream fails, or the disk is full.
pub fn temp_copy(stream: &mut impl io::Read) -> io::Result<File> {
    let mut file = tempfile::tempfile()?;
    io::copy(stream, &mut file)?;
    file.seek(SeekFrom::Start(0))?;
    Ok(file)
}

fn no_such_part(part: usize) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, format!("part {part} does not exist"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_returned_once() {
        let mut files = TempFiles::default();
        assert_eq!(files.take(3).unwrap(), b"");
        for (part, bytes) in [(3, b"ab"), (5, b"x!"), (3, b"cd")] {
            files.append(part, bytes).unwrap();
        }
        assert_eq!((files.take(3).unwrap(), files.take(5).unwrap()), (b"abcd".to_vec(), b"x!".to_vec()));
        assert_eq!(files.take(3).unwrap(), b"");
        assert!(files.append(PARTITIONS, b"").is_err());
    }
}
