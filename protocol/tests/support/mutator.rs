//! A small mutation fuzzer: kept inputs, changed at random, from a seed that is printed.
//!
//! `CHAPAR_FUZZ_SEED=<number>` replays a run, `CHAPAR_FUZZ_SECONDS=<number>` (default 5) makes it longer.

use std::{
    fs,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    path::Path,
    time::{Duration, Instant, SystemTime},
};

/// Longer inputs than this bring nothing new and take long.
const LONGEST: usize = 8 * 1024;

/// The pseudo-random numbers of Vigna's `splitmix64`: one word of state, good enough to pick places.
pub(crate) struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// Below `bound`, which is at least 1.
    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound as u64).unwrap_or(0)
    }

    fn one_of<'a, T>(&mut self, list: &'a [T]) -> &'a T {
        &list[self.below(list.len())]
    }
}

/// Every file of `tests/corpus/<name>`, without a final line end.
pub(crate) fn corpus(name: &str) -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus").join(name);
    let mut files: Vec<_> = fs::read_dir(folder).expect("a corpus").map(|it| it.expect("an entry").path()).collect();
    files.sort();
    let read = |path: &std::path::PathBuf| fs::read_to_string(path).expect("corpus files are UTF-8");
    files.iter().map(|path| read(path).trim_end_matches('\n').to_owned()).collect()
}

/// Tries the corpus as it is, then changed inputs until the time is over. `words` are put in as they are.
pub(crate) fn fuzz(corpus: &[String], words: &[&str], property: impl Fn(&str)) {
    assert!(!corpus.is_empty());
    let number = |name| std::env::var(name).ok().map(|text| text.parse().expect("a number"));
    let now = || SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970").as_secs();
    let seed: u64 = number("CHAPAR_FUZZ_SEED").unwrap_or_else(now);
    let patience = Duration::from_secs(number("CHAPAR_FUZZ_SECONDS").unwrap_or(5));
    println!("CHAPAR_FUZZ_SEED={seed}");

    let attempt = |input: &str, case: u64| {
        if let Err(fault) = catch_unwind(AssertUnwindSafe(|| property(input))) {
            println!("CHAPAR_FUZZ_SEED={seed}, case {case}: keep this in the corpus:\n{input}\nwhich is {input:?}");
            resume_unwind(fault);
        }
    };
    for input in corpus {
        attempt(input, 0);
    }
    let (began, mut case) = (Instant::now(), 0_u64);
    while began.elapsed() < patience {
        case += 1;
        // Each case by itself, so that a case does not depend on how many came before it.
        let mut random = Random(seed ^ case.wrapping_mul(0xA076_1D64_78BD_642F));
        let input = changed(&mut random, corpus, words);
        attempt(&input, case);
    }
    println!("{case} cases");
}

fn changed(random: &mut Random, corpus: &[String], words: &[&str]) -> String {
    let mut bytes = random.one_of(corpus).clone().into_bytes();
    for _ in 0..=random.below(6) {
        let at = random.below(bytes.len() + 1);
        let end = (at + random.below(12)).min(bytes.len());
        match random.below(9) {
            0 if at < bytes.len() => bytes[at] ^= 1 << random.below(8),
            1 => drop(bytes.drain(at..end)),
            2 => drop(bytes.splice(at..at, random.one_of(words).bytes())),
            3 => drop(bytes.splice(at..end, random.one_of(words).bytes())),
            4 => {
                let part = bytes[at..end].to_vec();
                drop(bytes.splice(at..at, part));
            }
            5 => bytes.truncate(at),
            6 => replace_number(random, &mut bytes, at),
            7 => {
                let other = random.one_of(corpus).as_bytes();
                let from = random.below(other.len() + 1);
                let to = (from + random.below(80)).min(other.len());
                drop(bytes.splice(at..end, other[from..to].iter().copied()));
            }
            _ => {
                let character =
                    char::from_u32(u32::try_from(random.next() % 0x11_0000).unwrap_or(0)).unwrap_or('\u{FFFD}');
                drop(bytes.splice(at..at, character.to_string().bytes()));
            }
        }
        bytes.truncate(LONGEST);
    }
    // The WebSocket and HTTP layers hand over nothing but UTF-8.
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Replaces the next number with one at an edge.
fn replace_number(random: &mut Random, bytes: &mut Vec<u8>, at: usize) {
    const EDGES: [&str; 16] = [
        "0",
        "1",
        "-1",
        "2",
        "63",
        "64",
        "100",
        "4096",
        "4294967295",
        "4294967296",
        "9007199254740991",
        "9223372036854775807",
        "-9223372036854775808",
        "18446744073709551615",
        "1e400",
        "0.1",
    ];
    let Some(start) = bytes[at..].iter().position(u8::is_ascii_digit).map(|offset| at + offset) else { return };
    let length = bytes[start..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    drop(bytes.splice(start..start + length, random.one_of(&EDGES).bytes()));
}
