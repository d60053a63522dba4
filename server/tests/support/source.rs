//! Reads Rust sources just well enough to say which paths they name. Knows comments, literals, `use` trees and
//! `#[cfg(test)]`; does not expand macros.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// A source file without its comments and its tests.
pub(crate) struct Source {
    /// From the root of the repository, with `/`.
    pub(crate) path: String,
    /// How many lines the file has, tests included.
    pub(crate) lines: usize,
    /// The code; every literal is empty.
    pub(crate) code: String,
    /// What stands between the quotes.
    pub(crate) literals: Vec<String>,
    /// Modules that exist for tests only, as `mod` items without body name them.
    test_modules: Vec<String>,
}

impl Source {
    /// Takes a text apart. `path` says which module it is.
    pub(crate) fn new(path: &str, text: &str) -> Self {
        let (code, literals) = without_comments(&without_tests(text));
        Self {
            path: path.to_owned(),
            lines: text.lines().count(),
            code,
            literals,
            test_modules: test_modules(&without_comments(text).0),
        }
    }

    /// Every path that the code names, each from its root: `std::net`, `crate::store::Store`.
    pub(crate) fn paths(&self) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        let here = module(&self.path);
        let mut rest = self.code.as_str();
        while let Some(at) = find_word(rest, "use") {
            let tail = &rest[at + 3..];
            let end = tail.find(';').unwrap_or(tail.len());
            // `use` is also part of a precise capture, `use<'a>`, which is no path.
            if !tail.trim_start().starts_with('<') {
                expand("", &tail[..end], &mut |path| {
                    found.insert(resolve(&here, path));
                });
            }
            rest = &tail[end..];
        }
        for path in inline_paths(&self.code) {
            found.insert(resolve(&here, &path));
        }
        found
    }

    /// Whether the code has this word, as a name of its own.
    pub(crate) fn has_word(&self, word: &str) -> bool {
        find_word(&self.code, word).is_some()
    }
}

/// Every file under `folder` of the repository that is not only for tests.
pub(crate) fn sources(root: &Path, folder: &str) -> Vec<Source> {
    let mut files = Vec::new();
    walk(&root.join(folder), &mut files);
    files.sort();
    let name = |path: &Path| path.strip_prefix(root).expect("inside").to_str().expect("a plain name").to_owned();
    let all: Vec<Source> = files
        .iter()
        .map(|path| Source::new(&name(path), &fs::read_to_string(path).expect("a readable source")))
        .collect();
    let for_tests: Vec<String> = all
        .iter()
        .flat_map(|source| {
            let folder = folder_of_children(&source.path);
            source.test_modules.iter().map(move |module| format!("{folder}/{module}"))
        })
        .collect();
    let only_for_tests = |path: &str| {
        for_tests
            .iter()
            .any(|test| path.strip_prefix(test.as_str()).is_some_and(|it| it == ".rs" || it.starts_with('/')))
    };
    all.into_iter().filter(|source| !only_for_tests(&source.path)).collect()
}

fn walk(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            walk(&path, into);
        } else if path.extension().is_some_and(|it| it == "rs") {
            into.push(path);
        }
    }
}

fn folder_of_children(path: &str) -> String {
    let stem = path.trim_end_matches(".rs");
    match stem.rsplit_once('/') {
        Some((folder, "lib" | "main")) => folder.to_owned(),
        _ => stem.to_owned(),
    }
}

/// `server/src/commands/send.rs` is `["crate", "commands", "send"]`.
fn module(path: &str) -> Vec<String> {
    let inside = path.split_once("/src/").map_or(path, |(_, inside)| inside).trim_end_matches(".rs");
    let names = inside.split('/').filter(|name| !matches!(*name, "lib" | "main"));
    std::iter::once("crate").chain(names).map(str::to_owned).collect()
}

fn resolve(here: &[String], path: &str) -> String {
    let mut base = here.to_vec();
    let mut names = path.split("::").peekable();
    let mut relative = false;
    while let Some(name @ ("self" | "super")) = names.peek().copied() {
        if name == "super" {
            base.pop();
        }
        relative = true;
        names.next();
    }
    let rest = names.map(str::to_owned);
    if relative { base.into_iter().chain(rest).collect::<Vec<_>>().join("::") } else { path.to_owned() }
}

/// The leaves of a `use` tree.
fn expand(before: &str, tree: &str, found: &mut impl FnMut(&str)) {
    let tree = tree.trim();
    match tree.find('{') {
        None => {
            let path = tree.split_whitespace().next().unwrap_or("");
            let path = path.trim_start_matches("::").trim_end_matches("::*");
            if !path.is_empty() {
                let whole =
                    if path == "self" { before.trim_end_matches("::").to_owned() } else { format!("{before}{path}") };
                found(&whole);
            }
        }
        Some(open) => {
            let before = format!("{before}{}", tree[..open].trim().trim_start_matches("::"));
            let inner = &tree[open + 1..tree.rfind('}').unwrap_or(tree.len())];
            let (mut depth, mut start) = (0_usize, 0);
            for (at, character) in inner.char_indices() {
                match character {
                    '{' => depth += 1,
                    '}' => depth -= 1,
                    ',' if depth == 0 => {
                        expand(&before, &inner[start..at], found);
                        start = at + 1;
                    }
                    _ => {}
                }
            }
            expand(&before, &inner[start..], found);
        }
    }
}

