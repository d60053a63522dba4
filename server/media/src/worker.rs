//! The worker process: started for one file, with little memory, little time and no way out.

mod confine;
mod pool;

use std::{
    io::{self, Read as _, Write as _},
    path::PathBuf,
    process::ExitCode,
};

use serde::{Deserialize, Serialize};

use crate::{FileKind, Prepared, work, work::Refusal};

pub use confine::{Confined, confine};
pub use pool::Workers;

/// What the worker reads from its standard input.
#[derive(Debug, Serialize, Deserialize)]
struct Job {
    kind: FileKind,
    input: PathBuf,
    out: PathBuf,
}

/// What it writes to its standard output. JSON to the end of the pipe: there is one job, so nothing needs a length.
#[derive(Debug, Serialize, Deserialize)]
struct Answer {
    confined: Confined,
    outcome: Result<Prepared, Refusal>,
}

/// The largest job: two paths.
const LONGEST_JOB: u64 = 64 << 10;

/// `chapar media-worker`: reads a job, gives up everything that it does not need for it, does it, and tells.
pub fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("chapar media-worker: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> io::Result<()> {
    let mut job = Vec::new();
    io::stdin().take(LONGEST_JOB).read_to_end(&mut job)?;
    let job: Job = serde_json::from_slice(&job)?;
    let confined = confine(job.kind, &job.input, &job.out)?;
    let outcome = work(job.kind, &job.input, &job.out);
    let answer = serde_json::to_vec(&Answer { confined, outcome })?;
    io::stdout().write_all(&answer)
}
