//! The rules for bodies with files, for places and for contacts: all that can be said without a look at the file.

use super::{Caption, ContactBody, FileId, LocationBody, NamedFile, NewAudio, NewVideo};
use crate::{
    ErrorCode, WireError, limit,
    message::{NewBody, Text},
    text,
};

/// The longest side of a picture, in pixels.
const SIDE: u32 = 65_535;
/// The longest that anything plays, in milliseconds: a day.
const LONGEST: u32 = 24 * 60 * 60 * 1000;

fn refuse<T>(message: &str) -> Result<T, WireError> {
    Err(WireError::new(ErrorCode::BadRequest, message))
}

/// Checks a new body that is no text, and puts it into the form in which it is stored.
///
/// # Errors
/// [`ErrorCode::BadRequest`] for figures out of bounds, previews and waveforms of another length, a phone that is none; those of
/// captions, titles, reactions and polls for what they are like.
pub fn check(body: NewBody) -> Result<NewBody, WireError> {
    Ok(match body {
        NewBody::Text(text) => NewBody::Text(text::check_text(text)?),
        NewBody::Photo(mut it) => {
            it.caption = caption(it.caption)?;
            NewBody::Photo(it)
        }
        NewBody::Video(it) => NewBody::Video(video(it)?),
        NewBody::Round(it) => {
            duration(Some(it.duration_ms))?;
            preview(it.preview.as_deref())?;
            poster(&it.file, it.poster)?;
            NewBody::Round(it)
        }
        NewBody::Voice(mut it) => {
            duration(it.duration_ms)?;
            waveform(it.waveform.as_deref())?;
            it.caption = caption(it.caption)?;
            NewBody::Voice(it)
        }
        NewBody::Audio(it) => NewBody::Audio(audio(it)?),
        NewBody::Document(mut it) => {
            it.caption = caption(it.caption)?;
            NewBody::Document(it)
        }
        NewBody::Sticker(mut it) => {
            if it.pack_id.is_some() && it.file.from.is_some() {
                return refuse("a sticker is of a pack, or from a message");
            }
            it.emoji = it.emoji.as_deref().map(text::check_reaction).transpose()?;
            NewBody::Sticker(it)
        }
        NewBody::Location(it) => NewBody::Location(location(&it)?),
        NewBody::Contact(it) => NewBody::Contact(contact(it)?),
        NewBody::Poll(it) => NewBody::Poll(it.check()?),
    })
}

/// Checks the items of an album and gives all of them the album's id. Their bodies are checked one by one.
///
/// # Errors
/// [`ErrorCode::BadRequest`] for fewer than 2 or more than 10, a client id twice, bodies that no album holds or that do not belong
/// together, and different ids of the album.
pub fn check_album(mut items: Vec<super::AlbumItem>) -> Result<Vec<super::AlbumItem>, WireError> {
    if !limit::ALBUM.contains(&items.len()) {
        return refuse("an album has 2 to 10 messages");
    }
    let named = items.iter().find_map(|item| item.body.album());
    let id = named.unwrap_or(items[0].client_id);
    let mut seen = std::collections::HashSet::new();
    if !items.iter().all(|item| seen.insert(item.client_id)) {
        return refuse("each message of an album has its own client id");
    }
    let class = class_in_album(&items[0].body);
    for item in &mut items {
        if class.is_none() || class_in_album(&item.body) != class {
            return refuse("an album holds photos and videos, or music, or documents");
        }
        if item.body.album().is_some_and(|other| other != id) {
            return refuse("the messages of an album name one album");
        }
        item.body.set_album(id);
    }
    Ok(items)
}

/// What stands together in albums.
fn class_in_album(body: &NewBody) -> Option<u8> {
    match body {
        NewBody::Photo(_) | NewBody::Video(_) => Some(0),
        NewBody::Audio(_) => Some(1),
        NewBody::Document(_) => Some(2),
        _ => None,
    }
}

