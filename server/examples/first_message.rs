//! Measures what somebody waits for who starts Chapar for the first time, and each time after that: from starting the
//! process on its embedded default to the first message that is stored for good. `script/bench-start` runs this.
//!
//! Usage: `first_message <the program chapar> [<warm starts>]`

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, ExitCode, Stdio},
    time::{Duration, Instant},
};

use chapar_client::{Client, protocol::message::NewBody};

type Failure = Box<dyn std::error::Error>;

const PASSWORD: &str = "a long enough password";

/// When the two moments came, counted from the start of the process.
struct Times {
    ready: Duration,
    first_message: Duration,
}

#[tokio::main]
async fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let Some(program) = arguments.next() else {
        eprintln!("usage: first_message <the program chapar> [<warm starts>]");
        return ExitCode::FAILURE;
    };
    let warm_starts = arguments.next().and_then(|text| text.parse().ok()).unwrap_or(5);
    match measure(Path::new(&program), warm_starts).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("first_message: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn measure(program: &Path, warm_starts: u32) -> Result<(), Failure> {
    let scratch = tempfile::tempdir()?;
    // Root's Postgres runs under another account, which must pass through.
    std::fs::set_permissions(scratch.path(), std::os::unix::fs::PermissionsExt::from_mode(0o711))?;
    println!("start\tlistens after\tfirst message stored after");
    for number in 0..=warm_starts {
        let times = start_and_send(program, &scratch.path().join("data"), number == 0).await?;
        let name = if number == 0 { "cold (no data directory)".to_owned() } else { format!("warm {number}") };
        println!("{name}\t{} ms\t{} ms", times.ready.as_millis(), times.first_message.as_millis());
    }
    Ok(())
}

/// A new account where `is_first`, else signing in: both hash a password, as a person's first minute does.
async fn start_and_send(program: &Path, data_dir: &Path, is_first: bool) -> Result<Times, Failure> {
    let began = Instant::now();
    let mut command = Command::new(program);
    command
        .args(["--listen", "127.0.0.1:0", "--drain-seconds", "0", "--log-level", "warn", "--data-dir"])
        .arg(data_dir);
    command.env_remove("DATABASE_URL").env_remove("REDIS_URL");
    let mut node = Node(command.stdout(Stdio::piped()).spawn()?);
    let mut line = String::new();
    BufReader::new(node.0.stdout.take().ok_or("no output")?).read_line(&mut line)?;
    let url = line.trim().strip_prefix("chapar: listening on ").ok_or("chapar has not started")?.to_owned();
    let ready = began.elapsed();

    let client = Client::builder(url);
    let client = if is_first {
        client.register("sara", PASSWORD, None).await?
    } else {
        client.sign_in("sara", PASSWORD).await?
    };
    client.online().await?;
    let me = client.me().ok_or("not welcomed")?.id;
    let chat = client.open_direct(me).await?.chat.id;
    client.send(chat, NewBody::text("سلام"), None).await?;
    let first_message = began.elapsed();
    client.close().await;
    Ok(Times { ready, first_message })
}

/// Ends with SIGTERM, and is waited for: the next start must find everything closed.
struct Node(Child);

impl Drop for Node {
    fn drop(&mut self) {
        let _ = rustix::process::kill_process(rustix::process::Pid::from_child(&self.0), rustix::process::Signal::TERM);
        let _ = self.0.wait();
    }
}
