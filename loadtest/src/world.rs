//! Who takes part and in which chats, and how that is made over the HTTP API.

use std::time::{SystemTime, UNIX_EPOCH};

use chapar_protocol::{
    ChatKind, ChatSnapshot, UserId,
    account::{BulkUsers, BulkUsersMade},
    command::{AddMembers, CreateChat, GetChat, OpenDirect},
    limit::USERS_PER_COMMAND,
};
use uuid::Uuid;

use crate::{
    http::{Api, Failure},
    ledger::ChatLog,
    message::Random,
};

/// One user of the run.
#[derive(Clone, Debug)]
pub struct User {
    /// The id at the server.
    pub id: i64,
    /// The token.
    pub token: String,
}

/// One chat of the run.
#[derive(Clone, Debug)]
pub struct Chat {
    /// Its form.
    pub kind: ChatKind,
    /// Indexes of its members.
    pub members: Vec<u32>,
    /// Indexes of those who write.
    pub writers: Vec<u32>,
}

/// Everybody and everything of a run.
#[derive(Clone, Debug, Default)]
pub struct World {
    /// The users.
    pub users: Vec<User>,
    /// The chats.
    pub chats: Vec<Chat>,
    /// The chats as they stand at the server, with the places from which the audit counts.
    pub logs: Vec<ChatLog>,
}

/// Which chats to make, without their ids: direct chats of neighbours (so that with several nodes the two are on
/// different ones), groups of `group_size`, and one channel for everybody whose first user posts.
pub fn plan(users: u32, kinds: &[ChatKind], group_size: u32) -> Vec<Chat> {
    let mut chats = Vec::new();
    let everybody: Vec<u32> = (0..users).collect();
    for kind in kinds {
        match kind {
            ChatKind::Direct => chats.extend(everybody.chunks_exact(2).map(|two| Chat {
                kind: *kind,
                members: two.to_vec(),
                writers: two.to_vec(),
            })),
            ChatKind::Group => chats.extend(everybody.chunks(group_size.max(1) as usize).map(|some| Chat {
                kind: *kind,
                members: some.to_vec(),
                writers: some.to_vec(),
            })),
            ChatKind::Channel => {
                chats.push(Chat { kind: *kind, members: everybody.clone(), writers: everybody[..1].to_vec() });
            }
        }
    }
    chats
}

/// Groups of `size` for people who are in `chats` of them each. Everybody makes some, within what one person may.
pub fn circles(users: u32, chats: u32, size: u32) -> Vec<Chat> {
    let everybody: Vec<u32> = (0..users).collect();
    let groups = everybody.chunks(size.max(1) as usize).flat_map(|circle| {
        (0..chats as usize).map(|turn| {
            let mut members = circle.to_vec();
            members.rotate_left(turn % circle.len());
            Chat { kind: ChatKind::Group, writers: members.clone(), members }
        })
    });
    groups.collect()
}

impl World {
    /// Makes users and chats at the server. `progress` hears how many chats of how many are made.
    ///
    /// # Errors
    /// What the server said.
    pub fn make(
        api: &mut Api,
        admin_token: &str,
        users: u32,
        chats: Vec<Chat>,
        seed: u64,
        mut progress: impl FnMut(&str),
    ) -> Result<Self, Failure> {
        let mut world = Self { chats, ..Self::default() };
        // A name of its own for each run, because handles stay taken.
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let run = u64::try_from(since.as_micros()).unwrap_or(u64::MAX);
        let mut left = users;
        while left > 0 {
            let count = left.min(10_000);
            progress(&format!("making users, {left} to go"));
            let prefix = format!("lt{run:x}_{left:x}_");
            let made: BulkUsersMade = api.post("/api/v1/admin/users", admin_token, &BulkUsers { count, prefix })?;
            world.users.extend(made.users.into_iter().map(|it| User { id: it.user.id.0, token: it.token }));
            left -= count;
        }
        let mut random = Random::new(run ^ seed);
        let all = world.chats.len();
        for (index, chat) in world.chats.iter().enumerate() {
            if index % 100 == 0 {
                progress(&format!("making chats, {} to go", all - index));
            }
            let users = &world.users;
            let log = make_chat(api, users, chat, &mut random)?;
            world.logs.push(log);
        }
        Ok(world)
    }
}

fn make_chat(api: &mut Api, users: &[User], chat: &Chat, random: &mut Random) -> Result<ChatLog, Failure> {
    let ids: Vec<UserId> = chat.members.iter().map(|it| UserId(users[*it as usize].id)).collect();
    let owner = &users[chat.members[0] as usize];
    if chat.kind == ChatKind::Direct {
        let log = base(&api.call(&owner.token, &OpenDirect { user_id: ids[1] })?);
        // The other one opens it too: whoever has not answered does not ring.
        let other = &users[chat.members[1] as usize];
        api.call(&other.token, &OpenDirect { user_id: ids[0] })?;
        return Ok(log);
    }
    let client_id = Uuid::from_u64_pair(random.next_u64(), random.next_u64());
    let title = "load test".to_owned();
    if ids.len() <= USERS_PER_COMMAND {
        let whole = CreateChat { client_id, kind: chat.kind, title, handle: None, members: ids[1..].to_vec() };
        return Ok(base(&api.call(&owner.token, &whole)?));
    }
    let empty = CreateChat { client_id, kind: chat.kind, title, handle: None, members: Vec::new() };
    let chat_id = api.call(&owner.token, &empty)?.chat.id;
    for some in ids[1..].chunks(USERS_PER_COMMAND) {
        api.call(&owner.token, &AddMembers { chat_id, user_ids: some.to_vec() })?;
    }
    Ok(base(&api.call(&owner.token, &GetChat { chat_id })?))
}

/// Where the chat stands before the first message of the run.
fn base(snapshot: &ChatSnapshot) -> ChatLog {
    ChatLog {
        id: snapshot.chat.id.0,
        base_seq: snapshot.last_seq.0,
        base_version: snapshot.version.0,
        top_version: snapshot.version.0,
        seen: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_two_of_a_direct_chat_are_on_different_nodes() {
        for chat in plan(20, &[ChatKind::Direct], 0) {
            assert_ne!(chat.members[0] % 2, chat.members[1] % 2, "users are dealt to nodes in turn");
        }
    }

    #[test]
    fn everybody_is_in_as_many_circles_as_wished() {
        let chats = circles(50, 3, 20);
        for user in 0..50 {
            assert_eq!(chats.iter().filter(|it| it.members.contains(&user)).count(), 3, "user {user}");
        }
        assert_ne!(chats[0].members[0], chats[1].members[0], "somebody else makes the next one");
    }

    #[test]
    fn everybody_has_a_place() {
        let chats = plan(10, &[ChatKind::Group, ChatKind::Channel], 4);
        let sizes: Vec<_> = chats.iter().map(|it| (it.members.len(), it.writers.len())).collect();
        assert_eq!(sizes, [(4, 4), (4, 4), (2, 2), (10, 1)]);
    }
}