/// Names joined by `::` in the code.
fn inline_paths(code: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut current = String::new();
    let mut characters = code.chars().peekable();
    while let Some(character) = characters.next() {
        if is_name(character) {
            current.push(character);
        } else if character == ':' && characters.peek() == Some(&':') && !current.is_empty() {
            characters.next();
            current.push_str("::");
        } else {
            let path = current.trim_end_matches("::");
            if current.contains("::") && !path.is_empty() {
                found.push(path.to_owned());
            }
            current.clear();
        }
    }
    found
}

fn is_name(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

fn find_word(code: &str, word: &str) -> Option<usize> {
    code.match_indices(word)
        .map(|(at, _)| at)
        .find(|&at| !code[..at].ends_with(is_name) && !code[at + word.len()..].starts_with(is_name))
}

/// Without the items that stand under `#[cfg(test)]`.
fn without_tests(text: &str) -> String {
    let mut kept = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("#[cfg(test)]") {
        kept.push_str(&rest[..at]);
        let item = &rest[at..];
        let length = item_length(item);
        rest = &item[length..];
    }
    kept + rest
}

/// Up to the `;` or the closing brace that ends the item.
fn item_length(item: &str) -> usize {
    let (mut depth, mut at) = (0_usize, "#[cfg(test)]".len());
    while at < item.len() {
        let skipped = skip(&item[at..]);
        if skipped > 0 {
            at += skipped;
            continue;
        }
        let character = item[at..].chars().next().unwrap_or(' ');
        at += character.len_utf8();
        match character {
            '{' => depth += 1,
            '}' => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return at;
                }
            }
            ';' if depth == 0 => return at,
            _ => {}
        }
    }
    item.len()
}

fn test_modules(code: &str) -> Vec<String> {
    let parts = code.split("#[cfg(test)]").skip(1);
    let name = |part: &str| {
        let item = part.split([';', '{']).next()?;
        let is_file = part[item.len()..].starts_with(';');
        let name = item.split_whitespace().skip_while(|word| *word != "mod").nth(1)?;
        is_file.then(|| name.to_owned())
    };
    parts.filter_map(name).collect()
}

/// The code with comments blanked and literals emptied, and what the literals say.
fn without_comments(text: &str) -> (String, Vec<String>) {
    let (mut code, mut literals, mut at) = (String::new(), Vec::new(), 0);
    while at < text.len() {
        let length = skip(&text[at..]);
        if length > 0 {
            let skipped = &text[at..at + length];
            if skipped.starts_with('/') {
                code.push(' ');
            } else {
                literals.push(skipped.to_owned());
                code.push_str("\"\"");
            }
            at += length;
        } else {
            let character = text[at..].chars().next().unwrap_or(' ');
            code.push(character);
            at += character.len_utf8();
        }
    }
    (code, literals)
}

/// How long the comment or literal is that begins here; 0 when none does.
fn skip(text: &str) -> usize {
    let bytes = text.as_bytes();
    match bytes {
        [b'/', b'/', ..] => text.find('\n').unwrap_or(text.len()),
        [b'/', b'*', ..] => {
            let (mut depth, mut at) = (0_usize, 0);
            while at < bytes.len() {
                match &bytes[at..] {
                    [b'/', b'*', ..] => (depth, at) = (depth + 1, at + 2),
                    [b'*', b'/', ..] => (depth, at) = (depth - 1, at + 2),
                    _ => at += 1,
                }
                if depth == 0 {
                    break;
                }
            }
            at
        }
        [b'"', ..] => 1 + quoted(&bytes[1..], b'"'),
        [b'r', b'"' | b'#', ..] => {
            let hashes = bytes[1..].iter().take_while(|byte| **byte == b'#').count();
            if bytes.get(1 + hashes) != Some(&b'"') {
                return 0;
            }
            let end = format!("\"{}", "#".repeat(hashes));
            let start = 2 + hashes;
            text[start..].find(&end).map_or(text.len(), |at| start + at + end.len())
        }
        [b'\'', b'\\', ..] => 1 + quoted(&bytes[1..], b'\''),
        // 'a' is a literal, 'a is a lifetime.
        [b'\'', ..] => {
            let Some(character) = text[1..].chars().next() else { return 0 };
            let end = 1 + character.len_utf8();
            if text[end..].starts_with('\'') { end + 1 } else { 0 }
        }
        _ => 0,
    }
}

/// Up to and with the closing quote.
fn quoted(bytes: &[u8], quote: u8) -> usize {
    let mut at = 0;
    while at < bytes.len() && bytes[at] != quote {
        at += if bytes[at] == b'\\' { 2 } else { 1 };
    }
    (at + 1).min(bytes.len())
}
