//! A group gets a photo: all see it at once, also who was away; another one takes its place, and what no chat has any more is collected.

use std::time::Duration;

use chapar_protocol::{
    ChatId, ErrorCode, FileId, FileKind, Right,
    command::{GetChat, SetChatRights, SetInfo},
};
use uuid::Uuid;

use crate::support::{
    Device, Model, World,
    tus::{self, Tus},
    within,
    world::Plan,
};

/// One white pixel.
const PIXEL: &[u8] = b"GIF89a\x01\0\x01\0\x80\0\0\xff\xff\xff\0\0\0\x2c\0\0\0\0\x01\0\x01\0\0\x02\x02\x44\x01\0;";

fn shown(chat_id: ChatId, photo: Option<FileId>) -> SetInfo {
    SetInfo { chat_id, title: None, description: None, photo: Some(photo) }
}

fn has(chat: ChatId, photo: Option<FileId>) -> impl Fn(&Model) -> bool {
    move |model| model.chats[&chat].info.as_ref().is_some_and(|info| info.photo == photo)
}

async fn picture(world: &World, by: &Device) -> FileId {
    let id = Tus::of(world, by).upload(world, "avatar", "a.gif", PIXEL).await;
    FileId(Uuid::parse_str(&id).expect("an id"))
}

async fn given_out(world: &World, file: FileId, size: u16) -> u16 {
    let path = format!("/files/avatar/{file}/{size}");
    tus::ask(world.at(0), "GET", &path, &[], &[], None).await.expect("an answer").status
}

/// Whether the people's side knows of the use.
async fn comes_to_be(world: &World, file: FileId, uses: &[i64]) {
    let wait = async {
        while world.uses(file) != uses {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    within(&format!("the uses {uses:?}"), wait).await;
}

/// Two days later, as far as files are concerned; whether it is there still.
async fn outlives(world: &World, file: FileId) -> bool {
    world.database.sql("UPDATE files SET kept_until = kept_until - interval '2 days'");
    let ask = "WITH asked AS (
            UPDATE jobs SET run_at = now(), last_error = 'asked' WHERE kind = 'collect_files' AND lease IS NULL RETURNING 1
        ) SELECT count(*) FROM asked";
    let done = "SELECT last_error IS NULL AND lease IS NULL FROM jobs WHERE kind = 'collect_files'";
    for (sql, expected) in [(ask, "1"), (done, "t")] {
        let wait = async {
            while world.database.sql(sql).trim() != expected {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        within("the collector", wait).await;
    }
    world.database.sql(&format!("SELECT count(*) FROM files WHERE id = '{file}'")) == "1"
}

#[tokio::test]
async fn and_all_who_are_in_it_see_it() {
    let world = Plan::pair().start().await;
    let [owner, member, away] = world.people().await;
    owner.connect(world.at(0)).await;
    member.connect(world.at(1)).await;
    let chat = world.group(&owner, &[&member, &away]).await;
    away.connect(world.at(1)).await;
    away.cut().await;
    let first = picture(&world, &owner).await;
    assert_eq!(given_out(&world, first, 80).await, 404, "nobody has it yet");

    let theirs = world.file(&member, FileKind::Avatar);
    assert_eq!(member.refused(shown(chat, Some(theirs))).await.code, ErrorCode::Forbidden);
    for (file, code) in [
        (theirs, ErrorCode::FileNotFound),
        (world.file(&owner, FileKind::Photo), ErrorCode::FileRefused),
        (world.file_in(&owner, FileKind::Avatar, "preparing"), ErrorCode::FileNotReady),
    ] {
        assert_eq!(owner.refused(shown(chat, Some(file))).await.code, code);
    }

    let version = owner.must(shown(chat, Some(first))).await.version;
    assert_eq!(owner.must(shown(chat, Some(first))).await.version, version, "so already");
    for device in [&owner, &member] {
        device.until("the photo", has(chat, Some(first))).await;
    }
    for size in [80, 320] {
        assert_eq!(given_out(&world, first, size).await, 200, "at once");
    }
    away.connect(world.at(0)).await;
    away.until("what was missed", has(chat, Some(first))).await;
    comes_to_be(&world, first, &[0]).await;
    assert!(outlives(&world, first).await, "the chat has it");

    // Another one in its place, with another title in the same change; then a title alone.
    let second = picture(&world, &owner).await;
    let both = SetInfo { title: Some("کاروان".into()), ..shown(chat, Some(second)) };
    owner.must(both).await;
    member.until("the other one", has(chat, Some(second))).await;
    let title = SetInfo { chat_id: chat, title: Some("نو".into()), description: None, photo: None };
    owner.must(title).await;
    let read = member.must(GetChat { chat_id: chat }).await.chat;
    assert_eq!((read.title.as_deref(), read.photo), (Some("نو"), Some(second)), "it stays");
    assert_eq!((given_out(&world, first, 80).await, given_out(&world, second, 80).await), (404, 200));
    comes_to_be(&world, first, &[]).await;
    comes_to_be(&world, second, &[0]).await;
    assert!(!outlives(&world, first).await, "nobody has it");

    // Whoever may change what stands above the chat takes it away, though it was another's.
    owner.must(SetChatRights { chat_id: chat, rights: vec![Right::Write, Right::ChangeInfo] }).await;
    member.must(shown(chat, None)).await;
    owner.until("none", has(chat, None)).await;
    comes_to_be(&world, second, &[]).await;
    assert_eq!(given_out(&world, second, 80).await, 404);
    assert!(!outlives(&world, second).await, "nobody has it");
    assert!([&owner, &member, &away].iter().all(|it| it.model().violations.is_empty()));
}

#[tokio::test]
async fn and_two_people_have_none() {
    let world = Plan::single().start().await;
    let [sara, amir] = world.people().await;
    sara.connect(world.at(0)).await;
    let chat = world.direct(&sara, &amir).await;
    let picture = world.file(&sara, FileKind::Avatar);
    assert_eq!(sara.refused(shown(chat, Some(picture))).await.code, ErrorCode::Forbidden);
}
