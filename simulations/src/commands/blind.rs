//! `ringmaster-sim blind`: plants one mistake after the other, and sees whether a crash run finds it.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use simulations::clock::Speed;
use simulations::crash::{self, Fault, Report, Settings};
use tokio::time::Instant;

use crate::report;

/// How fast simulated time passes where somebody is rung: four hours until a retry take 24 s.
const SPEED: f64 = 600.0;
/// The same where nobody is: entities stay in memory for the whole run.
const SPEED_UNDER_LOAD: f64 = 20.0;
/// How long a run may wait for the end of what a mistake left open.
const CONVERGES_WITHIN: Duration = Duration::from_secs(30);
/// How many seeds are tried before a mistake counts as not found.
const SEEDS: u64 = 2;

/// A mistake, and the shortest run that is meant to find it.
struct Defect {
    name: &'static str,
    faults: &'static [Fault],
    rounds: u32,
    calls: u32,
    candidates: u32,
}

/// Every mistake that can be planted.
const DEFECTS: [Defect; 8] = [
    Defect::under_load("answer-before-commit", &[Fault::Server], 3),
    Defect::under_load("synchronous-commit-off", &[Fault::Postmaster], 3),
    Defect::under_load("drop-the-fence", &[Fault::Pair], 2),
    Defect::under_load("refuse-without-the-fence", &[Fault::Pair], 2),
    Defect::under_load("skip-the-dedupe-key", &[Fault::Server, Fault::Pair], 2),
    Defect::in_a_dial("forget-parked-rows"),
    Defect::in_a_dial("resend-a-dial"),
    Defect::under_load("seq-from-a-sequence", &[Fault::Pair], 2),
];

impl Defect {
    const fn under_load(name: &'static str, faults: &'static [Fault], rounds: u32) -> Self {
        Self { name, faults, rounds, calls: rounds * 80, candidates: 0 }
    }

    const fn in_a_dial(name: &'static str) -> Self {
        Self { name, faults: &[Fault::Server], rounds: 4, calls: 40, candidates: 24 }
    }
}

/// Where to find a server that can make mistakes.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The program of the server, built with the features `failpoints` and `planted-defects`.
    #[arg(long, value_name = "PATH")]
    server_bin: PathBuf,
    /// Plant these alone.
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    only: Vec<String>,
    /// What everything comes from.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Where history and logs are written.
    #[arg(long, default_value = ".ringmaster/blind")]
    folder: PathBuf,
}

/// Plants each mistake, and none; fails when a run does not see the difference.
pub(crate) async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let is_wanted =
        |name: &str| args.only.is_empty() || args.only.iter().any(|wanted| wanted == name);
    let mut blind = Vec::new();
    report::line(format!(
        "{:<26}{:<8}{:>7}  {:<10}{}",
        "planted", "found", "after", "checks", "by"
    ));
    if is_wanted("none") {
        let control =
            Defect { name: "none", faults: &Fault::ALL, rounds: 7, calls: 210, candidates: 10 };
        let (found, line) = attempt(&args, &control, args.seed).await;
        report::line(line);
        if found {
            blind.push(control.name);
        }
    }
    for defect in DEFECTS.iter().filter(|defect| is_wanted(defect.name)) {
        let mut is_found = false;
        for seed in args.seed..args.seed + SEEDS {
            let (found, line) = attempt(&args, defect, seed).await;
            report::line(line);
            is_found |= found;
            if found {
                break;
            }
        }
        if !is_found {
            blind.push(defect.name);
        }
    }
    if blind.is_empty() {
        report::line("every planted mistake was found, and none where there was none");
        return Ok(ExitCode::SUCCESS);
    }
    report::line(format!("BLIND to: {}", blind.join(", ")));
    Ok(ExitCode::FAILURE)
}

/// Runs once; answers whether anything was found, and a line of the table.
async fn attempt(args: &Args, defect: &Defect, seed: u64) -> (bool, String) {
    let speed = if defect.candidates > 0 { SPEED } else { SPEED_UNDER_LOAD };
    let settings = Settings {
        folder: args.folder.clone(),
        server_binary: args.server_bin.clone(),
        rounds: defect.rounds,
        limit: None,
        calls: defect.calls,
        candidates: defect.candidates,
        placed: 0,
        seed,
        speed: Speed::new(speed).unwrap_or(Speed::REAL),
        faults: defect.faults.to_vec(),
        has_failpoints: true,
        planted: (defect.name != "none").then(|| defect.name.to_owned()),
        converges_within: CONVERGES_WITHIN,
    };
    let began = Instant::now();
    let ran = crash::run(settings, &|line| tracing::debug!("{line}")).await;
    let after = format!("{:.0} s", began.elapsed().as_secs_f64());
    let (found, checks, by) = match &ran {
        Ok(report) => (!report.is_clean(), checks(report), first(report)),
        // Not a check's merit: the mistake may not even have been planted.
        Err(failure) => (false, "-".to_owned(), format!("the run came to no end: {failure:#}")),
    };
    let name = defect.name;
    let says = if found { "yes" } else { "NO" };
    (found, format!("{name:<26}{says:<8}{after:>7}  {checks:<10}{by}"))
}

fn checks(report: &Report) -> String {
    let checks: Vec<_> = report.failed_checks().iter().map(ToString::to_string).collect();
    checks.join(",")
}

fn first(report: &Report) -> String {
    let Some(finding) = report.findings.first() else { return "nothing".to_owned() };
    let text: String = finding.text.lines().next().unwrap_or_default().chars().take(90).collect();
    format!("{} findings: {text}", report.findings.len())
}
