//! The command line: what can be typed, and `check-config`. What the other commands do stands elsewhere.

mod password;

use std::io::{self, Write};
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::{
    call_report::DEFAULT_OFFSET,
    settings::{Flags, Settings},
};

pub use password::{PasswordError, read_password};

/// `chapar`, with everything that was typed.
#[derive(Debug, Parser)]
#[command(name = "chapar", version, about = "Chapar, a messenger in one binary", max_term_width = 100)]
pub struct Cli {
    /// What is to be done; nothing typed is [`Command::Serve`].
    #[command(subcommand)]
    pub command: Option<Command>,
    /// What the command line and the environment say about the settings.
    #[command(flatten)]
    pub settings: Flags,
}

impl Cli {
    /// The command, `serve` where none was typed.
    pub fn command(&self) -> Command {
        self.command.clone().unwrap_or(Command::Serve)
    }
}

/// What `chapar` can do.
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum Command {
    /// Run the server (the default)
    Serve,
    /// Show the effective settings and where each came from, or everything that is wrong with them
    CheckConfig,
    /// Bring the database's schema up to date, and nothing else
    Migrate,
    /// Look at one file that somebody sent; the server starts this itself, for each file
    MediaWorker,
    /// Look after accounts and their sessions
    #[command(subcommand)]
    Admin(AdminCommand),
}

/// What an administrator can do on the server's machine.
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum AdminCommand {
    /// Make an account; its password is asked for
    CreateUser {
        /// The new handle
        handle: String,
        /// The name that people see; without it the handle
        #[arg(long)]
        name: Option<String>,
        /// How the password arrives
        #[command(flatten)]
        password: PasswordSource,
    },
    /// Give an account a new password and end its sessions; the password is asked for
    ResetPassword {
        /// Whose
        handle: String,
        /// How the password arrives
        #[command(flatten)]
        password: PasswordSource,
    },
    /// List an account's sessions
    Sessions {
        /// Whose
        handle: String,
    },
    /// End one session of an account, or all
    Revoke {
        /// Whose
        handle: String,
        /// Which ones
        #[command(flatten)]
        which: Revoked,
    },
    /// Begin a new epoch after a backup was restored: every client takes a fresh snapshot
    NewEpoch,
    /// Count accounts, chats, messages and sessions
    Statistics,
    /// How calls went: set-up, quality, satisfaction
    Calls(CallsAsked),
    /// List the jobs that have failed too often
    Jobs,
    /// Have a job tried anew that has failed too often
    RetryJob {
        /// Its id, from the list
        id: i64,
    },
    /// The latest 200 reports of people, the newest first
    Reports,
}

/// How a password arrives. It is never an argument: everybody on the machine sees those.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Args)]
pub struct PasswordSource {
    /// Read the password from the first line of standard input, without asking
    #[arg(long)]
    pub password_stdin: bool,
}

/// Which calls are shown, and how.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
pub struct CallsAsked {
    /// The first day: 2026-11-24 or, in the Jalali calendar, 1405-09-03; a week before the last when absent
    #[arg(long, value_name = "DAY")]
    pub from: Option<String>,
    /// The last day; today when absent
    #[arg(long, value_name = "DAY")]
    pub to: Option<String>,
    /// By day, region, relay, network, reason or path
    #[arg(long, value_name = "WHAT", default_value = "day")]
    pub by: String,
    /// How far the days are ahead of UTC, in steps of half an hour
    #[arg(long, value_name = "OFFSET", default_value = DEFAULT_OFFSET, allow_hyphen_values = true)]
    pub utc_offset: String,
    /// As CSV, with days in ISO 8601
    #[arg(long)]
    pub csv: bool,
}

/// Which sessions end: exactly one of the two is given.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
#[group(required = true, multiple = false)]
pub struct Revoked {
    /// The session with this id, as `chapar admin sessions` shows it
    #[arg(long, value_name = "ID")]
    pub session: Option<String>,
    /// All sessions
    #[arg(long)]
    pub all: bool,
}

