//! Against a server of a hundred lines that speaks tus and cuts where it likes.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use chapar_protocol::FileKind;
use rand::{Rng as _, RngExt as _, SeedableRng as _, rngs::StdRng};
use tokio::{
    io::{AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
};

use super::*;
use crate::endpoint::Endpoint;

/// What the server does with the next bytes of a file.
#[derive(Clone, Copy, Debug)]
enum Whim {
    /// Takes so many of them at most, and hangs up without a word.
    Cut(usize),
    /// Answers this, and takes nothing.
    Say(&'static str),
    /// Has forgotten all uploads.
    Forget,
}

#[derive(Default)]
struct Kept {
    uploads: HashMap<Uuid, Vec<u8>>,
    begun: usize,
    whims: Vec<Whim>,
    metadata: String,
    tokens: Vec<String>,
}

async fn serve(listener: TcpListener, kept: Arc<Mutex<Kept>>) {
    loop {
        let Ok((stream, _)) = listener.accept().await else { return };
        let kept = kept.clone();
        tokio::spawn(async move {
            let mut stream = BufReader::new(stream);
            while let Some(answer) = answer(&mut stream, &kept).await {
                let head = format!("HTTP/1.1 {answer}\r\nContent-Length: 0\r\n\r\n");
                if stream.get_mut().write_all(head.as_bytes()).await.is_err() {
                    return;
                }
            }
        });
    }
}

/// Takes one request. `None`: it hangs up.
async fn answer(stream: &mut BufReader<TcpStream>, kept: &Mutex<Kept>) -> Option<String> {
    use tokio::io::AsyncBufReadExt as _;
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await.ok().filter(|bytes| *bytes > 0)?;
        if line.trim().is_empty() {
            break;
        }
        lines.push(line.trim().to_owned());
    }
    let mut first = lines[0].split(' ');
    let (verb, path) = (first.next()?.to_owned(), first.next()?.to_owned());
    let header = |name: &str| {
        let found =
            lines.iter().filter_map(|line| line.split_once(": ")).find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.to_owned())
    };
    assert_eq!(header("tus-resumable").as_deref(), Some("1.0.0"));
    kept.lock().expect("not poisoned").tokens.extend(header("authorization"));
    if verb == "POST" {
        let mut kept = kept.lock().expect("not poisoned");
        let id = Uuid::new_v4();
        kept.uploads.insert(id, Vec::new());
        kept.begun += 1;
        kept.metadata = header("upload-metadata").unwrap_or_default();
        return Some(format!("201 Created\r\nLocation: /files/{id}"));
    }
    let id = Uuid::parse_str(path.rsplit('/').next()?).ok()?;
    let length: usize = header("content-length").and_then(|it| it.parse().ok()).unwrap_or(0);
    let whim = if verb == "PATCH" { kept.lock().expect("not poisoned").whims.pop() } else { None };
    let take = if let Some(Whim::Cut(bytes)) = whim { bytes.min(length) } else { length };
    let mut bytes = vec![0; take];
    stream.read_exact(&mut bytes).await.ok()?;
    let mut kept = kept.lock().expect("not poisoned");
    match whim {
        Some(Whim::Say(status)) => return Some(status.to_owned()),
        Some(Whim::Forget) => {
            kept.uploads.clear();
            return Some("404 Not Found".to_owned());
        }
        Some(Whim::Cut(_)) | None => {}
    }
    let Some(file) = kept.uploads.get_mut(&id) else { return Some("404 Not Found".to_owned()) };
    if verb == "HEAD" {
        return Some(format!("200 OK\r\nUpload-Offset: {}", file.len()));
    }
    if header("upload-offset").and_then(|it| it.parse().ok()) != Some(file.len()) {
        return Some("409 Conflict".to_owned());
    }
    file.extend_from_slice(&bytes);
    whim.is_none().then(|| format!("204 No Content\r\nUpload-Offset: {}", file.len()))
}

struct Stage {
    http: Http,
    upload: Upload,
    bytes: Vec<u8>,
    kept: Arc<Mutex<Kept>>,
    directory: tempfile::TempDir,
}

