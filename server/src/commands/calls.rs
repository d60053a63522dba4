//! Calls: the asks of devices, relays, the log.

pub(super) mod call_ask;
pub(super) mod call_invite;
pub(super) mod call_rate;
pub(super) mod call_relays;
pub(super) mod get_calls;
pub(super) mod get_relays;
pub(super) mod see_calls;
