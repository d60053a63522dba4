//! What stands behind a link is looked at once, when its sender asks; readers see the server's word and picture, and nobody else's.

use std::{
    io::{Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use chapar_protocol::{
    ChatId, ErrorCode, FileId, Seq,
    command::{Delete, Edit, Forward, ForwardedItem, GetLinks, PreviewLink, Send},
    media::FileAt,
    message::NewBody,
    preview::LinkPreview,
};
use uuid::Uuid;

use crate::support::{Audit, Device, Failure, Model, World, tus, within, world::Plan};

/// A web site on a neighbour's address, which counts who comes.
struct Site {
    at: SocketAddr,
    came: Arc<AtomicUsize>,
}

impl Site {
    fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::new(127, 0, 0, 2), 0)).expect("listens");
        let at = listener.local_addr().expect("an address");
        let came = Arc::<AtomicUsize>::default();
        let count = came.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(mut stream) = stream else { return };
                count.fetch_add(1, Ordering::SeqCst);
                let mut head = [0; 4096];
                let read = stream.read(&mut head).unwrap_or(0);
                let head = String::from_utf8_lossy(&head[..read]).into_owned();
                let (kind, body) = match head.split(' ').nth(1).unwrap_or_default() {
                    "/image.png" => ("image/png", png()),
                    "/nothing" => ("text/html", b"<p>nothing".to_vec()),
                    "/inside" => ("redirect", Vec::new()),
                    _ => ("text/html; charset=utf-8", PAGE.as_bytes().to_vec()),
                };
                let answer = if kind == "redirect" {
                    format!(
                        "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:{}/\r\nContent-Length: 0\r\n\r\n",
                        at.port()
                    )
                } else {
                    format!("HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n", body.len())
                };
                let _ = stream.write_all(answer.as_bytes());
                let _ = stream.write_all(&body);
            }
        });
        Self { at, came }
    }

    fn link(&self, path: &str) -> String {
        format!("http://{}{path}", self.at)
    }

    fn came(&self) -> usize {
        self.came.load(Ordering::SeqCst)
    }

    async fn allowed(&self, plan: Plan) -> World {
        let port = self.at.port().to_string();
        let flags =
            ["--link-previews", "true", "--link-preview-networks", "127.0.0.2/32", "--link-preview-ports", &port];
        plan.flags(&flags).start().await
    }
}

const PAGE: &str = "<head><title>عنوان</title><meta property=og:site_name content='روزنامه'>
    <meta property=og:description content='شرح خبر'><meta property=og:image content=/image.png></head>";

/// 400 × 240 pixels of one colour.
const PNG: &str = "iVBORw0KGgoAAAANSUhEUgAAAZAAAADwCAIAAAChXqV1AAACZUlEQVR42u3UQQ0AAAjEsFOCTkQgGhuQNKmCPZbqAXghEgCGBWBYgGEBGBaAYQ\
    GGBWBYAIYFGBaAYQEYFmBYAIYFYFiAYQEYFoBhAYYFYFgAhgUYFoBhARgWYFgAhgVgWIBhARgWYFgqAIYFYFiAYQEYFoBhAYYFYFgAhgUYFoBh\
    ARgWYFgAhgVgWIBhARgWgGEBhgVgWACGBRgWgGEBGBZgWACGBWBYgGEBGBZgWCoAhgVgWIBhARgWgGEBhgVgWACGBRgWgGEBGBZgWACGBWBYgG\
    EBGBaAYQGGBWBYAIYFGBaAYQEYFmBYAIYFYFiAYQEYFmBYAIYFYFiAYQEYFoBhAYYFYFgAhgUYFoBhARgWYFgAhgVgWIBhARgWgGEBhgVgWACG\
    BRgWgGEBGBZgWACGBWBYgGEBGBZgWACGBWBYgGEBGBaAYQGGBWBYAIYFGBaAYQEYFmBYAIYFYFiAYQEYFoBhAYYFYFgAhgUYFoBhARgWYFgAhg\
    VgWIBhARgWYFgAhgVgWIBhARgWgGEBhgVgWACGBRgWgGEBGBZgWACGBWBYgGEBGBaAYQGGBWBYAIYFGBaAYQEYFmBYAIYFYFiAYQEYFmBYAIYF\
    YFiAYQEYFoBhAYYFYFgAhgUYFoBhARgWYFgAhgVgWIBhARgWgGEBhgVgWACGBRgWgGEBGBZgWACGBWBYgGEBGBZgWACGBWBYgGEBGBaAYQGGBW\
    BYAIYFGBaAYQEYFmBYAIYFYFiAYQEYFoBhAYYFYFgAhgUYFoBhARgWYFgAhgVgWIBhARgWYFgAhgVgWIBhARgWgGEBhgVwywLMaubZIFXJFgAA\
    AABJRU5ErkJggg==";

