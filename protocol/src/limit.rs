//! Bounds that both sides know. A client that stays inside them meets no size error.

/// Largest frame that a client may send, in bytes. A larger one closes the connection (1009).
pub const FRAME_BYTES: usize = 128 * 1024;
/// Longest text of a message, in UTF-16 code units.
pub const TEXT_UNITS: usize = 4096;
/// Largest body of a message, in bytes of its JSON in UTF-8 without white space. Every text fits, with 100 marks of any
/// kind; links and languages of blocks may be so long only as to stay within it.
pub const BODY_BYTES: usize = 32 * 1024;
/// Most entities in one text.
pub const ENTITIES: usize = 100;
/// Most people whom one text mentions.
pub const MENTIONS: usize = 50;
/// Unread mentions that a snapshot of a chat names, the oldest ones.
pub const MENTIONS_TOLD: usize = 50;
/// Longest quote in an answer, in UTF-16 code units.
pub const QUOTE_UNITS: usize = 512;
/// Longest link in an entity, in bytes.
pub const URL_BYTES: usize = 2048;
/// Longest reaction, in bytes: one emoji with all its joiners.
pub const REACTION_BYTES: usize = 40;
/// Most different reactions that one message can carry.
pub const REACTION_KINDS: usize = 50;
/// How many options a poll has.
pub const POLL_OPTIONS: std::ops::RangeInclusive<usize> = 2..=10;
/// Longest question of a poll, in UTF-16 code units.
pub const POLL_QUESTION_UNITS: usize = 300;
/// Longest option of a poll, in UTF-16 code units.
pub const POLL_OPTION_UNITS: usize = 100;
/// Longest explanation of a quiz, in UTF-16 code units.
pub const POLL_EXPLANATION_UNITS: usize = 200;
/// Shortest and longest handle, in characters `a–z 0–9 _`.
pub const HANDLE_LENGTH: std::ops::RangeInclusive<usize> = 3..=32;
/// Longest name of a person or title of a chat, in characters.
pub const TITLE_CHARS: usize = 128;
/// Longest description of a chat, in characters.
pub const DESCRIPTION_CHARS: usize = 255;
/// Longest reason of a removal, in characters.
pub const REASON_CHARS: usize = 255;
/// Longest time between two posts of somebody in a group, in seconds.
pub const SLOW_SECONDS: u32 = 86_400;
/// After how many seconds new messages can be deleted by themselves.
pub const DELETE_AFTER_SECONDS: std::ops::RangeInclusive<u32> = 5..=366 * 86_400;
/// Days for which it is kept what admins have done.
pub const ADMIN_LOG_DAYS: u32 = 30;
/// Entries in a page of what admins have done.
pub const ADMIN_LOG_PAGE: usize = 100;
/// Most messages that are pinned in one chat.
pub const PINNED: usize = 20;
/// Most members of a group in which it is told who has read a message.
pub const READERS_TOLD: usize = 100;
/// Shortest and longest password, in bytes.
pub const PASSWORD_BYTES: std::ops::RangeInclusive<usize> = 8..=1024;
/// Most members that a group can have. Channels have no such bound.
pub const GROUP_MEMBERS: usize = 200_000;
/// Most invite links that one chat remembers. Beyond, the one that was taken back longest ago is forgotten.
pub const INVITES: usize = 200;
/// Most uses to which an invite link can be bounded.
pub const INVITE_USES: u32 = 100_000;
/// Most users that one command can name.
pub const USERS_PER_COMMAND: usize = 200;
/// Most devices that are signed in to one account. One more ends the one that was connected longest ago.
pub const DEVICES: usize = 100;
/// Most chats in the cursors of one `hello`.
pub const RESUME_CHATS: usize = 4000;
/// Most messages in one page of history or one delta.
pub const PAGE: usize = 200;
/// Most bytes of an answer. A page that would be longer is short: history brings the messages nearest to the place, at least
/// one on either side; a difference ends at an earlier version and says `more`; the answer to `hello` names chats as behind.
/// New messages that would make a longer event are told in several deltas.
pub const ANSWER_BYTES: usize = 256 * 1024;
/// A client whose cursor is more changes behind than this gets a snapshot instead of a difference.
pub const DIFFERENCE_VERSIONS: i64 = 2000;
/// Most chats that one `difference` names.
pub const DIFFERENCE_CHATS: usize = 100;
/// Messages at the end of a chat that a snapshot holds unless asked otherwise.
pub const SNAPSHOT_MESSAGES: usize = 30;
/// Requests that one connection may have under way; more wait in the socket.
pub const IN_FLIGHT: usize = 64;
/// Seconds that a connection may stay without a `hello`.
pub const HELLO_SECONDS: u64 = 10;
/// Seconds for which a `typing` holds.
pub const TYPING_SECONDS: u64 = 6;
/// Most items that one `set_items` can name. How many of each kind a person may have: [`crate::item::BOUNDS`].
pub const ITEMS_PER_COMMAND: usize = 100;
/// Most bytes of the values of all that a person has set, as JSON.
pub const ITEM_BYTES: usize = 2 * 1024 * 1024;
/// Most chats that one folder names, and most that are never in it.
pub const FOLDER_CHATS: usize = 200;
/// Most messages that a person can have scheduled.
pub const SCHEDULED: usize = 500;
/// How far ahead a message can be scheduled, in days.
pub const SCHEDULED_DAYS: u64 = 366;
/// Longest note of a report, in bytes.
pub const REPORT_BYTES: usize = 1024;
/// Largest video, piece of music or document, in bytes.
pub const UPLOAD_BYTES: u64 = 2 * 1024 * 1024 * 1024;
/// Largest photo, in bytes.
pub const PHOTO_BYTES: u64 = 50 * 1024 * 1024;
/// Largest voice message or film in a circle, in bytes.
pub const VOICE_BYTES: u64 = 100 * 1024 * 1024;
/// Largest sticker, in bytes.
pub const STICKER_BYTES: u64 = 1024 * 1024;
/// Largest picture of a person, or poster of a video, in bytes.
pub const AVATAR_BYTES: u64 = 20 * 1024 * 1024;
/// Longest name of a file, in bytes; what is longer is cut, before its ending.
pub const FILE_NAME_BYTES: usize = 255;
/// How many messages an album has.
pub const ALBUM: std::ops::RangeInclusive<usize> = 2..=10;
/// Most messages that one `forward` names.
pub const FORWARDED: usize = 30;
/// Most messages that one `delete_messages` or `hide_messages` names.
pub const DELETED: usize = 100;
/// Longest tiny preview, in bytes before they are written in base64.
pub const PREVIEW_BYTES: usize = 40;
/// Length of a waveform, in bytes before they are written in base64: 100 values of 5 bits.
pub const WAVEFORM_BYTES: usize = 63;
/// Bytes of [`BODY_BYTES`] that a body with a file leaves to what the server says of the file.
pub const FACTS_BYTES: usize = 2 * 1024;
/// Most files for which one `get_links` asks.
pub const LINKS_PER_COMMAND: usize = 100;
/// Most stickers in one pack.
pub const PACK_STICKERS: usize = 120;
/// Most packs of stickers that a person can have made.
pub const OWN_PACKS: usize = 50;
/// Most packs that one `get_sticker_packs` names.
pub const PACKS_PER_COMMAND: usize = 8;
