//! The line is cut again and again at any byte: what has come counts, the upload goes on from there, and arrives whole.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use sha1::Sha1;
use sha2::{Digest as _, Sha256};

use crate::support::{
    tus::{self, Tus, becomes, hash, noise, stored_hash},
    within,
    world::Plan,
};

#[tokio::test]
async fn it_goes_on_where_it_stopped_and_arrives_whole() {
    let seed = tus::seed();
    let mut dice = StdRng::seed_from_u64(seed);
    let world = Plan::single().start().await;
    let [me] = world.people().await;
    let tus = Tus::of(&world, &me);
    let bytes = noise(seed, 3_000_000);
    let path = tus.create("document", "حرم.bin", bytes.len()).await;
    let (mut at, mut cuts) = (0, 0);
    while cuts < 20 {
        let rest = &bytes[at..];
        let cut = dice.random_range(0..rest.len().min(400_000));
        assert!(tus.patch(&path, at as u64, rest, Some(cut)).await.is_err());
        cuts += 1;
        // Whoever comes back at once finds what has come so far, and not a byte more than was sent.
        let now = usize::try_from(tus.offset(&path).await).expect("fits");
        assert!((at..=at + cut).contains(&now), "{now} after {at} and {cut} (cut {cuts})");
        at = now;
        // A writer that is not known to be gone yet is made to give way when it has been silent for a moment.
        within("the upload to be free", async {
            while tus.patch(&path, at as u64, &[], None).await.expect("an answer").status == 423 {
                tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            }
        })
        .await;
        at = usize::try_from(tus.offset(&path).await).expect("fits");
        if bytes.len() - at < 500_000 {
            break;
        }
    }
    let answer = tus.patch(&path, at as u64, &bytes[at..], None).await.expect("taken");
    assert_eq!((answer.status, answer.number("upload-offset")), (204, bytes.len() as u64), "{answer:?}");
    becomes(&world, &path, "ready").await;
    assert_eq!(stored_hash(&world, &path), hash(&bytes));
    let told = tus.must("HEAD", &path, &[], &[]).await;
    assert_eq!(told.number("upload-offset"), told.number("upload-length"));
    let row =
        world.database.sql(&format!("SELECT name, mime, state, received FROM files WHERE id = '{}'", tus::id(&path)));
    assert_eq!(row, "حرم.bin|application/octet-stream|ready|3000000");
}

#[tokio::test]
async fn with_a_checksum_what_was_cut_does_not_count_and_the_rest_does() {
    let seed = tus::seed();
    let world = Plan::single().start().await;
    let [me] = world.people().await;
    let tus = Tus::of(&world, &me);
    let bytes = noise(seed, 900_000);
    let path = tus.create("document", "a", bytes.len()).await;
    let sha1 = |bytes: &[u8]| format!("sha1 {}", STANDARD.encode(Sha1::digest(bytes)));
    let sha256 = |bytes: &[u8]| format!("sha256 {}", STANDARD.encode(Sha256::digest(bytes)));
    let write = async |at: usize, bytes: &[u8], sum: &str, cut| {
        let at = at.to_string();
        let headers = [
            ("Content-Type", "application/offset+octet-stream"),
            ("Upload-Offset", at.as_str()),
            ("Upload-Checksum", sum),
        ];
        tus.ask("PATCH", &path, &headers, bytes, cut).await
    };
    let good = write(0, &bytes[..300_000], &sha1(&bytes[..300_000]), None).await.expect("an answer");
    assert_eq!((good.status, good.number("upload-offset")), (204, 300_000));
    let bad = write(300_000, &bytes[300_000..600_000], &sha256(b"another"), None).await.expect("an answer");
    assert_eq!((bad.status, bad.code().as_str()), (460, "checksum_mismatch"));
    assert_eq!(tus.offset(&path).await, 300_000);
    let part = &bytes[300_000..600_000];
    assert!(write(300_000, part, &sha256(part), Some(200_000)).await.is_err());
    within("what nothing vouches for to be gone", async {
        loop {
            assert_eq!(tus.offset(&path).await, 300_000);
            let again = write(300_000, part, &sha256(part), None).await.expect("an answer");
            if again.status == 204 {
                break;
            }
            assert_eq!(again.status, 423, "{again:?}");
        }
    })
    .await;
    let unknown = write(600_000, &bytes[600_000..], "crc32 AAAAAA==", None).await.expect("an answer");
    assert_eq!((unknown.status, unknown.code().as_str()), (400, "bad_request"));
    let last = write(600_000, &bytes[600_000..], &sha1(&bytes[600_000..]), None).await.expect("an answer");
    assert_eq!(last.status, 204);
    becomes(&world, &path, "ready").await;
    assert_eq!(stored_hash(&world, &path), hash(&bytes));
}

