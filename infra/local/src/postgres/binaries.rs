//! The search for the PostgreSQL server programs.

use std::path::{Path, PathBuf};

/// The environment variable with the folder of the server programs, which takes precedence over the search.
pub const BIN_VARIABLE: &str = "PENSTOCK_POSTGRES_BIN";

/// Returns the folder of `initdb` and `postgres`: `$PENSTOCK_POSTGRES_BIN` if it is set. Otherwise searches PATH, then the
/// folders of Debian, Homebrew and Postgres.app (newest version first), then the packages of the Python virtual
/// environment `venv`.
pub fn find(venv: Option<&Path>) -> Option<PathBuf> {
    if let Some(folder) = std::env::var_os(BIN_VARIABLE) {
        return complete(Path::new(&folder));
    }
    let on_path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&on_path)
        .chain(installed())
        .chain(venv.into_iter().flat_map(packaged))
        .find_map(|folder| complete(&folder))
}

/// Returns the folder if it has both programs. Resolves symbolic links, because `initdb` finds its libraries and
/// `postgres` relative to its real path.
fn complete(folder: &Path) -> Option<PathBuf> {
    let initdb = folder.join("initdb").canonicalize().ok()?;
    let folder = initdb.parent()?;
    folder.join("postgres").is_file().then(|| folder.to_path_buf())
}

fn installed() -> Vec<PathBuf> {
    [
        ("/usr/lib/postgresql", "", "bin"),
        ("/opt/homebrew/opt", "postgresql", "bin"),
        ("/usr/local/opt", "postgresql", "bin"),
        ("/Applications/Postgres.app/Contents/Versions", "", "bin"),
    ]
    .iter()
    .flat_map(|(parent, prefix, bin)| newest_first(Path::new(parent), prefix, bin))
    .collect()
}

/// Returns the candidates `lib/pythonX.Y/site-packages/<package>/pginstall*/bin`.
fn packaged(venv: &Path) -> Vec<PathBuf> {
    children(&venv.join("lib"))
        .into_iter()
        .flat_map(|python| children(&python.join("site-packages")))
        .flat_map(|package| newest_first(&package, "pginstall", "bin"))
        .collect()
}

fn newest_first(parent: &Path, prefix: &str, bin: &str) -> Vec<PathBuf> {
    let mut versions: Vec<(u32, PathBuf)> = children(parent)
        .into_iter()
        .filter_map(|path| {
            let name = path.file_name()?.to_str()?.strip_prefix(prefix)?.to_owned();
            let version: String = name.chars().filter(char::is_ascii_digit).take(2).collect();
            Some((version.parse().unwrap_or(0), path.join(bin)))
        })
        .collect();
    versions.sort_by(|left, right| right.cmp(left));
    versions.into_iter().map(|(_, path)| path).collect()
}

fn children(folder: &Path) -> Vec<PathBuf> {
    // A missing or unreadable folder has no usable PostgreSQL.
    std::fs::read_dir(folder)
        .map(|entries| entries.filter_map(Result::ok).map(|entry| entry.path()).collect())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fake_server(bin: &Path) {
        std::fs::create_dir_all(bin).unwrap();
        std::fs::write(bin.join("initdb"), "").unwrap();
        std::fs::write(bin.join("postgres"), "").unwrap();
    }

    #[test]
    fn the_newest_of_several_versions_comes_first() {
        let folder = tempfile::tempdir().unwrap();
        for version in ["9", "15", "17"] {
            fake_server(&folder.path().join(version).join("bin"));
        }
        let found = newest_first(folder.path(), "", "bin");
        assert_eq!(found[0], folder.path().join("17/bin"));
        assert_eq!(found[2], folder.path().join("9/bin"));
    }

    #[test]
    fn a_package_in_a_virtual_environment_is_found() {
        let venv = tempfile::tempdir().unwrap();
        let bin = venv.path().join("lib/python3.11/site-packages/some_pgserver/pginstall18/bin");
        fake_server(&bin);
        assert_eq!(packaged(venv.path()), std::slice::from_ref(&bin));
        assert_eq!(complete(&bin), Some(bin.canonicalize().unwrap()));
    }

    #[test]
    fn a_folder_without_a_server_is_skipped() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("initdb"), "").unwrap();
        assert_eq!(complete(folder.path()), None);
    }
}