fn png() -> Vec<u8> {
    STANDARD.decode(PNG).expect("base64")
}

async fn find(device: &Device, url: &str) -> Option<LinkPreview> {
    device.must(PreviewLink { url: url.to_owned() }).await.preview
}

fn naming(chat_id: ChatId, url: &str, text: &str) -> Send {
    Send { preview: Some(url.to_owned()), ..Send::new(chat_id, Uuid::new_v4(), NewBody::text(text)) }
}

async fn shown(device: &Device, chat: ChatId, seq: Seq) -> Option<LinkPreview> {
    device.until("the message", |model| model.chats.get(&chat).is_some_and(|it| it.messages.contains_key(&seq))).await;
    device.model().chats[&chat].messages[&seq].preview.clone().map(|it| *it)
}

async fn used(world: &World, file: FileId, by: &[i64]) {
    let followed = async {
        while world.uses(file) != by {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    within("the uses of the picture", followed).await;
}

/// How the first node answers to a link.
async fn given(world: &World, link: &str) -> u16 {
    tus::ask(world.at(0), "GET", link, &[], &[], None).await.expect("an answer").status
}

/// Where the picture of a preview is to be had, for somebody.
async fn picture(device: &Device, chat_id: ChatId, seq: Seq, preview: &LinkPreview) -> Vec<String> {
    let file_id = preview.image.as_ref().expect("a picture").file.id;
    let links = device.must(GetLinks { chat_id, files: vec![FileAt { seq, file_id }] }).await;
    links.links.into_iter().map(|it| it.url).collect()
}

#[tokio::test]
async fn readers_see_it_and_ask_the_site_for_nothing() {
    let site = Site::start();
    let world = site.allowed(Plan::pair()).await;
    let [sender, reader, late] = world.people().await;
    let chat = world.group(&sender, &[&reader, &late]).await;
    sender.connect(world.at(0)).await;
    reader.connect(world.at(1)).await;
    let url = site.link("/news?id=7");
    let found = find(&sender, &url).await.expect("a preview");
    assert_eq!((found.url.as_str(), found.site.as_str()), (url.as_str(), "روزنامه"));
    assert_eq!((found.title.as_deref(), found.description.as_deref()), (Some("عنوان"), Some("شرح خبر")));
    let image = found.image.as_ref().expect("a picture");
    assert_eq!((image.width, image.height, image.file.mime.as_str()), (400, 240, "image/jpeg"));
    assert_eq!(site.came(), 2, "the page and its picture");

    // Whoever asks again within the hour, also elsewhere, costs the site nothing.
    assert_eq!(find(&reader, &format!("{url}#below")).await.map(|it| it.title), Some(found.title.clone()));
    let sent = sender.must(naming(chat, &url, &format!("ببین {url}"))).await;
    let seen = shown(&reader, chat, sent.seq).await.expect("with its preview");
    assert_eq!((&seen.title, &seen.site, &seen.url), (&found.title, &found.site, &found.url));
    assert_ne!(seen.image.as_ref().map(|it| it.file.id), Some(image.file.id), "the sender's own");
    let links = picture(&reader, chat, sent.seq, &seen).await;
    // Each node of the tests has files of its own: they were stored on the sender's.
    for link in &links {
        assert_eq!(given(&world, link).await, 200, "{link}");
    }
    assert!(!links.is_empty());
    assert_eq!(site.came(), 2);

    // Somebody who was away has it by the difference, and the file stays as long as the message.
    late.connect(world.at(0)).await;
    assert_eq!(shown(&late, chat, sent.seq).await, Some(seen.clone()));
    let file = seen.image.as_ref().expect("a picture").file.id;
    used(&world, file, &[sent.seq.0]).await;
    let on = world.group(&reader, &[&late]).await;
    let message = ForwardedItem { client_id: Uuid::new_v4(), seq: sent.seq };
    let forward = Forward { chat_id: on, from: chat, messages: vec![message], hide_origin: false };
    let forwarded = reader.must(forward).await.sent[0].seq;
    let again = shown(&late, on, forwarded).await.expect("goes along");
    assert_eq!(again.title, found.title);
    assert_ne!(again.image.as_ref().map(|it| it.file.id), Some(file));

    sender.must(Delete { chat_id: chat, seq: sent.seq }).await;
    used(&world, file, &[]).await;
    assert_eq!(given(&world, &links[0]).await, 404);
    assert_eq!(picture(&late, on, forwarded, &again).await.len(), links.len());
    for device in [&reader, &late] {
        Audit::read(world.at(0), device.token(), chat).await.equals(device, world.at(0)).await;
    }
}

#[tokio::test]
async fn nobody_says_of_a_page_what_it_does_not_say() {
    let site = Site::start();
    let world = site.allowed(Plan::single()).await;
    let [sender, reader] = world.people().await;
    let chat = world.direct(&sender, &reader).await;
    sender.connect(world.at(0)).await;
    reader.connect(world.at(0)).await;
    let url = site.link("/news");
    find(&sender, &url).await.expect("a preview");
    // What was never looked at, what the text does not hold, and what is no link.
    for (named, text) in
        [(site.link("/other"), site.link("/other")), (url.clone(), "https://bank.ir".into()), ("x".into(), "x".into())]
    {
        let sent = sender.must(naming(chat, &named, &text)).await;
        assert_eq!(shown(&reader, chat, sent.seq).await, None, "{named}");
    }
    // An edit that takes the link away takes its preview away, and the picture is nobody's then.
    let sent = sender.must(naming(chat, &url, &url)).await;
    let seen = shown(&reader, chat, sent.seq).await.expect("with its preview");
    let file = seen.image.expect("a picture").file.id;
    used(&world, file, &[sent.seq.0]).await;
    sender.must(Edit { chat_id: chat, seq: sent.seq, body: NewBody::text(format!("{url} again")) }).await;
    let edited = |text: &'static str| {
        move |model: &Model| {
            let message = model.chats.get(&chat).and_then(|it| it.messages.get(&sent.seq));
            message.is_some_and(|it| serde_json::to_string(&it.body).is_ok_and(|it| it.contains(text)))
        }
    };
    reader.until("the edit", edited("again")).await;
    assert!(shown(&reader, chat, sent.seq).await.is_some(), "the link is still there");
    sender.must(Edit { chat_id: chat, seq: sent.seq, body: NewBody::text("nothing") }).await;
    reader.until("the edit", edited("nothing")).await;
    assert_eq!(shown(&reader, chat, sent.seq).await, None);
    used(&world, file, &[]).await;
}

#[tokio::test]
async fn what_cannot_be_looked_at_is_said() {
    let site = Site::start();
    let world = site.allowed(Plan::single().limited()).await;
    let [sender] = world.people().await;
    sender.connect(world.at(0)).await;
    assert_eq!(find(&sender, &site.link("/nothing")).await, None);
    let before = site.came();
    assert_eq!(find(&sender, &site.link("/nothing")).await, None);
    assert_eq!(site.came(), before, "that there is nothing is known, too");
    assert_eq!(find(&sender, &site.link("/inside")).await, None, "it leads to where the server does not look");
    for url in ["ftp://example.ir", "example.ir", "https://me:secret@example.ir/", ""] {
        assert_eq!(sender.refused(PreviewLink { url: url.to_owned() }).await.code, ErrorCode::BadRequest, "{url}");
    }
    let error = async || {
        for n in 0..30 {
            if let Err(Failure::Refused(error)) = sender.call(&PreviewLink { url: site.link(&format!("/{n}")) }).await {
                return Some(error);
            }
        }
        None
    };
    let error = error().await.expect("a bound");
    assert_eq!(error.code, ErrorCode::RateLimited);
    assert!(error.retry_after_ms.is_some());
}

#[tokio::test]
async fn without_the_operators_word_nothing_is_looked_at() {
    let site = Site::start();
    let world = Plan::single().start().await;
    let [sender, reader] = world.people().await;
    let chat = world.direct(&sender, &reader).await;
    sender.connect(world.at(0)).await;
    let url = site.link("/news");
    assert_eq!(sender.refused(PreviewLink { url: url.clone() }).await.code, ErrorCode::Forbidden);
    let sent = sender.must(naming(chat, &url, &url)).await;
    assert_eq!(shown(&sender, chat, sent.seq).await, None);
    assert_eq!(site.came(), 0);
}
