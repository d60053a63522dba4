//! A large file over a line that is cut again and again, and many at once: whether they arrive whole, how fast against a plain PUT in the same
//! run, and what they take of the server's memory.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::Command,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    thread,
    time::{Duration, Instant},
};

use chapar_protocol::account::{BulkUsers, BulkUsersMade};
use clap::Args;

use super::{Error, broadcast::api};
use crate::{
    args::Common,
    message::Random,
    process,
    report::{AuditReport, Meters, Report},
    rig::{Databases, Own, Plain},
};

/// See [`crate::args::Scenario::Upload`].
#[derive(Clone, Debug, Args)]
pub struct UploadArgs {
    /// What a scenario needs that starts its own node.
    #[command(flatten)]
    pub own: Own,
    /// Megabytes of the file.
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u64).range(1..=2000))]
    pub megabytes: u64,
    /// How often its line is cut.
    #[arg(long, default_value_t = 20)]
    pub cuts: u32,
    /// How many files come at once, afterwards.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=500))]
    pub at_once: u32,
    /// Megabytes of each of those.
    #[arg(long, default_value_t = 40, value_parser = clap::value_parser!(u64).range(1..=2000))]
    pub each_megabytes: u64,
    /// What a line carries, in Mbit/s, over which both are compared once more: over loopback bytes cost only their copy.
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub line: u32,
}

const CHUNK: usize = 256 * 1024;
/// Refusals of one upload, 20 ms apart, before it is given up.
const REFUSED: u32 = 500;
const LOOK: Duration = Duration::from_millis(20);

/// Runs it.
///
/// # Errors
/// See [`Error`].
pub fn run(args: &UploadArgs) -> Result<Report, Error> {
    let plain = Plain::start(&args.own, Databases::One)?;
    let common = plain.common(&args.own);
    let bulk = BulkUsers { count: args.at_once.max(1), prefix: "upload".into() };
    let made: BulkUsersMade = api(&common).post("/api/v1/admin/users", &common.admin_token, &bulk)?;
    let tokens: Vec<String> = made.users.into_iter().map(|it| it.token).collect();
    let folder = Folder::new()?;
    let content = folder.content(args.megabytes * 1_000_000, args.own.seed)?;
    let small = folder.content(args.each_megabytes * 1_000_000, args.own.seed ^ 1)?;
    let mut meters = Meters::start(&common);
    let began = Instant::now();

    let client = |line| Client { line, ..Client::of(&common, &tokens[0]) };
    let put_at = put(&folder, &content, Some(args.line))?;
    let cut_at = client(Some(args.line)).upload(&content, args.cuts, args.own.seed)?;
    let put = put(&folder, &content, None)?;
    let whole = client(None).upload(&content, 0, args.own.seed)?;
    let cut = client(None).upload(&content, args.cuts, args.own.seed)?;
    let idle = process::usage(plain.node.id().unwrap_or_default()).map_or(0, |it| it.rss_kib);
    let (many, most) = many(args, &common, &tokens, &small, plain.node.id().unwrap_or_default())?;
    meters.stop();

    let mut violations = BTreeMap::new();
    for (file, content) in
        [&cut_at, &whole, &cut].map(|it| (&it.id, &content)).into_iter().chain(many.iter().map(|it| (&it.id, &small)))
    {
        if !stored(&plain, file, content)? {
            *violations.entry("files that did not arrive as they were sent".to_owned()).or_default() += 1;
        }
    }
    let rate = |took: Duration| megabytes(args.megabytes * 1_000_000, took);
    let mut report = Report::new(
        "upload",
        serde_json::json!({
            "megabytes": args.megabytes, "cuts": args.cuts, "at_once": args.at_once,
            "each_megabytes": args.each_megabytes, "line": args.line, "seed": args.own.seed,
        }),
    );
    report.window_seconds = began.elapsed().as_secs_f64();
    report.meters(&meters, "megabyte taken in", 3 * args.megabytes + u64::from(args.at_once) * args.each_megabytes);
    report.figure("a plain PUT, MB/s", rate(put));
    report.figure("an upload in one piece, MB/s", rate(whole.took));
    report.figure(&format!("an upload cut {} times, MB/s", cut.cuts), rate(cut.took));
    let goodput = |put: Duration, upload: Duration| 100.0 * put.as_secs_f64() / upload.as_secs_f64();
    report.figure("goodput of that against the plain PUT, %", goodput(put, cut.took));
    let line = args.line;
    report.figure(&format!("a plain PUT over {line} Mbit/s, MB/s"), rate(put_at));
    report.figure(&format!("an upload cut {} times over {line} Mbit/s, MB/s", cut_at.cuts), rate(cut_at.took));
    report.figure(
        &format!("goodput over {line} Mbit/s against the plain PUT, % (85 are asked for)"),
        goodput(put_at, cut_at.took),
    );
    let slowest = many.iter().map(|it| it.took).max().unwrap_or_default();
    report.figure(
        "at once, all together, MB/s",
        megabytes(u64::from(args.at_once) * args.each_megabytes * 1_000_000, slowest),
    );
    report.figure(
        "at once, the server's memory above idle, MiB (100 are asked for)",
        mebibytes(most.saturating_sub(idle)),
    );
    report.audit = Some(AuditReport {
        summary: Some(format!("{} uploads, each as its SHA-256 says: ", 3 + many.len())),
        violations: violations.values().sum(),
        by_kind: violations,
        ..AuditReport::default()
    });
    Ok(report)
}

