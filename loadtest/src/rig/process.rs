//! A child process, signalled by its id.

use std::{
    ffi::OsStr,
    fs::File,
    io,
    path::Path,
    process::{Child, Command, Stdio},
};

pub(crate) use rustix::process::Signal;
use rustix::process::{Pid, kill_process};

/// A child. It is killed with this value.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
}

/// A command that ends with this process where `setpriv` is there, as another account where one is named.
pub(crate) fn command(program: impl AsRef<OsStr>, account: Option<u32>) -> Command {
    let has_setpriv = ["/usr/bin/setpriv", "/bin/setpriv"].iter().any(|path| Path::new(path).is_file());
    let mut command = if has_setpriv || account.is_some() {
        let mut setpriv = Command::new("setpriv");
        if let Some(id) = account {
            setpriv.arg(format!("--reuid={id}")).arg(format!("--regid={id}")).arg("--clear-groups");
        }
        setpriv.args(["--pdeathsig", "KILL"]).arg(program);
        setpriv
    } else {
        Command::new(program)
    };
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy().into_owned();
        // What is set around this run must not change what it measures.
        if name.starts_with("PG") || name.starts_with("CHAPAR_") && name != "CHAPAR_PG_BIN" || name.ends_with("_URL") {
            command.env_remove(name);
        }
    }
    command
}

impl Process {
    pub(crate) fn start(mut command: Command, log: &Path) -> io::Result<Self> {
        let file = File::options().create(true).append(true).open(log)?;
        let child = command
            .stdin(Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file)
            .spawn()
            .map_err(|error| io::Error::other(format!("{}: {error}", command.get_program().display())))?;
        Ok(Self { child })
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }

    pub(crate) fn signal(&mut self, signal: Signal) {
        if !self.ended() {
            send(self.child.id(), signal);
        }
    }

    pub(crate) fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A signal to one process of ours. One that has gone needs none.
pub(crate) fn send(pid: u32, signal: Signal) {
    if let Some(pid) = Pid::from_raw(pid.cast_signed()) {
        let _ = kill_process(pid, signal);
    }
}
