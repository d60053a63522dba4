//! What makes no sense, is too much, is over or is somebody else's gets a stable code, and leaves nothing behind.

use base64::{Engine as _, engine::general_purpose::STANDARD};

use crate::support::{
    tus::{self, Tus, becomes, noise},
    world::Plan,
};

const OCTETS: (&str, &str) = ("Content-Type", "application/offset+octet-stream");

#[tokio::test]
async fn by_the_protocol() {
    let world = Plan::single().start().await;
    let [me, other] = world.people().await;
    let (tus, others) = (Tus::of(&world, &me), Tus::of(&world, &other));
    let path = tus.create("document", "a", 1000).await;

    let asked = tus::ask(tus.address, "OPTIONS", "/files", &[], &[], None).await.expect("an answer");
    assert_eq!((asked.status, asked.header("tus-version"), asked.header("tus-resumable")), (204, "1.0.0", "1.0.0"));
    for extension in [
        "creation",
        "creation-defer-length",
        "creation-with-upload",
        "checksum",
        "termination",
        "expiration",
        "concatenation",
    ] {
        assert!(asked.header("tus-extension").split(',').any(|it| it == extension), "{asked:?}");
    }
    assert_eq!(asked.header("tus-checksum-algorithm"), "sha1,sha256");
    assert_eq!(asked.number("tus-max-size"), 2 * 1024 * 1024 * 1024);

    let without = [("Authorization", format!("Bearer {}", tus.token))];
    let version = tus::ask(tus.address, "HEAD", &path, &without, &[], None).await.expect("an answer");
    assert_eq!((version.status, version.header("tus-version")), (412, "1.0.0"));
    let nobody = tus::ask(tus.address, "POST", "/files", &[], &[], None).await.expect("an answer");
    assert_eq!((nobody.status, nobody.code().as_str()), (401, "unauthenticated"));

    let wrong = tus.patch(&path, 7, b"bytes", None).await.expect("an answer");
    assert_eq!((wrong.status, wrong.code().as_str()), (409, "upload_conflict"));
    let many = tus.patch(&path, 0, &noise(1, 1001), None).await.expect("an answer");
    assert_eq!((many.status, many.code().as_str()), (413, "too_large"));
    let kind = tus.must("PATCH", &path, &[("Content-Type", "application/json"), ("Upload-Offset", "0")], b"{}").await;
    assert_eq!(kind.status, 415);
    let no_offset = tus.must("PATCH", &path, &[OCTETS], b"x").await;
    assert_eq!((no_offset.status, no_offset.code().as_str()), (400, "bad_request"));
    let post = tus.must("POST", &path, &[], &[]).await;
    assert_eq!((post.status, post.code().as_str()), (405, "unknown_method"));
    assert_eq!(tus.offset(&path).await, 0, "nothing of it counts");

    for verb in ["HEAD", "PATCH", "DELETE"] {
        let theirs = others.must(verb, &path, &[OCTETS, ("Upload-Offset", "0")], &[]).await;
        assert_eq!(theirs.status, 404, "{verb} of somebody else's");
    }
    let nowhere = format!("/files/{}", uuid::Uuid::new_v4());
    assert_eq!(tus.must("HEAD", &nowhere, &[], &[]).await.status, 404);
    assert_eq!(tus.must("HEAD", "/files/..%2f..%2fetc%2fpasswd", &[], &[]).await.status, 400);

    for (kind, size) in [("photo", 50_u64), ("voice", 100), ("sticker", 1), ("avatar", 20), ("document", 2048)] {
        let metadata = format!("kind {}", STANDARD.encode(kind));
        let size = (size * 1024 * 1024 + 1).to_string();
        let large = tus.must("POST", "/files", &[("Upload-Length", &size), ("Upload-Metadata", &metadata)], &[]).await;
        assert_eq!((large.status, large.code().as_str()), (413, "file_too_large"), "{kind}");
    }

    // It ends when whoever began it says so.
    assert_eq!(tus.must("DELETE", &path, &[], &[]).await.status, 204);
    assert_eq!(tus.must("HEAD", &path, &[], &[]).await.status, 404);

    // And by itself.
    let path = tus.create("document", "a", 1000).await;
    let begun = tus.patch(&path, 0, &noise(1, 400), None).await.expect("taken");
    assert!(begun.header("upload-expires").ends_with(" GMT"), "{begun:?}");
    world.database.sql("UPDATE files SET kept_until = now() - interval '1 second'");
    assert_eq!(tus.must("HEAD", &path, &[], &[]).await.status, 410);
    let late = tus.patch(&path, 400, b"more", None).await.expect("an answer");
    assert_eq!((late.status, late.code().as_str()), (410, "upload_gone"));
    assert_eq!(world.database.sql("SELECT count(*) FROM blobs"), "0", "nothing of all this was stored");
}

#[tokio::test]
async fn by_the_quota_of_the_day() {
    let world = Plan::single().flags(&["--upload-quota", "1"]).start().await;
    let [me, other] = world.people().await;
    let tus = Tus::of(&world, &me);
    let path = tus.create("document", "a", 700_000).await;
    let size = 600_000.to_string();
    let more = tus.must("POST", "/files", &[("Upload-Length", &size)], &[]).await;
    assert_eq!((more.status, more.code().as_str()), (429, "quota_exceeded"));
    assert!(more.number("retry-after") > 3600, "{more:?}");
    // What never came costs nothing.
    assert_eq!(tus.must("DELETE", &path, &[], &[]).await.status, 204);
    tus.create("document", "a", 900_000).await;
    // Others are others.
    Tus::of(&world, &other).create("document", "a", 700_000).await;
}

#[tokio::test]
async fn a_name_can_do_no_harm() {
    let world = Plan::single().start().await;
    let [me] = world.people().await;
    let tus = Tus::of(&world, &me);
    let long = "آ".repeat(4096);
    for (name, shown) in [
        ("\u{202E}gpj.exe", "gpj.exe"),
        ("../../../etc/passwd", "passwd"),
        ("a\0b.txt", "ab.txt"),
        ("..\\..\\boot.ini", "boot.ini"),
        ("<script>alert(1)</script>.html", "script>.html"),
        ("\r\nX-Evil: 1", "X-Evil: 1"),
        (long.get(..2000).expect("whole characters"), ""),
    ] {
        let path = tus.create("document", name, 1).await;
        tus.patch(&path, 0, b"x", None).await.expect("taken");
        becomes(&world, &path, "ready").await;
        let kept = world.database.sql(&format!("SELECT name FROM files WHERE id = '{}'", tus::id(&path)));
        if shown.is_empty() {
            assert!(kept.len() <= 255 && kept.starts_with('آ'), "{kept}");
        } else {
            assert_eq!(kept, shown);
        }
    }
}
