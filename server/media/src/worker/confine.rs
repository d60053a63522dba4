//! What a worker may still do: read its input, write into its folder, and compute for a while.

use std::{error::Error, fs, io, path::Path};

use landlock::{
    ABI, Access, AccessFs, AccessNet, PathBeneath, PathFd, Ruleset, RulesetAttr, RulesetCreatedAttr, RulesetStatus,
    Scope,
};
use rustix::process::{Resource, Rlimit, setrlimit};
use seccompiler::{BpfProgram, SeccompAction, SeccompFilter};
use serde::{Deserialize, Serialize};

use crate::{FileKind, kind::cpu_seconds};

/// The address space of a worker. Decoding 50 megapixels with transparency takes some 450 MB.
const MEMORY: u64 = 700 << 20;
/// Beside the three pipes: the input, one output, the ruleset.
const OPEN_FILES: u64 = 16;
/// What a worker may write beyond the size of its input, into one file.
const GROWTH: u64 = 64 << 20;

/// How far landlock holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Confined {
    /// Everything that was asked for.
    Fully,
    /// Not everything: the kernel is older.
    Partly,
    /// Not at all: the kernel has no landlock.
    Not,
}

/// Gives up everything but what the job needs, for good: of this thread and of all that it starts.
///
/// # Errors
/// When `input` or `out` is not there, or the kernel refuses a limit.
pub fn confine(kind: FileKind, input: &Path, out: &Path) -> io::Result<Confined> {
    // People's chats go first.
    let _ = rustix::process::nice(19);
    let limit = |resource, most: u64| {
        setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) }).map_err(io::Error::from)
    };
    limit(Resource::As, MEMORY)?;
    limit(Resource::Core, 0)?;
    limit(Resource::Nofile, OPEN_FILES)?;
    limit(Resource::Fsize, fs::metadata(input)?.len().saturating_add(GROWTH))?;
    let seconds = cpu_seconds(kind);
    // The first bound ends it with a signal that says why; the second is the kernel's last word.
    let cpu = Rlimit { current: Some(seconds), maximum: Some(seconds + 1) };
    setrlimit(Resource::Cpu, cpu)?;
    let confined = landlock(input, out).map_err(|error| io::Error::other(format!("landlock: {error}")))?;
    seccomp().map_err(|error| io::Error::other(format!("seccomp: {error}")))?;
    Ok(confined)
}

/// What landlock does not hold: sockets that are not TCP, other programs, other processes, and the ways round both.
fn seccomp() -> Result<(), Box<dyn Error>> {
    let denied = [
        libc::SYS_socket,
        libc::SYS_socketpair,
        libc::SYS_connect,
        libc::SYS_bind,
        libc::SYS_execve,
        libc::SYS_execveat,
        libc::SYS_ptrace,
        libc::SYS_process_vm_readv,
        libc::SYS_process_vm_writev,
        libc::SYS_pidfd_getfd,
        libc::SYS_io_uring_setup,
        libc::SYS_bpf,
        libc::SYS_perf_event_open,
        libc::SYS_userfaultfd,
        libc::SYS_keyctl,
        libc::SYS_add_key,
        libc::SYS_unshare,
        libc::SYS_setns,
        libc::SYS_mount,
    ];
    let rules = denied.into_iter().map(|call| (call, Vec::new())).collect();
    let refuse = SeccompAction::Errno(libc::EACCES.unsigned_abs());
    let filter = SeccompFilter::new(rules, SeccompAction::Allow, refuse, std::env::consts::ARCH.try_into()?)?;
    let program: BpfProgram = filter.try_into()?;
    Ok(seccompiler::apply_filter(&program)?)
}

fn landlock(input: &Path, out: &Path) -> Result<Confined, Box<dyn Error>> {
    let into = AccessFs::ReadFile | AccessFs::WriteFile | AccessFs::MakeReg | AccessFs::Truncate;
    let status = Ruleset::default()
        .handle_access(AccessFs::from_all(ABI::V6))?
        .handle_access(AccessNet::from_all(ABI::V6))?
        .scope(Scope::from_all(ABI::V6))?
        .create()?
        .add_rule(PathBeneath::new(PathFd::new(input)?, AccessFs::ReadFile))?
        .add_rule(PathBeneath::new(PathFd::new(out)?, into))?
        .restrict_self()?;
    Ok(match status.ruleset {
        RulesetStatus::FullyEnforced => Confined::Fully,
        RulesetStatus::PartiallyEnforced => Confined::Partly,
        RulesetStatus::NotEnforced => Confined::Not,
    })
}
