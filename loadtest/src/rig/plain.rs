//! One node on a Postgres of its own, or on two, with nothing in between: for figures. Postgres has what an operator would give it.

use std::{fs, io, path::PathBuf};

use clap::Args;

use super::{ADMIN_TOKEN, NO_BUDGETS, NodeProcess, Ports, Postgres, Scratch, known_settings, server_binary};
use crate::{args::Common, process};

/// What a scenario needs that starts its own node.
#[derive(Clone, Debug, Args)]
pub struct Own {
    /// The server's program; `chapar` beside this one when absent.
    #[arg(long, value_name = "FILE")]
    pub server_binary: Option<PathBuf>,
    /// Decides who does what; the same seed makes the same load.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Write parameters and figures to this file as JSON.
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
}

/// Which databases a node gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Databases {
    /// One for everything.
    One,
    /// One for everything, which counts its statements where it can.
    Counting,
    /// One for chats and one for people, each a server of its own.
    Two,
}

const SETTINGS: &[&str] = &["shared_buffers=512MB", "max_wal_size=4GB", "wal_level=minimal", "max_wal_senders=0"];

/// Fields end in their order.
#[derive(Debug)]
pub(crate) struct Plain {
    pub(crate) node: NodeProcess,
    pub(crate) postgres: Postgres,
    people: Option<Postgres>,
    _scratch: Scratch,
}

impl Plain {
    /// Starts it, without bounds on single people: here one machine plays everybody.
    pub(crate) fn start(own: &Own, databases: Databases) -> io::Result<Self> {
        process::raise_open_files();
        let server = server_binary(own.server_binary.as_deref())?;
        let scratch = Scratch::new()?;
        let mut settings = known_settings(&server, NO_BUDGETS);
        let counting = ["shared_preload_libraries=pg_stat_statements"];
        let counting = if databases == Databases::Counting { &counting[..] } else { &[] };
        let postgres = Postgres::start(scratch.path(), &[SETTINGS, counting].concat())?;
        settings.extend(["--database-url".into(), postgres.url()]);
        let mut people = None;
        if databases == Databases::Two {
            let directory = scratch.path().join("people");
            fs::create_dir(&directory)?;
            let it = Postgres::start(&directory, SETTINGS)?;
            settings.extend(["--people-database-url".into(), it.url()]);
            people = Some(it);
        }
        let directory = scratch.path().join("node");
        let node = NodeProcess::start(&server, directory, &mut Ports::new(own.seed), &settings)?;
        Ok(Self { node, postgres, people, _scratch: scratch })
    }

    /// How the loads reach and measure it.
    pub(crate) fn common(&self, own: &Own) -> Common {
        let people = self.people.as_ref().and_then(|it| Some(("postgres of people".to_owned(), it.id()?)));
        let chats = self.postgres.id().map(|it| ("postgres".to_owned(), it));
        Common {
            nodes: vec![self.node.node()],
            admin_token: ADMIN_TOKEN.to_owned(),
            seed: own.seed,
            server_pids: self.node.id().into_iter().collect(),
            also: chats.into_iter().chain(people).collect(),
            json: None,
            drain_seconds: 60,
        }
    }
}
