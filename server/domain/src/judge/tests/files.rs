//! Messages with files, and albums.

use chapar_protocol::{
    FileId,
    media::{Caption, NamedFile, NewPhoto, PhotoBody, StoredFile},
    message::Forwarded,
};

use super::*;

fn file(id: u128) -> FileId {
    FileId(Uuid::from_u128(id))
}

fn new(id: u128, text: &str) -> NewBody {
    let caption = Caption { text: text.into(), entities: Vec::new() };
    NewBody::Photo(NewPhoto { file: NamedFile { file_id: file(id), from: None }, caption, spoiler: false, album: None })
}

fn stored(id: u128, text: &str) -> Body {
    let file = StoredFile { id: file(id), size: 10, mime: "image/jpeg".into(), name: None };
    let caption = Caption { text: text.into(), entities: Vec::new() };
    let (preview, sizes, spoiler, album) = (None, vec![320], false, Some(Uuid::from_u128(99)));
    Body::Photo(PhotoBody { file, width: 4, height: 3, preview, sizes, caption, spoiler, album })
}

fn photo(id: u128, text: &str) -> NewMessage {
    NewMessage::new(Uuid::from_u128(id), &new(id, text), stored(id, text), None)
}

/// So many photos, the first under this id.
pub(super) fn album(id: u128, count: u128) -> Change {
    Change::SendAlbum((id..id + count).map(|id| photo(id, "")).collect())
}

/// Another text under the photo that may stand there.
pub(super) fn caption(seq: Seq, text: &str) -> Change {
    Change::Edit(seq, new(u128::from(seq.0.unsigned_abs()), text))
}

#[test]
fn an_album_is_one_change_and_a_retry_finds_all_of_it() {
    let mut stage = Stage::new(ChatKind::Group, &[2]);
    stage.one(1, message(1, "before")).expect("sent");
    let from = stage.chat().version;
    let (verdicts, deltas) = stage.judge(&[asked(2, album(10, 3)), asked(1, message(2, "after"))]);
    let Ok(Done::Album { sent, existed: false }) = &verdicts[0] else { panic!("{verdicts:?}") };
    let places: Vec<_> = sent.iter().map(|it| (it.seq.0, it.version)).collect();
    let first = places[0].0;
    assert_eq!(places, [(first, from.next()), (first + 1, from.next()), (first + 2, from.next())]);
    assert_eq!(deltas.iter().map(messages).sum::<usize>(), 4);
    let again = stage.one(2, album(10, 3)).expect("sent before");
    assert_eq!(again, Done::Album { sent: sent.clone(), existed: true });
    assert_eq!(code(&stage.one(9, album(10, 3))), Some(ErrorCode::ChatNotFound), "a stranger learns nothing");
}

#[test]
fn of_an_album_all_is_stored_or_nothing() {
    let mut stage = Stage::new(ChatKind::Group, &[2]);
    stage.one(2, Change::Send(photo(11, ""))).expect("sent");
    let before = stage.chat().clone();
    assert_eq!(code(&stage.one(2, album(10, 3))), Some(ErrorCode::ClientIdReused), "one of its ids was used alone");
    let answers = |seq| {
        let mut items = vec![photo(20, ""), photo(21, "")];
        items[1].reply_to = Some(Seq(seq));
        Change::SendAlbum(items)
    };
    assert_eq!(code(&stage.one(2, answers(77))), Some(ErrorCode::MessageNotFound));
    assert_eq!(&before, stage.chat());
    stage.one(2, album(30, 2)).expect("sent");
    let other = Change::SendAlbum(vec![photo(30, ""), photo(31, "another text")]);
    assert_eq!(code(&stage.one(2, other)), Some(ErrorCode::ClientIdReused));
}