async fn stage(length: usize, rng: &mut StdRng, whims: Vec<Whim>) -> Stage {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("bound"));
    let kept = Arc::new(Mutex::new(Kept { whims, ..Kept::default() }));
    tokio::spawn(serve(listener, kept.clone()));
    let directory = tempfile::tempdir().expect("a directory");
    let mut bytes = vec![0; length];
    rng.fill_bytes(&mut bytes);
    let path = directory.path().join("سفر.bin");
    std::fs::write(&path, &bytes).expect("written");
    let metadata = std::fs::metadata(&path).expect("is there");
    let (name, modified) = (name_of(&path), modified(&metadata));
    let upload = Upload { path, kind: FileKind::Document, name, size: metadata.len(), modified, id: None };
    let http = Http::new(Endpoint::parse(&url).expect("an address"), None).expect("a client");
    Stage { http, upload, bytes, kept, directory }
}

fn dice() -> StdRng {
    let seed = std::env::var("CHAPAR_TEST_SEED").ok().map_or_else(rand::random, |seed| seed.parse().expect("a number"));
    println!("seed {seed}: replay with CHAPAR_TEST_SEED={seed}");
    StdRng::seed_from_u64(seed)
}

#[tokio::test]
async fn a_file_arrives_whole_however_often_it_is_cut() {
    let mut rng = dice();
    let mut whims: Vec<Whim> = (0..20).map(|_| Whim::Cut(rng.random_range(0..200_000))).collect();
    for say in ["409 Conflict", "423 Locked", "460 Checksum Mismatch", "503 Service Unavailable", "401 Unauthorized"] {
        whims.insert(rng.random_range(0..whims.len()), Whim::Say(say));
    }
    let it = stage(4_000_000, &mut rng, whims).await;
    let steps = Mutex::new((Vec::new(), Vec::new()));
    let tell = |step| match step {
        Step::Begun(file) => steps.lock().expect("not poisoned").0.push(file),
        Step::Sent(bytes) => steps.lock().expect("not poisoned").1.push(bytes),
    };
    let file = run(&it.http, || "a token".into(), &it.upload, tell).await.expect("arrives");
    let kept = it.kept.lock().expect("not poisoned");
    assert_eq!((kept.begun, kept.whims.len()), (1, 0), "one upload, cut at every turn");
    assert!(kept.uploads[&file.0] == it.bytes, "every byte in its place");
    assert_eq!(kept.metadata, "kind ZG9jdW1lbnQ=,filename 2LPZgdixLmJpbg==");
    assert!(kept.tokens.iter().all(|token| token == "Bearer a token"));
    let (begun, sent) = steps.into_inner().expect("not poisoned");
    assert_eq!(begun, [file]);
    assert!(sent.is_sorted() && sent.last() == Some(&4_000_000), "progress never goes back: {sent:?}");
}

#[tokio::test]
async fn what_the_server_has_forgotten_goes_up_anew_and_what_it_refuses_does_not() {
    let mut rng = dice();
    let it = stage(600_000, &mut rng, vec![Whim::Forget, Whim::Cut(100_000)]).await;
    let file = run(&it.http, String::new, &it.upload, |_| {}).await.expect("arrives");
    assert!(it.kept.lock().expect("not poisoned").uploads[&file.0] == it.bytes);
    assert_eq!(it.kept.lock().expect("not poisoned").begun, 2);
    // An upload of an earlier life of the process goes on.
    let half = FileId(Uuid::new_v4());
    it.kept.lock().expect("not poisoned").uploads.insert(half.0, it.bytes[..300_000].to_vec());
    let known = Upload { id: Some(half), ..it.upload.clone() };
    assert_eq!(run(&it.http, String::new, &known, |_| {}).await, Ok(half));
    assert!(it.kept.lock().expect("not poisoned").uploads[&half.0] == it.bytes);
    // The file has changed meanwhile: it is another one.
    std::fs::write(&it.upload.path, b"something else").expect("written");
    let error = run(&it.http, String::new, &it.upload, |_| {}).await.expect_err("changed");
    assert_eq!(error.code, ErrorCode::FileNotFound);
    drop(it.directory);
    let error = run(&it.http, String::new, &known, |_| {}).await.expect_err("gone");
    assert_eq!(error.code, ErrorCode::FileNotFound);
}
