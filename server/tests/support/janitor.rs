//! Cleans up after this test process however it ends: a small shell waits for the end of its standard input, then
//! kills what is still registered and removes the directories.

use std::{
    io::Write as _,
    path::Path,
    process::{Child, ChildStdin, Command, Stdio},
    sync::{Mutex, OnceLock},
};

const SCRIPT: &str = r#"
trap '' INT TERM HUP
pids=" "
while read -r word what; do
  case "$word" in
    pid) pids="$pids$what " ;;
    gone) pids=$(printf '%s' "$pids" | sed "s/ $what / /") ;;
    dir) dirs="$dirs $what" ;;
  esac
done
for pid in $pids; do kill -CONT "$pid"; kill -QUIT "$pid"; done
[ "$pids" = " " ] || sleep 0.3
for pid in $pids; do kill -KILL "$pid"; done
rm -rf $dirs
"#;

struct Janitor {
    orders: ChildStdin,
    _shell: Child,
}

fn tell(order: &str) {
    static JANITOR: OnceLock<Mutex<Janitor>> = OnceLock::new();
    let janitor = JANITOR.get_or_init(|| {
        let mut shell = Command::new("sh")
            .args(["-c", SCRIPT])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("sh starts");
        let orders = shell.stdin.take().expect("piped");
        Mutex::new(Janitor { orders, _shell: shell })
    });
    let mut janitor = janitor.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    writeln!(janitor.orders, "{order}").expect("the janitor lives");
}

/// This process must not outlive the tests.
pub fn watch(pid: u32) {
    tell(&format!("pid {pid}"));
}

/// This process has been reaped: its number may now be somebody else's.
pub fn forget(pid: u32) {
    tell(&format!("gone {pid}"));
}

/// This directory must not outlive the tests. Its path has no spaces.
pub fn remove_at_end(directory: &Path) {
    tell(&format!("dir {}", directory.display()));
}
