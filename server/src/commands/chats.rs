//! Chats: what is said in them, who is in them, what a client has missed.

pub(super) mod add_members;
pub(super) mod audience;
pub(super) mod change;
pub(super) mod create_chat;
pub(super) mod files;
pub(super) mod forward;
pub(super) mod get_admin_log;
pub(super) mod get_banned;
pub(super) mod get_links;
pub(super) mod get_members;
pub(super) mod hide_messages;
pub(super) mod history;
pub(super) mod invites;
pub(super) mod join;
pub(super) mod join_requests;
pub(super) mod leave;
pub(super) mod mark_read;
pub(super) mod open_direct;
pub(super) mod pin_message;
pub(super) mod polls;
pub(super) mod remove_member;
pub(super) mod schedule;
pub(super) mod send;
pub(super) mod send_album;
pub(super) mod set_info;
pub(super) mod set_typing;
