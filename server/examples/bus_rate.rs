//! How many publications a second the bus carries, and what one costs.
//!
//! `cargo run --release -p chapar-server --example bus_rate -- redis://127.0.0.1:6379 [rate per second, 0 = flat out] [seconds]`
//!
//! Two buses in one process: one publishes 300 bytes on one of 1,000 chats at a time, the other has subscribed to all;
//! the publisher has too, as a node does whose people read those chats. CPU is that of this process, read from
//! `/proc/self/stat`, without Redis.

use std::time::{Duration, Instant};

use bytes::Bytes;
use chapar_server::bus::{Bus, BusEvent, Topic};
use tokio::sync::mpsc;

const CHATS: i64 = 1000;

#[tokio::main(worker_threads = 2)]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let url = arguments.next().ok_or("the first argument is the URL of a Redis")?;
    let rate: u64 = arguments.next().map_or(Ok(0), |rate| rate.parse())?;
    let seconds: u64 = arguments.next().map_or(Ok(5), |seconds| seconds.parse())?;

    let (one_sender, _one_events) = mpsc::channel(16);
    let (two_sender, mut events) = mpsc::channel(100_000);
    let one = Bus::start(Some(&url), 1, one_sender)?;
    let two = Bus::start(Some(&url), 2, two_sender)?;
    let topics: Vec<_> = (0..CHATS).map(Topic::Chat).collect();
    while !(one.is_connected() && two.is_connected()) {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    one.subscribe(&topics).await?;
    two.subscribe(&topics).await?;

    let epoch = Instant::now();
    let reader = tokio::spawn(async move {
        let mut delays = Vec::new();
        while let Some(event) = events.recv().await {
            if let BusEvent::Message { payload, .. } = event
                && let Some(sent) = payload.first_chunk()
            {
                let sent = u64::from_be_bytes(*sent);
                delays.push(u64::try_from(epoch.elapsed().as_micros()).unwrap_or(u64::MAX) - sent);
            }
        }
        delays
    });

    let cpu = cpu_seconds()?;
    let started = Instant::now();
    let mut tick = tokio::time::interval(Duration::from_millis(1));
    let mut sent: u64 = 0;
    while started.elapsed() < Duration::from_secs(seconds) {
        tick.tick().await;
        let due = if rate == 0 {
            let waiting = sent - one.figures().published - one.figures().unsent;
            sent + 8192_u64.saturating_sub(waiting)
        } else {
            u64::try_from(started.elapsed().as_micros())? * rate / 1_000_000
        };
        while sent < due {
            let mut payload = vec![b'x'; 300];
            payload[..8].copy_from_slice(&u64::try_from(epoch.elapsed().as_micros())?.to_be_bytes());
            one.publish(Topic::Chat(i64::try_from(sent)? % CHATS), Bytes::from(payload));
            sent += 1;
        }
    }
    while two.figures().received + two.figures().overflowed + one.figures().unsent < sent {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let elapsed = started.elapsed().as_secs_f64();
    let cpu = cpu_seconds()? - cpu;
    let (one_figures, two_figures) = (one.figures(), two.figures());
    drop((one, two));
    let mut delays = reader.await?;
    delays.sort_unstable();
    let at = |percent: usize| delays.get(delays.len() * percent / 100).or(delays.last()).copied().unwrap_or(0);
    #[expect(clippy::cast_precision_loss, reason = "figures for people")]
    let count = sent as f64;
    println!(
        "published {:.0}/s, unsent {}, received {}, overflowed {}",
        count / elapsed,
        one_figures.unsent,
        two_figures.received,
        two_figures.overflowed
    );
    println!(
        "CPU of this process: {:.2} µs per publication (publishing, its own echo, and receiving)",
        cpu * 1e6 / count
    );
    println!("delay µs: p50 {}, p99 {}, most {}", at(50), at(99), at(100));
    Ok(())
}

/// User and system time of this process, in seconds (a clock tick is 10 ms).
fn cpu_seconds() -> Result<f64, Box<dyn std::error::Error>> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let (_, rest) = stat.rsplit_once(')').ok_or("an odd /proc/self/stat")?;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    Ok((fields[11].parse::<f64>()? + fields[12].parse::<f64>()?) / 100.0)
}
