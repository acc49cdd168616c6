//! `ringmaster-sim`: simulated platforms and load for Ringmaster.

mod commands;
mod report;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use tikv_jemallocator::Jemalloc;
use tracing_subscriber::EnvFilter;

/// What is logged when nothing is said: the databases of a bench come and go silently.
const LOG_DEFAULT: &str = "info,persistence=warn";

/// The server's own: what the bench has it serve without a journal is to cost what it costs there.
#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

/// Simulated platforms and load for Ringmaster.
#[derive(Parser)]
#[command(name = "ringmaster-sim", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Show Ringmaster at work: a server, a simulated call engine and an hour of calls.
    Demo(commands::demo::Args),
    /// Serve the simulated platforms, each below its own path.
    Providers(commands::providers::Args),
    /// Kill servers and databases under load, and check what came of it.
    Crash(commands::crash::Args),
    /// Plant mistakes in the server, and see whether a crash run finds each.
    Blind(commands::blind::Args),
    /// Send load and measure the answers.
    #[command(subcommand)]
    Load(commands::load::Load),
    /// Measure a server of its own, each figure beside its baseline.
    Bench(commands::bench::Args),
    /// Serve the product's routes without its journal, for the bench. Nothing is kept.
    #[command(hide = true)]
    Serve(commands::bench::ServeArgs),
}

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(LOG_DEFAULT));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    match Cli::parse().command {
        Command::Demo(args) => return commands::demo::run(args).await,
        Command::Crash(args) => return commands::crash::run(args).await,
        Command::Blind(args) => return commands::blind::run(args).await,
        Command::Providers(args) => commands::providers::run(args).await?,
        Command::Load(load) => commands::load::run(load).await?,
        Command::Bench(args) => return commands::bench::run(args).await,
        Command::Serve(args) => commands::bench::serve(args).await?,
    }
    Ok(ExitCode::SUCCESS)
}