/// All at once, one of them cut now and then. Returns how each went, and the most memory that the server took meanwhile, in KiB.
fn many(
    args: &UploadArgs,
    common: &Common,
    tokens: &[String],
    content: &Path,
    server: u32,
) -> Result<(Vec<Sent>, u64), Error> {
    let (over, most) = (AtomicBool::new(false), AtomicU64::new(0));
    thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                most.fetch_max(process::usage(server).map_or(0, |it| it.rss_kib), Ordering::Relaxed);
                thread::sleep(LOOK);
            }
        });
        let uploads: Vec<_> = tokens
            .iter()
            .enumerate()
            .map(|(n, token)| {
                let client = Client::of(common, token);
                scope.spawn(move || client.upload(content, 3, args.own.seed ^ n as u64))
            })
            .collect();
        let sent: Result<Vec<Sent>, Error> = uploads
            .into_iter()
            .map(|it| it.join().unwrap_or_else(|_| Err(io::Error::other("an upload panicked").into())))
            .collect();
        over.store(true, Ordering::Relaxed);
        Ok((sent?, most.load(Ordering::Relaxed)))
    })
}

/// What is sent, on the disk: removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn new() -> io::Result<Self> {
        let path = std::env::temp_dir().join(format!("chapar-loadtest-upload-{}", std::process::id()));
        fs::create_dir_all(&path)?;
        Ok(Self(path))
    }

    fn content(&self, bytes: u64, seed: u64) -> io::Result<PathBuf> {
        let (path, mut random) = (self.0.join(format!("{seed}-{bytes}")), Random::new(seed));
        let mut file = io::BufWriter::new(File::create(&path)?);
        let mut left = bytes;
        while left > 0 {
            let word = random.next_u64().to_le_bytes();
            let take = word.len().min(usize::try_from(left).unwrap_or(word.len()));
            file.write_all(&word[..take])?;
            left -= take as u64;
        }
        file.flush()?;
        Ok(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// What the same bytes take over the same loopback onto the same disk, with nothing in between.
fn put(folder: &Folder, content: &Path, line: Option<u32>) -> io::Result<Duration> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let (address, to) = (listener.local_addr()?, folder.0.join("put"));
    let server = thread::spawn(move || -> io::Result<()> {
        let (stream, _) = listener.accept()?;
        let mut reader = BufReader::with_capacity(CHUNK, stream);
        let length = header(&mut reader, "content-length")?.unwrap_or(0);
        let mut file = File::create(to)?;
        io::copy(&mut (&mut reader).take(length), &mut file)?;
        file.sync_data()?;
        reader.get_mut().write_all(b"HTTP/1.1 204 No Content\r\n\r\n")
    });
    let began = Instant::now();
    let length = fs::metadata(content)?.len();
    let mut stream = TcpStream::connect(address)?;
    stream.write_all(format!("PUT /file HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n").as_bytes())?;
    carry(&mut File::open(content)?, &mut stream, line)?;
    status(&mut BufReader::new(stream))?;
    let took = began.elapsed();
    server.join().map_err(|_| io::Error::other("the plain server panicked"))??;
    Ok(took)
}

/// Copies, as fast as a line carries.
fn carry(from: &mut impl Read, to: &mut TcpStream, line: Option<u32>) -> io::Result<u64> {
    let Some(line) = line else { return io::copy(from, to) };
    let (began, mut bytes, mut came) = (Instant::now(), vec![0; CHUNK], 0_u64);
    loop {
        match from.read(&mut bytes)? {
            0 => return Ok(came),
            read => {
                to.write_all(&bytes[..read])?;
                came += read as u64;
            }
        }
        // A Mbit/s is a bit in a microsecond.
        let due = Duration::from_micros(came * 8 / u64::from(line));
        thread::sleep(due.saturating_sub(began.elapsed()));
    }
}

/// How an upload went.
struct Sent {
    id: String,
    cuts: u32,
    took: Duration,
}

pub(super) struct Client {
    address: SocketAddr,
    token: String,
    /// What its line carries, in Mbit/s; none: what loopback does.
    line: Option<u32>,
}

impl Client {
    pub(super) fn of(common: &Common, token: &str) -> Self {
        Self { address: common.nodes[0].address, token: token.to_owned(), line: None }
    }

    pub(super) fn ask(&self, verb: &str, path: &str, more: &str) -> io::Result<TcpStream> {
        let mut stream = TcpStream::connect(self.address)?;
        let token = &self.token;
        let head = format!(
            "{verb} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer {token}\r\nTus-Resumable: 1.0.0\r\n{more}\r\n"
        );
        stream.write_all(head.as_bytes())?;
        Ok(stream)
    }

    fn upload(&self, content: &Path, cuts: u32, seed: u64) -> Result<Sent, Error> {
        let (length, mut random) = (fs::metadata(content)?.len(), Random::new(seed ^ 0xC07));
        let mut file = File::open(content)?;
        let began = Instant::now();
        let made = self.ask("POST", "/files", &format!("Upload-Length: {length}\r\n"))?;
        let path = location(&mut BufReader::new(made))?;
        let (mut at, mut cut, mut refused) = (0, 0, 0);
        while at < length {
            let mut portion = length - at;
            let is_cut = cut < cuts;
            if is_cut {
                // Each somewhere in what is left for it.
                let share = portion / u64::from(cuts - cut + 1);
                portion = share / 2 + random.next_u64() % share.max(1);
                cut += 1;
            }
            file.seek(SeekFrom::Start(at))?;
            let head = format!(
                "Content-Type: application/offset+octet-stream\r\nUpload-Offset: {at}\r\nContent-Length: {}\r\n",
                length - at
            );
            let mut stream = self.ask("PATCH", &path, &head)?;
            let written = carry(&mut (&mut file).take(portion), &mut stream, self.line);
            if is_cut {
                drop(stream);
            } else {
                let answer = status(&mut BufReader::new(stream));
                match (written, answer) {
                    (Ok(_), Ok(204)) => break,
                    // The one that was cut is not known to be gone yet: refused before all is written, the line may go with the answer.
                    (_, Ok(409 | 423 | 503)) | (Err(_), Err(_)) if refused < REFUSED => {
                        refused += 1;
                        thread::sleep(Duration::from_millis(20));
                    }
                    (written, answer) => {
                        written?;
                        return Err(io::Error::other(format!("PATCH: {}", answer?)).into());
                    }
                }
            }
            let told = self.ask("HEAD", &path, "")?;
            at = header(&mut BufReader::new(told), "upload-offset")?.ok_or_else(|| io::Error::other("no offset"))?;
        }
        let id = path.rsplit('/').next().unwrap_or_default().to_owned();
        Ok(Sent { id, cuts: cut, took: began.elapsed() })
    }
}

/// Whether what is stored is what was sent.
fn stored(plain: &Plain, file: &str, content: &Path) -> Result<bool, Error> {
    let output = Command::new("sha256sum").arg(content).output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let hash = text.split_whitespace().next().unwrap_or_default();
    let deadline = Instant::now() + Duration::from_mins(2);
    while Instant::now() < deadline {
        let kept =
            plain.postgres.sql(&format!("SELECT coalesce(encode(blob, 'hex'), '') FROM files WHERE id = '{file}'"))?;
        if !kept.trim().is_empty() {
            return Ok(kept.trim() == hash);
        }
        thread::sleep(Duration::from_millis(100));
    }
    Ok(false)
}

pub(super) fn status(reader: &mut impl BufRead) -> io::Result<u16> {
    let mut line = String::new();
    reader.read_line(&mut line)?;
    line.split(' ').nth(1).and_then(|it| it.parse().ok()).ok_or_else(|| io::Error::other("no answer"))
}

fn lines(reader: &mut impl BufRead) -> io::Result<Vec<(String, String)>> {
    let mut all = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 || line.trim().is_empty() {
            return Ok(all);
        }
        all.extend(line.split_once(':').map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned())));
    }
}

pub(super) fn header(reader: &mut impl BufRead, name: &str) -> io::Result<Option<u64>> {
    Ok(lines(reader)?.into_iter().find(|it| it.0 == name).and_then(|it| it.1.parse().ok()))
}

pub(super) fn location(reader: &mut impl BufRead) -> io::Result<String> {
    let found = lines(reader)?.into_iter().find(|it| it.0 == "location").map(|it| it.1);
    found.ok_or_else(|| io::Error::other("the upload was not begun"))
}

#[expect(clippy::cast_precision_loss, reason = "a figure for people")]
fn megabytes(bytes: u64, took: Duration) -> f64 {
    bytes as f64 / 1e6 / took.as_secs_f64()
}

#[expect(clippy::cast_precision_loss, reason = "a figure for people")]
fn mebibytes(kib: u64) -> f64 {
    kib as f64 / 1024.0
}
