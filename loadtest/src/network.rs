//! A bad network for any client: one [`Proxy`] on loopback, by the command line.

use std::{
    io::{self, BufRead as _, Write as _},
    net::SocketAddr,
    time::Duration,
};

use clap::Args;

use crate::impair::{Link, Proxy};

/// A TCP proxy on loopback that loses, delays and throttles. Prints its address, and ends with its standard input; a line `cut` there
/// breaks all connections and takes no new ones, `mend` ends that.
#[derive(Clone, Debug, Args)]
pub struct NetworkArgs {
    /// The server behind it.
    #[arg(long, value_name = "ADDRESS")]
    pub to: SocketAddr,
    /// The fraction of packets lost in each direction: 0 to 1. In a stream each is a pause.
    #[arg(long, default_value_t = 0.02)]
    pub loss: f64,
    /// One way, in milliseconds.
    #[arg(long, default_value_t = 60)]
    pub delay: u64,
    /// Each packet takes the delay ± this, in milliseconds.
    #[arg(long, default_value_t = 20)]
    pub jitter: u64,
    /// Bits a second of each connection in each direction.
    #[arg(long)]
    pub rate: Option<u64>,
    /// Decides which packets are lost.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
}

/// Stands until the standard input ends.
///
/// # Errors
/// When no socket can be had.
pub fn run(args: &NetworkArgs) -> io::Result<()> {
    let link = Link { rate: args.rate, ..Link::new(args.loss.clamp(0.0, 0.99), args.delay, args.jitter) };
    let proxy = Proxy::tcp(args.to, link, args.seed)?;
    println!("{}", proxy.address);
    io::stdout().flush()?;
    for line in io::stdin().lock().lines() {
        match line?.trim() {
            "cut" => {
                proxy.cut();
                // Streams look ten times a second whether they were cut.
                std::thread::sleep(Duration::from_millis(250));
            }
            "mend" => proxy.mend(),
            other => eprintln!("network: {other}? cut or mend"),
        }
    }
    Ok(())
}