#[tokio::test]
async fn it_is_made_in_every_way_of_the_protocol() {
    let seed = tus::seed();
    let world = Plan::single().start().await;
    let [me] = world.people().await;
    let tus = Tus::of(&world, &me);
    let bytes = noise(seed, 500_000);
    let octets = ("Content-Type", "application/offset+octet-stream");

    // All in one request.
    let length = bytes.len().to_string();
    let made = tus.must("POST", "/files", &[("Upload-Length", &length), octets], &bytes).await;
    assert_eq!((made.status, made.number("upload-offset")), (201, bytes.len() as u64), "{made:?}");
    becomes(&world, made.header("location"), "ready").await;

    // The length is told last.
    let later = tus.must("POST", "/files", &[("Upload-Defer-Length", "1")], &[]).await;
    assert_eq!(later.status, 201, "{later:?}");
    let path = later.header("location").to_owned();
    let first = tus.patch(&path, 0, &bytes[..200_000], None).await.expect("taken");
    assert_eq!(first.status, 204, "{first:?}");
    let told = tus.must("HEAD", &path, &[], &[]).await;
    assert_eq!((told.header("upload-defer-length"), told.header("upload-length")), ("1", ""));
    let rest = [octets, ("Upload-Offset", "200000"), ("Upload-Length", &length)];
    let last = tus.must("PATCH", &path, &rest, &bytes[200_000..]).await;
    assert_eq!(last.status, 204, "{last:?}");
    becomes(&world, &path, "ready").await;
    assert_eq!(stored_hash(&world, &path), hash(&bytes));

    // Of parts, which were sent side by side, by those who cannot say PATCH.
    let mut parts = Vec::new();
    for part in [&bytes[..100_000], &bytes[100_000..]] {
        let size = part.len().to_string();
        let made = tus.must("POST", "/files", &[("Upload-Length", &size), ("Upload-Concat", "partial")], &[]).await;
        let path = made.header("location").to_owned();
        let over = [octets, ("Upload-Offset", "0"), ("X-HTTP-Method-Override", "PATCH")];
        assert_eq!(tus.must("POST", &path, &over, part).await.status, 204);
        assert_eq!(tus.must("HEAD", &path, &[], &[]).await.header("upload-concat"), "partial");
        parts.push(path);
    }
    let concat = format!("final;{} http://example.org{}", parts[0], parts[1]);
    let whole = tus.must("POST", "/files", &[("Upload-Concat", &concat)], &[]).await;
    assert_eq!((whole.status, whole.number("upload-offset")), (201, bytes.len() as u64), "{whole:?}");
    let path = whole.header("location");
    becomes(&world, path, "ready").await;
    assert_eq!(stored_hash(&world, path), hash(&bytes));
    assert!(tus.must("HEAD", path, &[], &[]).await.header("upload-concat").starts_with("final;/files/"));
    assert_eq!(tus.must("HEAD", &parts[0], &[], &[]).await.status, 404, "parts go with the whole");

    // Nothing at all is a file too.
    let path = tus.create("document", "empty", 0).await;
    becomes(&world, &path, "ready").await;

    // The same content was stored once.
    assert_eq!(world.database.sql("SELECT count(*), max(size) FROM blobs"), format!("2|{length}"));
    let objects = walk(&world.directory().join("node0/data/files/objects"));
    assert_eq!(objects, 2);
}

fn walk(dir: &std::path::Path) -> usize {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    entries.map(|entry| if entry.path().is_dir() { walk(&entry.path()) } else { 1 }).sum()
}
