//! The kinds of abuse. What they have in common is in `attack`.

mod accounts;
mod chats;
mod floods;
mod lingering;

use super::attack::Kind;

/// Those that are tried one by one, and then all at once.
pub(super) const ALL: [Kind; 16] = [
    ("ping flood before hello, unread", 3, floods::pings),
    ("requests before hello", 3, floods::before_hello),
    ("hellos with wrong tokens", 3, floods::wrong_tokens),
    ("frames of 128 KiB", 2, floods::fat_frames),
    ("pages of fat messages, unread", 3, floods::unread_pages),
    ("readers that do not read", 4, floods::stuck_readers),
    ("hellos with 4,000 cursors", 3, floods::resumes),
    ("direct chats with strangers", 1, chats::strangers),
    ("who is who, by ids", 1, chats::enumerate),
    ("strangers added to groups", 1, chats::add_members),
    ("reactions and edits on one message", 16, chats::reactions),
    ("120 joins of one channel", 120, chats::joins),
    ("typing and read marks", 2, chats::typing),
    ("relays for calls that are none", 1, accounts::relays),
    ("sign-ins to the victim's account", 6, accounts::sign_ins_to_one),
    ("sign-ins to random accounts", 6, accounts::sign_ins_to_many),
];

/// Those that need some time before they do anything, in a quick run on a slow machine.
pub(super) const SLOW: [&str; 4] = [ALL[4].0, ALL[5].0, ALL[10].0, ALL[11].0];

/// Those that only hold on, from the beginning to the end.
pub(super) const LINGERING: [Kind; 4] = [
    ("half-open heads", 12, lingering::heads),
    ("bodies that drip", 12, lingering::bodies),
    ("talkers before hello", 3, lingering::talkers),
    ("pings before hello", 3, lingering::pingers),
];
