//! `ringmaster-sim bench`: what the server does in a second, what that costs, and the ceilings beside it.
//!
//! Every figure stands beside a baseline of the same run: a machine drifts, and only ratios of one window
//! count. All of it is on loopback, in homes of its own, and bounded in time.

mod closed;
mod feed;
mod growth;
mod house;
mod machine;
mod memory;
mod meter;
mod open;
mod panic;
mod peers;
mod replay;
mod scale;
mod standing;
mod table;
mod unwritten;

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use simulations::clock::{SimClock, Speed};
use simulations::product::{Database, find_binary};
use tempfile::TempDir;

pub(crate) use self::standing::{ServeArgs, serve};

use self::house::{House, Program};
use self::scale::Scale;
use self::table::Table;
use super::{EXIT_INTERRUPTED, interrupted};

/// What is measured, and for how long.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// About two minutes: shorter runs, fewer calls.
    #[arg(long)]
    quick: bool,
    /// Open loops of ten minutes, 100,000 calls and 1,000,000 rows: about half an hour.
    #[arg(long, conflicts_with = "quick")]
    soak: bool,
    /// Only shows that every part works; the figures say nothing.
    #[arg(long, hide = true, conflicts_with_all = ["quick", "soak"])]
    tiny: bool,
    /// Only these parts.
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Part>,
    /// Where the table goes as JSON [default: `bench.json` in the build's folder].
    #[arg(long)]
    out: Option<PathBuf>,
    /// The server's program [default: `ringmaster` beside this one].
    #[arg(long)]
    server_bin: Option<PathBuf>,
    /// The server's program once more, built with planted mistakes; without it, none is measured.
    #[arg(long)]
    planted_bin: Option<PathBuf>,
    /// The kit of peers to run beside ours.
    #[arg(long, env = "PEERS")]
    peers: Option<PathBuf>,
}

/// One part of the bench.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Part {
    /// The closed loop with its ceilings, and with the peers.
    Closed,
    /// The open loops.
    Open,
    /// The live feed.
    Feed,
    /// Memory of live and of passivated actors.
    Memory,
    /// Restarts with many open calls, and the closed loop beside much that is stored.
    Growth,
    /// One entity whose decisions panic, and all others.
    Panic,
}

/// What every part needs.
struct Bench {
    folder: TempDir,
    server_bin: PathBuf,
    planted_bin: Option<PathBuf>,
    own_bin: PathBuf,
    peers: Option<PathBuf>,
    scale: Scale,
    table: Table,
    clock: SimClock,
    seed: u64,
}

/// Measures, until it is done or interrupted.
pub(crate) async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let stop = interrupted()?;
    tokio::select! {
        // Whatever still runs ends with what is dropped here.
        done = measure(args) => done.map(|()| ExitCode::SUCCESS),
        () = stop.cancelled() => Ok(ExitCode::from(EXIT_INTERRUPTED)),
    }
}

async fn measure(args: Args) -> anyhow::Result<()> {
    raise_open_files().context("the limit of open files")?;
    let mut bench = Bench::new(&args).await?;
    let is_asked = |part| args.only.is_empty() || args.only.contains(&part);
    if [Part::Closed, Part::Open, Part::Feed].into_iter().any(is_asked) {
        let durable = House::open(&bench, "durable", Program::Server, None).await?;
        if is_asked(Part::Closed) {
            closed::measure(&mut bench, &durable).await?;
            peers::measure(&mut bench, &durable).await?;
        }
        if is_asked(Part::Open) {
            open::measure(&mut bench, &durable).await?;
        }
        if is_asked(Part::Feed) {
            feed::measure(&mut bench, &durable).await?;
        }
        durable.close().await?;
    }
    if is_asked(Part::Memory) {
        memory::measure(&mut bench).await?;
    }
    if is_asked(Part::Growth) {
        growth::measure(&mut bench).await?;
    }
    if is_asked(Part::Panic) {
        panic::measure(&mut bench).await?;
    }
    bench.table.finish();
    Ok(())
}

impl Bench {
    async fn new(args: &Args) -> anyhow::Result<Self> {
        let own_bin = std::env::current_exe()?;
        let built =
            own_bin.parent().and_then(Path::parent).context("a program lies in a folder")?;
        let server_bin = match &args.server_bin {
            Some(path) => path.clone(),
            None => find_binary(&own_bin)?,
        };
        let scale = match (args.quick, args.soak, args.tiny) {
            (true, ..) => Scale::QUICK,
            (_, true, _) => Scale::SOAK,
            (.., true) => Scale::TINY,
            _ => Scale::DEFAULT,
        };
        let clock = SimClock::starting_now(Speed::REAL);
        let out = args.out.clone().unwrap_or_else(|| built.join("bench.json"));
        let table = Table::new(out, machine::describe(clock.now()).await?);
        // The kit of peers runs its database as another user, who has to pass through.
        let passable = std::fs::Permissions::from_mode(0o711);
        let mut folder = tempfile::Builder::new();
        let folder = folder.prefix("bench-").permissions(passable).tempdir_in(built)?;
        let peers = args.peers.clone().filter(|kit| !kit.as_os_str().is_empty());
        let planted_bin = args.planted_bin.clone();
        Ok(Self { folder, server_bin, planted_bin, own_bin, peers, scale, table, clock, seed: 0 })
    }

    /// Returns a seed that no other load of this run has: no two of them tell of the same call.
    fn next_seed(&mut self) -> u64 {
        self.seed += 1;
        self.seed
    }

    /// Returns the postmasters of all houses.
    fn databases(&self) -> Vec<i32> {
        let houses = std::fs::read_dir(self.folder.path()).into_iter().flatten().flatten();
        houses.filter_map(|house| Database::of(&house.path().join("home")).postmaster()).collect()
    }
}

/// A thousand sockets are open at both ends; what a process starts has its limit.
fn raise_open_files() -> nix::Result<()> {
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE)?;
    setrlimit(Resource::RLIMIT_NOFILE, most, most)
}

/// Says what is being done, to whoever waits.
fn say(what: impl std::fmt::Display) {
    eprintln!("-- {what}");
}
