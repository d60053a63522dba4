//! Where the Postgres programs are.

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::EmbeddedPostgresError;

/// The oldest major version that the SQL is written for.
pub const OLDEST_MAJOR: u32 = 15;

/// Directories that hold one directory per version, and the programs' directory inside that one: Debian and Ubuntu,
/// the PGDG packages for Red Hat, SUSE and Alpine.
const VERSIONED: [(&str, &str, &str); 4] = [
    ("/usr/lib/postgresql", "", "bin"),
    ("/usr", "pgsql-", "bin"),
    ("/usr/lib", "postgresql", "bin"),
    ("/usr/libexec", "postgresql", ""),
];

/// `initdb` and `postgres` of one installation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binaries {
    /// Makes a cluster.
    pub initdb: PathBuf,
    /// Serves one.
    pub postgres: PathBuf,
    /// The major version, 15 or later.
    pub major: u32,
}

/// Finds the programs: in `pg_bin` alone where that is given, else on PATH and in the directories that distributions
/// use. For an existing cluster (`cluster_major`) only its own major version will do; for a new one the newest wins.
///
/// # Errors
/// A sentence that names the version found or the place searched, and the ways out.
pub fn find_binaries(
    pg_bin: Option<&Path>,
    cluster_major: Option<(u32, &Path)>,
) -> Result<Binaries, EmbeddedPostgresError> {
    let directories = pg_bin.map_or_else(usual_directories, |given| vec![given.to_owned()]);
    let found: Vec<Binaries> = directories.iter().filter_map(|directory| look_in(directory)).collect();
    match choose(found, cluster_major.map(|(major, _)| major)) {
        Choice::This(binaries) => Ok(binaries),
        Choice::None => Err(pg_bin.map_or(EmbeddedPostgresError::NoBinaries, |directory| {
            EmbeddedPostgresError::NoBinariesIn(directory.to_owned())
        })),
        Choice::TooOld(found) => Err(EmbeddedPostgresError::TooOld { found }),
        Choice::OthersOnly { made_by, found } => Err(EmbeddedPostgresError::OtherVersion {
            cluster: cluster_major.map(|(_, cluster)| cluster.to_owned()).unwrap_or_default(),
            made_by,
            found,
        }),
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Choice {
    This(Binaries),
    None,
    TooOld(u32),
    OthersOnly { made_by: u32, found: String },
}

fn choose(found: Vec<Binaries>, cluster_major: Option<u32>) -> Choice {
    let majors: BTreeSet<u32> = found.iter().map(|binaries| binaries.major).collect();
    let Some(newest) = majors.last().copied() else {
        return Choice::None;
    };
    let wanted = cluster_major.unwrap_or(newest);
    if wanted < OLDEST_MAJOR {
        return Choice::TooOld(wanted);
    }
    // `find`: of two installations of one version, the one that stands first in the order of search.
    found.into_iter().find(|binaries| binaries.major == wanted).map_or_else(
        || Choice::OthersOnly {
            made_by: wanted,
            found: majors.iter().map(u32::to_string).collect::<Vec<_>>().join(", "),
        },
        Choice::This,
    )
}

fn usual_directories() -> Vec<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let mut directories: Vec<PathBuf> = env::split_paths(&path).filter(|entry| entry.is_absolute()).collect();
    for (parent, prefix, inside) in VERSIONED {
        let entries = fs::read_dir(parent).into_iter().flatten().flatten();
        directories.extend(entries.filter_map(|entry| {
            let name = entry.file_name();
            let version = name.to_str()?.strip_prefix(prefix)?;
            version.parse::<u32>().ok()?;
            Some(entry.path().join(inside))
        }));
    }
    directories
}

fn look_in(directory: &Path) -> Option<Binaries> {
    let (initdb, postgres) = (directory.join("initdb"), directory.join("postgres"));
    if !initdb.is_file() || !postgres.is_file() {
        return None;
    }
    let said = Command::new(&postgres).arg("--version").output().ok()?;
    let major = major_of(&String::from_utf8_lossy(&said.stdout))?;
    Some(Binaries { initdb, postgres, major })
}

/// The major version in a line like `postgres (PostgreSQL) 18beta1`.
fn major_of(line: &str) -> Option<u32> {
    let version = line.split_once(") ")?.1;
    let end = version.find(|c: char| !c.is_ascii_digit()).unwrap_or(version.len());
    version[..end].parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn installed(majors: &[u32]) -> Vec<Binaries> {
        let one = |&major: &u32| Binaries { initdb: "i".into(), postgres: format!("p{major}").into(), major };
        majors.iter().map(one).collect()
    }

    #[test]
    fn versions_of_releases_and_betas_are_read() {
        assert_eq!(major_of("postgres (PostgreSQL) 15.13 (Debian 15.13-0+deb12u1)\n"), Some(15));
        assert_eq!(major_of("postgres (PostgreSQL) 18beta1"), Some(18));
        assert_eq!(major_of("postgres (PostgreSQL) 9.6.24"), Some(9));
        assert_eq!(major_of("something else"), None);
    }

    #[test]
    fn a_new_cluster_takes_the_newest_and_an_old_one_its_own() {
        let Choice::This(newest) = choose(installed(&[15, 17, 16]), None) else { panic!() };
        assert_eq!(newest.major, 17);
        let Choice::This(own) = choose(installed(&[15, 17, 16]), Some(16)) else { panic!() };
        assert_eq!(own.major, 16);
    }

    #[test]
    fn what_does_not_fit_is_named() {
        assert_eq!(choose(vec![], None), Choice::None);
        assert_eq!(choose(installed(&[13, 14]), None), Choice::TooOld(14));
        assert_eq!(choose(installed(&[14, 15]), Some(14)), Choice::TooOld(14));
        assert_eq!(
            choose(installed(&[15, 17]), Some(16)),
            Choice::OthersOnly { made_by: 16, found: "15, 17".to_owned() }
        );
    }

    #[test]
    fn an_empty_directory_is_refused_with_the_three_ways_out() {
        let empty = tempfile::tempdir().expect("a directory");
        let said = find_binaries(Some(empty.path()), None).expect_err("nothing there").to_string();
        for part in [&empty.path().display().to_string(), "apt-get install postgresql", "CHAPAR_PG_BIN", "DATABASE_URL"]
        {
            assert!(said.contains(part), "{part:?} is missing in: {said}");
        }
    }
}
