//! CPU time and memory of other processes, from `/proc`.

use std::{collections::HashMap, fs, io};

use serde::Serialize;

/// Kernel ticks in a second, as `/proc` counts them: 100 on every Linux architecture that Rust supports.
const TICKS: u64 = 100;

/// What a process, or a tree of them, has used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Usage {
    /// CPU time in milliseconds, user and system.
    pub cpu_ms: u64,
    /// Resident memory in KiB. Shared pages count in each process of a tree.
    pub rss_kib: u64,
    /// When the process started, in ticks since boot: another number is another process.
    pub started: u64,
}

/// One process.
#[derive(Clone, Debug)]
struct Stat {
    parent: u32,
    own_ms: u64,
    reaped_ms: u64,
    rss_kib: u64,
    started: u64,
}

/// Reads `/proc/PID/stat` (proc(5)). The name may hold blanks and parentheses, so fields count from the last `)`.
fn parse(stat: &str) -> Option<Stat> {
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_ascii_whitespace().collect();
    let number = |index: usize| fields.get(index)?.parse::<u64>().ok();
    Some(Stat {
        parent: fields.get(1)?.parse().ok()?,
        own_ms: (number(11)? + number(12)?) * 1000 / TICKS,
        reaped_ms: (number(13)? + number(14)?) * 1000 / TICKS,
        // In pages of 4 KiB.
        rss_kib: number(21)? * 4,
        started: number(19)?,
    })
}

fn stat(pid: u32) -> Option<Stat> {
    parse(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

/// One process, without its children.
pub fn usage(pid: u32) -> Option<Usage> {
    let it = stat(pid)?;
    Some(Usage { cpu_ms: it.own_ms, rss_kib: it.rss_kib, started: it.started })
}

/// This process.
pub fn own() -> Usage {
    usage(std::process::id()).unwrap_or_default()
}

/// All descendants of a process, without itself; `None` when there are none. Counts those that ended and were reaped
/// by their parents.
pub fn descendants(pid: u32) -> Option<Usage> {
    let root = stat(pid)?;
    let all: HashMap<u32, Stat> = pids().into_iter().filter_map(|pid| Some((pid, stat(pid)?))).collect();
    let mut sum = Usage { cpu_ms: root.reaped_ms, rss_kib: 0, started: root.started };
    let (mut found, mut queue) = (false, vec![pid]);
    while let Some(parent) = queue.pop() {
        for (child, it) in all.iter().filter(|(_, it)| it.parent == parent) {
            found = true;
            sum.cpu_ms += it.own_ms + it.reaped_ms;
            sum.rss_kib += it.rss_kib;
            queue.push(*child);
        }
    }
    found.then_some(sum)
}

/// A process with its descendants.
pub fn tree(pid: u32) -> Option<Usage> {
    let own = usage(pid)?;
    let below = descendants(pid).unwrap_or_default();
    Some(Usage { cpu_ms: own.cpu_ms + below.cpu_ms, rss_kib: own.rss_kib + below.rss_kib, started: own.started })
}

fn pids() -> Vec<u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

/// The process that listens on a TCP port of this machine, found by the inode of the socket.
pub fn listener(port: u16) -> Option<u32> {
    let inodes: Vec<String> = ["/proc/net/tcp", "/proc/net/tcp6"]
        .iter()
        .filter_map(|path| fs::read_to_string(path).ok())
        .flat_map(|table| listening_inodes(&table, port))
        .map(|inode| format!("socket:[{inode}]"))
        .collect();
    pids().into_iter().find(|pid| {
        let links = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
        links
            .filter_map(|link| fs::read_link(link.path()).ok())
            .any(|to| inodes.iter().any(|it| to.as_os_str() == it.as_str()))
    })
}

fn listening_inodes(table: &str, port: u16) -> Vec<String> {
    let local = format!(":{port:04X}");
    table
        .lines()
        .map(|line| line.split_ascii_whitespace().collect::<Vec<_>>())
        .filter(|fields| fields.len() > 9 && fields[1].ends_with(&local) && fields[3] == "0A")
        .map(|fields| fields[9].to_owned())
        .collect()
}

/// CPU time of the children of this process that have ended, in milliseconds.
pub fn reaped_ms() -> u64 {
    stat(std::process::id()).map_or(0, |it| it.reaped_ms)
}

/// Lets others go first: this process gets what they leave, or little more.
pub fn be_last() {
    // Where it is not allowed, all are alike, as before.
    let _ = rustix::process::nice(10);
}

/// Lets this process, and those that it starts from now on, open as many files as it may.
pub fn raise_open_files() {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    let most = rustix::process::Rlimit { current: limit.maximum, maximum: limit.maximum };
    // What it has is looked at before anybody connects.
    let _ = rustix::process::setrlimit(rustix::process::Resource::Nofile, most);
}

/// Fails, saying what to do, when the limit of open files does not allow that many connections.
///
/// # Errors
/// The advice.
pub fn check_open_files(connections: u32) -> io::Result<()> {
    let limits = fs::read_to_string("/proc/self/limits")?;
    let soft = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max open files")?.split_ascii_whitespace().next()?.parse::<u64>().ok());
    let need = u64::from(connections) + 64;
    match soft {
        Some(soft) if soft < need => Err(io::Error::other(format!(
            "{connections} connections need {need} open files, the limit is {soft}: run `ulimit -n {need}` first, \
             here and in the server's shell"
        ))),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_blanks_and_parentheses_does_not_shift_the_fields() {
        let line =
            "7 (a) b (c)) S 3 7 7 0 -1 4194560 1 2 3 4 150 50 20 10 20 0 1 0 12345 1000000 256 18446744073709551615";
        let it = parse(line).expect("fields");
        assert_eq!((it.parent, it.own_ms, it.reaped_ms, it.rss_kib, it.started), (3, 2000, 300, 1024, 12345));
    }

    #[test]
    fn the_listener_of_a_port_is_found() {
        let socket = std::net::TcpListener::bind("127.0.0.1:0").expect("binds");
        let port = socket.local_addr().expect("bound").port();
        assert_eq!(listener(port), Some(std::process::id()));
        assert!(own().rss_kib > 0);
    }
}
