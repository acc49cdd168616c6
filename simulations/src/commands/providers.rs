//! `ringmaster-sim providers`: all simulated platforms behind one listener.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Context;
use axum::Router;
use axum::serve::ListenerExt;
use secrecy::SecretString;
use serde::de::DeserializeOwned;
use simulations::clock::Speed;
use simulations::engine::{Engine, EngineSettings, Faults, World};
use tokio::net::TcpListener;

use crate::report;

/// The receiver's path where a webhook target names none.
const WEBHOOK_PATH: &str = "/api/voice-interviews/webhook";

/// What the simulated platforms shall be like.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Where to listen; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:8001")]
    listen: SocketAddr,
    /// What everything random comes from.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Simulated seconds per real second.
    #[arg(long, default_value = "1")]
    speed: Speed,
    /// Where webhooks go; without a path, to the voice interviews' route. Without it none are sent.
    #[arg(long, value_name = "URL")]
    webhook_target: Option<String>,
    /// The secret that webhooks carry.
    #[arg(long, env = "MR_HIRE_WEBHOOK_SECRET", hide_env_values = true)]
    webhook_secret: Option<SecretString>,
    /// The bearer token that analyses need.
    #[arg(long, env = "INTERNAL_SERVICE_TOKEN", hide_env_values = true)]
    internal_token: Option<SecretString>,
    /// How many lines there are.
    #[arg(long, default_value_t = 50)]
    calls_live_max: usize,
    /// What goes wrong from the start: `none`, `lifelike` or a JSON file.
    #[arg(long, default_value = "none")]
    faults: String,
    /// The applications whose first calls the engine places itself, a JSON file.
    #[arg(long, value_name = "FILE")]
    world: Option<PathBuf>,
}

/// Serves until interrupted.
pub(crate) async fn run(args: Args) -> anyhow::Result<()> {
    let listener = TcpListener::bind(args.listen)
        .await
        .with_context(|| format!("cannot listen on {}", args.listen))?;
    let origin = format!("http://{}", listener.local_addr()?);
    let (seed, speed) = (args.seed, args.speed);
    let engines = [Engine::new(settings(args, &origin).await?)?];

    let routes = engines.iter().fold(Router::new(), |all, engine| all.merge(engine.router()));
    let prefixes: Vec<_> = engines.iter().map(Engine::prefix).collect();
    let prefixes = prefixes.join(" ");
    report::line(format!("ready on {origin} (seed {seed}, speed {speed}): {prefixes}"));

    let listener = listener.tap_io(|stream| {
        let _slower_at_worst = stream.set_nodelay(true);
    });
    let interrupted = async {
        let _either_way = tokio::signal::ctrl_c().await;
        engines.iter().for_each(Engine::stop);
    };
    tokio::select! {
        served = axum::serve(listener, routes) => Ok(served?),
        () = interrupted => Ok(()),
    }
}

async fn settings(args: Args, origin: &str) -> anyhow::Result<EngineSettings> {
    let mut settings = EngineSettings {
        public_url: Some(origin.to_owned()),
        seed: args.seed,
        speed: args.speed,
        webhook_url: args.webhook_target.as_deref().map(webhook_url).transpose()?,
        webhook_secret: args.webhook_secret,
        calls_live_max: args.calls_live_max,
        faults: match args.faults.as_str() {
            "none" => Faults::default(),
            "lifelike" => Faults::lifelike(),
            path => read_json(path.into()).await?,
        },
        world: match args.world {
            Some(path) => read_json(path).await?,
            None => World::default(),
        },
        ..EngineSettings::default()
    };
    if let Some(token) = args.internal_token {
        settings.internal_token = token;
    }
    Ok(settings)
}

/// Appends the voice interviews' route to a target that names no path.
fn webhook_url(target: &str) -> anyhow::Result<String> {
    let url = reqwest::Url::parse(target).context("the webhook target is no URL")?;
    match url.path() {
        "/" => Ok(url.join(WEBHOOK_PATH)?.into()),
        _ => Ok(url.into()),
    }
}

async fn read_json<T: DeserializeOwned>(path: PathBuf) -> anyhow::Result<T> {
    let text =
        tokio::fs::read(&path).await.with_context(|| format!("cannot read {}", path.display()))?;
    serde_json::from_slice(&text).with_context(|| format!("cannot use {}", path.display()))
}
