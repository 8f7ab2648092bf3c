//! The user account of the server: PostgreSQL refuses to run as root.

use std::ffi::OsStr;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The user and group id of `nobody` on Linux.
const UNPRIVILEGED: u32 = 65534;

/// The user account of the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Account {
    /// The account of this process.
    Own,
    /// `nobody`, when this process runs as root.
    Nobody,
}

impl Account {
    pub(super) fn current() -> Self {
        if rustix::process::geteuid().is_root() { Self::Nobody } else { Self::Own }
    }

    /// Returns a command that runs `program` with this account.
    pub(super) fn command(self, program: &Path) -> Command {
        match self {
            Self::Own => Command::new(program),
            Self::Nobody => {
                let mut command = Command::new("setpriv");
                command
                    .arg(format!("--reuid={UNPRIVILEGED}"))
                    .arg(format!("--regid={UNPRIVILEGED}"))
                    .args(["--clear-groups", "--"])
                    .arg(program);
                command
            }
        }
    }

    /// Makes this account the owner of `path`.
    pub(super) fn own(self, path: &Path) -> std::io::Result<()> {
        match self {
            Self::Own => Ok(()),
            Self::Nobody => std::os::unix::fs::chown(path, Some(UNPRIVILEGED), Some(UNPRIVILEGED)),
        }
    }

    /// Returns `folder`, or a replacement under `/var/tmp` when this account cannot access it: `nobody` cannot access a
    /// checkout in root's home folder.
    pub(super) fn reachable(self, folder: &Path) -> PathBuf {
        if self == Self::Own || open_to_all(folder) { folder.to_path_buf() } else { replacement(folder) }
    }

    /// Returns `bin`, or a copy of its package with programs and libraries when this account cannot access it.
    pub(super) fn reachable_programs(self, bin: &Path) -> std::io::Result<PathBuf> {
        if self == Self::Own || open_to_all(bin) {
            return Ok(bin.to_path_buf());
        }
        // The programs are in <package>/<install>/bin and find their libraries in <package>.libs by a relative path.
        let (Some(install), Some(package)) = (bin.parent(), bin.parent().and_then(Path::parent)) else {
            return Ok(bin.to_path_buf());
        };
        let copy = replacement(package).join(package.file_name().unwrap_or_else(|| OsStr::new("package")));
        let installed = copy.join(install.file_name().unwrap_or_else(|| OsStr::new("install")));
        if !installed.join("bin/postgres").exists() {
            copy_tree(install, &installed)?;
            let libraries = package.with_extension("libs");
            if libraries.is_dir() {
                copy_tree(&libraries, &copy.with_extension("libs"))?;
            }
        }
        Ok(installed.join("bin"))
    }
}

/// Returns a folder under `/var/tmp` that is the same for each start with the same path.
fn replacement(folder: &Path) -> PathBuf {
    let mut hasher = DefaultHasher::new();
    folder.hash(&mut hasher);
    PathBuf::from(format!("/var/tmp/penstock-{:016x}", hasher.finish()))
}

/// Returns whether every user can enter each existing parent folder.
fn open_to_all(folder: &Path) -> bool {
    folder.ancestors().skip(1).all(|ancestor| {
        ancestor.metadata().map_or(true, |metadata| {
            metadata.uid() == UNPRIVILEGED || metadata.permissions().mode() & 0o001 != 0
        })
    })
}

fn copy_tree(from: &Path, to: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_tree(&entry.path(), &target)?;
        } else {
            std::fs::copy(entry.path(), &target)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_within_a_private_folder_is_not_open_to_all() {
        let outer = tempfile::tempdir_in("/var/tmp").unwrap();
        let set_mode =
            |mode| std::fs::set_permissions(outer.path(), std::fs::Permissions::from_mode(mode)).unwrap();
        let inner = outer.path().join("inner/data");
        set_mode(0o755);
        assert!(open_to_all(&inner));
        set_mode(0o700);
        assert!(!open_to_all(&inner));
        assert!(Account::Nobody.reachable(&inner).starts_with("/var/tmp"));
        assert_eq!(Account::Own.reachable(&inner), inner);
    }
}
