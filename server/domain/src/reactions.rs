//! Counting reactions.

use chapar_protocol::ReactionCount;

/// The counts after one user's reaction went from `old` to `new`, the most frequent first, equal ones by emoji.
pub(crate) fn recount(counts: &mut Vec<ReactionCount>, old: Option<&str>, new: Option<&str>) {
    if let Some(old) = old
        && let Some(count) = counts.iter_mut().find(|it| it.emoji == old)
    {
        count.count = count.count.saturating_sub(1);
    }
    if let Some(new) = new {
        match counts.iter_mut().find(|it| it.emoji == new) {
            Some(count) => count.count += 1,
            None => counts.push(ReactionCount { emoji: new.to_owned(), count: 1 }),
        }
    }
    counts.retain(|it| it.count > 0);
    counts.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.emoji.cmp(&b.emoji)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_follow_a_change_of_mind() {
        let counts = |list: &[(&str, u32)]| -> Vec<_> {
            list.iter().map(|&(emoji, count)| ReactionCount { emoji: emoji.to_owned(), count }).collect()
        };
        for (before, old, new, after) in [
            (counts(&[]), None, Some("👍"), counts(&[("👍", 1)])),
            (counts(&[("👍", 2), ("🌹", 2)]), Some("👍"), Some("🌹"), counts(&[("🌹", 3), ("👍", 1)])),
            (counts(&[("👍", 1)]), Some("👍"), None, counts(&[])),
        ] {
            let mut counted = before;
            recount(&mut counted, old, new);
            assert_eq!(counted, after);
        }
    }
}
