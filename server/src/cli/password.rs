//! Asking for a password.

use std::io::{self, BufRead, IsTerminal, Write};

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

/// Longer than any password that is accepted.
const LONGEST_LINE: u64 = 4096;

/// Why there is no password.
#[derive(Debug, thiserror::Error)]
pub enum PasswordError {
    /// Nobody can be asked.
    #[error("there is no terminal to ask for the password on: pass it with --password-stdin")]
    NoTerminal,
    /// The two answers differ.
    #[error("the two passwords are not the same")]
    Different,
    /// Nothing was typed.
    #[error("the password is empty")]
    Empty,
    /// Standard input or the terminal failed.
    #[error("the password could not be read: {0}")]
    Io(#[from] io::Error),
}

/// The first line of standard input where `from_stdin`; else asks twice on the terminal without showing what is typed.
/// Blocks: call it before anything else runs, or off the async workers.
///
/// # Errors
/// See [`PasswordError`].
pub fn read_password(from_stdin: bool) -> Result<String, PasswordError> {
    let stdin = io::stdin();
    if from_stdin {
        return some(first_line(stdin.lock())?);
    }
    if !stdin.is_terminal() {
        return Err(PasswordError::NoTerminal);
    }
    let _quiet = Quiet::begin()?;
    let first = ask("Password: ")?;
    let second = ask("The same again: ")?;
    if first == second { some(first) } else { Err(PasswordError::Different) }
}

/// The terminal does not show what is typed, until this is dropped.
struct Quiet(Termios);

impl Quiet {
    fn begin() -> io::Result<Self> {
        let before = tcgetattr(io::stdin())?;
        let mut quiet = before.clone();
        quiet.local_modes.remove(LocalModes::ECHO);
        tcsetattr(io::stdin(), OptionalActions::Flush, &quiet)?;
        Ok(Self(before))
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        // A terminal that has gone needs no restoring.
        let _ = tcsetattr(io::stdin(), OptionalActions::Now, &self.0);
    }
}

fn ask(question: &str) -> io::Result<String> {
    let mut err = io::stderr();
    write!(err, "{question}")?;
    err.flush()?;
    let answer = first_line(io::stdin().lock())?;
    writeln!(err)?;
    Ok(answer)
}

fn first_line(from: impl BufRead) -> io::Result<String> {
    let mut line = String::new();
    from.take(LONGEST_LINE).read_line(&mut line)?;
    Ok(line.trim_end_matches(['\n', '\r']).to_owned())
}

fn some(password: String) -> Result<String, PasswordError> {
    if password.is_empty() { Err(PasswordError::Empty) } else { Ok(password) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_line_end_is_taken_away() {
        for written in [" گذر واژه ", " گذر واژه \n", " گذر واژه \r\nsecond line\n"] {
            assert_eq!(first_line(written.as_bytes()).expect("a line"), " گذر واژه ");
        }
    }
}
