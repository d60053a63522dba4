//! The last bound of a test. One that blocks its thread for ever has no timers that could ring: it is ended from outside,
//! with its name.

use std::{
    io::Write as _,
    sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    thread,
    time::Duration,
};

/// No test is longer, also beside all others on a busy machine.
const LONGEST: Duration = Duration::from_mins(20);

/// Ends the test process, unless it is dropped in time.
pub struct Watchdog {
    _kept: Sender<()>,
}

impl Watchdog {
    /// For the test on this thread.
    pub fn start() -> Self {
        let name = thread::current().name().unwrap_or("a test").to_owned();
        let (kept, dropped) = channel();
        thread::spawn(move || {
            if hangs(&dropped, LONGEST) {
                // Not `eprintln`: what a test says is shown only when it ends.
                let minutes = LONGEST.as_secs() / 60;
                let _ = writeln!(std::io::stderr(), "{name} has not ended within {minutes} minutes: it hangs");
                std::process::abort();
            }
        });
        Self { _kept: kept }
    }
}

fn hangs(dropped: &Receiver<()>, patience: Duration) -> bool {
    dropped.recv_timeout(patience) == Err(RecvTimeoutError::Timeout)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_test_that_goes_on_for_too_long_hangs() {
        let (kept, dropped) = channel();
        assert!(hangs(&dropped, Duration::from_millis(10)));
        drop(kept);
        assert!(!hangs(&dropped, Duration::from_mins(1)));
    }
}
