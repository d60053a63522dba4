//! `docs/PROTOCOL.md` names every code, command, event and limit with the values of this crate, and the rules of the vectors.

use std::{fs, path::Path};

use chapar_protocol::{CloseCode, ErrorCode, command::METHODS, limit};

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The cells of the table row that begins with `first`.
fn row<'a>(document: &'a str, first: &str) -> Vec<&'a str> {
    let begin = format!("| {first} |");
    let line = document.lines().find(|line| line.starts_with(&begin));
    let line = line.unwrap_or_else(|| panic!("docs/PROTOCOL.md has no row that begins with {begin}"));
    line.split('|').map(str::trim).collect()
}

fn on_wire<T: serde::Serialize>(value: &T) -> String {
    serde_json::to_value(value).expect("serialises").as_str().expect("is a string").to_owned()
}

#[test]
fn every_error_code_stands_with_its_status_and_action() {
    let document = read("docs/PROTOCOL.md");
    for code in ErrorCode::ALL {
        let cells = row(&document, &format!("`{}`", code.name()));
        assert_eq!(cells[3], code.http_status().to_string(), "{}", code.name());
        assert_eq!(cells[4], format!("`{}`", on_wire(&code.action())), "{}", code.name());
    }
}

#[test]
fn every_close_code_stands_with_its_action() {
    let document = read("docs/PROTOCOL.md");
    for (_, number, action, _) in CloseCode::ALL {
        assert_eq!(row(&document, &number.to_string())[3], format!("`{}`", on_wire(action)), "{number}");
    }
}

#[test]
fn every_command_stands_and_says_whether_http_has_it() {
    let document = read("docs/PROTOCOL.md");
    for method in METHODS {
        let http = if method.http { "yes" } else { "no" };
        assert_eq!(row(&document, &format!("`{}`", method.name))[4], http, "{}", method.name);
    }
}

#[test]
fn every_event_stands() {
    let document = read("docs/PROTOCOL.md");
    let schema: serde_json::Value = serde_json::from_str(&read("protocol/generated/schema.json")).expect("is JSON");
    let events = schema["$defs"]["Event"]["oneOf"].as_array().expect("the events are a choice");
    for event in events {
        let name = event["properties"]["event"]["const"].as_str().expect("has a name");
        row(&document, &format!("`{name}`"));
    }
}

