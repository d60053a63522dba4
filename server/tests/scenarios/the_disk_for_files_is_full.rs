//! The disk for files is full in the middle of an upload: it is told so by a stable code, nothing that came is lost, chat goes on, and with
//! room the upload does too.

use std::{io::Write as _, path::Path, process::Command};

use crate::support::{
    process::output,
    tus::{self, Tus, becomes, hash, noise, stored_hash},
    world::Plan,
};

struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    /// `None` where this account may not mount one.
    fn mount(megabytes: u32) -> Option<Self> {
        let directory = tempfile::tempdir().expect("temp dir");
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &format!("size={megabytes}m"), "none"]).arg(directory.path());
        output(&mut mount).is_ok_and(|output| output.status.success()).then_some(Self(directory))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = output(Command::new("umount").arg("-l").arg(self.path()));
    }
}

#[tokio::test]
async fn nothing_is_lost_and_it_goes_on() {
    let seed = tus::seed();
    let Some(disk) = SmallDisk::mount(96) else {
        println!("skipped: this account may not mount a small disk");
        return;
    };
    let dir = disk.path().to_str().expect("UTF-8").to_owned();
    let world = Plan::single().flags(&["--files-dir", &dir]).start().await;
    let [me, other] = world.people().await;
    let tus = Tus::of(&world, &me);
    let bytes = noise(seed, 8_000_000);
    let path = tus.create("document", "a", bytes.len()).await;
    assert_eq!(tus.patch(&path, 0, &bytes[..1_000_000], None).await.expect("taken").status, 204);
    let filler = disk.path().join("filler");
    let mut file = std::fs::File::create(&filler).expect("a file");
    // All but two megabytes.
    let block = vec![1; 1 << 20];
    while file.write_all(&block).is_ok() {}
    drop(file);
    let size = std::fs::metadata(&filler).expect("there").len();
    std::fs::File::options().write(true).open(&filler).expect("opened").set_len(size - (2 << 20)).expect("cut");

    let full = tus.patch(&path, 1_000_000, &bytes[1_000_000..], None).await.expect("an answer");
    assert_eq!((full.status, full.code().as_str()), (503, "overloaded"));
    assert!(full.number("retry-after") > 0);
    let at = usize::try_from(tus.offset(&path).await).expect("fits");
    assert!(at > 2_000_000 && at < bytes.len(), "what had room is kept: {at}");
    let refused = tus.must("POST", "/files", &[("Upload-Length", "1000")], &[]).await;
    assert_eq!((refused.status, refused.code().as_str()), (503, "overloaded"));
    // Who chats notices nothing.
    let group = world.group(&me, &[&other]).await;
    me.connect(world.at(0)).await;
    other.connect(world.at(0)).await;
    me.say(group, "سلام").await;
    other.sees(group, "سلام").await;

    std::fs::remove_file(&filler).expect("removed");
    let last = tus.patch(&path, at as u64, &bytes[at..], None).await.expect("taken");
    assert_eq!(last.status, 204, "{last:?}");
    becomes(&world, &path, "ready").await;
    assert_eq!(stored_hash(&world, &path), hash(&bytes));
}
