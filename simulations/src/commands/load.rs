//! `ringmaster-sim load`: sends load and says what the answers were like.

use std::io::IsTerminal;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use indicatif::{ProgressBar, ProgressStyle};
use secrecy::SecretString;
use simulations::Rate;
use simulations::load::{
    Counters, Latency, LoadReport, LoadSettings, Model, Pace, Story, Target, WebhookLoad,
};
use tokio::net::TcpListener;
use tokio::time::Instant;

use crate::report;

/// How often the bar moves on a terminal.
const BAR_EVERY: Duration = Duration::from_millis(200);
/// How often a line is written elsewhere.
const LINE_EVERY: Duration = Duration::from_secs(5);

/// What to load.
#[derive(clap::Subcommand)]
pub(crate) enum Load {
    /// Play calls against a receiver of voice interview webhooks.
    Webhooks(WebhooksArgs),
    /// Measure the generator itself, against a receiver that does nothing.
    Calibrate(CalibrateArgs),
}

/// How to measure the generator.
#[derive(clap::Args)]
pub(crate) struct CalibrateArgs {
    /// How many calls to play.
    #[arg(long, default_value_t = 25_000)]
    calls: u64,
    /// How many connections to use.
    #[arg(long, default_value_t = 64)]
    connections: usize,
    /// Write one JSON object instead of a summary.
    #[arg(long)]
    json: bool,
}

/// How to load a receiver of webhooks.
#[derive(clap::Args)]
#[command(group(clap::ArgGroup::new("pace").required(true).args(["rate", "max"])))]
pub(crate) struct WebhooksArgs {
    /// The receiver; without a path, its voice interviews' route.
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8080")]
    target: Target,
    /// The secret the receiver expects.
    #[arg(long, env = "MR_HIRE_WEBHOOK_SECRET", hide_env_values = true)]
    secret: SecretString,
    /// How many calls to play.
    #[arg(long, default_value_t = 1_000)]
    calls: u64,
    /// Events per second; latency counts from the intended moment.
    #[arg(long)]
    rate: Option<f64>,
    /// As fast as the connections allow; latency counts from the sending.
    #[arg(long)]
    max: bool,
    /// How many connections to use.
    #[arg(long, default_value_t = 64)]
    connections: usize,
    /// How many calls each connection plays by turns.
    #[arg(long, default_value_t = 1)]
    calls_per_connection: usize,
    /// Which share of the events is sent twice in a row.
    #[arg(long, default_value = "0", value_parser = parse_rate)]
    duplicates: Rate,
    /// Which share of the events is swapped with its successor.
    #[arg(long, default_value = "0", value_parser = parse_rate)]
    reorder: Rate,
    /// What everything random comes from; the same seed plays the same calls again, ids included.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Name an application in every call, so that the receiver screens it.
    #[arg(long)]
    applications: bool,
    /// Write one JSON object instead of a summary.
    #[arg(long)]
    json: bool,
}

fn parse_rate(text: &str) -> anyhow::Result<Rate> {
    Ok(Rate::new(text.parse()?)?)
}

/// Runs the load to its end.
pub(crate) async fn run(load: Load) -> anyhow::Result<()> {
    match load {
        Load::Webhooks(args) => webhooks(args).await,
        Load::Calibrate(args) => calibrate(args).await,
    }
}

async fn webhooks(args: WebhooksArgs) -> anyhow::Result<()> {
    let settings = LoadSettings {
        target: args.target,
        secret: args.secret,
        calls: args.calls,
        pace: args.rate.map_or(Pace::Max, Pace::Rate),
        connections: args.connections,
        calls_per_connection: args.calls_per_connection,
        duplicates: args.duplicates,
        reorder: args.reorder,
        seed: args.seed,
        with_application: args.applications,
        story: Story::Whole,
        time_max: None,
    };
    play(settings, args.json).await
}