/// Checks a text under a file.
///
/// # Errors
/// As for a text, but that there may be none.
pub fn caption(caption: Caption) -> Result<Caption, WireError> {
    if caption == Caption::default() {
        return Ok(caption);
    }
    let Caption { text, entities } = caption;
    let Text { text, entities } = text::check_text(Text { text, entities })?;
    Ok(Caption { text, entities })
}

fn video(mut it: NewVideo) -> Result<NewVideo, WireError> {
    if !(1..=SIDE).contains(&it.width) || !(1..=SIDE).contains(&it.height) {
        return refuse("width and height are 1 to 65,535 pixels");
    }
    duration(Some(it.duration_ms))?;
    preview(it.preview.as_deref())?;
    poster(&it.file, it.poster)?;
    it.caption = caption(it.caption)?;
    Ok(it)
}

fn audio(mut it: NewAudio) -> Result<NewAudio, WireError> {
    duration(it.duration_ms)?;
    it.title = it.title.as_deref().map(text::check_title).transpose()?;
    it.performer = it.performer.as_deref().map(text::check_title).transpose()?;
    it.caption = caption(it.caption)?;
    Ok(it)
}

/// To a millionth of a degree, a hand's breadth: figures so short come out of JSON as they went in.
fn location(it: &LocationBody) -> Result<LocationBody, WireError> {
    const PART: f64 = 1e6;
    let on_earth = (-90.0..=90.0).contains(&it.latitude) && (-180.0..=180.0).contains(&it.longitude);
    if !on_earth || it.accuracy_m.is_some_and(|metres| metres > 100_000) {
        return refuse("a place is −90 to 90 and −180 to 180 degrees, and at most 100 km off");
    }
    let round = |degrees: f64| (degrees * PART).round() / PART + 0.0;
    Ok(LocationBody { latitude: round(it.latitude), longitude: round(it.longitude), accuracy_m: it.accuracy_m })
}

fn contact(it: ContactBody) -> Result<ContactBody, WireError> {
    let name = text::check_title(&it.name)?;
    if let Some(phone) = &it.phone {
        let digits = phone.strip_prefix('+').unwrap_or(phone);
        if !(3..=15).contains(&digits.len()) || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return refuse("a phone number has 3 to 15 digits, with or without a + before them");
        }
    }
    if it.user_id.is_some_and(|user| !(1..1 << 53).contains(&user.0)) {
        return refuse("there is no such user id");
    }
    Ok(ContactBody { name, ..it })
}

fn duration(ms: Option<u32>) -> Result<(), WireError> {
    if ms.is_some_and(|ms| ms > LONGEST) { refuse("nothing plays longer than a day") } else { Ok(()) }
}

fn poster(file: &NamedFile, poster: Option<FileId>) -> Result<(), WireError> {
    if poster == Some(file.file_id) { refuse("a file is not its own poster") } else { Ok(()) }
}

/// Checks a tiny preview.
///
/// # Errors
/// [`ErrorCode::BadRequest`] for anything but 5 to 40 bytes in base64 without padding.
pub fn preview(preview: Option<&str>) -> Result<(), WireError> {
    // A thumbhash has at least its header of five bytes.
    match preview {
        Some(given) if !base64_len(given).is_some_and(|bytes| (5..=limit::PREVIEW_BYTES).contains(&bytes)) => {
            refuse("a preview has 5 to 40 bytes in base64 without padding")
        }
        _ => Ok(()),
    }
}

/// Checks how loud something is.
///
/// # Errors
/// [`ErrorCode::BadRequest`] for anything but 63 bytes in base64 without padding.
pub fn waveform(waveform: Option<&str>) -> Result<(), WireError> {
    match waveform {
        Some(given) if base64_len(given) != Some(limit::WAVEFORM_BYTES) => {
            refuse("a waveform has 63 bytes in base64 without padding")
        }
        _ => Ok(()),
    }
}

