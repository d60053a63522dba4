//! The worker process: confined, replaceable, and the only one that dies of a file.

#[path = "support/make.rs"]
mod make;

use std::{
    fs,
    io::{Read as _, Seek as _, SeekFrom, Write as _},
    net::TcpStream,
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
    time::{Duration, Instant},
};

use chapar_media::{
    FileKind, PrepareError, Reason, Workers, prepare,
    worker::{Confined, confine},
};
use image::{DynamicImage, ImageFormat};
use tokio::task::JoinSet;

fn workers(how_many: usize) -> Workers {
    Workers::new(PathBuf::from(env!("CARGO_BIN_EXE_media-worker")), how_many)
}

/// A program in place of the worker.
fn script(folder: &Path, text: &str) -> Workers {
    scripts(folder, text, 1)
}

fn scripts(folder: &Path, text: &str, how_many: usize) -> Workers {
    use std::os::unix::fs::PermissionsExt as _;
    let path = folder.join("worker");
    fs::write(&path, format!("#!/bin/sh\n{text}\n")).expect("writes");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("may run");
    Workers::new(path, how_many)
}

fn photo(folder: &Path) -> PathBuf {
    let path = folder.join("photo");
    DynamicImage::new_rgb8(1000, 600).save_with_format(&path, ImageFormat::Png).expect("writes");
    path
}

#[tokio::test]
async fn a_photo_goes_to_a_worker_and_comes_back_small() {
    let (folder, out) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    let input = photo(folder.path());
    let prepared = prepare(&workers(1), FileKind::Photo, &input, out.path()).await.expect("is taken");
    assert_eq!((prepared.width, prepared.height), (Some(1000), Some(600)));
    assert!(prepared.replaced.expect("made anew").starts_with(out.path()));
    assert_eq!(prepared.variants.len(), 2);
}

#[tokio::test]
async fn a_worker_that_dies_of_a_file_takes_nothing_with_it() {
    let (folder, out) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    let input = photo(folder.path());
    for death in ["kill -ABRT $$", "kill -XCPU $$", "kill -SEGV $$", "exit 101"] {
        let dying = script(folder.path(), death);
        let answer = prepare(&dying, FileKind::Photo, &input, out.path()).await;
        assert!(matches!(answer, Err(PrepareError::Refused(Reason::Bomb))), "{death}: {answer:?}");
        // A document is kept all the same.
        let kept = prepare(&dying, FileKind::Document, &input, out.path()).await.expect("is kept");
        assert_eq!((kept.mime.as_str(), kept.preview), ("image/png", None));
    }
}

#[tokio::test]
async fn what_is_not_the_files_fault_is_worth_another_try() {
    let (folder, out) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    let input = photo(folder.path());
    for death in ["kill -KILL $$", "kill -TERM $$", "exit 1", "echo no JSON"] {
        for kind in [FileKind::Photo, FileKind::Document] {
            let answer = prepare(&script(folder.path(), death), kind, &input, out.path()).await;
            assert!(matches!(answer, Err(PrepareError::Failed(_))), "{death}: {answer:?}");
        }
    }
    let nobody = Workers::new(folder.path().join("is-not-there"), 1);
    let answer = prepare(&nobody, FileKind::Photo, &input, out.path()).await;
    assert!(matches!(answer, Err(PrepareError::Failed(_))), "{answer:?}");
    let gone = prepare(&workers(1), FileKind::Photo, &folder.path().join("gone"), out.path()).await;
    assert!(matches!(gone, Err(PrepareError::Failed(_))), "{gone:?}");
}

#[tokio::test]
async fn a_worker_that_talks_without_end_is_not_listened_to() {
    let (folder, out) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    let input = photo(folder.path());
    let begun = Instant::now();
    let answer = prepare(&script(folder.path(), "exec yes"), FileKind::Photo, &input, out.path()).await;
    assert!(matches!(answer, Err(PrepareError::Failed(_))), "{answer:?}");
    assert!(begun.elapsed() < Duration::from_secs(20));
}

