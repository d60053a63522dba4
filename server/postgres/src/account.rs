//! Under which account Postgres runs. It refuses root.

use std::fmt;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::{Command, Stdio};

use super::{Binaries, EmbeddedPostgresError};

/// In the order of preference.
const SERVICE_ACCOUNTS: [&str; 2] = ["postgres", "nobody"];

/// Every way ends in an `exec`, so that the child's process id is the postmaster's. `setpriv` (util-linux) also asks the
/// kernel for SIGINT when the thread that spawned it ends; from here that call would be unsafe code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Account {
    /// The account that `chapar` runs under. Without a `setpriv` that knows `--pdeathsig` (busybox) the signal is
    /// missing, and an orphan is stopped by the next start instead.
    Own { death_signal: bool },
    /// Another account, entered from root.
    Other(Entry),
    /// Root's own files, in a user namespace where root is seen as this account.
    Mapped(Entry),
}

/// A line of the list of accounts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    name: String,
    uid: u32,
    gid: u32,
}

impl Account {
    /// Looks at who we are, whose the cluster is and what works here.
    pub(super) fn choose_for(
        data_dir: &Path,
        cluster: &Path,
        binaries: &Binaries,
    ) -> Result<Self, EmbeddedPostgresError> {
        let owner = match fs::metadata(cluster) {
            Ok(metadata) => Some((metadata.uid(), metadata.gid())),
            Err(_) => None,
        };
        let me = rustix::process::geteuid().as_raw();
        let passwd = fs::read_to_string("/etc/passwd").unwrap_or_default();
        choose(me, owner, &service_accounts(&passwd), |account| account.works(data_dir, &binaries.postgres)).map_err(
            |refusal| match refusal {
                Refusal::Foreign { owner } => {
                    EmbeddedPostgresError::ForeignCluster { cluster: cluster.to_owned(), owner, me }
                }
                Refusal::Nobody { tried } => EmbeddedPostgresError::NoAccount { data_dir: data_dir.to_owned(), tried },
            },
        )
    }

    /// A command that runs `program` under this account, without the variables that would change what Postgres does.
    pub(super) fn command(&self, program: &Path) -> Command {
        let mut command = match self {
            Self::Own { death_signal: false } => Command::new(program),
            Self::Own { death_signal: true } => setpriv(Command::new("setpriv")),
            Self::Other(Entry { uid, gid, .. }) => {
                let mut command = Command::new("setpriv");
                command.args([format!("--reuid={uid}"), format!("--regid={gid}"), "--clear-groups".to_owned()]);
                setpriv(command)
            }
            Self::Mapped(Entry { uid, gid, .. }) => {
                // setpriv inside, because entering a namespace would take the death signal away again.
                let mut command = Command::new("unshare");
                command.args(["--user".to_owned(), format!("--map-user={uid}"), format!("--map-group={gid}")]);
                command.args(["--", "setpriv"]);
                setpriv(command)
            }
        };
        if *self != (Self::Own { death_signal: false }) {
            command.arg("--").arg(program);
        }
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("PG") {
                command.env_remove(name);
            }
        }
        command.env("LC_ALL", "C.UTF-8").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command
    }

    /// To whom new directories must be given; `None` where they are right as this process makes them.
    pub(super) fn owner(&self) -> Option<(u32, u32)> {
        match self {
            Self::Other(Entry { uid, gid, .. }) => Some((*uid, *gid)),
            Self::Own { .. } | Self::Mapped(_) => None,
        }
    }

    /// Whether a program run this way starts, reaches the directory and can run Postgres.
    fn works(&self, data_dir: &Path, postgres: &Path) -> bool {
        let mut probe = self.command(Path::new("/bin/sh"));
        probe.args(["-c", "cd \"$1\" && exec \"$2\" --version", "sh"]).arg(data_dir).arg(postgres);
        probe.status().is_ok_and(|status| status.success())
    }
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Own { .. } => write!(f, "chapar's own account"),
            Self::Other(entry) => write!(f, "the account {}", entry.name),
            Self::Mapped(entry) => write!(f, "root, seen as {} in a user namespace", entry.name),
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Refusal {
    Foreign { owner: u32 },
    Nobody { tried: String },
}

