//! A thousand photos of 12 megapixels come in at once, over lines like those of phones, and are made ready: what people who chat
//! meanwhile notice, against the same people before, in the same run.

use std::{
    collections::BTreeMap,
    io::{self, BufReader, Write},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use chapar_protocol::account::{BulkUsers, BulkUsersMade};
use clap::Args;
use image::{Rgb, RgbImage, codecs::jpeg::JpegEncoder};

use super::{
    Error, Run,
    broadcast::api,
    upload::{Client, header, location, status},
};
use crate::{
    args::Common,
    process,
    report::{Meters, Report},
    rig::{Databases, Own, Plain},
    schedule::{Mix, Picker},
    stats::Percentiles,
    world,
};

/// See [`crate::args::Scenario::Photos`].
#[derive(Clone, Debug, Args)]
pub struct PhotosArgs {
    /// What a scenario needs that starts its own node.
    #[command(flatten)]
    pub own: Own,
    /// How many photos, each by somebody else.
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=4000))]
    pub photos: u32,
    /// What the line of each carries, in kbit/s.
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(100..=100_000))]
    pub line: u32,
    /// People who chat, in direct chats and groups.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(20..=2000))]
    pub people: u32,
    /// Messages a second that they send in all.
    #[arg(long, default_value_t = 200)]
    pub rate: u64,
    /// How long each is measured: before, while the photos come, while they are made ready.
    #[arg(long, default_value_t = 20.0)]
    pub seconds: f64,
}

/// How often a line brings something.
const STEP: Duration = Duration::from_millis(100);
/// How long the last photo may take to be made ready after the last byte.
const PATIENCE: Duration = Duration::from_mins(20);

/// Runs it.
///
/// # Errors
/// See [`Error`].
pub fn run(args: &PhotosArgs) -> Result<Report, Error> {
    let plain = Plain::start(&args.own, Databases::One)?;
    let common = plain.common(&args.own);
    let bulk = BulkUsers { count: args.photos, prefix: "photo".into() };
    let made: BulkUsersMade = api(&common).post("/api/v1/admin/users", &common.admin_token, &bulk)?;
    let tokens: Vec<String> = made.users.into_iter().map(|it| it.token).collect();
    let photo = photo()?;
    let mix: Mix = "direct:70,group:30".parse().map_err(io::Error::other)?;
    let chats = world::plan(args.people, &mix.kinds(), 10);
    let mut picker = Picker::new(&mix, &chats, args.own.seed);
    let mut run = Run::set_up(&common, args.people, chats, 20..=400, 16)?;
    run.connect()?;
    let mut measure = |run: &mut Run, seconds: f64| -> Result<Percentiles, Error> {
        run.chat(&mut picker, args.rate, seconds, || {})?;
        run.engine.until(Duration::from_secs(10), |engine| engine.quiescent())?;
        Ok(Percentiles::from(&run.engine.shared.stats.to_receive))
    };
    // The first messages find cold caches.
    measure(&mut run, 2.0)?;
    let mut meters = Meters::start(&common);
    let before = measure(&mut run, args.seconds)?;
    let began = Instant::now();
    let lines = Arc::new(Lines::default());
    let sending = send_all(args, &common, &tokens, &photo, &lines);
    run.engine.until(Duration::from_mins(1), |_| lines.begun.load(Ordering::Relaxed) == args.photos)?;
    let in_flight_at_first = args.photos - lines.arrived.load(Ordering::Relaxed);
    let coming = measure(&mut run, args.seconds)?;
    let in_flight_at_last = args.photos - lines.arrived.load(Ordering::Relaxed);
    run.engine.until(Duration::from_mins(10), |_| sending.is_finished())?;
    sending.join().map_err(|_| io::Error::other("a photo's line panicked"))??;
    let arrived = began.elapsed();
    let preparing = measure(&mut run, args.seconds)?;
    let mut ready = 0;
    let patience = Instant::now() + PATIENCE;
    while Instant::now() < patience {
        ready = plain.postgres.sql("SELECT count(*) FROM files WHERE state = 'ready'")?.trim().parse().unwrap_or(0);
        if ready == args.photos {
            break;
        }
        run.engine.until(Duration::from_secs(1), |_| false)?;
    }
    let prepared = began.elapsed();
    meters.stop();

    let mut report = Report::new(
        "photos",
        serde_json::json!({
            "photos": args.photos, "line": args.line, "people": args.people, "rate": args.rate,
            "seconds": args.seconds, "seed": args.own.seed, "bytes": photo.len(),
        }),
    );
    report.window_seconds = args.seconds;
    report.meters(&meters, "photo", u64::from(args.photos));
    let more = |it: &Percentiles| 100.0 * (it.p99_ms / before.p99_ms - 1.0);
    for (name, value) in [
        ("chat before: p50, ms", before.p50_ms),
        ("chat before: p99, ms", before.p99_ms),
        ("chat while photos come: p50, ms", coming.p50_ms),
        ("chat while photos come: p99, ms", coming.p99_ms),
        ("chat while photos come: p99 is more by, % (50 are allowed)", more(&coming)),
        ("chat while they are made ready: p99, ms", preparing.p99_ms),
        ("chat while they are made ready: p99 is more by, %", more(&preparing)),
        ("photos in flight when that began", f64::from(in_flight_at_first)),
        ("photos in flight when that ended", f64::from(in_flight_at_last)),
        ("seconds until the last byte", arrived.as_secs_f64()),
        ("seconds until all are ready", prepared.as_secs_f64()),
    ] {
        report.figure(name, value);
    }
    for (status, count) in lines.refused.lock().unwrap_or_else(PoisonError::into_inner).iter() {
        report.figure(&format!("answers of {status}, after which the photo went on"), f64::from(*count));
    }
    let mut report = run.finish(report)?;
    if let Some(audit) = report.audit.as_mut().filter(|_| ready < args.photos) {
        audit.violations += u64::from(args.photos - ready);
        audit.by_kind.insert("photos that are not ready".to_owned(), u64::from(args.photos - ready));
    }
    Ok(report)
}

