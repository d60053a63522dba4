//! What a page says of itself, by its head: Open Graph, then what others have in its place. Only tags are looked for; nothing is built, and
//! nothing runs.

use std::collections::HashMap;

use crate::text::{DESCRIPTION, SITE, TITLE, clean};

/// A page about itself. Texts are clean.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Read {
    pub(crate) site: Option<String>,
    pub(crate) title: Option<String>,
    pub(crate) description: Option<String>,
    /// As the page names it, not followed yet.
    pub(crate) image: Option<String>,
}

/// Longest value that is kept of a tag, in bytes.
const VALUE_BYTES: usize = 4096;

/// Whether the head of a page ends in the last `fresh` bytes of what came.
pub(crate) fn has_head(came: &[u8], fresh: usize) -> bool {
    const END: [&[u8]; 2] = [b"</head", b"<body"];
    let from = came.len().saturating_sub(fresh + 8);
    END.iter().any(|end| came[from..].windows(end.len()).any(|it| it.eq_ignore_ascii_case(end)))
}

pub(crate) fn read(page: &str) -> Read {
    let mut said: HashMap<String, String> = HashMap::new();
    let mut title = None;
    let mut rest = page;
    while let Some(at) = rest.find('<') {
        rest = &rest[at + 1..];
        if let Some(comment) = rest.strip_prefix("!--") {
            rest = comment.split_once("-->").map_or("", |(_, after)| after);
            continue;
        }
        let name: String =
            rest.chars().take_while(char::is_ascii_alphanumeric).take(16).collect::<String>().to_ascii_lowercase();
        match name.as_str() {
            "body" => break,
            "meta" => {
                let (tag, after) = attributes(&rest[4..]);
                rest = after;
                let key = ["property", "name", "itemprop"].iter().find_map(|it| tag.get(*it));
                if let (Some(key), Some(value)) = (key, tag.get("content")) {
                    // The first one counts: a page with several pictures names the best one first.
                    said.entry(key.trim().to_ascii_lowercase()).or_insert_with(|| value.clone());
                }
            }
            "link" => {
                let (tag, after) = attributes(&rest[4..]);
                rest = after;
                if let (Some(rel), Some(place)) = (tag.get("rel"), tag.get("href"))
                    && rel.eq_ignore_ascii_case("image_src")
                {
                    said.entry("image_src".to_owned()).or_insert_with(|| place.clone());
                }
            }
            "title" => {
                let (_, after) = attributes(&rest[5..]);
                let (words, after) = until(after, "</title");
                title.get_or_insert(words);
                rest = after;
            }
            // What is in them is no tag, whatever it looks like.
            "script" | "style" | "noscript" | "template" | "svg" => {
                let (_, after) = attributes(&rest[name.len()..]);
                rest = until(after, &format!("</{name}")).1;
            }
            _ => {}
        }
    }
    let words = |keys: &[&str], most| keys.iter().find_map(|key| clean(said.get(*key)?, most));
    let image = ["og:image:secure_url", "og:image", "og:image:url", "twitter:image", "twitter:image:src", "image_src"];
    Read {
        site: words(&["og:site_name", "application-name"], SITE),
        title: words(&["og:title", "twitter:title"], TITLE).or_else(|| clean(title?, TITLE)),
        description: words(&["og:description", "twitter:description", "description"], DESCRIPTION),
        image: image.iter().find_map(|key| said.get(*key)).map(|it| it.trim().replace("&amp;", "&")),
    }
}

/// What stands before an end that is found in any case, and what follows its beginning; all, when it is not there.
fn until<'a>(text: &'a str, end: &str) -> (&'a str, &'a str) {
    let found = text.as_bytes().windows(end.len()).position(|it| it.eq_ignore_ascii_case(end.as_bytes()));
    found.map_or((text, ""), |at| (&text[..at], &text[at + end.len()..]))
}

/// The attributes of a tag, by lower-case name, and what follows the tag.
fn attributes(tag: &str) -> (HashMap<String, String>, &str) {
    let mut found = HashMap::new();
    let mut rest = tag;
    loop {
        rest = rest.trim_start_matches(|it: char| it.is_whitespace() || it == '/');
        if rest.is_empty() {
            return (found, rest);
        }
        if let Some(after) = rest.strip_prefix('>') {
            return (found, after);
        }
        let end = rest.find(|it: char| it.is_whitespace() || "=>/".contains(it)).unwrap_or(rest.len());
        // A stray sign is no name: it is passed over.
        let end = if end == 0 { rest.chars().next().map_or(1, char::len_utf8) } else { end };
        let (name, after) = rest.split_at(end);
        rest = after.trim_start();
        let mut value = "";
        if let Some(after) = rest.strip_prefix('=') {
            let after = after.trim_start();
            (value, rest) = match after.chars().next() {
                Some(quote @ ('"' | '\'')) => after[1..].split_once(quote).unwrap_or((&after[1..], "")),
                _ => after.split_at(after.find(|it: char| it.is_whitespace() || it == '>').unwrap_or(after.len())),
            };
        }
        if value.len() <= VALUE_BYTES {
            found.entry(name.to_ascii_lowercase()).or_insert_with(|| value.to_owned());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn open_graph_says_more_than_the_rest() {
        let page = r#"<!doctype html><html><HEAD><title>عنوان</title>
            <meta name="description" content="شرح"><meta property=og:title content='بهتر &amp; بلند'>
            <META CONTENT="شرح بهتر" PROPERTY="og:description" /><meta property="og:site_name" content="روزنامه">
            <meta property="og:image" content="/a.png?x=1&amp;y=2"><meta property="og:image" content="/b.png"></head>"#;
        let read = read(page);
        assert_eq!(read.site.as_deref(), Some("روزنامه"));
        assert_eq!(read.title.as_deref(), Some("بهتر & بلند"));
        assert_eq!(read.description.as_deref(), Some("شرح بهتر"));
        assert_eq!(read.image.as_deref(), Some("/a.png?x=1&y=2"));
    }

    #[test]
    fn what_only_looks_like_a_tag_is_none() {
        let page = r#"<head><!-- <title>comment</title> --><script>var a = "<title>script</title>"</script>
            <style>/* <meta property=og:title content=style> */</style><title lang=fa>یک
            خط</title></head><body><meta property="og:title" content="body">"#;
        assert_eq!(read(page), Read { title: Some("یک خط".into()), ..Read::default() });
    }

    #[test]
    fn broken_pages_end() {
        for page in [
            "<",
            "<meta",
            "<meta content=\"",
            "<meta property=\"og:title\" content=",
            "<title>",
            "<!--",
            "<script",
            "<meta ='x' =>",
            "<é",
        ] {
            read(page);
        }
        let read = read("<meta property=og:title content=unclosed");
        assert_eq!(read.title.as_deref(), Some("unclosed"));
    }

    #[test]
    fn the_head_ends_wherever_a_chunk_does() {
        assert!(has_head(b"<title>x</title></HeAd>", 3));
        assert!(!has_head(b"<head><title>", 13));
    }
}