#[tokio::test]
async fn no_more_work_at_a_time_than_was_said() {
    let folder = tempfile::tempdir().expect("a folder");
    let input = photo(folder.path());
    // Each says that it is there, looks who else is, and goes.
    let text = format!(
        "cd {}\nmkdir here.$$\nsleep 0.2\nset -- here.*\n[ $# -le 2 ] || touch crowd\nrmdir here.$$\nexit 1",
        folder.path().display()
    );
    let two = Arc::new(scripts(folder.path(), &text, 2));
    let out = folder.path().join("out");
    fs::create_dir(&out).expect("makes");
    let mut all = JoinSet::new();
    for _ in 0..8 {
        let (two, input, out) = (Arc::clone(&two), input.clone(), out.clone());
        all.spawn(async move { prepare(&two, FileKind::Photo, &input, &out).await });
    }
    assert_eq!(all.join_all().await.len(), 8);
    assert!(!folder.path().join("crowd").exists());
}

#[tokio::test]
async fn a_job_that_is_not_wanted_any_more_leaves_no_worker() {
    let (folder, out) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    let input = photo(folder.path());
    let slow = script(folder.path(), &format!("echo $$ > {}/pid; exec sleep 60", folder.path().display()));
    let job = prepare(&slow, FileKind::Photo, &input, out.path());
    tokio::time::timeout(Duration::from_secs(1), job).await.expect_err("sleeps");
    let pid = fs::read_to_string(folder.path().join("pid")).expect("has begun");
    let alive = || {
        let state = fs::read_to_string(format!("/proc/{}/stat", pid.trim())).unwrap_or_default();
        !(state.is_empty() || state.contains(") Z "))
    };
    let until = Instant::now() + Duration::from_secs(5);
    while alive() && Instant::now() < until {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(!alive());
}

/// 800 MB, of which the worker may hold 700 in memory with everything else that it needs.
#[tokio::test]
async fn a_film_larger_than_its_memory_is_put_in_order() {
    const LENGTH: u32 = 800 << 20;
    let (folder, out) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    let input = folder.path().join("film");
    let mut file = fs::File::create(&input).expect("makes");
    let ftyp = make::ftyp(b"isom");
    let begin = u32::try_from(ftyp.len()).expect("short");
    let last = begin + LENGTH - 1000;
    let moov = make::Film { offset: last, ..make::Film::default() }.moov();
    file.write_all(&ftyp).expect("writes");
    file.write_all(&[&LENGTH.to_be_bytes()[..], b"mdat"].concat()).expect("writes");
    // Nothing but a hole until the last samples.
    file.seek(SeekFrom::Start(last.into())).expect("seeks");
    file.write_all(&[7; 1000]).expect("writes");
    file.write_all(&moov).expect("writes");
    drop(file);
    let prepared = prepare(&workers(1), FileKind::Video, &input, out.path()).await.expect("is taken");
    let mut kept = fs::File::open(prepared.replaced.expect("put in order")).expect("is there");
    let mut front = vec![0; ftyp.len() + moov.len()];
    kept.read_exact(&mut front).expect("reads");
    assert_eq!(&front[ftyp.len() + 4..ftyp.len() + 8], b"moov");
    let table = front.windows(4).position(|it| it == b"stco").expect("a table");
    let offset = u32::from_be_bytes(*front[table + 12..].first_chunk().expect("an offset"));
    assert_eq!(offset as usize, last as usize + moov.len());
    let mut sample = [0; 1000];
    kept.seek(SeekFrom::Start(offset.into())).expect("seeks");
    kept.read_exact(&mut sample).expect("reads");
    assert_eq!(sample, [7; 1000]);
}

const FOLDER: &str = "CHAPAR_TEST_PROBE";

/// What [`a_worker_reaches_nothing_but_its_job`] starts as a process of its own: tries everything that a worker which was
/// taken over would try.
#[test]
#[ignore = "is started by another test"]
fn probe() {
    let Ok(folder) = std::env::var(FOLDER) else { return };
    let folder = PathBuf::from(folder);
    let (input, out) = (folder.join("input"), folder.join("out"));
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("binds");
    let _socket = std::os::unix::net::UnixListener::bind(folder.join("socket")).expect("binds");
    let address = listener.local_addr().expect("has an address");
    assert_eq!(confine(FileKind::Photo, &input, &out).expect("confines"), Confined::Fully);

    assert_eq!(fs::read(&input).expect("may read its input"), b"input");
    fs::write(out.join("made"), b"x").expect("may write into its folder");
    for denied in [
        fs::read("/etc/passwd").err(),
        fs::read(folder.join("beside")).err(),
        fs::read_dir(&folder).err(),
        fs::write(folder.join("new"), b"x").err(),
        fs::write(&input, b"changed").err(),
        fs::create_dir(out.join("folder")).err(),
        fs::hard_link(&input, out.join("link")).err(),
        std::os::unix::fs::symlink("/etc/passwd", out.join("link")).err(),
        TcpStream::connect(address).err(),
        std::net::TcpListener::bind("127.0.0.1:0").err(),
        std::net::UdpSocket::bind("127.0.0.1:0").err(),
        std::os::unix::net::UnixStream::connect(folder.join("socket")).err(),
        std::os::unix::net::UnixStream::pair().err(),
        Command::new("/bin/true").status().err(),
    ] {
        let kind = denied.expect("is denied").kind();
        assert!([std::io::ErrorKind::PermissionDenied, std::io::ErrorKind::CrossesDevices].contains(&kind), "{kind}");
    }
    let mut much = Vec::<u8>::new();
    much.try_reserve_exact(800 << 20).expect_err("has not so much memory");
    let files: Vec<_> = (0..20).map(|number| fs::File::create(out.join(format!("{number}")))).collect();
    assert!(files.iter().any(Result::is_err), "opens as many files as it likes");
    println!("held");
}

#[test]
fn a_worker_reaches_nothing_but_its_job() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("input"), b"input").expect("writes");
    fs::write(folder.path().join("beside"), b"somebody else's").expect("writes");
    fs::create_dir(folder.path().join("out")).expect("makes");
    let probe = Command::new(std::env::current_exe().expect("this test"))
        .args(["--exact", "probe", "--ignored", "--nocapture"])
        .env(FOLDER, folder.path())
        .output()
        .expect("runs");
    let said = String::from_utf8_lossy(&probe.stdout);
    assert!(probe.status.success() && said.contains("held"), "{said}{}", String::from_utf8_lossy(&probe.stderr));
}

