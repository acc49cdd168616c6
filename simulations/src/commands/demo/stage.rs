//! What a demo needs to stand: engine and server side by side, their clocks as one.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use chrono::{DateTime, TimeDelta, Utc};
use secrecy::SecretString;
use simulations::cast::Candidate;
use simulations::clock::{SimClock, Speed};
use simulations::engine::{Engine, EngineSettings};
use simulations::product::{
    Api, Role, Server, ServerPlan, Storage, WorldTime, find_binary, free_address, migrate,
};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::Args;
use super::caller::Caller;
use super::cue::Cue;
use super::follow::follow;
use super::home::{Home, write_private};
use super::keeper::keep;
use super::outcomes::Outcomes;
use super::run::Run;
use super::screen::Screen;

/// How long before the first call the clocks start, in real time: the server comes up in it.
const LEAD: Duration = Duration::from_millis(1_500);
/// How long a token is good for, in simulated days.
const TOKEN_DAYS: i64 = 10 * 365;
/// Whose token it is.
const OPERATOR: Uuid = Uuid::from_u128(0x0de0);

/// Everything that stands when the curtain rises.
pub(super) struct Stage {
    run: Run,
    base: String,
    token: String,
    plan: ServerPlan,
    server: Server,
}

impl Stage {
    /// Starts the engine and the server.
    pub(super) async fn build(args: Args) -> anyhow::Result<Self> {
        let screen = Screen::new(args.forever);
        let mut home = Home::open(&args.home, SimClock::starting_now(Speed::REAL).now())?;
        let mut plan = plan(&args, &home).await?;
        screen.line("SIMULATED: no phone can ring");
        screen.line(format!("  preparing the database below {} …", args.home.display()));
        migrate(&plan).await.with_context(|| {
            let folder = args.home.display();
            format!("the data below {folder} cannot be used; they are the demo's own, and may be deleted")
        })?;

        let begins = home.morning();
        home.reach(begins)?;
        let seed = home.seed(args.seed);
        let engine = Engine::start(engine_settings(&args, &home, &plan, begins, seed)?).await?;
        let clock = engine.engine().clock();
        plan.engine_url = engine.base_url().to_owned();
        plan.time = Some(WorldTime { anchor: clock.moment(), speed: args.speed });
        let server = Server::start(&plan).await?;

        let expires = begins + TimeDelta::days(TOKEN_DAYS);
        let token = home.keys().token(Role::Admin, OPERATOR, expires)?;
        write_private(&home.file("token"), token.as_bytes()).context("cannot write the token")?;
        let base = format!("http://{}", plan.listen);
        let api = Api::new(&base, Some(token.clone()))?;
        let begins = begins.max(clock.now());
        let draw = if args.short { Candidate::draw_short } else { Candidate::draw };
        let (cue, cast) = Cue::first_hour(seed, args.calls, begins, draw);
        let forever = args.forever;
        let (outcomes, stopped) = (Outcomes::default(), String::new());
        let caller = Caller::new(api.with_token(Some(home.keys().service_token.clone())));
        let run = Run {
            forever,
            home,
            engine,
            api,
            cue,
            caller,
            cast,
            begins,
            screen,
            outcomes,
            stopped,
        };
        let stage = Self { run, base, token, plan, server };
        stage.introduce(args.speed);
        Ok(stage)
    }

    fn introduce(&self, speed: Speed) {
        let Run { screen, engine, home, begins, cast, .. } = &self.run;
        screen.line(format!("  server    {} (process {})", self.base, self.server.pid()));
        screen.line(format!("  engine    {}, simulated", engine.base_url()));
        let begins = begins.with_timezone(&chrono_tz::Tz::Asia__Kolkata);
        let begins = begins.format("%a %d %b %Y %H:%M IST");
        screen.line(format!("  time      {begins}, {speed} times as fast as real time"));
        screen.line(format!(
            "  calls     {} candidates in the first hour, with numbers that belong to nobody: each call is asked \
             for by POST /api/mr-hire/call",
            cast.len()
        ));
        screen.line("try, in another terminal:");
        let token = home.file("token");
        screen.line(format!("  TOKEN=$(cat {})", token.display()));
        let curl = "curl -H \"Authorization: Bearer $TOKEN\"";
        for path in ["api/voice-interviews?limit=5", "api/v1/screenings?limit=5", "api/v1/tree"] {
            screen.line(format!("  {curl} '{}/{path}'", self.base));
        }
        screen.line(format!("  {curl} -X POST {}/api/v1/dialing/stop    # or resume", self.base));
        screen.line(format!(
            "  a WebSocket to {}/ws/v1 with that header; say {}",
            self.base.replacen("http", "ws", 1),
            r#"{"t":"sub","id":1,"topic":"calls"}"#
        ));
        let pid = self.server.pid();
        screen.line(format!("  kill -9 {pid}    # the server comes back, and nothing is lost"));
        screen.line(format!("  its log: {}", self.plan.log_file.display()));
    }

    /// Plays until all is settled, or without end; answers whether ledger and server agree.
    pub(super) async fn play(self, stop: CancellationToken) -> anyhow::Result<bool> {
        let Self { mut run, base, token, plan, server } = self;
        let curtain = CancellationToken::new();
        let following = tokio::spawn(follow(base, token, run.screen.clone()));
        let keeping = tokio::spawn(keep(plan, server, run.screen.clone(), curtain.clone()));
        let played = run.until_settled(&stop, keeping).await;
        following.abort(); // It only shows things.
        run.screen.finish();
        let (keeping, agrees) = played?;
        curtain.cancel();
        run.screen.line("stopping the server …");
        keeping.await??;
        run.home.reach(run.engine.engine().clock().now())?;
        run.engine.shutdown().await;
        Ok(agrees)
    }
}

async fn plan(args: &Args, home: &Home) -> anyhow::Result<ServerPlan> {
    let binary: PathBuf = match &args.server_bin {
        Some(path) => path.clone(),
        None => find_binary(&std::env::current_exe()?)?,
    };
    let listen: SocketAddr = free_address(args.listen).await?;
    Ok(ServerPlan {
        binary,
        listen,
        storage: Storage::Home(home.server()),
        engine_url: String::new(),
        keys: home.keys().clone(),
        time: None,
        log_file: home.file("server.log"),
        log: "warn".to_owned(),
        environment: EngineSettings::default().twilio_login(),
    })
}

fn engine_settings(
    args: &Args,
    home: &Home,
    plan: &ServerPlan,
    begins: DateTime<Utc>,
    seed: u64,
) -> anyhow::Result<EngineSettings> {
    Ok(EngineSettings {
        seed,
        speed: args.speed,
        simulated_start: Some(begins - LEAD.mul_f64(args.speed.factor())),
        webhook_url: Some(format!("http://{}/api/voice-interviews/webhook", plan.listen)),
        webhook_secret: Some(SecretString::from(home.keys().webhook_secret.as_str())),
        internal_token: SecretString::from(home.keys().service_token.as_str()),
        faults: super::faults(&args.faults)?,
        ..EngineSettings::default()
    })
}
