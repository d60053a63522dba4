//! Right-to-left text on a terminal.
//!
//! Most terminals put characters from left to right as they come. For those a line is brought into visual order here, by the
//! Unicode Bidirectional Algorithm (UAX #9). For terminals that do that themselves (`--no-bidi`) the parts of
//! a line are isolated, so that a Persian name does not pull the number beside it to its other side.
//! Joining letters into their forms is left to the terminal's font.

use unicode_bidi::{BidiInfo, Level};

/// FIRST STRONG ISOLATE, LEFT-TO-RIGHT ISOLATE and POP DIRECTIONAL ISOLATE.
const ISOLATES: [char; 3] = ['\u{2068}', '\u{2066}', '\u{2069}'];

/// How lines are shown.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bidi {
    /// Whether to reorder here; else the terminal does it.
    pub(crate) reorder: bool,
}

impl Bidi {
    /// A text that somebody else wrote, fit to stand in a line: no escapes, and in an order of its own.
    pub(crate) fn part(self, text: &str) -> String {
        let text = isolate_tokens(&clean(text));
        if self.reorder { text.split('\n').map(visual).collect::<Vec<_>>().join("\n    ") } else { isolate(&text) }
    }
}

/// Without control characters, which could move the cursor or recolour the terminal, and without direction marks that
/// would reach beyond the text.
fn clean(text: &str) -> String {
    let direction = |c: char| matches!(c, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}');
    let kept = text.chars().filter(|c| !direction(*c));
    kept.map(|c| if c.is_control() && c != '\n' { '\u{FFFD}' } else { c }).collect()
}

fn isolate(text: &str) -> String {
    text.split('\n').map(|line| format!("\u{2068}{line}\u{2069}")).collect::<Vec<_>>().join("\n    ")
}

/// Isolates handles and numbers from left to right: `@reza` keeps its sign in front, `۰۹۱۲-۳۴۵` its order.
fn isolate_tokens(text: &str) -> String {
    let mut out = String::new();
    for piece in text.split_inclusive(char::is_whitespace) {
        let token = piece.trim_end();
        let core = token.trim_end_matches(|c: char| !c.is_alphanumeric());
        let number = |c: char| {
            c.is_ascii_digit() || ('\u{6F0}'..='\u{6F9}').contains(&c) || ('\u{660}'..='\u{669}').contains(&c)
        };
        let starts = core.starts_with(|c: char| matches!(c, '@' | '#' | '+') || number(c));
        let plain = core.chars().all(|c| c.is_ascii() || number(c));
        if starts && plain {
            out.extend(["\u{2066}", core, "\u{2069}", &piece[core.len()..]]);
        } else {
            out.push_str(piece);
        }
    }
    out
}

/// One line in the order in which its characters stand on the screen.
fn visual(line: &str) -> String {
    let info = BidiInfo::new(line, None);
    let Some(paragraph) = info.paragraphs.first() else { return String::new() };
    let (levels, runs) = info.visual_runs(paragraph, paragraph.range.clone());
    let mut out = String::with_capacity(line.len());
    for run in runs {
        let level: Level = levels[run.start];
        if level.is_rtl() { reverse(&line[run], &mut out) } else { out.push_str(&line[run]) }
    }
    out.retain(|c| !ISOLATES.contains(&c));
    out
}

/// Turns a run round, leaving marks behind their letter and turning brackets (UAX #9 rules L3 and L4).
fn reverse(run: &str, out: &mut String) {
    let mut clusters: Vec<String> = Vec::new();
    for c in run.chars() {
        match clusters.last_mut() {
            Some(cluster) if is_mark(c) => cluster.push(c),
            _ => clusters.push(mirrored(c).to_string()),
        }
    }
    out.extend(clusters.into_iter().rev());
}

fn is_mark(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36F}' | '\u{610}'..='\u{61A}' | '\u{64B}'..='\u{65F}' | '\u{670}' | '\u{6D6}'..='\u{6ED}'
        | '\u{591}'..='\u{5BD}' | '\u{200C}' | '\u{200D}' | '\u{FE00}'..='\u{FE0F}' | '\u{1F3FB}'..='\u{1F3FF}')
}

fn mirrored(c: char) -> char {
    let pairs = [('(', ')'), ('[', ']'), ('{', '}'), ('<', '>'), ('«', '»'), ('‹', '›')];
    let other = pairs.iter().find_map(|(a, b)| {
        if c == *a {
            Some(*b)
        } else if c == *b {
            Some(*a)
        } else {
            None
        }
    });
    other.unwrap_or(c)
}
