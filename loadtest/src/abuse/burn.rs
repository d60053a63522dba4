//! A process that burns as much CPU as attackers did, and does nothing else: what innocent people notice of it is what they notice of
//! processors that are shared.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use clap::Args;

use crate::process;

/// See [`crate::args::Scenario::Burn`].
#[derive(Clone, Debug, Args)]
pub struct BurnArgs {
    /// For how long.
    #[arg(long)]
    pub seconds: f64,
    /// How much, in seconds, evenly over that time.
    #[arg(long)]
    pub cpu: f64,
}

/// How often it is looked whether it is enough for now: the clock of CPU time goes by 10 ms.
const LOOK: Duration = Duration::from_millis(2);

/// Runs it.
pub fn run(args: &BurnArgs) {
    process::be_last();
    let (began, burning, over) = (Instant::now(), AtomicBool::new(false), AtomicBool::new(false));
    // As many as it takes, and one for what others take from them.
    let threads = 1 + (1..64).find(|it| f64::from(*it) * args.seconds >= args.cpu).unwrap_or(64);
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    if burning.load(Ordering::Relaxed) {
                        std::hint::black_box((0..1000).fold(0_u32, |sum, it| sum ^ std::hint::black_box(it)));
                    } else {
                        thread::sleep(LOOK);
                    }
                }
            });
        }
        loop {
            let passed = began.elapsed().as_secs_f64();
            if passed >= args.seconds {
                break;
            }
            let used = Duration::from_millis(process::own().cpu_ms).as_secs_f64();
            burning.store(used < args.cpu * passed / args.seconds, Ordering::Relaxed);
            thread::sleep(LOOK);
        }
        over.store(true, Ordering::Relaxed);
    });
}
