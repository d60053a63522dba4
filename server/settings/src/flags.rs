//! The table of settings as flags and environment variables of the command line.

use std::path::PathBuf;

use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Args, Command, FromArgMatches};

use super::sources::{Given, Layers, Source};
use super::table::SETTINGS;

const CONFIG: &str = "config";
const CONFIG_VARIABLE: &str = "CHAPAR_CONFIG";
const HEADING: &str = "Settings";

/// What the command line and the environment say about the settings, for `#[command(flatten)]`. The flags may stand
/// before or after a subcommand.
#[derive(Debug, Clone, Default)]
pub struct Flags {
    /// The file of settings to read.
    pub config: Option<PathBuf>,
    /// What was given on the command line or in the environment.
    pub given: Vec<Given>,
}

impl Flags {
    /// Everything given, the file's part included. An unreadable file is a problem among the others.
    pub fn layers(&self) -> Layers {
        let mut layers = Layers { given: self.given.clone(), problems: Vec::new() };
        if let Some(path) = &self.config {
            layers.add_file(path);
        }
        layers
    }
}

impl Args for Flags {
    fn augment_args(command: Command) -> Command {
        let config = Arg::new(CONFIG)
            .long(CONFIG)
            .env(CONFIG_VARIABLE)
            .value_name("FILE")
            .help("A TOML file with settings, its keys named like these flags");
        let settings = SETTINGS.iter().map(|setting| {
            Arg::new(setting.name)
                .long(setting.name)
                .env(setting.variable)
                // The values of the environment are nobody's business in a help text.
                .hide_env_values(true)
                .value_name(setting.value)
                .help(setting.help)
        });
        command.args([config].into_iter().chain(settings).map(|argument| argument.global(true).help_heading(HEADING)))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for Flags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut flags = Self::default();
        flags.update_from_arg_matches(matches)?;
        Ok(flags)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        self.config = written(matches, CONFIG, CONFIG_VARIABLE).map(|(path, _)| PathBuf::from(path));
        self.given.extend(SETTINGS.iter().filter_map(|setting| {
            let (value, source) = written(matches, setting.name, setting.variable)?;
            Some(Given { name: setting.name, value, source })
        }));
        Ok(())
    }
}

fn written(matches: &ArgMatches, name: &str, variable: &'static str) -> Option<(String, Source)> {
    let value = matches.get_one::<String>(name)?.clone();
    match matches.value_source(name)? {
        ValueSource::CommandLine => Some((value, Source::Flag(format!("--{name}")))),
        // An empty variable is how many tools say "not set".
        ValueSource::EnvVariable if value.is_empty() => None,
        ValueSource::EnvVariable => Some((value, Source::Environment(variable))),
        _ => None,
    }
}