/// The rule. `works` tries a candidate on this machine.
fn choose(
    me: u32,
    cluster_owner: Option<(u32, u32)>,
    service_accounts: &[Entry],
    mut works: impl FnMut(&Account) -> bool,
) -> Result<Account, Refusal> {
    if me != 0 {
        return match cluster_owner {
            Some((owner, _)) if owner != me => Err(Refusal::Foreign { owner }),
            _ => {
                let with_signal = Account::Own { death_signal: true };
                Ok(if works(&with_signal) { with_signal } else { Account::Own { death_signal: false } })
            }
        };
    }
    let mapped = service_accounts.iter().cloned().map(Account::Mapped);
    let candidates: Vec<Account> = match cluster_owner {
        Some((0, _)) => mapped.collect(),
        Some((uid, gid)) => {
            let known = service_accounts.iter().find(|entry| entry.uid == uid);
            let name = known.map_or_else(|| format!("with user id {uid}"), |entry| entry.name.clone());
            vec![Account::Other(Entry { name, uid, gid })]
        }
        None => service_accounts.iter().cloned().map(Account::Other).chain(mapped).collect(),
    };
    candidates.iter().find(|candidate| works(candidate)).cloned().ok_or_else(|| Refusal::Nobody {
        tried: if candidates.is_empty() {
            "there is no account `postgres` or `nobody`".to_owned()
        } else {
            let tried: Vec<String> =
                candidates.iter().map(|candidate| format!("{candidate} cannot run Postgres on it")).collect();
            tried.join(", ")
        },
    })
}

fn setpriv(mut command: Command) -> Command {
    command.args(["--pdeathsig", "INT"]);
    command
}

fn service_accounts(passwd: &str) -> Vec<Entry> {
    let entry = |wanted: &&str| {
        passwd.lines().find_map(|line| {
            let mut fields = line.split(':');
            let name = fields.next().filter(|name| name == wanted)?.to_owned();
            let mut numbers = fields.skip(1).map(str::parse);
            Some(Entry { name, uid: numbers.next()?.ok()?, gid: numbers.next()?.ok()? })
        })
    };
    SERVICE_ACCOUNTS.iter().filter_map(entry).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &str = "root:x:0:0:root:/root:/bin/bash\nnobody:x:65534:65533::/:/bin/false\npostgres:x:101:104::/:";

    fn entries() -> Vec<Entry> {
        service_accounts(PASSWD)
    }

    #[test]
    fn root_prefers_postgres_then_nobody_then_a_namespace() {
        let names = |account: &Account| account.to_string();
        let first = choose(0, None, &entries(), |_| true).expect("an account");
        assert_eq!(names(&first), "the account postgres");
        let second = choose(0, None, &entries(), |account| account.owner() != Some((101, 104))).expect("an account");
        assert_eq!(names(&second), "the account nobody");
        let third = choose(0, None, &entries(), |account| account.owner().is_none()).expect("an account");
        assert_eq!(names(&third), "root, seen as postgres in a user namespace");
    }

    #[test]
    fn an_existing_cluster_keeps_its_owner() {
        let owned = choose(0, Some((65534, 65533)), &entries(), |_| true).expect("an account");
        assert_eq!(owned.owner(), Some((65534, 65533)));
        let roots = choose(0, Some((0, 0)), &entries(), |_| true).expect("an account");
        assert!(matches!(roots, Account::Mapped(_)));
        let foreign = choose(1000, Some((101, 104)), &entries(), |_| true);
        assert_eq!(foreign, Err(Refusal::Foreign { owner: 101 }));
    }

    #[test]
    fn an_ordinary_user_goes_without_the_signal_where_setpriv_is_missing() {
        assert_eq!(choose(1000, None, &[], |_| false), Ok(Account::Own { death_signal: false }));
    }

    #[test]
    fn when_nothing_works_everything_tried_is_said() {
        let Err(Refusal::Nobody { tried }) = choose(0, None, &entries(), |_| false) else { panic!() };
        for part in ["the account postgres", "the account nobody", "namespace"] {
            assert!(tried.contains(part), "{part:?} is missing in: {tried}");
        }
    }
}
