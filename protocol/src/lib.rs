//! The wire of Chapar: one source of truth.
//!
//! Everything that crosses between a client and a server is a type of this crate. The JSON Schema,
//! the TypeScript declarations and the `OpenAPI` document under `protocol/generated/` are made from
//! these types by `cargo run -p chapar-protocol --example generate`, and a test fails when they are stale.
//!
//! The crate does no IO. Read [`command`] for what a client can ask, [`event`] for what a server
//! tells unasked, [`delta`] for how state is kept in step and [`frame`] for how it looks as bytes.
#![forbid(unsafe_code)]

pub mod account;
pub mod admin_log;
pub mod call;
pub mod call_report;
pub mod chat;
pub mod chat_settings;
pub mod close;
pub mod command;
pub mod delta;
mod emoji;
pub mod error;
pub mod event;
pub mod frame;
pub mod id;
pub mod invite;
pub mod item;
pub mod limit;
pub mod media;
pub mod message;
pub mod openapi;
pub mod poll;
pub mod preview;
pub mod sticker;
pub mod text;
pub mod thread;
pub mod timestamp;
pub mod typescript;
mod visible;

pub use account::{Device, User};
pub use admin_log::{AdminAction, AdminLogEntry};
pub use chat::{ChatInfo, ChatKind, Member, MyChat, Removal, Right, Role};
pub use chat_settings::{ChatSettings, SettingsChange};
pub use close::CloseCode;
pub use command::Command;
pub use delta::{ChatCursor, ChatDelta, ChatRow, ChatSnapshot, ChatSync, Epoch, Resume, Sync, UserDelta};
pub use error::{Action, ErrorCode, WireError};
pub use event::Event;
pub use id::{ChatId, DeviceId, Seq, UserId, Version};
pub use invite::{Invite, InviteId, InvitePreview, InviteToken, InviteUse, JoinRequest};
pub use item::{Audience, Item, OwnItem};
pub use media::{FileId, FileKind};
pub use message::{Body, Entity, EntityKind, Message, Reacted, ReactionCount, ServiceAction};
pub use sticker::PackId;
pub use timestamp::Timestamp;

/// The WebSocket subprotocol that a client must offer and the server chooses.
pub const SUBPROTOCOL: &str = "chapar.v1";
