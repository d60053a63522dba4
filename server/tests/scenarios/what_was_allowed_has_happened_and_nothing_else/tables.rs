//! A chat as the tables hold it, to be compared with what it must be.

use std::collections::BTreeMap;

use chapar_protocol::{Body, ChatId, ChatKind, ChatSettings, FileId, Right, Role, UserId};
use serde::Deserialize;
use uuid::Uuid;

use super::reference::{Line, RIGHTS, Room, Said, Stand, name, seq};
use crate::support::postgres::Database;

impl Room {
    /// What the tables hold of it. `self` says which form it has.
    pub fn stored(&self, chat: ChatId, chats: &Database, people: &Database) -> Result<Self, String> {
        let rows = chats.sql(&format!(
            "SELECT jsonb_build_object(
                 'everybody', (SELECT rights FROM chats WHERE id = {chat}),
                 'title', (SELECT title FROM chats WHERE id = {chat}),
                 'description', (SELECT about ->> 'description' FROM chats WHERE id = {chat}),
                 'photo', (SELECT about ->> 'photo' FROM chats WHERE id = {chat}),
                 'pinned', (SELECT coalesce(about -> 'pinned', '[]') FROM chats WHERE id = {chat}),
                 'settings', (SELECT coalesce(about -> 'settings', '{{}}') FROM chats WHERE id = {chat}),
                 'lines', (SELECT coalesce(jsonb_agg(jsonb_build_array(
                     sender_id, client_id, body, reply_to, edited_at IS NOT NULL, reactions, seq) ORDER BY seq), '[]')
                     FROM messages WHERE chat_id = {chat}),
                 'people', (SELECT coalesce(jsonb_agg(jsonb_build_array(
                     user_id, role, banned OR shut > 0, went, read_seq, rights, denied,
                     floor(extract(epoch FROM denied_until) * 1000)::bigint)), '[]') FROM members WHERE chat_id = {chat}),
                 'reactions', (SELECT coalesce(jsonb_agg(jsonb_build_array(
                     seq, user_id, emoji)), '[]') FROM reactions WHERE chat_id = {chat} AND emoji IS NOT NULL))"
        ));
        // Its counters follow within a second or so.
        if chats.sql(&format!("SELECT stale FROM counts WHERE chat_id = {chat}")).trim() == "t" {
            return Err("the counters are not told yet".to_owned());
        }
        let rows: Rows = serde_json::from_str(&rows).map_err(|error| error.to_string())?;
        let lists = people.sql(&format!(
            "SELECT coalesce(jsonb_agg(jsonb_build_array(user_id, role, read_seq)), '[]') FROM user_chats
             WHERE chat_id = {chat} AND role IS NOT NULL"
        ));
        let lists: Vec<(UserId, i16, i64)> = serde_json::from_str(&lists).map_err(|error| error.to_string())?;
        let mut room = self.clone();
        (room.title, room.description, room.photo, room.pinned, room.settings) =
            (rows.title, rows.description, rows.photo, rows.pinned, rows.settings);
        (room.lines, room.people, room.everybody) = (Vec::new(), BTreeMap::new(), rights(rows.everybody));
        for (place, (sender, client_id, body, reply_to, edited, counts, at)) in rows.lines.into_iter().enumerate() {
            if at != seq(place) {
                return Err(format!("the seqs have a hole before {at}"));
            }
            let (said, client_id) = match body {
                Body::Text(text) => (Said::Text(text.text), Some(client_id)),
                Body::Service { action } => (Said::Service(name(&action)), None),
                Body::Deleted => (Said::Deleted, Some(client_id)),
                body => return Err(format!("a body that nobody sent: {body:?}")),
            };
            let mine = rows.reactions.iter().filter(|it| it.0 == at && said != Said::Deleted);
            let reactions: BTreeMap<UserId, String> = mine.map(|it| (it.1, it.2.clone())).collect();
            let mut counted: BTreeMap<&str, u32> = BTreeMap::new();
            for emoji in reactions.values() {
                *counted.entry(emoji).or_default() += 1;
            }
            let counts = counts.unwrap_or_default();
            let told: BTreeMap<&str, u32> = counts.iter().map(|it| (it.emoji.as_str(), it.count)).collect();
            if told != counted {
                return Err(format!("message {at} tells {told:?} and has {counted:?}"));
            }
            room.lines.push(Line { sender, client_id, said, reply_to, edited, reactions });
        }
        for (user, role, banned, left, read, own_rights, denied, until) in rows.people {
            let listed = lists.iter().find(|it| it.0 == user);
            if listed.map(|it| it.1) != role {
                return Err(format!("user {user} is {role:?} in the chat and {listed:?} in their list"));
            }
            let own = listed.map_or(0, |it| it.2);
            // Of two who are parted by a block neither sees how far the other reads.
            let behind = self.kind == ChatKind::Direct && read < own;
            if role.is_some() && self.kind != ChatKind::Channel && own != read && !behind {
                return Err(format!("user {user} has read up to {own}, and others are told {read}"));
            }
            let role = role.map(|role| [Role::Member, Role::Admin, Role::Owner][usize::from(role.unsigned_abs())]);
            let (rights, denied) = (rights(own_rights), rights(denied));
            room.people.insert(user, Stand { role, rights, denied, until, banned, left, read: own });
        }
        Ok(room)
    }

    /// Where another one is not the same, for people who read it.
    pub fn differs(&self, other: &Self) -> String {
        let lines = self.lines.iter().zip(&other.lines).enumerate().filter(|(_, (one, other))| one != other);
        let lines: Vec<String> = lines.map(|(at, (one, two))| format!("{}: {one:?} / {two:?}", seq(at))).collect();
        let people = self.people.iter().filter(|(user, it)| other.people.get(user) != Some(it));
        let people: Vec<String> =
            people.map(|(user, it)| format!("{user}: {it:?} / {:?}", other.people.get(user))).collect();
        let above = |it: &Self| {
            (it.title.clone(), it.description.clone(), it.photo, it.pinned.clone(), it.everybody.clone(), it.settings)
        };
        let above = (above(self), above(other));
        format!("{} / {} lines; {lines:#?}; {people:#?}; {above:?}", self.lines.len(), other.lines.len())
    }
}

#[derive(Deserialize)]
struct Rows {
    #[expect(clippy::type_complexity, reason = "a row as it comes")]
    lines: Vec<(UserId, Uuid, Body, Option<i64>, bool, Option<Vec<chapar_protocol::ReactionCount>>, i64)>,
    #[expect(clippy::type_complexity, reason = "a row as it comes")]
    people: Vec<(UserId, Option<i16>, bool, bool, i64, i32, i32, Option<i64>)>,
    everybody: i32,
    title: Option<String>,
    description: Option<String>,
    photo: Option<FileId>,
    pinned: Vec<i64>,
    settings: ChatSettings,
    reactions: Vec<(i64, UserId, String)>,
}

/// Those of some bits.
fn rights(bits: i32) -> Vec<Right> {
    RIGHTS.into_iter().enumerate().filter(|(bit, _)| bits & (1 << bit) != 0).map(|(_, right)| right).collect()
}
