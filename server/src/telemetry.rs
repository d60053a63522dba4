//! Logs. Never a message's text, a token, a password or a handle.

use std::io::IsTerminal;

use tracing_subscriber::{EnvFilter, fmt};

use crate::settings::{LogFormat, Settings};

/// Starts logging to standard error, and makes a panic one log line of its own.
pub fn start(settings: &Settings) {
    let filter = EnvFilter::try_new(&settings.log_level).unwrap_or_else(|_| EnvFilter::new("info"));
    // Libraries at these levels print frames and statements, which hold what people write.
    // The codecs of STUN and TURN log every malformed packet, so strangers could fill the log.
    let filter = [
        "stun_types=off",
        "turn_types=off",
        "tungstenite=info",
        "tokio_tungstenite=info",
        "sqlx=warn",
        "hyper=info",
        "redis=info",
        "rustls=info",
    ]
    .into_iter()
    .filter_map(|directive| directive.parse().ok())
    .fold(filter, EnvFilter::add_directive);
    let builder = fmt().with_env_filter(filter).with_ansi(std::io::stderr().is_terminal()).with_writer(std::io::stderr);
    match settings.log_format {
        LogFormat::Text => builder.init(),
        LogFormat::Json => builder.json().flatten_event(true).init(),
    }
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(place, "a panic: this is a bug");
    }));
}
