//! Lines in, lines out: with an editor on a terminal, plainly through a pipe.

use std::{
    borrow::Cow,
    io::{self, BufRead as _, IsTerminal as _},
    thread::JoinHandle,
};

use rustyline::{
    ColorMode, Config, Editor, ExternalPrinter, Helper,
    completion::Completer,
    config::Configurer as _,
    error::ReadlineError,
    highlight::{CmdKind, Highlighter},
    hint::Hinter,
    history::DefaultHistory,
    validate::Validator,
};
use tokio::sync::mpsc;

/// The line that ends it.
pub(crate) const QUIT: &str = "/quit";

/// What the person does.
pub(crate) enum Typed {
    /// A key.
    Key,
    /// A whole line.
    Line(String),
}

/// Prints lines above the one that is being typed.
pub(crate) struct Screen {
    printer: Option<Box<dyn ExternalPrinter + Send>>,
    reader: JoinHandle<()>,
}

impl Screen {
    /// Waits until nobody reads lines any more, or the terminal would stay as the editor has set it.
    pub(crate) async fn close(mut self) {
        if self.printer.is_none() || self.reader.is_finished() {
            return;
        }
        self.line("— press Enter to leave —");
        // It cannot fail but by a panic there, which was shown.
        let _ = tokio::task::spawn_blocking(move || self.reader.join()).await;
    }

    pub(crate) fn line(&mut self, line: &str) {
        match &mut self.printer {
            // A terminal that went away is noticed where lines are read.
            Some(printer) => drop(printer.print(format!("{line}\n"))),
            None => println!("{line}"),
        }
    }
}

/// Tells of keys, and hides a password.
struct Keys {
    masked: bool,
    typed: mpsc::Sender<Typed>,
}

impl Completer for Keys {
    type Candidate = String;
}

impl Hinter for Keys {
    type Hint = String;
}

impl Validator for Keys {}

impl Helper for Keys {}

impl Highlighter for Keys {
    fn highlight<'l>(&self, line: &'l str, _pos: usize) -> Cow<'l, str> {
        if self.masked { Cow::Owned("*".repeat(line.chars().count())) } else { Cow::Borrowed(line) }
    }

    fn highlight_char(&self, line: &str, _pos: usize, _kind: CmdKind) -> bool {
        if !self.masked && !line.starts_with('/') && !line.is_empty() {
            // Typing faster than it is read is no news.
            let _ = self.typed.try_send(Typed::Key);
        }
        self.masked
    }
}

fn editor(masked: bool, typed: mpsc::Sender<Typed>) -> io::Result<Editor<Keys, DefaultHistory>> {
    let config = Config::builder().auto_add_history(!masked).build();
    let mut editor = Editor::with_config(config).map_err(io::Error::other)?;
    editor.set_helper(Some(Keys { masked, typed }));
    if masked {
        editor.set_color_mode(ColorMode::Forced);
    }
    Ok(editor)
}

/// Asks for a password without showing it; through a pipe it is the first line.
pub(crate) fn password() -> io::Result<String> {
    if !io::stdin().is_terminal() {
        let mut line = String::new();
        io::stdin().lock().read_line(&mut line)?;
        return Ok(line.trim_end_matches(['\r', '\n']).to_owned());
    }
    editor(true, mpsc::channel(1).0)?.readline("password: ").map_err(io::Error::other)
}

/// Begins to read lines. The receiver ends with the input.
pub(crate) fn open() -> io::Result<(Screen, mpsc::Receiver<Typed>)> {
    let (typed, lines) = mpsc::channel(16);
    if !io::stdin().is_terminal() {
        let reader = std::thread::spawn(move || {
            for line in io::stdin().lock().lines().map_while(Result::ok) {
                if typed.blocking_send(Typed::Line(line)).is_err() {
                    return;
                }
            }
        });
        return Ok((Screen { printer: None, reader }, lines));
    }
    let mut editor = editor(false, typed.clone())?;
    let printer = editor.create_external_printer().map_err(io::Error::other)?;
    let reader = std::thread::spawn(move || {
        loop {
            match editor.readline("> ") {
                Ok(line) => {
                    let last = line.trim() == QUIT;
                    if typed.blocking_send(Typed::Line(line)).is_err() || last {
                        return;
                    }
                }
                // The window changed its size.
                Err(ReadlineError::Signal(_)) => {}
                Err(_) => return,
            }
        }
    });
    Ok((Screen { printer: Some(Box::new(printer)), reader }, lines))
}