/// Computes for ever; only the limit ends it.
#[test]
#[ignore = "is started by another test"]
fn spin() {
    let Ok(folder) = std::env::var(FOLDER) else { return };
    let folder = PathBuf::from(folder);
    confine(FileKind::Photo, &folder.join("input"), &folder.join("out")).expect("confines");
    // One second is left instead of all, or the test would take as long.
    let cpu = rustix::process::Rlimit { current: Some(1), maximum: Some(2) };
    rustix::process::setrlimit(rustix::process::Resource::Cpu, cpu).expect("a limit may be lowered");
    let mut number = 1u64;
    loop {
        number = std::hint::black_box(number.wrapping_mul(6_364_136_223_846_793_005));
    }
}

#[test]
fn a_worker_that_computes_for_ever_is_ended() {
    use std::os::unix::process::ExitStatusExt as _;
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("input"), b"input").expect("writes");
    fs::create_dir(folder.path().join("out")).expect("makes");
    let spun = Command::new(std::env::current_exe().expect("this test"))
        .args(["--exact", "spin", "--ignored", "--nocapture"])
        .env(FOLDER, folder.path())
        .output()
        .expect("runs");
    assert_eq!(spun.status.signal(), Some(rustix::process::Signal::XCPU.as_raw()), "{spun:?}");
}
