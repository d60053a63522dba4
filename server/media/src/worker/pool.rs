//! Starts a worker for each file, so many at a time, and outlives every one of them.

use std::{
    io,
    os::unix::process::ExitStatusExt as _,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    sync::atomic::{AtomicBool, Ordering},
};

use rustix::process::Signal;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _},
    process::{Child, Command},
    sync::Semaphore,
    time::timeout,
};

use super::{Answer, Confined, Job};
use crate::{FileKind, PrepareError, Prepared, Reason, kind::patience, work::Refusal};

/// The largest answer: a preview, a waveform, some paths.
const LONGEST_ANSWER: u64 = 64 << 10;
/// Of what a dying worker says.
const LONGEST_COMPLAINT: u64 = 4 << 10;

/// Starts workers. A process per file and not a pool of them: its limits are of this file alone, landlock shows it this
/// file alone, and nothing needs mending after a death. Starting one takes some milliseconds.
#[derive(Debug)]
pub struct Workers {
    exe: PathBuf,
    places: Semaphore,
    told: AtomicBool,
}

impl Workers {
    /// Workers of `exe` (called with `media-worker`), at most `how_many` at a time; further jobs wait.
    pub fn new(exe: PathBuf, how_many: usize) -> Self {
        Self { exe, places: Semaphore::new(how_many.max(1)), told: AtomicBool::new(false) }
    }

    /// Workers of the running program itself, even after an upgrade has put another one in its place.
    pub fn of_this_program(how_many: usize) -> Self {
        Self::new(PathBuf::from("/proc/self/exe"), how_many)
    }

    pub(crate) async fn run(&self, kind: FileKind, input: &Path, out: &Path) -> Result<Prepared, PrepareError> {
        let _place = self.places.acquire().await.map_err(io::Error::other)?;
        // The worker stands elsewhere and knows no other environment.
        let job = Job { kind, input: std::path::absolute(input)?, out: std::path::absolute(out)? };
        let mut child = self.spawn()?;
        if let Ok(said) = timeout(patience(kind), talk(&mut child, &job)).await {
            return self.judge(&said?);
        }
        child.kill().await?;
        // Its processor time was not used up, or it would have died of that: this machine is too busy.
        Err(io::Error::new(io::ErrorKind::TimedOut, "the worker had no time in a long while").into())
    }

    fn spawn(&self) -> io::Result<Child> {
        Command::new(&self.exe)
            .arg0("chapar")
            .arg("media-worker")
            // Passwords of the database stand in the node's environment.
            .env_clear()
            // Allocators that reserve much address space at once would not fit the limit.
            .env("MIMALLOC_ARENA_RESERVE", "32MiB")
            .env("RUST_BACKTRACE", "0")
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
    }

    fn judge(&self, said: &Said) -> Result<Prepared, PrepareError> {
        if !said.status.success() {
            let complaint = String::from_utf8_lossy(&said.complaint);
            tracing::warn!(status = %said.status, complaint = complaint.trim(), "a media worker died");
            return Err(why_it_died(said.status));
        }
        let answer: Answer = serde_json::from_slice(&said.answer).map_err(io::Error::other)?;
        if answer.confined != Confined::Fully && !self.told.swap(true, Ordering::Relaxed) {
            tracing::warn!(confined = ?answer.confined, "this kernel's landlock does not confine media workers fully");
        }
        answer.outcome.map_err(|refusal| match refusal {
            Refusal::Refused(reason) => PrepareError::Refused(reason),
            Refusal::TooLarge => PrepareError::TooLarge,
            Refusal::Failed(what) => PrepareError::Failed(io::Error::other(what)),
        })
    }
}

struct Said {
    status: ExitStatus,
    answer: Vec<u8>,
    complaint: Vec<u8>,
}

async fn talk(child: &mut Child, job: &Job) -> io::Result<Said> {
    let piped = "the pipes were asked for";
    let mut stdin = child.stdin.take().expect(piped);
    let (stdout, stderr) = (child.stdout.take().expect(piped), child.stderr.take().expect(piped));
    let job = serde_json::to_vec(job)?;
    let write = async move {
        // One that dies first is judged by its status.
        let _ = stdin.write_all(&job).await;
    };
    let ((), answer, complaint) =
        tokio::join!(write, listen(stdout, LONGEST_ANSWER), listen(stderr, LONGEST_COMPLAINT));
    Ok(Said { status: child.wait().await?, answer: answer?, complaint: complaint.unwrap_or_default() })
}

/// What is said, up to `longest` bytes. Then nobody listens any more, and whoever talks on dies of it.
async fn listen(pipe: impl AsyncRead + Unpin, longest: u64) -> io::Result<Vec<u8>> {
    let mut said = Vec::new();
    pipe.take(longest).read_to_end(&mut said).await?;
    Ok(said)
}

/// Whether the file killed the worker or somebody else did.
fn why_it_died(status: ExitStatus) -> PrepareError {
    /// The exit code of a panic.
    const PANICKED: i32 = 101;
    let of_limits = [Signal::ABORT, Signal::XCPU, Signal::XFSZ, Signal::SEGV, Signal::BUS, Signal::ILL];
    let by_file = match status.signal() {
        Some(signal) => of_limits.iter().any(|it| it.as_raw() == signal),
        // A panic is our fault, but the same file would bring it about again.
        None => status.code() == Some(PANICKED),
    };
    if by_file {
        PrepareError::Refused(Reason::Bomb)
    } else {
        PrepareError::Failed(io::Error::other(format!("{status}")))
    }
}
