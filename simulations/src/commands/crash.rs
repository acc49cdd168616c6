//! `ringmaster-sim crash`: kills servers and databases under load, and checks what came of it.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use serde_json::{Value, json};
use simulations::clock::Speed;
use simulations::crash::{self, Fault, Report, Settings, Wrong};
use simulations::product::find_binary;

use crate::report;

/// How fast simulated time passes: four hours until a retry take 48 s, and the 10 s in which a dial must
/// leave are 33 ms, which a busy machine keeps most of the time.
const SPEED: f64 = 300.0;

/// What to break, and how often.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// How often something is killed.
    #[arg(long, default_value_t = 20)]
    rounds: u32,
    /// How many calls the drivers tell of, over all rounds.
    #[arg(long, default_value_t = 600)]
    calls: u32,
    /// What everything comes from: the same seed breaks the same things at the same times.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Begin no further round after so many minutes.
    #[arg(long, value_name = "M")]
    minutes: Option<f64>,
    /// How many candidates the server has to ring; two a round when nothing is said.
    #[arg(long, value_name = "N")]
    candidates: Option<u32>,
    /// How many calls the server is asked for over HTTP, over all rounds; one dial in three is then taken by
    /// the engine and never answered.
    #[arg(long, value_name = "N", default_value_t = 0)]
    placed: u32,
    /// What is broken: server, postmaster, database, pair, failpoint, stop, pause.
    #[arg(long, value_delimiter = ',', default_values_t = Fault::ALL)]
    faults: Vec<Fault>,
    /// The server was built with the feature `failpoints`.
    #[arg(long)]
    failpoints: bool,
    /// A mistake that the server, built with the feature `planted-defects`, shall make.
    #[arg(long, value_name = "NAME")]
    planted: Option<String>,
    /// Simulated seconds a real second.
    #[arg(long, default_value_t = Speed::new(SPEED).unwrap_or(Speed::REAL))]
    speed: Speed,
    /// The program of the server; the one beside this one when nothing is said.
    #[arg(long, value_name = "PATH")]
    server_bin: Option<PathBuf>,
    /// Write the figures into this file, too, as one JSON object.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Where history and logs are written.
    #[arg(long, default_value = ".ringmaster/crash")]
    folder: PathBuf,
}

/// Runs, and says what came of it.
pub(crate) async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let (replay, json) = (replay(&args), args.json.clone());
    let settings = settings(args)?;
    let report = crash::run(settings, &|line| report::line(line)).await;
    let report = match report {
        Ok(report) => report,
        Err(failure) => {
            report::line(format!("the run came to no end; again: {replay}"));
            return Err(failure);
        }
    };
    for line in report.checks() {
        report::line(line);
    }
    report::line(format!(
        "{} cuts after a commit was sent, {} servers held, {} events of unknown fate, {} dials, \
         {} facts, {:.0} s",
        report.cuts,
        report.pauses,
        report.unknown,
        report.dials,
        report.facts,
        report.took.as_secs_f64()
    ));
    if !report.is_clean() {
        report::line(format!("the history is in {}; again: {replay}", report.history.display()));
    }
    if let Some(path) = json {
        std::fs::write(&path, figures(&report, &replay).to_string())?;
    }
    report::line(&report);
    Ok(if report.is_clean() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Returns the figures of a run.
fn figures(report: &Report, command: &str) -> Value {
    let (median, longest) = report.back();
    json!({
        "command": command, "kills": report.kills, "cuts": report.cuts, "pauses": report.pauses,
        "acknowledged": report.acknowledged, "unknown": report.unknown, "dials": report.dials,
        "facts": report.facts, "placed": report.placings.asked, "rangTwice": report.placings.rung_twice,
        "endless": report.placings.endless, "seconds": report.took.as_secs_f64(),
        "lost": report.count(Wrong::Lost), "behind": report.count(Wrong::Behind),
        "doubled": report.count(Wrong::Doubled), "stuck": report.count(Wrong::Stuck),
        "backP50S": median, "backMaxS": longest,
    })
}

fn settings(args: Args) -> anyhow::Result<Settings> {
    let server_binary = match args.server_bin {
        Some(path) => path,
        None => find_binary(&std::env::current_exe()?)?,
    };
    Ok(Settings {
        folder: args.folder,
        server_binary,
        rounds: args.rounds,
        limit: args.minutes.map(|minutes| Duration::from_secs_f64(minutes * 60.0)),
        calls: args.calls,
        candidates: args.candidates.unwrap_or(args.rounds * 2),
        placed: args.placed,
        seed: args.seed,
        speed: args.speed,
        faults: args.faults,
        has_failpoints: args.failpoints,
        planted: args.planted,
        converges_within: crash::CONVERGES_WITHIN,
    })
}

/// Writes the command that breaks the same things again.
fn replay(args: &Args) -> String {
    let faults: Vec<_> = args.faults.iter().map(ToString::to_string).collect();
    let mut command = format!(
        "ringmaster-sim crash --rounds {} --calls {} --seed {} --candidates {} --speed {} --faults {}",
        args.rounds,
        args.calls,
        args.seed,
        args.candidates.unwrap_or(args.rounds * 2),
        args.speed,
        faults.join(","),
    );
    if args.placed > 0 {
        command.push_str(&format!(" --placed {}", args.placed));
    }
    if args.failpoints {
        command.push_str(" --failpoints");
    }
    if let Some(path) = &args.server_bin {
        command.push_str(&format!(" --server-bin {}", path.display()));
    }
    if let Some(name) = &args.planted {
        command.push_str(&format!(" --planted {name}"));
    }
    command
}
