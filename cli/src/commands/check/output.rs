//! A file that is replaced only when its new content is complete.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Seek as _, SeekFrom};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use tempfile::{Builder, NamedTempFile};

/// The mode of new files, to which the process's umask is applied.
const NEW_FILE_MODE: u32 = 0o666;

/// The new content of a file, stored in a temporary file until [`OutputFile::persist`]. Dropping it deletes the temporary
/// file.
pub(super) struct OutputFile {
    path: PathBuf,
    content: NamedTempFile,
    destination: Destination,
}

enum Destination {
    /// The temporary file is in the same folder and is renamed to this path.
    Rename(PathBuf),
    /// The path is a pipe or a device, into which the content is copied.
    Copy(File),
}

impl OutputFile {
    /// Creates the temporary file.
    ///
    /// # Errors
    /// Returns an error if the folder is missing or the file is not writable, before any work is done.
    pub(super) fn create(path: &Path) -> Result<Self> {
        let context = || format!("{}", path.display());
        let existing = match OpenOptions::new().write(true).open(path) {
            Ok(file) => Some(file),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error).with_context(context),
        };
        let Some(existing) = existing else {
            let content =
                temporary_next_to(path, Permissions::from_mode(NEW_FILE_MODE)).with_context(context)?;
            return Ok(Self {
                path: path.to_owned(),
                content,
                destination: Destination::Rename(path.to_owned()),
            });
        };
        let metadata = existing.metadata().with_context(context)?;
        if !metadata.is_file() {
            let content = NamedTempFile::new().context("creating a temporary file")?;
            return Ok(Self { path: path.to_owned(), content, destination: Destination::Copy(existing) });
        }
        // Replace the target of a symbolic link, not the link.
        let target = fs::canonicalize(path).with_context(context)?;
        let content = temporary_next_to(&target, metadata.permissions()).with_context(context)?;
        // The new file gets the exact permissions of the old one, without the umask.
        content.as_file().set_permissions(metadata.permissions()).with_context(context)?;
        Ok(Self { path: path.to_owned(), content, destination: Destination::Rename(target) })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn file(&mut self) -> &mut File {
        self.content.as_file_mut()
    }

    /// Moves the content to the path.
    pub(super) fn persist(mut self) -> Result<()> {
        let path = self.path;
        let context = || format!("{}", path.display());
        match self.destination {
            Destination::Rename(target) => {
                self.content.persist(target).map_err(|error| error.error).with_context(context)?;
            }
            Destination::Copy(mut special) => {
                self.content.as_file_mut().seek(SeekFrom::Start(0)).with_context(context)?;
                io::copy(self.content.as_file_mut(), &mut special).with_context(context)?;
            }
        }
        Ok(())
    }
}

fn temporary_next_to(path: &Path, permissions: Permissions) -> io::Result<NamedTempFile> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // A path without a file name, such as `..`, cannot be created and is reported by `tempfile_in` or `persist`.
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let prefix = format!(".{name}.");
    Builder::new().prefix(&prefix).suffix(".partial").permissions(permissions).tempfile_in(folder)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::os::unix::fs::symlink;

    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn the_old_content_remains_until_the_new_content_is_complete() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out.csv");
        fs::write(&path, "old").unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();

        let mut abandoned = OutputFile::create(&path).unwrap();
        abandoned.file().write_all(b"half").unwrap();
        drop(abandoned);
        assert_eq!(fs::read_to_string(&path).unwrap(), "old");
        assert_eq!(names(folder.path()), ["out.csv"]);

        let mut complete = OutputFile::create(&path).unwrap();
        complete.file().write_all(b"new").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "old");
        complete.persist().unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "new");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
        assert_eq!(names(folder.path()), ["out.csv"]);
    }

    #[test]
    fn a_symbolic_link_remains_a_link() {
        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("real.csv"), folder.path().join("link.csv"));
        fs::write(&file, "old").unwrap();
        symlink(&file, &link).unwrap();
        let mut output = OutputFile::create(&link).unwrap();
        output.file().write_all(b"new").unwrap();
        output.persist().unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read_to_string(&file).unwrap(), "new");
    }

    #[test]
    fn a_device_is_written_to_and_not_replaced() {
        let mut output = OutputFile::create(Path::new("/dev/null")).unwrap();
        output.file().write_all(b"new").unwrap();
        output.persist().unwrap();
        assert!(!fs::metadata("/dev/null").unwrap().is_file());
    }

    #[test]
    fn an_unwritable_path_is_an_error_on_creation() {
        let folder = tempfile::tempdir().unwrap();
        assert!(OutputFile::create(folder.path()).is_err());
        assert!(OutputFile::create(&folder.path().join("none/out.csv")).is_err());
    }
}