/// How far the lines are.
#[derive(Debug, Default)]
struct Lines {
    begun: AtomicU32,
    arrived: AtomicU32,
    /// By status.
    refused: Mutex<BTreeMap<u16, u32>>,
}

/// All at once, behind those who chat: phones have processors of their own.
fn send_all(
    args: &PhotosArgs,
    common: &Common,
    tokens: &[String],
    photo: &Arc<[u8]>,
    lines: &Arc<Lines>,
) -> JoinHandle<io::Result<()>> {
    let clients: Vec<Client> = tokens.iter().map(|token| Client::of(common, token)).collect();
    let (photo, lines) = (photo.clone(), lines.clone());
    let step = args.line as usize * 125 / 10;
    thread::spawn(move || {
        process::be_last();
        let mut threads = Vec::new();
        for (number, client) in (0_u32..).zip(clients) {
            let (photo, lines) = (photo.clone(), lines.clone());
            let line = move || send(&client, number, &photo, step, &lines);
            threads.push(thread::Builder::new().stack_size(128 * 1024).spawn(line)?);
        }
        for it in threads {
            it.join().map_err(|_| io::Error::other("a photo's line panicked"))??;
        }
        Ok(())
    })
}

/// Sends one, so many bytes each [`STEP`].
fn send(client: &Client, number: u32, photo: &[u8], step: usize, lines: &Lines) -> io::Result<()> {
    // What stands in a comment behind the first mark makes each another content: the same would be stored once.
    let comment = [&[0xFF, 0xFE, 0, 6][..], &number.to_be_bytes()].concat();
    let length = photo.len() + comment.len();
    // `kind photo`
    let made =
        client.ask("POST", "/files", &format!("Upload-Length: {length}\r\nUpload-Metadata: kind cGhvdG8=\r\n"))?;
    let path = location(&mut BufReader::new(made))?;
    let head =
        format!("Content-Type: application/offset+octet-stream\r\nUpload-Offset: 0\r\nContent-Length: {length}\r\n");
    let mut stream = client.ask("PATCH", &path, &head)?;
    stream.write_all(&photo[..2])?;
    stream.write_all(&comment)?;
    lines.begun.fetch_add(1, Ordering::Relaxed);
    let mut due = Instant::now();
    for portion in photo[2..].chunks(step) {
        thread::sleep(due.saturating_duration_since(Instant::now()));
        due += STEP;
        stream.write_all(portion)?;
    }
    let mut answer = status(&mut BufReader::new(stream))?;
    let patience = Instant::now() + PATIENCE;
    // Refused for the moment: what has come counts, as everywhere, and whoever asks is told.
    while answer != 204 && Instant::now() < patience {
        *lines.refused.lock().unwrap_or_else(PoisonError::into_inner).entry(answer).or_default() += 1;
        thread::sleep(Duration::from_millis(500));
        let told = header(&mut BufReader::new(client.ask("HEAD", &path, "")?), "upload-offset")?;
        if told == Some(length as u64) {
            answer = 204;
        }
    }
    lines.arrived.fetch_add(1, Ordering::Relaxed);
    Ok(())
}

/// Twelve megapixels, smooth with some noise: about as many bytes as a phone makes of it.
fn photo() -> io::Result<Arc<[u8]>> {
    let mut noise = 1_u32;
    let picture = RgbImage::from_fn(4000, 3000, |x, y| {
        noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let grain = noise.to_le_bytes()[3] >> 4;
        let shade = |value: u32| u8::try_from(value % 240).unwrap_or(0) + grain;
        Rgb([shade(x / 17), shade(y / 13), shade((x + y) / 29)])
    });
    let mut bytes = Vec::new();
    JpegEncoder::new_with_quality(&mut bytes, 85).encode_image(&picture).map_err(io::Error::other)?;
    Ok(bytes.into())
}
