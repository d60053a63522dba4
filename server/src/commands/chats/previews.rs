//! What stands behind links: looked up for whoever is about to send one, and put beside the message that names it. A client names a preview by
//! its link alone: what it says is the server's word, so that nobody can say of a page what it does not say.

use std::{sync::Arc, time::Duration};

use chapar_domain::chat::Beside;
use chapar_protocol::{
    ErrorCode, UserId,
    command::{LinkPreviewed, PreviewLink},
    limit,
    message::{NewBody, Text},
    preview::{LinkPreview, PreviewImage},
};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::files::{copy_id, shown};
use crate::{
    app::App,
    commands::{Asker, Outcome, Result, refuse},
    previews::{Failed, Found, Previews, canonical},
    store::{
        StoreError, busy,
        people::{
            files::KnownFile,
            link_previews::{FoundPage, KnownLink},
        },
    },
};

/// How long one waits for whoever looks at the same link.
const SAME_LINK: Duration = Duration::from_secs(12);
/// The sizes in which the picture behind a link is shown, by the longer side.
const SHOWN: u16 = 800;

/// The hash of a link's one form.
type Key = [u8; 32];

fn key(link: &str) -> Option<(String, Key)> {
    let link = canonical(link).filter(|it| it.len() <= limit::URL_BYTES)?;
    let key = Sha256::digest(&link).into();
    Some((link, key))
}

pub(in crate::commands) async fn look(app: Arc<App>, asker: Asker, wanted: PreviewLink) -> Result<LinkPreviewed> {
    let Some(previews) = &app.previews else {
        return refuse(ErrorCode::Forbidden, "this server does not look what stands behind links");
    };
    let Some((link, key)) = key(&wanted.url).filter(|_| wanted.url.len() <= limit::URL_BYTES) else {
        return refuse(ErrorCode::BadRequest, "no preview is made of such a link");
    };
    app.limits.preview(asker.user)?;
    // A page that takes its time is to hold up no more of this account's commands than one.
    let Some(_own) = app.previewers.take(asker.user, Duration::ZERO).await else {
        return Err(busy("another link of yours is being looked at: try again"));
    };
    let Some(_turn) = app.previewed.take(key, SAME_LINK).await else {
        return Err(busy("many look at this link just now: try again"));
    };
    let known = match app.store.people.link_preview(&key).await? {
        Some(known) if known.fresh => known,
        _ => found(&app, previews, asker.user, &link, &key).await?,
    };
    let preview = known.page.map(|page| shaped(wanted.url, page, known.image));
    Ok(Outcome::new(LinkPreviewed { preview }))
}

/// Asks the site, and keeps what it says; that it says nothing, too.
async fn found(
    app: &App,
    previews: &Previews,
    user: UserId,
    link: &str,
    key: &Key,
) -> std::result::Result<KnownLink, StoreError> {
    let found = match previews.look(link).await {
        Ok(found) => Some(found),
        Err(Failed::Busy) => return Err(busy("many links are looked at just now: try again")),
        Err(error) => {
            // Not which link: what people write stands in no log.
            tracing::debug!(%error, "a link without a preview");
            None
        }
    };
    let (page, picture) = found.map_or((None, None), |it| {
        let Found { site, title, description, image } = it;
        (Some(FoundPage { site, title, description }), image)
    });
    let image = match picture {
        None => None,
        Some(bytes) => app.files.take_photo(user, bytes).await.unwrap_or_else(|error| {
            tracing::warn!(error, "the picture behind a link is not kept");
            None
        }),
    };
    let image = image.as_ref().map(pictured);
    // A link to a picture is nothing without it.
    let page = page.filter(|it| it.title.is_some() || it.description.is_some() || image.is_some());
    app.store.people.keep_link_preview(key, page.as_ref(), image.as_ref()).await?;
    Ok(KnownLink { page, image, fresh: true })
}

/// The marks of a message that names a preview, with a picture of the sender's own. What is not known any more is left out.
pub(super) async fn beside(
    app: &App,
    user: UserId,
    client_id: Uuid,
    link: Option<&str>,
    body: &NewBody,
) -> std::result::Result<Beside, StoreError> {
    let (Some(url), NewBody::Text(text)) = (link, body) else { return Ok(Beside::default()) };
    let preview = preview(app, user, client_id, url, text).await?;
    Ok(Beside { preview: preview.map(Box::new), ..Beside::default() })
}

async fn preview(
    app: &App,
    user: UserId,
    client_id: Uuid,
    url: &str,
    text: &Text,
) -> std::result::Result<Option<LinkPreview>, StoreError> {
    let Some((_, key)) = key(url).filter(|_| app.previews.is_some() && url.len() <= limit::URL_BYTES) else {
        return Ok(None);
    };
    let Some(KnownLink { page: Some(page), image, .. }) = app.store.people.link_preview(&key).await? else {
        return Ok(None);
    };
    let mut preview = shaped(url.to_owned(), page, image);
    if !preview.belongs_to(text) {
        return Ok(None);
    }
    if let Some(image) = preview.image.take() {
        // A picture of the sender's own, the same for each try.
        let id = image.file.id;
        let copies = app.store.people.copy_files(user, &[(id, copy_id(user, client_id, id))]).await?;
        preview.image = copies.first().map(pictured);
    }
    Ok(Some(preview))
}

fn shaped(url: String, page: FoundPage, image: Option<PreviewImage>) -> LinkPreview {
    let FoundPage { site, title, description } = page;
    LinkPreview { url, site, title, description, image }
}

fn pictured(file: &KnownFile) -> PreviewImage {
    PreviewImage {
        file: shown(file),
        width: file.width.unwrap_or(0),
        height: file.height.unwrap_or(0),
        preview: file.preview.clone(),
        sizes: file.sizes.iter().copied().filter(|size| *size <= SHOWN).collect(),
    }
}