/// How many bytes a text in base64 (the standard alphabet, without padding) stands for.
fn base64_len(text: &str) -> Option<usize> {
    let fits = text.len() % 4 != 1 && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'+' || b == b'/');
    fits.then_some(text.len() * 3 / 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(json: &str) -> Result<NewBody, ErrorCode> {
        let body: NewBody = serde_json::from_str(json).unwrap_or_else(|error| panic!("{json}: {error}"));
        text::check_body(body).map_err(|error| error.code)
    }

    const FILE: &str = r#""file_id":"6f0c2c55-8c9b-4b8e-9d0e-2b1d6a3f7e10""#;

    /// A body of this kind, and what else is in it.
    fn of(kind: &str, more: &str) -> Result<NewBody, ErrorCode> {
        checked(&format!(r#"{{"kind":"{kind}",{FILE}{more}}}"#))
    }

    #[test]
    fn a_file_needs_no_text_and_its_text_has_the_rules_of_every_text() {
        for kind in ["photo", "voice", "audio", "document"] {
            assert!(of(kind, "").is_ok(), "{kind}");
            assert!(of(kind, r#","text":"سلام","entities":[{"offset":0,"length":2,"type":"bold"}]"#).is_ok(), "{kind}");
            assert_eq!(of(kind, r#","text":"\u200b""#), Err(ErrorCode::BadText), "{kind}");
            assert_eq!(of(kind, r#","text":"a\u0000b""#), Err(ErrorCode::BadText), "{kind}");
            let long = format!(r#","text":"{}""#, "x".repeat(limit::TEXT_UNITS + 1));
            assert_eq!(of(kind, &long), Err(ErrorCode::TextTooLong), "{kind}");
            let outside = r#","text":"a","entities":[{"offset":0,"length":2,"type":"bold"}]"#;
            assert_eq!(of(kind, outside), Err(ErrorCode::BadEntities), "{kind}");
            let nothing = r#","entities":[{"offset":0,"length":1,"type":"bold"}]"#;
            assert_eq!(of(kind, nothing), Err(ErrorCode::BadText), "marks on nothing: {kind}");
        }
    }

    #[test]
    fn previews_and_waveforms_have_their_length() {
        let round = |preview: &str| of("round", &format!(r#","duration_ms":1000,"preview":"{preview}""#));
        assert!(round(&"A".repeat(7)).is_ok() && round(&"/+aZ09".repeat(9)).is_ok(), "5 bytes, and 40");
        for bad in ["", "AAA", &"A".repeat(55), "AAAAAAA=", "AAAAAA-", "AAAAAAAAA"] {
            assert_eq!(round(bad), Err(ErrorCode::BadRequest), "{bad}");
        }
        let voice = |waveform: &str| of("voice", &format!(r#","waveform":"{waveform}""#));
        assert!(voice(&"f".repeat(84)).is_ok());
        for bad in [83, 85, 86, 0] {
            assert_eq!(voice(&"f".repeat(bad)), Err(ErrorCode::BadRequest), "{bad}");
        }
    }

    #[test]
    fn figures_have_bounds() {
        let video = |width: u64, height: u64, ms: u64| {
            of("video", &format!(r#","width":{width},"height":{height},"duration_ms":{ms}"#))
        };
        assert!(video(1, 65_535, 86_400_000).is_ok());
        for (width, height, ms) in [(0, 1, 1), (1, 0, 1), (65_536, 1, 1), (1, 1, 86_400_001)] {
            assert_eq!(video(width, height, ms), Err(ErrorCode::BadRequest), "{width} {height} {ms}");
        }
        let own = format!(r#","width":1,"height":1,"duration_ms":1,"poster":{}"#, &FILE["\"file_id\":".len()..]);
        assert_eq!(of("video", &own), Err(ErrorCode::BadRequest), "its own poster");
    }

    #[test]
    fn a_place_is_on_the_earth_and_comes_out_as_it_is_stored() {
        let place = |latitude: &str, longitude: &str| {
            checked(&format!(r#"{{"kind":"location","latitude":{latitude},"longitude":{longitude}}}"#))
        };
        let once = place("35.68925123456789", "-51.38897000000001").expect("on the earth");
        let json = serde_json::to_string(&once).expect("serialises");
        assert_eq!(json, r#"{"kind":"location","latitude":35.689251,"longitude":-51.38897}"#);
        assert_eq!(checked(&json), Ok(once), "what was accepted is accepted unchanged");
        for (latitude, longitude) in [("90.1", "0"), ("0", "-180.5"), ("1e300", "0")] {
            assert_eq!(place(latitude, longitude), Err(ErrorCode::BadRequest), "{latitude} {longitude}");
        }
    }

    #[test]
    fn a_contact_has_a_name_and_a_number_that_can_be_called() {
        let contact = |more: &str| checked(&format!(r#"{{"kind":"contact","name":" سارا "{more}}}"#));
        let NewBody::Contact(sara) = contact(r#","phone":"+989121234567","user_id":1024"#).expect("fits") else {
            unreachable!()
        };
        assert_eq!(sara.name, "سارا");
        for bad in [r#","phone":"12""#, r#","phone":"+98 912""#, r#","phone":"۰۹۱۲""#, r#","user_id":0"#] {
            assert_eq!(contact(bad), Err(ErrorCode::BadRequest), "{bad}");
        }
        assert_eq!(checked(r#"{"kind":"contact","name":"\u200c"}"#), Err(ErrorCode::BadTitle));
        assert!(of("sticker", r#","emoji":"👍""#).is_ok());
        assert_eq!(of("sticker", r#","emoji":"hello""#), Err(ErrorCode::BadReaction));
        let pack = r#","pack_id":"00000000-0000-0000-0000-000000000007""#;
        assert!(of("sticker", pack).is_ok());
        let both = format!(r#"{pack},"from":{{"chat_id":1,"seq":1}}"#);
        assert_eq!(of("sticker", &both), Err(ErrorCode::BadRequest));
        assert_eq!(of("audio", r#","title":" ""#), Err(ErrorCode::BadTitle));
    }

    #[test]
    fn an_album_is_of_what_belongs_together() {
        let item = |n: u128, json: &str| {
            let body = serde_json::from_str(json).expect("is a body");
            super::super::AlbumItem { client_id: uuid::Uuid::from_u128(n), body }
        };
        let photo = format!(r#"{{"kind":"photo",{FILE}}}"#);
        let video = format!(r#"{{"kind":"video",{FILE},"width":1,"height":1,"duration_ms":1}}"#);
        let document = format!(r#"{{"kind":"document",{FILE}}}"#);
        let both = check_album(vec![item(1, &photo), item(2, &video)]).expect("belong together");
        assert!(both.iter().all(|it| it.body.album() == Some(uuid::Uuid::from_u128(1))), "{both:?}");
        let named = photo.replace('}', r#","album":"00000000-0000-0000-0000-000000000007"}"#);
        let both = check_album(vec![item(1, &photo), item(2, &named)]).expect("one names the album");
        assert!(both.iter().all(|it| it.body.album() == Some(uuid::Uuid::from_u128(7))), "{both:?}");
        let other = named.replace("0007", "0008");
        let text = r#"{"kind":"text","text":"x"}"#;
        for (why, items) in [
            ("one alone", vec![item(1, &photo)]),
            ("too many", (0..11).map(|n| item(n, &photo)).collect()),
            ("one id twice", vec![item(1, &photo), item(1, &photo)]),
            ("no album of texts", vec![item(1, text), item(2, text)]),
            ("documents by themselves", vec![item(1, &photo), item(2, &document)]),
            ("two albums", vec![item(1, &named), item(2, &other)]),
        ] {
            assert_eq!(check_album(items).map_err(|it| it.code).err(), Some(ErrorCode::BadRequest), "{why}");
        }
    }
}
