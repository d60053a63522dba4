//! Packets, allocations and delay through `chapar-relay` and through coturn, on this machine, in one run.
//!
//! ```text
//! cargo build --release -p chapar-signaling --bin chapar-relay --example relay_rate
//! target/release/examples/relay_rate [rounds] [seconds] [target/release/chapar-relay] [turnserver]
//! ```
//!
//! Both run at the same time, and each load goes to the one and then, at once, to the other (in the next round the other
//! way about), so that whatever else the machine does falls on both. The load runs on the same cores as the relays:
//! figures compare the two and say nothing absolute.
#![forbid(unsafe_code)]

mod client;
mod load;
mod relays;

use std::{io, time::Duration};

use load::{BURST, Calls, Way, allocations};
use relays::Relay;

const STEADY_PER_SECOND: f64 = 40_000.0;
const ALLOCATIONS: u32 = 4_000;

/// What is told, in this order.
const LINES: [&str; 13] = [
    "packets/s, client to peer, flooded",
    "CPU us/packet, client to peer, flooded",
    "packets/s, peer to client, flooded",
    "CPU us/packet, peer to client, flooded",
    "CPU us/packet, 40,000 packets/s",
    "added delay ms p50, 40,000 packets/s",
    "added delay ms p99, 40,000 packets/s",
    "half load: packets/s",
    "half load: lost, of 1,000",
    "half load: added delay ms p50",
    "half load: added delay ms p99",
    "allocations/s",
    "CPU us/allocation",
];

fn main() -> io::Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    let argument = |index: usize, default: &str| arguments.get(index).cloned().unwrap_or_else(|| default.to_owned());
    let rounds: usize = argument(1, "3").parse().map_err(io::Error::other)?;
    let seconds: u64 = argument(2, "3").parse().map_err(io::Error::other)?;
    let (ours, coturn) = (argument(3, "target/release/chapar-relay"), argument(4, "turnserver"));
    let mut measured: Vec<[Vec<f64>; 2]> = Vec::new();
    for round in 0..rounds {
        let relays = [Relay::chapar(&ours)?, Relay::coturn(&coturn)?];
        let figures = one_round(&relays, [round % 2, 1 - round % 2], Duration::from_secs(seconds))?;
        println!("round {}: chapar-relay {:.2?}", round + 1, figures[0]);
        println!("round {}: coturn       {:.2?}", round + 1, figures[1]);
        measured.push(figures);
    }
    report(&measured);
    Ok(())
}

fn one_round(relays: &[Relay; 2], order: [usize; 2], span: Duration) -> io::Result<[Vec<f64>; 2]> {
    let calls = [Calls::new(relays[0].server)?, Calls::new(relays[1].server)?];
    let mut figures = [Vec::new(), Vec::new()];
    for flood in [Calls::flood_out, Calls::flood_in] {
        for which in order {
            let before = relays[which].cpu()?;
            let (count, elapsed) = flood(&calls[which], span)?;
            figures[which].extend([count / elapsed, (relays[which].cpu()? - before) / count * 1e6]);
        }
    }
    let straight = calls[0].steady(Way::Straight, STEADY_PER_SECOND, 1, span)?;
    for which in order {
        let before = relays[which].cpu()?;
        let relayed = calls[which].steady(Way::Relayed, STEADY_PER_SECOND, 1, span)?;
        let cpu = (relays[which].cpu()? - before) / relayed.received * 1e6;
        figures[which].extend([cpu, relayed.p50 - straight.p50, relayed.p99 - straight.p99]);
    }
    // Half of what each relay did itself when it was flooded, beside the same stream without it.
    for which in order {
        let rate = figures[which][0] / 2.0;
        let straight = calls[which].steady(Way::Straight, rate, BURST, span)?;
        let relayed = calls[which].steady(Way::Relayed, rate, BURST, span)?;
        let lost = (1.0 - relayed.received / relayed.sent) * 1e3;
        figures[which].extend([rate, lost, relayed.p50 - straight.p50, relayed.p99 - straight.p99]);
    }
    for which in order {
        let before = relays[which].cpu()?;
        let rate = f64::from(ALLOCATIONS) / allocations(relays[which].server, ALLOCATIONS as usize)?;
        figures[which].extend([rate, (relays[which].cpu()? - before) / f64::from(ALLOCATIONS) * 1e6]);
    }
    Ok(figures)
}

fn report(measured: &[[Vec<f64>; 2]]) {
    println!("{:<40} {:>12} {:>12} {:>14}", "median", "chapar-relay", "coturn", "ratio of pairs");
    for (line, name) in LINES.iter().enumerate() {
        let of = |which: usize| median(measured.iter().map(|pair| pair[which][line]).collect());
        let ratio = median(measured.iter().map(|pair| pair[0][line] / pair[1][line]).collect());
        println!("{name:<40} {:>12.2} {:>12.2} {ratio:>14.2}", of(0), of(1));
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