/// `chapar check-config`: the settings to `out` and success, or all problems to `err` and exit code 1.
///
/// # Errors
/// When `out` or `err` cannot be written to.
pub fn check_config(flags: &Flags, out: &mut impl Write, err: &mut impl Write) -> io::Result<ExitCode> {
    let settings = match Settings::load(flags) {
        Ok(settings) => settings,
        Err(problems) => {
            writeln!(err, "{problems}")?;
            return Ok(ExitCode::FAILURE);
        }
    };
    let effective = settings.effective();
    let name_width = effective.iter().map(|(name, ..)| name.len()).max().unwrap_or_default();
    let value_width = effective.iter().map(|(_, value, _)| value.chars().count().min(40)).max().unwrap_or_default();
    for (name, value, source) in effective {
        writeln!(out, "{name:name_width$}  {value:value_width$}  {source}")?;
    }
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::settings::Source;

    fn parse(line: &str) -> Result<Cli, clap::Error> {
        Cli::try_parse_from(line.split_whitespace())
    }

    #[test]
    fn the_tree_is_sound() {
        Cli::command_for_tests().debug_assert();
    }

    impl Cli {
        fn command_for_tests() -> clap::Command {
            <Self as CommandFactory>::command()
        }
    }

    #[test]
    fn nothing_typed_is_serve() {
        assert_eq!(parse("chapar").expect("good").command(), Command::Serve);
        assert_eq!(parse("chapar serve").expect("good").command(), Command::Serve);
    }

    #[test]
    fn settings_stand_before_or_after_the_command() {
        for line in [
            "chapar --listen 127.0.0.1:1 serve",
            "chapar serve --listen 127.0.0.1:1",
            "chapar admin --listen 127.0.0.1:1 statistics",
            "chapar admin statistics --listen 127.0.0.1:1",
        ] {
            let settings = Settings::check(&parse(line).expect("good").settings.layers()).expect("good settings");
            assert_eq!(settings.listen.port(), 1, "{line}");
            assert_eq!(settings.source("listen"), Source::Flag("--listen".to_owned()), "{line}");
        }
    }

    #[test]
    fn administrators_commands() {
        let password = PasswordSource { password_stdin: true };
        let handle = || "sara".to_owned();
        for (line, command) in [
            (
                "chapar admin create-user sara --name Sara --password-stdin",
                AdminCommand::CreateUser { handle: handle(), name: Some("Sara".to_owned()), password },
            ),
            (
                "chapar admin reset-password sara --password-stdin",
                AdminCommand::ResetPassword { handle: handle(), password },
            ),
            ("chapar admin sessions sara", AdminCommand::Sessions { handle: handle() }),
            (
                "chapar admin revoke sara --session 7",
                AdminCommand::Revoke { handle: handle(), which: Revoked { session: Some("7".to_owned()), all: false } },
            ),
            (
                "chapar admin revoke sara --all",
                AdminCommand::Revoke { handle: handle(), which: Revoked { session: None, all: true } },
            ),
            ("chapar admin statistics", AdminCommand::Statistics),
            ("chapar admin jobs", AdminCommand::Jobs),
            ("chapar admin retry-job 7", AdminCommand::RetryJob { id: 7 }),
            ("chapar admin reports", AdminCommand::Reports),
            (
                "chapar admin calls --from 1405-09-01 --by relay --utc-offset -03:00 --csv",
                AdminCommand::Calls(CallsAsked {
                    from: Some("1405-09-01".to_owned()),
                    to: None,
                    by: "relay".to_owned(),
                    utc_offset: "-03:00".to_owned(),
                    csv: true,
                }),
            ),
        ] {
            assert_eq!(parse(line).expect("good").command(), Command::Admin(command), "{line}");
        }
    }

    #[test]
    fn revoke_wants_exactly_one_choice() {
        parse("chapar admin revoke sara").expect_err("which?");
        parse("chapar admin revoke sara --all --session 7").expect_err("which?");
    }

    #[test]
    fn check_config_shows_everything_or_every_problem() {
        let check = |line: &str| {
            let (mut out, mut err) = (Vec::new(), Vec::new());
            let flags = parse(line).expect("good").settings;
            let code = check_config(&flags, &mut out, &mut err).expect("memory takes all");
            (code, String::from_utf8(out).expect("text"), String::from_utf8(err).expect("text"))
        };
        let (code, out, err) = check("chapar check-config --admin-token 0123456789abcdef --listen 127.0.0.1:7");
        assert_eq!((code, err.as_str()), (ExitCode::SUCCESS, ""));
        let listen = out.lines().next().expect("a line");
        assert!(listen.contains("127.0.0.1:7") && listen.ends_with("the flag --listen"), "{out}");
        assert!(!out.contains("0123456789abcdef"), "{out}");

        let (code, out, err) = check("chapar check-config --hash-queue x --tls-key /k");
        assert_eq!((code, out.as_str()), (ExitCode::FAILURE, ""));
        assert!(err.contains("hash-queue (from the flag --hash-queue)") && err.contains("tls-key"), "{err}");
    }
}
