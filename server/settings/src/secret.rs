//! Values that must not be shown.

use std::fmt;

const HIDDEN: &str = "(hidden)";

/// A secret, or an address with one inside. `Debug` hides it, and there is no `Display`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Hides `value`.
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    /// The value itself, for its use alone.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// The value as a URL without its password and without its query, where a password may stand too. What cannot be
    /// told apart for certain is hidden whole.
    pub fn without_password(&self) -> String {
        let Some((scheme, rest)) = self.0.split_once("://") else { return HIDDEN.to_owned() };
        // The last @, because a password that was not escaped may hold one.
        let (who, place) = rest.rsplit_once('@').map_or((None, rest), |(who, place)| (Some(who), place));
        let place = place.split_once('?').map_or(place.to_owned(), |(place, _)| format!("{place}?{HIDDEN}"));
        match who {
            None => format!("{scheme}://{place}"),
            // The @ may stand in the query, and this be no user at all.
            Some(who) if who.contains(['/', '?', '#']) => format!("{scheme}://{HIDDEN}"),
            Some(who) => match who.split_once(':') {
                Some((user, _)) => format!("{scheme}://{user}:{HIDDEN}@{place}"),
                None => format!("{scheme}://{who}@{place}"),
            },
        }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{HIDDEN}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_password_is_shown() {
        for (written, shown) in [
            ("postgres://u:p@h:5432/d", "postgres://u:(hidden)@h:5432/d"),
            ("postgres://u@h/d", "postgres://u@h/d"),
            ("postgres://h/d?password=p", "postgres://h/d?(hidden)"),
            ("redis://:p@ss@h", "redis://:(hidden)@h"),
            ("redis+cluster://u:p@a:1,b:2", "redis+cluster://u:(hidden)@a:1,b:2"),
        ] {
            assert_eq!(Secret::new(written).without_password(), shown);
            assert_eq!(format!("{:?}", Secret::new(written)), "(hidden)");
        }
    }

    #[test]
    fn a_password_that_was_not_escaped_gives_nothing_away() {
        for written in [
            "redis://u:first,second@h",
            "redis://:first@a:1,redis://:second@b:2",
            "postgres://u:first?second@h/d",
            "postgres://u:first/second@h/d",
            "postgres://h/d?password=first@second",
            "first second",
        ] {
            let shown = Secret::new(written).without_password();
            assert!(!shown.contains("first") && !shown.contains("second"), "{written}: {shown}");
        }
    }
}