/// What it shows is the most that any measurement from this machine can show.
async fn calibrate(args: CalibrateArgs) -> anyhow::Result<()> {
    let settings = LoadSettings {
        target: nothing().await?.parse()?,
        secret: SecretString::from("none"),
        calls: args.calls,
        pace: Pace::Max,
        connections: args.connections,
        calls_per_connection: 1,
        duplicates: Rate::NEVER,
        reorder: Rate::NEVER,
        seed: 1,
        with_application: false,
        story: Story::Whole,
        time_max: None,
    };
    play(settings, args.json).await
}

/// Starts a receiver that does nothing; answers its URL.
pub(crate) async fn nothing() -> anyhow::Result<String> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let url = format!("http://{}/", listener.local_addr()?);
    let nothing = Router::new().fallback(|_body: Bytes| async { "{}" });
    tokio::spawn(axum::serve(listener, nothing).into_future());
    Ok(url)
}

async fn play(settings: LoadSettings, json: bool) -> anyhow::Result<()> {
    let calls = settings.calls;
    let load = WebhookLoad::new(settings)?;
    let watching = tokio::spawn(watch(load.counters(), calls));
    let result = load.run().await;
    watching.abort(); // Only says how far it is; there is nothing to finish.
    let report = result?;
    if json {
        report::json(&report)?;
    } else {
        summarize(&report);
    }
    Ok(report.accepted()?)
}

/// Says how far the run is, on standard error.
async fn watch(counters: Arc<Counters>, calls: u64) {
    if !std::io::stderr().is_terminal() {
        return watch_by_line(&counters, calls).await;
    }
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len} calls, {msg}, {eta} left")
        .unwrap_or_else(|_| ProgressStyle::default_bar());
    let bar = ProgressBar::new(calls).with_style(style);
    let mut speed = Speedometer::new();
    loop {
        tokio::time::sleep(BAR_EVERY).await;
        bar.set_position(counters.calls_done());
        bar.set_message(speed.read(&counters));
    }
}

async fn watch_by_line(counters: &Counters, calls: u64) {
    let mut speed = Speedometer::new();
    loop {
        tokio::time::sleep(LINE_EVERY).await;
        eprintln!("{}/{calls} calls, {}", counters.calls_done(), speed.read(counters));
    }
}

/// Measures the rate between two readings.
struct Speedometer {
    answered: u64,
    at: Instant,
}

impl Speedometer {
    fn new() -> Self {
        Self { answered: 0, at: Instant::now() }
    }

    fn read(&mut self, counters: &Counters) -> String {
        let answered = counters.answered();
        let rate = (answered - self.answered) as f64 / self.at.elapsed().as_secs_f64();
        *self = Self { answered, at: Instant::now() };
        format!("{rate:.0} events/s, {} without an answer", counters.failed())
    }
}

fn summarize(report: &LoadReport) {
    report::line(format!("target      {}", report.target));
    report::line(format!("calls       {} on {} connections", report.calls, report.connections));
    report::line(format!("sent        {} in {:.2} s", report.sent, report.seconds));
    report::line(format!("answered    {:.0}/s", report.rate));
    report::line(format!("2xx         {}", report.ok));
    for (status, count) in &report.other_statuses {
        report::line(format!("{status}         {count}"));
    }
    match &report.first_error {
        Some(first) => report::line(format!("no answer   {} (first: {first})", report.errors)),
        None => report::line("no answer   0"),
    }
    report::line(format!("latency ms  {}", percentiles(&report.latency_ms)));
    if report.model == Model::Open {
        // Without the wait for the intended moment, whose timer is exact to a millisecond only.
        report::line(format!("service ms  {}", percentiles(&report.service_ms)));
    }
}

fn percentiles(latency: &Latency) -> String {
    let Latency { p50, p90, p99, p999, max } = latency;
    format!("p50 {p50:.2}  p90 {p90:.2}  p99 {p99:.2}  p99.9 {p999:.2}  max {max:.2}")
}
