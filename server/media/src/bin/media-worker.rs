//! The worker by itself, for the tests and to try it by hand; the node starts `chapar media-worker`, which is the same.
#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    chapar_media::worker::main()
}
