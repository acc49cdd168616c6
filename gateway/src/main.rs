//! The binary `ringmaster`: reads the command line, and does what it says.

use std::process::ExitCode;

use chrono::{DateTime, Utc};
use gateway::auth::Grant;
use gateway::client::{Client, ClientError};
use gateway::config::{
    Cli, Command, Config, DialingArgs, HealthcheckArgs, ImportArgs, ImportSource, TokenArgs,
};
use gateway::{output, telemetry, wiring};
use tikv_jemallocator::Jemalloc;
use tokio::runtime::Builder;
use tracing::{error, info, warn};

/// Said by a wrong command line. Source: the command line rules of the API page.
const EXIT_USAGE: u8 = 2;

/// A third of the server's time went by in the C library's allocator, which also kept what a wave of calls had
/// left behind; this one gives it back within seconds.
#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

fn main() -> ExitCode {
    let (command, config) = match Cli::load() {
        Ok(loaded) => loaded,
        Err(failure) => return fail(&failure.into(), EXIT_USAGE),
    };
    let workers = config.workers.get();
    let runtime = Builder::new_multi_thread().worker_threads(workers).enable_all().build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(failure) => return fail(&failure.into(), 1),
    };
    let code = runtime.block_on(run(command, config));
    // What a duty is in the middle of comes back by its row; nobody waits for it.
    runtime.shutdown_background();
    code
}

async fn run(command: Command, config: Config) -> ExitCode {
    let done = match command {
        Command::Serve => serve(config).await,
        Command::Migrate => wiring::migrate(config).await,
        Command::Import(args) => import(config, args).await,
        Command::Token(args) => token(&config, &args),
        Command::Openapi => {
            output::line(gateway::contract::text().trim_end());
            Ok(())
        }
        Command::Dialing(args) => return dialing(&config, args).await,
        Command::Healthcheck(args) => return healthcheck(&config, args).await,
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => fail(&failure, 1),
    }
}

async fn serve(config: Config) -> anyhow::Result<()> {
    telemetry::init_logs(config.log.to_filter(), config.log_format)?;
    #[cfg(feature = "failpoints")]
    let _armed = fail::FailScenario::setup();
    for notice in config.notices() {
        if notice.is_warning() {
            warn!("{notice}");
        } else {
            info!("{notice}");
        }
    }
    let metrics = telemetry::init_metrics()?;
    wiring::serve(config, metrics).await
}

async fn import(config: Config, args: ImportArgs) -> anyhow::Result<()> {
    telemetry::init_logs(config.log.to_filter(), config.log_format)?;
    let summary = match args.source {
        ImportSource::NodeBackend => wiring::import_node_backend(config, args).await?,
    };
    output::line(&serde_json::to_string_pretty(&summary)?);
    Ok(())
}

fn token(config: &Config, args: &TokenArgs) -> anyhow::Result<()> {
    let Some(secret) = &config.jwt_secret else {
        anyhow::bail!("JWT_SECRET is not set: there is nothing to sign a token with");
    };
    let grant = Grant {
        sub: args.sub,
        role: args.role,
        tenant: args.tenant,
        pages: args.pages.iter().copied().collect(),
        ttl: args.ttl,
    };
    output::line(&config.identity.rules.mint(secret, grant, now())?);
    Ok(())
}

/// A token is minted without a server, so by this machine's own clock.
#[expect(clippy::disallowed_methods, reason = "no database is at hand to ask for the time")]
fn now() -> DateTime<Utc> {
    Utc::now()
}

async fn dialing(config: &Config, args: DialingArgs) -> ExitCode {
    let server = args.server.unwrap_or_else(|| config.local_url());
    let client = Client::new(server, args.token);
    answered(client.dialing(args.verb, args.scope.as_deref(), args.reason.as_deref()).await)
}

async fn healthcheck(config: &Config, args: HealthcheckArgs) -> ExitCode {
    let server = args.server.unwrap_or_else(|| config.local_url());
    answered(Client::new(server, None).health().await)
}

fn answered(answer: Result<serde_json::Value, ClientError>) -> ExitCode {
    match answer {
        Ok(data) => {
            output::line(&data.to_string());
            ExitCode::SUCCESS
        }
        Err(failure) => {
            let code = failure.exit_code();
            fail(&failure.into(), code)
        }
    }
}

/// Says why a command failed, once: in the log where there is one, else as a line of its own.
#[expect(clippy::print_stderr, reason = "the one place that says why a command failed")]
fn fail(failure: &anyhow::Error, code: u8) -> ExitCode {
    let why = output::sentence(failure);
    if tracing::enabled!(tracing::Level::ERROR) {
        error!("the server ends: {why}");
    } else {
        eprintln!("ringmaster: {why}");
    }
    ExitCode::from(code)
}
