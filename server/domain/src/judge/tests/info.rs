//! Title, description and pins.

use super::*;

#[test]
fn title_and_description_change_for_all_and_only_by_who_may() {
    let mut stage = Stage::new(ChatKind::Group, &[2]);
    let set = |title: Option<&str>, description: Option<Option<&str>>| {
        let (title, description) = (title.map(str::to_owned), description.map(|it| it.map(str::to_owned)));
        Change::SetInfo(NewInfo { title, description, photo: None })
    };
    assert_eq!(code(&stage.one(2, set(Some("mine"), None))), Some(ErrorCode::Forbidden));
    let before = stage.chat().version;
    let (_, deltas) = stage.judge(&[asked(1, set(Some("new"), Some(Some("about"))))]);
    let told: Vec<_> = deltas.iter().flat_map(|it| &it.rows).filter_map(ChatRow::info).collect();
    assert_eq!((told.len(), stage.chat().version), (1, before.next()), "one row, one version");
    assert_eq!((told[0].title.as_deref(), told[0].description.as_deref()), (Some("new"), Some("about")));
    stage.one(1, set(None, None)).expect("nothing to do");
    stage.one(1, set(Some("new"), None)).expect("so already");
    assert_eq!(stage.chat().version, before.next());
    stage.one(1, set(None, Some(None))).expect("taken away");
    assert_eq!((stage.chat().info.title.as_deref(), &stage.chat().info.description), (Some("new"), &None));
    stage.one(1, Change::SetRights(Rights::WRITE.with(Rights::CHANGE_INFO))).expect("everybody");
    stage.one(2, set(Some("ours"), None)).expect("now they may");
    let mut direct = Stage::new(ChatKind::Direct, &[2]);
    assert_eq!(code(&direct.one(1, set(Some("x"), None))), Some(ErrorCode::Forbidden));
}

#[test]
fn a_photo_is_given_and_taken_away_by_who_may() {
    let mut stage = Stage::new(ChatKind::Channel, &[2]);
    let set = |photo: Option<FileId>| Change::SetInfo(NewInfo { photo: Some(photo), ..NewInfo::default() });
    let (one, other) = (FileId(Uuid::from_u128(1)), FileId(Uuid::from_u128(2)));
    assert_eq!(code(&stage.one(2, set(Some(one)))), Some(ErrorCode::Forbidden));
    let before = stage.chat().version;
    stage.one(1, set(None)).expect("there is none");
    assert_eq!(stage.chat().version, before);
    let told = |stage: &mut Stage, change| {
        let (_, deltas) = stage.judge(&[asked(1, change)]);
        let rows: Vec<_> = deltas.iter().flat_map(|it| &it.rows).filter_map(ChatRow::info).collect();
        rows.iter().map(|it| it.photo).collect::<Vec<_>>()
    };
    assert_eq!(told(&mut stage, set(Some(one))), [Some(one)]);
    assert_eq!(told(&mut stage, set(Some(one))), [], "so already");
    assert_eq!(told(&mut stage, set(Some(other))), [Some(other)]);
    let named = NewInfo { title: Some("new".into()), ..NewInfo::default() };
    assert_eq!(told(&mut stage, Change::SetInfo(named)), [Some(other)], "it stays");
    assert_eq!(told(&mut stage, set(None)), [None]);
    assert_eq!(stage.chat().version, Version(before.0 + 4));
    let mut direct = Stage::new(ChatKind::Direct, &[2]);
    assert_eq!(code(&direct.one(1, set(Some(one)))), Some(ErrorCode::Forbidden));
}

#[test]
fn pins_are_few_and_go_with_their_messages() {
    let mut stage = Stage::new(ChatKind::Direct, &[2]);
    for id in 0..30 {
        stage.one(1, message(id, "x")).expect("sent");
    }
    for seq in 1..=20 {
        stage.one(2, Change::Pin(Seq(seq))).expect("pinned by either");
    }
    let version = stage.chat().version;
    stage.one(1, Change::Pin(Seq(3))).expect("stays where it is");
    stage.one(1, Change::Unpin(Seq(21))).expect("is none");
    assert_eq!(stage.chat().version, version);
    assert_eq!(code(&stage.one(1, Change::Pin(Seq(21)))), Some(ErrorCode::TooLarge));
    assert_eq!(code(&stage.one(1, Change::Pin(Seq(31)))), Some(ErrorCode::MessageNotFound));
    assert_eq!(code(&stage.one(3, Change::Pin(Seq(1)))), Some(ErrorCode::ChatNotFound));
    let (_, deltas) = stage.judge(&[asked(1, Change::Delete(Seq(20)))]);
    assert_eq!((deltas[0].rows.len(), stage.chat().version), (2, version.next()), "the tombstone and the pins at once");
    assert_eq!(code(&stage.one(1, Change::Pin(Seq(20)))), Some(ErrorCode::MessageNotFound));
    stage.one(1, Change::Unpin(Seq(1))).expect("taken back");
    stage.one(1, Change::Pin(Seq(21))).expect("there is room");
    assert_eq!(stage.chat().info.pinned.last(), Some(&Seq(21)));
}
