//! Links that would have the server ask where nobody outside may, and pages that would never end. The sites stand on 127.0.0.2, which the tests
//! allow; what must not be reached stands on 127.0.0.1 and ::1, and counts who comes.

use std::{
    io::Write,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use chapar_previews::{Failed, Networks, Previews, canonical};
use flate2::{Compression, write::GzEncoder};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

const SITE: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));
const INSIDE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

struct Site {
    at: SocketAddr,
    came: Arc<AtomicUsize>,
}

impl Site {
    /// Serves each path as `answer` says it, whole answers with their heads.
    async fn at(address: SocketAddr, answer: impl Fn(&str) -> Vec<u8> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind(address).await.expect("listens");
        let at = listener.local_addr().expect("an address");
        let came = Arc::<AtomicUsize>::default();
        let (count, answer) = (came.clone(), Arc::new(answer));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(serve(stream, answer.clone()));
            }
        });
        Self { at, came }
    }

    async fn new(answer: impl Fn(&str) -> Vec<u8> + Send + Sync + 'static) -> Self {
        Self::at(SocketAddr::new(SITE, 0), answer).await
    }

    /// What must not be reached, on the same port.
    async fn inside(&self) -> Self {
        Self::at(SocketAddr::new(INSIDE, self.at.port()), |_| page("<title>secret</title>")).await
    }

    fn came(&self) -> usize {
        self.came.load(Ordering::SeqCst)
    }

    fn link(&self, path: &str) -> String {
        format!("http://{}{path}", self.at)
    }

    fn previews(&self) -> Previews {
        Previews::new(self.networks())
    }

    fn networks(&self) -> Networks {
        Networks { allowed: vec![SITE.into()], ports: vec![self.at.port()] }
    }
}

async fn serve(mut stream: TcpStream, answer: Arc<impl Fn(&str) -> Vec<u8>>) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let Ok(byte) = stream.read_u8().await else { return };
        head.push(byte);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let path = head.split(' ').nth(1).unwrap_or_default();
    let bytes = answer(path);
    let _ = stream.write_all(&bytes).await;
    if path == "/endless" {
        while stream.write_all(&[b' '; 8192]).await.is_ok() {}
    }
    if path == "/silent" {
        tokio::time::sleep(Duration::from_mins(1)).await;
    }
}

fn answer(head: &str, body: &[u8]) -> Vec<u8> {
    let mut bytes = format!("HTTP/1.1 200 OK\r\n{head}\r\n").into_bytes();
    bytes.extend(body);
    bytes
}

fn page(body: &str) -> Vec<u8> {
    answer(&format!("Content-Type: text/html; charset=utf-8\r\nContent-Length: {}\r\n", body.len()), body.as_bytes())
}

fn to(place: &str) -> Vec<u8> {
    format!("HTTP/1.1 302 Found\r\nLocation: {place}\r\nContent-Length: 0\r\n\r\n").into_bytes()
}

#[tokio::test]
async fn a_page_is_shown_with_its_picture() {
    let site = Site::new(|path| match path {
        "/start" => to("/page?a=b"),
        "/page?a=b" => page("<meta property=og:title content=خبر><meta property=og:image content=/a.png>"),
        "/a.png" => answer("Content-Type: image/png\r\n", b"picture"),
        other => panic!("{other}"),
    })
    .await;
    let found = site.previews().look(&site.link("/start")).await.expect("a preview");
    assert_eq!(found.title.as_deref(), Some("خبر"));
    assert_eq!(found.image.as_deref(), Some(&b"picture"[..]));
    assert_eq!(found.site, "127.0.0.2");
}

#[tokio::test]
async fn an_old_page_is_read_in_its_own_letters() {
    let site = Site::new(|_| {
        let words = b"<head><meta http-equiv=content-type content='text/html; charset=windows-1256'><title>\x81\xed\x98</title>";
        answer("Content-Type: text/html\r\n", words)
    })
    .await;
    let found = site.previews().look(&site.link("/")).await.expect("a preview");
    assert_eq!(found.title.as_deref(), Some("پيک"));
}

