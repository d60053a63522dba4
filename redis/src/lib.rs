//! Where Redis is, one server, Sentinels or a Cluster: reading the URL, finding the masters, connecting to them. For the bus and the calls
//! of the server, and the registry of relays.

#![forbid(unsafe_code)]

mod endpoint;
mod layout;
mod slot;

pub use endpoint::{Endpoint, UrlError};
pub use layout::Layout;
pub use slot::slot_of;