#[test]
fn the_text_under_a_file_changes_and_nothing_else_of_it() {
    let mut stage = Stage::new(ChatKind::Group, &[2]);
    let Ok(Done::Sent { seq, .. }) = stage.one(2, Change::Send(photo(1, "old"))) else { panic!("sent") };
    stage.one(2, Change::Edit(seq, new(1, "new"))).expect("edited");
    let body = |stage: &Stage| stage.chat().messages[&seq].message.body.clone();
    assert_eq!(body(&stage), stored(1, "new"));
    let version = stage.chat().version;
    assert_eq!(stage.one(2, Change::Edit(seq, new(1, "new"))), Ok(Done::Changed(version)), "a retry changes nothing");
    for (why, body) in [("another file", new(2, "x")), ("a text", NewBody::text("x"))] {
        assert_eq!(code(&stage.one(2, Change::Edit(seq, body))), Some(ErrorCode::Forbidden), "{why}");
    }
    assert_eq!(code(&stage.one(1, Change::Edit(seq, new(1, "x")))), Some(ErrorCode::Forbidden), "somebody else's");
    let Ok(Done::Sent { seq: text, .. }) = stage.one(2, message(5, "x")) else { panic!("sent") };
    assert_eq!(code(&stage.one(2, Change::Edit(text, new(1, "x")))), Some(ErrorCode::Forbidden), "a file for a text");
    stage.one(2, Change::Edit(seq, new(1, ""))).expect("no text is a text, too");
}

#[test]
fn what_was_sent_is_found_also_without_its_files() {
    let mut stage = Stage::new(ChatKind::Group, &[2]);
    let recall = |ids: &[u128], text: &str| {
        let sent = |id: &u128| (Uuid::from_u128(*id), NewMessage::hash_of(&new(*id, text), None));
        Change::Recall(ids.iter().map(sent).collect())
    };
    assert_eq!(code(&stage.one(2, recall(&[1], ""))), Some(ErrorCode::MessageNotFound));
    let Ok(Done::Sent { seq, .. }) = stage.one(2, Change::Send(photo(1, ""))) else { panic!("sent") };
    stage.one(2, Change::Delete(seq)).expect("deleted");
    let found = stage.one(2, recall(&[1], "")).expect("was there");
    assert!(matches!(found, Done::Sent { seq: place, existed: true, .. } if place == seq), "{found:?}");
    assert_eq!(code(&stage.one(2, recall(&[1], "other"))), Some(ErrorCode::ClientIdReused));
    assert_eq!(code(&stage.one(9, recall(&[1], ""))), Some(ErrorCode::ChatNotFound));
    stage.one(2, album(10, 2)).expect("sent");
    assert!(matches!(stage.one(2, recall(&[10, 11], "")), Ok(Done::Album { existed: true, .. })));
}

#[test]
fn forwarded_messages_come_as_one_and_keep_their_marks() {
    let mut stage = Stage::new(ChatKind::Group, &[2]);
    let from = stage.chat().version;
    let origin = || Forwarded { user_id: Some(UserId(7)), ..Forwarded::default() };
    let beside = || Beside { forwarded: Some(Box::new(origin())), ..Beside::default() };
    let item = |id: u128, body| NewMessage::forwarded(Uuid::from_u128(id), (ChatId(5), Seq(3)), body, beside());
    let ask = || {
        let bodies = [Body::text("a"), stored(1, ""), stored(2, ""), Body::text("b")];
        Change::Forward((20..).zip(bodies).map(|(id, body)| item(id, body)).collect())
    };
    let Ok(Done::Album { sent, existed: false }) = stage.one(2, ask()) else { panic!("sent") };
    let versions: Vec<i64> = sent.iter().map(|it| it.version.0 - from.0).collect();
    assert_eq!(versions, [1, 2, 2, 3], "those of an album have one version");
    assert_eq!(stage.one(2, ask()), Ok(Done::Album { sent: sent.clone(), existed: true }));
    let marks = |stage: &Stage, seq| stage.chat().messages[&seq].message.forwarded.clone();
    assert_eq!(marks(&stage, sent[0].seq), Some(origin()));
    let edit = Change::Edit(sent[0].seq, NewBody::text("other"));
    assert_eq!(code(&stage.one(2, edit)), Some(ErrorCode::Forbidden), "somebody else's word");
    // What is written anew keeps the mark in its JSON, and a tombstone has none.
    stage.one(1, Change::React(sent[0].seq, Some("👍".into()))).expect("reacted");
    assert_eq!(marks(&stage, sent[0].seq), Some(origin()));
    stage.one(2, Change::Delete(sent[0].seq)).expect("deleted");
    assert_eq!(marks(&stage, sent[0].seq), None);
    let json = stage.chat().messages[&sent[0].seq].json.clone();
    assert_eq!(json.as_deref(), Some(r#"{"kind":"deleted"}"#));
}
