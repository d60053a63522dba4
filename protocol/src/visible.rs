//! What shows anything at all, and what may stand in a name.

use unicode_properties::{GeneralCategory, GeneralCategoryGroup, UnicodeGeneralCategory as _};

/// Most marks that may stand on one letter of a name: more reach into the lines above and below. Languages need three.
const MARKS: usize = 4;

/// Letters and signs that show nothing: fillers of Hangul, the empty pattern of Braille.
const fn is_blank(c: char) -> bool {
    matches!(c, '\u{115F}' | '\u{1160}' | '\u{3164}' | '\u{FFA0}' | '\u{2800}')
}

/// Whether a text shows at least one sign of its own: a letter, a digit, a symbol, punctuation. Spaces, joiners, signs of direction
/// and marks without a letter show none.
pub(crate) fn shows(text: &str) -> bool {
    text.chars().any(|c| {
        use GeneralCategoryGroup::{Letter, Number, Punctuation, Symbol};
        let own = matches!(c.general_category_group(), Letter | Number | Punctuation | Symbol);
        (own || c.general_category() == GeneralCategory::PrivateUse) && !is_blank(c)
    })
}

/// A name as it is stored: what would turn the text around it is taken out, and so are marks beyond those that languages need.
/// The joiners of Persian and of emoji stay.
pub(crate) fn name(given: &str) -> String {
    let mut marks = 0;
    let kept = |c: &char| {
        let mark = matches!(c.general_category(), GeneralCategory::NonspacingMark | GeneralCategory::EnclosingMark);
        marks = if mark { marks + 1 } else { 0 };
        // Embeddings, overrides and isolates (UAX #9): one that is not closed, or closes another's, breaks out of the name.
        let turns = matches!(c, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}');
        !turns && marks <= MARKS
    };
    let kept: String = given.chars().filter(kept).collect();
    kept.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(serde::Deserialize)]
    struct Sample {
        title: String,
        text: String,
        shows: bool,
        #[serde(default)]
        name: Option<String>,
    }

    /// The same samples as the web app's test of its own rule.
    #[test]
    fn what_shows_nothing_is_known_as_the_vectors_say() {
        let samples: Vec<Sample> =
            serde_json::from_str(include_str!("../vectors/bodies/visible.json")).expect("is the list of samples");
        assert!(samples.len() >= 20);
        for sample in samples {
            assert_eq!(shows(&sample.text), sample.shows, "{}", sample.title);
            let expected = sample.name.unwrap_or_else(|| sample.text.clone());
            if sample.shows {
                assert_eq!(name(&sample.text), expected, "{}", sample.title);
            }
            assert_eq!(name(&name(&sample.text)), name(&sample.text), "{}", sample.title);
        }
    }
}
