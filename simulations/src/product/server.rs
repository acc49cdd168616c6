//! The binary `ringmaster` as a child process: started, awaited, signalled, and what it left behind.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context, bail};
use chrono::{DateTime, SecondsFormat, Utc};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::net::TcpListener;
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::timeout;

use super::keys::Keys;
use crate::clock::{Moment, Speed};

/// How long a server may take until it serves; a recovery from a crash is in it.
const START_TIMEOUT: Duration = Duration::from_secs(60);
/// How long a migration may take, the making of the database included.
const MIGRATE_TIMEOUT: Duration = Duration::from_secs(120);
/// What the line begins with that says where the server listens.
const READY: &str = "ringmaster is ready on http://";
/// What a child may see of our environment; settings come from the plan alone.
const INHERITED: [&str; 7] =
    ["PATH", "HOME", "LANG", "TMPDIR", "RINGMASTER_PG_BIN", "RUST_BACKTRACE", "LLVM_PROFILE_FILE"];
/// How often who may ask; plans may say otherwise.
const RATES: [&str; 4] = [
    "RINGMASTER_RATE_TOKEN",
    "RINGMASTER_RATE_TENANT",
    "RINGMASTER_RATE_SOURCE",
    "RINGMASTER_RATE_FAILURES",
];
/// More than any load here comes to; counted all the same, as in the product.
const RATE: &str = "1000000";
/// The line of a log with which a start begins.
const START_MARK: &str = "--- a start";
/// How many lines of a log are shown when a start fails.
const LOG_LINES_SHOWN: usize = 12;

/// Where a server keeps its data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Storage {
    /// In a database of its own below this folder.
    Home(PathBuf),
    /// In the database at this URL, which it may migrate.
    Url(String),
}

/// How simulated time passes: both processes agree on it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct WorldTime {
    /// One instant on both clocks.
    pub anchor: Moment,
    /// Simulated seconds a real second.
    pub speed: Speed,
}

/// How a server is started.
#[derive(Clone)]
pub struct ServerPlan {
    /// The program.
    pub binary: PathBuf,
    /// Where it listens; a restart finds the same port.
    pub listen: SocketAddr,
    /// Where its data are.
    pub storage: Storage,
    /// Where the call engine is; empty switches it off.
    pub engine_url: String,
    /// What it is recognised by.
    pub keys: Keys,
    /// Its clock; the real one when absent.
    pub time: Option<WorldTime>,
    /// Which file its log is appended to.
    pub log_file: PathBuf,
    /// What it logs.
    pub log: String,
    /// What else it finds in its environment.
    pub environment: Vec<(&'static str, String)>,
}

/// A running server. It is killed when this is dropped; its embedded database then stays up, for the
/// next server to adopt.
pub struct Server {
    child: Child,
    pid: Pid,
}

impl Server {
    /// Starts a server and waits until it serves.
    ///
    /// # Errors
    /// When it ends before that or takes too long; the message has the end of its log.
    pub async fn start(plan: &ServerPlan) -> anyhow::Result<Self> {
        let log = open_log(&plan.log_file)?;
        let mut child = plan
            .command("serve", log)
            .spawn()
            .with_context(|| format!("cannot start {}", plan.binary.display()))?;
        let pid = child.id().context("the server ended at once")?;
        let pid = Pid::from_raw(i32::try_from(pid)?);
        let stdout = child.stdout.take().context("the server has no standard output")?;
        let mut lines = BufReader::new(stdout).lines();
        match timeout(START_TIMEOUT, ready(&mut lines)).await {
            Ok(Ok(())) => {}
            Ok(Err(why)) => bail!("the server did not start ({why}):\n{}", plan.log_end()),
            Err(_) => bail!("the server took too long to start:\n{}", plan.log_end()),
        }
        // A pipe that nobody empties would stop the server one day.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Ok(Self { child, pid })
    }

    /// Returns its process id.
    pub fn pid(&self) -> i32 {
        self.pid.as_raw()
    }

    /// Asks it to stop, as an operator does.
    ///
    /// # Errors
    /// When it is gone already.
    pub fn terminate(&self) -> anyhow::Result<()> {
        Ok(kill(self.pid, Signal::SIGTERM)?)
    }

    /// Kills it: it gets no chance to finish anything.
    ///
    /// # Errors
    /// When it is gone already.
    pub fn kill(&self) -> anyhow::Result<()> {
        Ok(kill(self.pid, Signal::SIGKILL)?)
    }