/// The addresses of this machine in every form that a link can give them.
#[tokio::test]
async fn no_link_and_no_redirect_leads_inside() {
    let site = Site::new(|path| to(path.strip_prefix("/?").unwrap_or_default())).await;
    let inside = site.inside().await;
    let six =
        Site::at(SocketAddr::new(Ipv6Addr::LOCALHOST.into(), site.at.port()), |_| page("<title>secret</title>")).await;
    let port = site.at.port();
    for host in [
        "127.0.0.1",
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
        "127.1",
        "127.0.0.1.",
        "0.0.0.0",
        "0",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::127.0.0.1]",
        "[64:ff9b::127.0.0.1]",
        "[2002:7f00:1::]",
        "localhost",
    ] {
        let link = format!("http://{host}:{port}/");
        let straight = site.previews().look(&link).await;
        assert!(matches!(straight, Err(Failed::Forbidden)), "{link}: {straight:?}");
        let led = site.previews().look(&site.link(&format!("/?{link}"))).await;
        assert!(matches!(led, Err(Failed::Forbidden)), "to {link}: {led:?}");
    }
    for link in [format!("https://127.0.0.2:{}/", port ^ 1), "ftp://127.0.0.2/".into(), "file:///etc/passwd".into()] {
        let led = site.previews().look(&site.link(&format!("/?{link}"))).await;
        assert!(matches!(led, Err(Failed::Forbidden)), "to {link}: {led:?}");
    }
    assert_eq!((inside.came(), six.came()), (0, 0));
}

/// A name is asked once for each connection, and what it said then is what is dialled: that it says something else a moment later changes
/// nothing, and where it does so for the next request, that is refused.
#[tokio::test]
async fn a_name_that_changes_leads_nowhere_else() {
    let site = Site::new(|path| if path == "/again" { to("/") } else { page("<title>outside</title>") }).await;
    let inside = site.inside().await;
    let asked = Arc::<AtomicUsize>::default();
    let count = asked.clone();
    let previews = Previews::with(
        site.networks(),
        Arc::new(move |_| {
            let first = count.fetch_add(1, Ordering::SeqCst) % 2 == 0;
            Box::pin(async move { Ok(vec![if first { SITE } else { INSIDE }]) })
        }),
    );
    let port = site.at.port();
    let found = previews.look(&format!("http://changing.test:{port}/")).await.expect("a preview");
    assert_eq!((found.title.as_deref(), asked.load(Ordering::SeqCst)), (Some("outside"), 1));
    asked.store(0, Ordering::SeqCst);
    let again = previews.look(&format!("http://changing.test:{port}/again")).await;
    assert!(matches!(again, Err(Failed::Forbidden)), "{again:?}");
    assert_eq!((asked.load(Ordering::SeqCst), inside.came()), (2, 0));

    let both = Previews::with(site.networks(), Arc::new(|_| Box::pin(async { Ok(vec![SITE, INSIDE]) })));
    assert!(matches!(both.look(&format!("http://both.test:{port}/")).await, Err(Failed::Forbidden)));
    assert_eq!(inside.came(), 0);
}

#[tokio::test]
async fn a_picture_inside_is_left_out() {
    let site = Site::new(|path| {
        page(&format!("<title>outside</title><meta property=og:image content=http://{}>", &path[1..]))
    })
    .await;
    let inside = site.inside().await;
    let found = site.previews().look(&site.link(&format!("/{}/a.png", inside.at))).await.expect("a preview");
    assert_eq!((found.title.as_deref(), found.image), (Some("outside"), None));
    assert_eq!(inside.came(), 0);
}