#[test]
fn every_limit_stands_with_its_value() {
    let document = read("docs/PROTOCOL.md");
    let (handle, password) = (limit::HANDLE_LENGTH, limit::PASSWORD_BYTES);
    let limits = [
        ("FRAME_BYTES", limit::FRAME_BYTES.to_string()),
        ("BODY_BYTES", limit::BODY_BYTES.to_string()),
        ("TEXT_UNITS", limit::TEXT_UNITS.to_string()),
        ("ENTITIES", limit::ENTITIES.to_string()),
        ("MENTIONS", limit::MENTIONS.to_string()),
        ("MENTIONS_TOLD", limit::MENTIONS_TOLD.to_string()),
        ("DELETED", limit::DELETED.to_string()),
        ("QUOTE_UNITS", limit::QUOTE_UNITS.to_string()),
        ("URL_BYTES", limit::URL_BYTES.to_string()),
        ("REACTION_BYTES", limit::REACTION_BYTES.to_string()),
        ("REACTION_KINDS", limit::REACTION_KINDS.to_string()),
        ("POLL_OPTIONS", format!("{} to {}", limit::POLL_OPTIONS.start(), limit::POLL_OPTIONS.end())),
        ("POLL_QUESTION_UNITS", limit::POLL_QUESTION_UNITS.to_string()),
        ("POLL_OPTION_UNITS", limit::POLL_OPTION_UNITS.to_string()),
        ("POLL_EXPLANATION_UNITS", limit::POLL_EXPLANATION_UNITS.to_string()),
        ("READERS_TOLD", limit::READERS_TOLD.to_string()),
        ("HANDLE_LENGTH", format!("{} to {}", handle.start(), handle.end())),
        ("TITLE_CHARS", limit::TITLE_CHARS.to_string()),
        ("DESCRIPTION_CHARS", limit::DESCRIPTION_CHARS.to_string()),
        ("PINNED", limit::PINNED.to_string()),
        ("PASSWORD_BYTES", format!("{} to {}", password.start(), password.end())),
        ("GROUP_MEMBERS", limit::GROUP_MEMBERS.to_string()),
        ("REASON_CHARS", limit::REASON_CHARS.to_string()),
        ("SLOW_SECONDS", limit::SLOW_SECONDS.to_string()),
        (
            "DELETE_AFTER_SECONDS",
            format!("{} to {}", limit::DELETE_AFTER_SECONDS.start(), limit::DELETE_AFTER_SECONDS.end()),
        ),
        ("ADMIN_LOG_DAYS", limit::ADMIN_LOG_DAYS.to_string()),
        ("ADMIN_LOG_PAGE", limit::ADMIN_LOG_PAGE.to_string()),
        ("INVITES", limit::INVITES.to_string()),
        ("INVITE_USES", limit::INVITE_USES.to_string()),
        ("USERS_PER_COMMAND", limit::USERS_PER_COMMAND.to_string()),
        ("DEVICES", limit::DEVICES.to_string()),
        ("RESUME_CHATS", limit::RESUME_CHATS.to_string()),
        ("PAGE", limit::PAGE.to_string()),
        ("ANSWER_BYTES", limit::ANSWER_BYTES.to_string()),
        ("DIFFERENCE_CHATS", limit::DIFFERENCE_CHATS.to_string()),
        ("DIFFERENCE_VERSIONS", limit::DIFFERENCE_VERSIONS.to_string()),
        ("SNAPSHOT_MESSAGES", limit::SNAPSHOT_MESSAGES.to_string()),
        ("IN_FLIGHT", limit::IN_FLIGHT.to_string()),
        ("HELLO_SECONDS", limit::HELLO_SECONDS.to_string()),
        ("TYPING_SECONDS", limit::TYPING_SECONDS.to_string()),
        ("ITEMS_PER_COMMAND", limit::ITEMS_PER_COMMAND.to_string()),
        ("ITEM_BYTES", limit::ITEM_BYTES.to_string()),
        ("FOLDER_CHATS", limit::FOLDER_CHATS.to_string()),
        ("SCHEDULED", limit::SCHEDULED.to_string()),
        ("SCHEDULED_DAYS", limit::SCHEDULED_DAYS.to_string()),
        ("REPORT_BYTES", limit::REPORT_BYTES.to_string()),
        ("UPLOAD_BYTES", limit::UPLOAD_BYTES.to_string()),
        ("PHOTO_BYTES", limit::PHOTO_BYTES.to_string()),
        ("VOICE_BYTES", limit::VOICE_BYTES.to_string()),
        ("STICKER_BYTES", limit::STICKER_BYTES.to_string()),
        ("AVATAR_BYTES", limit::AVATAR_BYTES.to_string()),
        ("FILE_NAME_BYTES", limit::FILE_NAME_BYTES.to_string()),
        ("ALBUM", format!("{} to {}", limit::ALBUM.start(), limit::ALBUM.end())),
        ("FORWARDED", limit::FORWARDED.to_string()),
        ("PREVIEW_BYTES", limit::PREVIEW_BYTES.to_string()),
        ("WAVEFORM_BYTES", limit::WAVEFORM_BYTES.to_string()),
        ("FACTS_BYTES", limit::FACTS_BYTES.to_string()),
        ("LINKS_PER_COMMAND", limit::LINKS_PER_COMMAND.to_string()),
        ("PACK_STICKERS", limit::PACK_STICKERS.to_string()),
        ("OWN_PACKS", limit::OWN_PACKS.to_string()),
        ("PACKS_PER_COMMAND", limit::PACKS_PER_COMMAND.to_string()),
    ];
    for (name, value) in &limits {
        assert_eq!(&row(&document, &format!("`{name}`"))[2].replace(',', ""), value, "{name}");
    }
    let source = read("protocol/src/limit.rs");
    for line in source.lines().filter_map(|line| line.strip_prefix("pub const ")) {
        let name = line.split(':').next().unwrap_or_default();
        assert!(limits.iter().any(|(known, _)| *known == name), "{name} is not in this test's list");
    }
}

#[test]
fn every_kind_of_item_stands_with_its_bounds() {
    let document = read("docs/PROTOCOL.md");
    for bound in chapar_protocol::item::BOUNDS {
        let cells = row(&document, &format!("`{}`", bound.kind));
        assert_eq!(cells[4].replace(',', ""), bound.most.to_string(), "{}", bound.kind);
        assert_eq!(cells[5].replace(',', ""), bound.bytes.to_string(), "{}", bound.kind);
    }
}

#[test]
fn the_rules_are_those_of_the_vectors() {
    let rules = |text: &str| {
        let rules: Vec<String> = text.lines().filter(|line| line.starts_with("| **R")).map(str::to_owned).collect();
        assert!(rules.len() > 10, "the rules are rows of a table");
        rules
    };
    assert_eq!(rules(&read("docs/PROTOCOL.md")), rules(&read("protocol/vectors/README.md")));
}
