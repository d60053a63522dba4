//! The operator's scanner finds something in a file: nobody gets it. A scanner that is away holds files back, or lets them through, as the
//! operator says. With the real clamd where there is one, and by its protocol everywhere.

use std::{fs, path::Path, process::Command, time::Duration};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

use crate::support::{
    process::Process,
    tus::{Tus, becomes, id},
    within,
    world::Plan,
};

/// What every scanner finds, in two halves: so that none finds it in this file.
fn eicar() -> Vec<u8> {
    [r"X5O!P%@AP[4\PZX54(P^)7CC)7}$EICAR-STANDARD", "-ANTIVIRUS-TEST-FILE!$H+H*"].concat().into_bytes()
}

/// Answers as clamd does.
async fn scan(mut stream: TcpStream) -> std::io::Result<()> {
    let mut command = [0; 10];
    stream.read_exact(&mut command).await?;
    assert_eq!(&command, b"zINSTREAM\0");
    let mut bytes = Vec::new();
    loop {
        let length = stream.read_u32().await? as usize;
        if length == 0 {
            break;
        }
        let begin = bytes.len();
        bytes.resize(begin + length, 0);
        stream.read_exact(&mut bytes[begin..]).await?;
        if bytes.len() > 1_000_000 {
            stream.write_all(b"INSTREAM size limit exceeded. ERROR\0").await?;
            return Ok(());
        }
    }
    let found = bytes.windows(5).any(|it| it == b"EICAR");
    stream.write_all(if found { b"stream: Eicar-Test FOUND\0" } else { b"stream: OK\0" }).await
}

async fn send(tus: &Tus, bytes: &[u8]) -> String {
    let path = tus.create("document", "a", bytes.len()).await;
    tus.patch(&path, 0, bytes, None).await.expect("taken");
    path
}

#[tokio::test]
async fn what_it_finds_is_held_and_the_rest_goes_on() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bound");
    let address = listener.local_addr().expect("an address").to_string();
    let scanner = tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(scan(stream));
        }
    });
    let world = Plan::single().flags(&["--scanner", &address]).start().await;
    let [me] = world.people().await;
    let tus = Tus::of(&world, &me);
    let good = send(&tus, b"nothing bad").await;
    becomes(&world, &good, "ready").await;
    let bad = send(&tus, &eicar()).await;
    becomes(&world, &bad, "held").await;
    // What it does not look at is as what it finds, unless the operator says otherwise.
    let large = send(&tus, &vec![7; 2_000_000]).await;
    becomes(&world, &large, "held").await;

    scanner.abort();
    let _ = scanner.await;
    let waits = send(&tus, b"who looks at it?").await;
    within("a try without the scanner", async {
        while !world.nodes[0].log().contains("the scanner does not answer") {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await;
    let state = world.database.sql(&format!("SELECT state FROM files WHERE id = '{}'", id(&waits)));
    assert_eq!(state, "preparing");
    assert_eq!(world.database.sql("SELECT count(*) FROM jobs WHERE kind = 'prepare_file'"), "1", "it is tried again");

    // Whoever waits to send it waits seconds from when the scanner is back.
    let listener = TcpListener::bind(&address).await.expect("the scanner's place");
    let scanner = tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(scan(stream));
        }
    });
    becomes(&world, &waits, "ready").await;
    scanner.abort();
}

#[tokio::test]
async fn one_that_is_away_lets_files_through_where_the_operator_says_so() {
    let world = Plan::single().flags(&["--scanner", "127.0.0.1:1", "--scanner-fail-open", "true"]).start().await;
    let [me] = world.people().await;
    let path = send(&Tus::of(&world, &me), b"nobody looked").await;
    becomes(&world, &path, "ready").await;
}

#[tokio::test]
async fn clamd_itself_is_asked() {
    let clamd = ["/usr/sbin/clamd", "/usr/bin/clamd"].into_iter().find(|path| Path::new(path).exists());
    let Some(clamd) = clamd else {
        println!("skipped: there is no clamd (Debian: clamav-daemon)");
        return;
    };
    let directory = tempfile::tempdir().expect("temp dir");
    let at = |name: &str| directory.path().join(name).display().to_string();
    fs::create_dir(at("base")).expect("made");
    fs::write(at("base/test.hdb"), "44d88612fea8a8f36de82e1278abb02f:68:Eicar-Test\n").expect("written");
    let settings = format!(
        "Foreground yes\nUser root\nDatabaseDirectory {}\nLocalSocket {}\nStreamMaxLength 1M\nPidFile {}\n",
        at("base"),
        at("clamd.sock"),
        at("clamd.pid")
    );
    fs::write(at("clamd.conf"), settings).expect("written");
    let mut command = Command::new(clamd);
    command.args(["-c", &at("clamd.conf")]);
    let mut process = Process::start(command, &directory.path().join("log"));
    within("clamd to listen", async {
        while !Path::new(&at("clamd.sock")).exists() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await;
    let world = Plan::single().flags(&["--scanner", &at("clamd.sock")]).start().await;
    let [me] = world.people().await;
    let tus = Tus::of(&world, &me);
    becomes(&world, &send(&tus, b"nothing bad").await, "ready").await;
    becomes(&world, &send(&tus, &eicar()).await, "held").await;
    becomes(&world, &send(&tus, &vec![7; 3_000_000]).await, "held").await;
    process.kill();
}