#[tokio::test]
async fn what_never_ends_is_ended() {
    let site = Site::new(|path| match path {
        "/endless" => answer("Content-Type: text/html\r\n", b"<title>it begins</title>"),
        "/silent" => answer("Content-Type: text/html\r\n", b"<title>it beg"),
        "/image" => page("<title>with a picture</title><meta property=og:image content=/endless>"),
        _ => to("/round"),
    })
    .await;
    let began = Instant::now();
    let previews = site.previews().patient(Duration::from_secs(5));
    let found = previews.look(&site.link("/endless")).await.expect("what came first counts");
    assert_eq!(found.title.as_deref(), Some("it begins"));
    let found = previews.look(&site.link("/image")).await.expect("without a picture");
    assert_eq!(found.image, None);
    let before = site.came();
    assert!(matches!(previews.look(&site.link("/round")).await, Err(Failed::Nothing(_))));
    assert_eq!(site.came() - before, 6, "five redirects are followed");
    let previews = previews.patient(Duration::from_millis(200));
    assert!(matches!(previews.look(&site.link("/silent")).await, Err(Failed::Nothing(_))));
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
}

/// What is small on the way, and 256 MiB when it is unpacked.
#[tokio::test]
async fn a_bomb_does_not_go_off() {
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    packed.write_all(b"<title>tick</title>").expect("writes");
    for _ in 0..256 {
        packed.write_all(&vec![b' '; 1 << 20]).expect("writes");
    }
    let packed = packed.finish().expect("writes");
    let site = Site::new(move |_| answer("Content-Type: text/html\r\nContent-Encoding: gzip\r\n", &packed)).await;
    let began = Instant::now();
    let found = site.previews().look(&site.link("/")).await.expect("what came first counts");
    assert_eq!(found.title.as_deref(), Some("tick"));
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
}

#[tokio::test]
async fn what_is_no_page_is_not_shown() {
    let site = Site::new(|path| match path {
        "/pdf" => answer("Content-Type: application/pdf\r\n", b"%PDF"),
        "/saved" => answer("Content-Type: text/html\r\nContent-Disposition: attachment\r\n", b"<title>x</title>"),
        "/image" => answer("Content-Type: image/jpeg\r\n", b"picture"),
        "/empty" => page("<p>nothing"),
        _ => b"HTTP/1.1 404 Not Found\r\nContent-Type: text/html\r\n\r\n<title>x</title>".to_vec(),
    })
    .await;
    for path in ["/pdf", "/saved", "/empty", "/404"] {
        assert!(matches!(site.previews().look(&site.link(path)).await, Err(Failed::Nothing(_))), "{path}");
    }
    let found = site.previews().look(&site.link("/image")).await.expect("a picture by itself");
    assert_eq!((found.title, found.image.is_some()), (None, true));
}

/// In a process of its own: what stands in the environment holds for all tests.
#[tokio::test]
async fn a_proxy_in_the_environment_is_not_used() {
    let proxy = Site::at(SocketAddr::new(INSIDE, 0), |_| page("<title>from the proxy</title>")).await;
    let mut again = tokio::process::Command::new(std::env::current_exe().expect("this test"));
    for name in ["http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"] {
        again.env(name, format!("http://{}", proxy.at));
    }
    let ran = again.args(["--exact", "a_page_is_shown_with_its_picture"]).output().await.expect("runs");
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stdout));
    assert_eq!(proxy.came(), 0);
}

#[test]
fn a_link_has_one_form() {
    for (link, form) in [
        ("HTTP://Example.IR", Some("http://example.ir/")),
        ("https://example.ir:443/a?b#c", Some("https://example.ir/a?b")),
        ("https://دانشگاه.ir/", Some("https://xn--mgbawv3gi04e.ir/")),
        ("ftp://example.ir", None),
        ("example.ir", None),
        ("https://me:secret@example.ir", None),
    ] {
        assert_eq!(canonical(link).as_deref(), form, "{link}");
    }
}
