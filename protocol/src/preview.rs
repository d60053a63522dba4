//! What stands behind a link.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::{
    media::StoredFile,
    message::{EntityKind, Text},
};

/// What the server has found behind a link, when its sender asked. Words are the page's own: one line each, and nothing that turns the text
/// around them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, TS)]
pub struct LinkPreview {
    /// The link as it was asked for, at most 2048 bytes.
    pub url: String,
    /// Whose page it is: as the site calls itself, else its host. At most 80 characters.
    pub site: String,
    /// What the page is called, at most 200 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub title: Option<String>,
    /// What it is about, at most 300 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub description: Option<String>,
    /// Its picture, made anew and kept by the server: nobody who reads asks the site.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub image: Option<PreviewImage>,
}

/// The picture of a [`LinkPreview`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, TS)]
pub struct PreviewImage {
    /// As large as it is kept.
    pub file: StoredFile,
    /// In pixels.
    pub width: u32,
    /// In pixels.
    pub height: u32,
    /// What is shown until the picture has come: a thumbhash of at most 40 bytes, in base64 without padding.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub preview: Option<String>,
    /// The smaller sizes in which there is a JPEG of it, by the longer side.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[ts(as = "Option<Vec<u16>>", optional)]
    pub sizes: Vec<u16>,
}

impl LinkPreview {
    /// Whether a text holds the link: nobody shows one thing and leads to another.
    pub fn belongs_to(&self, text: &Text) -> bool {
        let plain = |url: &str| {
            let lower = url.to_lowercase();
            let rest = lower.split_once("://").map_or(lower.as_str(), |(_, rest)| rest);
            rest.trim_end_matches('/').to_owned()
        };
        let link = plain(&self.url);
        let marked = text.entities.iter().any(|it| matches!(&it.kind, EntityKind::Link { url } if plain(url) == link));
        marked || text.text.to_lowercase().contains(&link)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Entity;

    #[test]
    fn a_preview_belongs_to_a_text_that_holds_its_link() {
        let preview = |url: &str| LinkPreview {
            url: url.to_owned(),
            site: "example.ir".into(),
            title: None,
            description: None,
            image: None,
        };
        let text = |text: &str| Text { text: text.to_owned(), entities: Vec::new() };
        for (url, said, belongs) in [
            ("https://example.ir/", "ببین example.ir", true),
            ("https://Example.ir/A", "see HTTPS://example.ir/a now", true),
            ("https://example.ir/a", "example.ir", false),
            ("https://evil.ir/", "https://bank.ir/", false),
        ] {
            assert_eq!(preview(url).belongs_to(&text(said)), belongs, "{url} in {said}");
        }
        let kind = EntityKind::Link { url: "https://example.ir/a".into() };
        let marked = Text { entities: vec![Entity { offset: 0, length: 4, kind }], ..text("here") };
        assert!(preview("https://example.ir/a").belongs_to(&marked));
        assert!(!preview("https://example.ir/b").belongs_to(&marked));
    }
}
