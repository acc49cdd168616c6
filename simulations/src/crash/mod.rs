//! The crash harness: load goes on while servers and their database are killed, then all is checked.
//!
//! Drivers push webhooks and write down what they were answered, in a file of their own. What breaks,
//! and when, comes from a seed (`plan`). Afterwards nothing breaks any more, everything must come to
//! an end within a bound, and the history is held against the tables (`checks`). A run with the same
//! seed breaks the same things at the same times; what the machine makes of it may differ.

mod checks;
mod cluster;
mod findings;
mod fleet;
mod flips;
mod history;
mod line;
mod load;
mod nemesis;
mod placed;
mod plan;
mod relay;
mod report;
mod sender;
mod settle;
mod stage;
mod watch;
mod world;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, bail};
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::Instant;

use crate::clock::Speed;
use cluster::Cluster;
use stage::Stage;

pub use checks::Placings;
pub use findings::{Finding, Wrong};
pub use line::{Cut, Line};
pub use plan::Fault;
pub use report::Report;

/// How a run is set up.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where everything is written; it is emptied first.
    pub folder: PathBuf,
    /// The server's program.
    pub server_binary: PathBuf,
    /// How often something is broken.
    pub rounds: u32,
    /// No round begins later than this after the first one.
    pub limit: Option<Duration>,
    /// How many calls the drivers tell of, over all rounds.
    pub calls: u32,
    /// How many candidates the product has to ring.
    pub candidates: u32,
    /// How many calls it is asked for over HTTP, over all rounds.
    pub placed: u32,
    /// What everything comes from.
    pub seed: u64,
    /// How fast the simulated clock runs.
    pub speed: Speed,
    /// What is broken.
    pub faults: Vec<Fault>,
    /// The server's program was built with the feature `failpoints`.
    pub has_failpoints: bool,
    /// A mistake that the server's program, built with `planted-defects`, shall make.
    pub planted: Option<String>,
    /// How long everything may take to come to its end, once nothing breaks any more.
    pub converges_within: Duration,
}

/// The usual bound on coming to an end. A night's rest of a retry is in it.
pub const CONVERGES_WITHIN: Duration = Duration::from_secs(180);

/// Breaks things and checks what came of it. `say` is told of each round.
///
/// # Errors
/// When the run itself cannot go on; what is wrong with the product is in the report.
pub async fn run(settings: Settings, say: &(dyn Fn(String) + Sync)) -> anyhow::Result<Report> {
    let home = settings.folder.join("home");
    if home.join("cluster.json").exists() {
        // The last run was killed, and its database lives on.
        Cluster::start(&home).await?.remove().await?;
    }
    if settings.folder.exists() {
        std::fs::remove_dir_all(&settings.folder).context("the folder of the last run")?;
    }
    std::fs::create_dir_all(&settings.folder).context("the folder of the run")?;
    let mut terminated = signal(SignalKind::terminate())?;
    let mut interrupted = signal(SignalKind::interrupt())?;
    let cluster = Cluster::start(&home).await?;
    // Whatever happens to the run: its database is not left behind.
    let played = tokio::select! {
        played = play(&settings, &cluster, say) => played,
        _ = terminated.recv() => Err(anyhow::anyhow!("terminated")),
        _ = interrupted.recv() => Err(anyhow::anyhow!("interrupted")),
    };
    let removed = cluster.remove().await;
    let report = played?;
    removed?;
    Ok(report)
}

async fn play(
    settings: &Settings,
    cluster: &Cluster,
    say: &(dyn Fn(String) + Sync),
) -> anyhow::Result<Report> {
    let began = Instant::now();
    let mut stage = Stage::build(settings, cluster).await?;
    say(format!("the stage stands after {:.1} s", began.elapsed().as_secs_f64()));
    let rounds =
        plan::draw(settings.seed, settings.rounds, &settings.faults, settings.has_failpoints);
    if rounds.is_empty() {
        bail!("nothing is broken in no round");
    }
    stage.warm_up().await;
    let opened = Instant::now();
    for round in &rounds {
        if settings.limit.is_some_and(|limit| opened.elapsed() > limit) {
            break;
        }
        let told = stage.round(round, cluster).await?;
        say(format!("{round}: {told}"));
    }
    let converged = stage.settle(settings, cluster).await?;
    say(converged);
    stage.reckon(settings, cluster, began).await
}
