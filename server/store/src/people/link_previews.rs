//! What was found behind links. Whoever asks for the same link within an hour is told the same, and within a day a message can name it.

use chapar_protocol::preview::PreviewImage;
use serde::{Deserialize, Serialize};
use sqlx::{Row, types::Json};

use super::{People, Result};

/// What a page says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FoundPage {
    /// Whose page it is.
    pub site: String,
    /// What it is called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// What it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

/// What is known of a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownLink {
    /// What was found; nothing is known too.
    pub page: Option<FoundPage>,
    /// The picture: a photo of whoever asked first.
    pub image: Option<PreviewImage>,
    /// It was looked at within the last hour.
    pub fresh: bool,
}

impl People {
    /// What is known of a link, by its hash.
    pub async fn link_preview(&self, link: &[u8]) -> Result<Option<KnownLink>> {
        let row = sqlx::query(
            "SELECT found, image, at > now() - interval '1 hour' AS fresh FROM link_previews
             WHERE link = $1 AND at > now() - interval '1 day'",
        )
        .bind(link)
        .fetch_optional(&self.pool)
        .await?;
        let Some(row) = row else { return Ok(None) };
        Ok(Some(KnownLink {
            page: row.try_get::<Option<Json<FoundPage>>, _>("found")?.map(|it| it.0),
            image: row.try_get::<Option<Json<PreviewImage>>, _>("image")?.map(|it| it.0),
            fresh: row.try_get("fresh")?,
        }))
    }

    /// Keeps what was found, and forgets some of what is too old.
    pub async fn keep_link_preview(
        &self,
        link: &[u8],
        page: Option<&FoundPage>,
        image: Option<&PreviewImage>,
    ) -> Result<()> {
        sqlx::query(
            "WITH old AS (
                 SELECT o.link FROM link_previews o WHERE o.at < now() - interval '1 day' ORDER BY o.at LIMIT 20 FOR UPDATE SKIP LOCKED
             ), forgotten AS (
                 DELETE FROM link_previews p USING old WHERE p.link = old.link AND p.link <> $1
             )
             INSERT INTO link_previews AS k (link, found, image) VALUES ($1, $2, $3)
             ON CONFLICT (link) DO UPDATE SET at = now(), found = excluded.found, image = excluded.image",
        )
        .bind(link)
        .bind(page.map(Json))
        .bind(image.map(Json))
        .execute(&self.pool)
        .await?;
        Ok(())
    }
}