    /// Says whether it has ended.
    ///
    /// # Errors
    /// When the operating system cannot say.
    pub fn has_ended(&mut self) -> anyhow::Result<bool> {
        Ok(self.child.try_wait()?.is_some())
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// When the operating system cannot say.
    pub async fn wait(&mut self) -> anyhow::Result<ExitStatus> {
        Ok(self.child.wait().await?)
    }

    /// Stops it in order and waits `patience` for its end; kills it beyond that.
    ///
    /// # Errors
    /// When it had to be killed.
    pub async fn stop(mut self, patience: Duration) -> anyhow::Result<ExitStatus> {
        // It may have ended by itself a moment ago; waiting shows.
        let _gone_already = self.terminate();
        match timeout(patience, self.wait()).await {
            Ok(status) => status,
            Err(_) => {
                self.child.kill().await?;
                bail!("the server did not stop within {patience:?} and was killed");
            }
        }
    }
}

impl ServerPlan {
    fn command(&self, verb: &str, log: File) -> Command {
        let mut command = Command::new(&self.binary);
        let inherited = INHERITED.iter().filter_map(|name| Some((name, std::env::var_os(name)?)));
        command
            .arg(verb)
            .env_clear()
            .envs(inherited)
            .env("RINGMASTER_LISTEN", self.listen.to_string())
            .env("MR_HIRE_BACKEND_URL", &self.engine_url)
            .env("MR_HIRE_WEBHOOK_SECRET", &self.keys.webhook_secret)
            .env("INTERNAL_SERVICE_TOKEN", &self.keys.service_token)
            .env("JWT_SECRET", &self.keys.jwt_secret)
            // What loads and hostile clients do is not what a server should be guarded against here.
            .envs(RATES.map(|name| (name, RATE)))
            .env("RUST_LOG", &self.log)
            .env("RINGMASTER_LOG_FORMAT", "json")
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            // A ctrl-c at the terminal is ours to pass on: two signals would end it at once.
            .process_group(0)
            .kill_on_drop(true);
        match &self.storage {
            Storage::Home(home) => command.env("RINGMASTER_HOME", home),
            Storage::Url(url) => command.env("DATABASE_URL", url).env("RINGMASTER_MIGRATE", "true"),
        };
        if let Some(time) = &self.time {
            command.env("RINGMASTER_SIMULATED_CLOCK", time.to_string());
        }
        command
    }

    /// Returns the last lines of the log, none of them older than the last start.
    pub fn log_end(&self) -> String {
        let text = std::fs::read_to_string(&self.log_file).unwrap_or_default();
        let newest = text.lines().rev().take_while(|line| *line != START_MARK);
        let mut lines: Vec<&str> = newest.take(LOG_LINES_SHOWN).collect();
        lines.reverse();
        lines.join("\n")
    }
}

impl std::fmt::Display for WorldTime {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let text = |at: DateTime<Utc>| at.to_rfc3339_opts(SecondsFormat::Micros, true);
        let Moment { simulated, real } = self.anchor;
        write!(f, "{},{},{}", text(real), text(simulated), self.speed)
    }
}

/// Brings the database of `plan` to the server's schema, and makes it where there is none: then a
/// start takes moments, however fast time passes.
///
/// # Errors
/// When the server's program says so; the message has the end of its log.
pub async fn migrate(plan: &ServerPlan) -> anyhow::Result<()> {
    let mut command = plan.command("migrate", open_log(&plan.log_file)?);
    let mut child = command
        .stdout(Stdio::null())
        .spawn()
        .with_context(|| format!("cannot start {}", plan.binary.display()))?;
    let status =
        timeout(MIGRATE_TIMEOUT, child.wait()).await.context("migrating takes too long")??;
    if !status.success() {
        bail!("the database cannot be made ready ({status}):\n{}", plan.log_end());
    }
    Ok(())
}

/// Finds the program `ringmaster` beside the running one.
///
/// # Errors
/// When it is not there; the message says how to build it.
pub fn find_binary(beside: &Path) -> anyhow::Result<PathBuf> {
    let folder = beside.parent().context("a program lies in a folder")?;
    let found = folder.join("ringmaster");
    if found.is_file() {
        return Ok(found);
    }
    bail!("{} is not there: cargo build -p gateway, or name it with --server-bin", found.display())
}

/// Finds the program `ringmaster` beside a test's, and builds it where only the test's crate was built.
///
/// # Errors
/// When it is not there and cannot be built.
pub fn built_binary(beside: &Path) -> anyhow::Result<PathBuf> {
    if let Ok(found) = find_binary(beside) {
        return Ok(found);
    }
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let building =
        std::process::Command::new(cargo).args(["build", "--locked", "-p", "gateway"]).status();
    anyhow::ensure!(building?.success(), "the server cannot be built");
    find_binary(beside)
}

/// Turns port 0 into one that is free now.
///
/// # Errors
/// When the address cannot be listened on.
pub async fn free_address(address: SocketAddr) -> anyhow::Result<SocketAddr> {
    let listener = TcpListener::bind(address).await.with_context(|| {
        format!(
            "cannot listen on {address} (does another server run there? --listen takes another)"
        )
    })?;
    Ok(listener.local_addr()?)
}

fn open_log(path: &Path) -> anyhow::Result<File> {
    let mut log = OpenOptions::new()
        .create(true)
        .append(true)
        .open(path)
        .with_context(|| format!("cannot write {}", path.display()))?;
    writeln!(log, "{START_MARK}")?;
    Ok(log)
}

/// Reads until the line that says that it serves.
async fn ready(lines: &mut Lines<BufReader<ChildStdout>>) -> anyhow::Result<()> {
    while let Some(line) = lines.next_line().await? {
        if line.starts_with(READY) {
            return Ok(());
        }
    }
    bail!("it ended")
}
