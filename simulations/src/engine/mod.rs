//! A simulated mr-hire-backend: places calls, pushes webhooks, answers pulls, scores transcripts.
//!
//! Everything is real HTTP; only the phones and the passing of time are made up. What a call will
//! be like is drawn when it begins (`course`); what it looks like at any moment is computed from
//! that and the clock (`call`); the `book` keeps what must be remembered.

mod analyze;
mod answers;
mod book;
mod call;
mod control;
mod courier;
mod course;
mod faults;
mod ledger;
mod place;
mod profile;
mod pull;
mod settings;
mod sound;
mod wire;
mod world;

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use anyhow::Context;
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{get, post};
use axum::serve::ListenerExt;
use http::HeaderMap;
use http::header::AUTHORIZATION;
use secrecy::ExposeSecret;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub use self::control::{ResetRequest, StartCalls, Started, StartedCall};
pub use self::faults::{
    AnalyzerFaults, DialFaults, EarlyForm, Faults, PullFaults, SecretSent, WebhookFaults,
};
pub use self::ledger::{
    Acknowledgement, AnalyzeRequest, CallEntry, DialAnswer, DialRequest, Ledger, Origin,
    RefreshRequest, Totals, WebhookTally,
};
pub use self::profile::{Odds, Outcome, Profile};
pub use self::settings::EngineSettings;
pub use self::wire::{
    Accepted, Analysis, AnalyzeCall, CallBody, CallPage, CallRow, CallStatus, CandidateInfo,
    FailureReason, Metadata, PlaceCall, Provider, Usage,
};
pub use self::world::{Application, CallScript, Start, World};

use self::answers::Refusal;
use self::book::Book;
use self::call::{Call, RecordingHosts};
use crate::clock::SimClock;
use crate::units::seconds;

/// The largest body the engine reads, in bytes.
const BODY_BYTES_MAX: usize = 200_000;
/// How long a stop waits for requests under way, in real time.
const STOP_GRACE: Duration = Duration::from_secs(1);

/// A simulated engine, to be mounted into a listener; [`Engine::start`] gives it one of its own.
#[derive(Clone)]
pub struct Engine(Arc<Inner>);

/// What the parts of an engine share.
struct Inner {
    settings: EngineSettings,
    clock: SimClock,
    http: reqwest::Client,
    book: Mutex<Book>,
    stop: CancellationToken,
}

impl Engine {
    /// Sets an engine up and begins the calls of its world. Needs a runtime around it.
    ///
    /// # Errors
    /// When the prefix is unusable or no HTTP client can be built.
    pub fn new(settings: EngineSettings) -> anyhow::Result<Self> {
        let prefix = &settings.prefix;
        anyhow::ensure!(
            prefix.starts_with('/') && prefix.len() > 1 && !prefix.ends_with('/'),
            "a prefix looks like /mr-hire, not {prefix:?}"
        );
        let clock = match settings.simulated_start {
            Some(start) => SimClock::starting_at(start, settings.speed),
            None => SimClock::starting_now(settings.speed),
        };
        // Receivers are on this machine or chosen by hand: no proxy, and a redirect is an answer.
        let http = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .context("no HTTP client for webhooks")?;
        let origin = settings.public_url.as_deref().unwrap_or("http://localhost");
        let hosts = RecordingHosts {
            url: format!("{origin}{prefix}"),
            account: settings.recording_account.clone(),
        };
        let book = Book::new(settings.seed, settings.faults.clone(), Arc::new(hosts));
        let world = settings.world.clone();
        let stop = CancellationToken::new();
        let engine = Self(Arc::new(Inner { settings, clock, http, book: Mutex::new(book), stop }));
        engine.start_calls(world);
        Ok(engine)
    }

    /// Sets an engine up behind a listener of its own.
    ///
    /// # Errors
    /// When the address is taken, and as [`Engine::new`].
    pub async fn start(mut settings: EngineSettings) -> anyhow::Result<EngineHandle> {
        let listener = TcpListener::bind(settings.listen).await.context("cannot listen")?;
        let origin = format!("http://{}", listener.local_addr()?);
        let base_url = format!("{origin}{}", settings.prefix);
        settings.public_url.get_or_insert(origin);
        let engine = Self::new(settings)?;
        let server = tokio::spawn(serve(listener, engine.router(), engine.0.stop.clone()));
        Ok(EngineHandle { base_url, engine, server })
    }

    /// Returns the engine's routes, below its prefix.
    pub fn router(&self) -> Router {
        let routes = Router::new()
            .route("/call", post(place::place_call))
            .route("/calls", get(pull::list_calls))
            .route("/call/{call_id}", get(pull::get_call))
            .route("/call-provider/refresh", post(pull::refresh))
            .route("/api/v1/screening/analyze-call", post(analyze::analyze_call))
            .route("/recordings/{name}", get(pull::get_recording))
            .route(
                "/2010-04-01/Accounts/{account}/Recordings/{name}",
                get(pull::get_twilio_recording),
            )
            .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
            .merge(control::routes())
            .with_state(Arc::clone(&self.0));
        Router::new().nest(&self.0.settings.prefix, routes)
    }

    /// Returns the path below which the engine is mounted.
    pub fn prefix(&self) -> &str {
        &self.0.settings.prefix
    }

    /// Returns the engine's clock.
    pub fn clock(&self) -> SimClock {
        self.0.clock
    }

    /// Replaces the fault switches.
    pub fn set_faults(&self, faults: Faults) {
        self.0.book().faults = faults;
    }

    /// Makes applications known and begins or schedules their first calls.
    pub fn start_calls(&self, world: World) -> Started {
        control::start_calls(&self.0, world)
    }

    /// Returns what the engine did and saw so far.
    pub fn ledger(&self) -> Ledger {
        control::ledger(&self.0)
    }

    /// Returns the sums of the ledger, which costs less than all of it.
    pub fn totals(&self) -> Totals {
        control::totals(&self.0)
    }

    /// Ends all calls and lets go of requests that are held.
    pub fn stop(&self) {
        self.0.stop.cancel();
        self.0.book().epoch.cancel();
    }
}

/// An engine with a listener of its own; it ends with this handle.
pub struct EngineHandle {
    base_url: String,
    engine: Engine,
    server: JoinHandle<()>,
}

impl EngineHandle {
    /// Returns the URL that the engine's paths are appended to, prefix included.
    pub fn base_url(&self) -> &str {
        &self.base_url
    }

    /// Returns the engine.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Stops the engine and waits until its port is free.
    pub async fn shutdown(mut self) {
        self.engine.stop();
        if tokio::time::timeout(STOP_GRACE, &mut self.server).await.is_err() {
            self.server.abort();
        }
    }
}

impl Drop for EngineHandle {
    fn drop(&mut self) {
        self.engine.stop();
    }
}

/// Serves `routes` until `stop`.
async fn serve(listener: TcpListener, routes: Router, stop: CancellationToken) {
    let listener = listener.tap_io(|stream| {
        let _slower_at_worst = stream.set_nodelay(true);
    });
    let serving = axum::serve(listener, routes).with_graceful_shutdown(stop.cancelled_owned());
    if let Err(error) = serving.await {
        tracing::error!(%error, "the simulated engine stopped serving: {error}");
    }
}

/// Runs `work` in the background until `epoch` ends.
fn spawn_in(epoch: &CancellationToken, work: impl Future<Output = ()> + Send + 'static) {
    let epoch = epoch.clone();
    tokio::spawn(async move { epoch.run_until_cancelled_owned(work).await });
}

impl Inner {
    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().expect("nobody panics while holding the book")
    }

    /// Runs a call's webhooks in the background; the receiver learns when the first was sent.
    fn run(self: &Arc<Self>, call: Arc<Call>) -> oneshot::Receiver<()> {
        let (first_sent, first_webhook) = oneshot::channel();
        let epoch = self.book().epoch.clone();
        let courier = courier::Courier { engine: Arc::clone(self), call, epoch: epoch.clone() };
        spawn_in(&epoch, courier.deliver_all(first_sent));
        first_webhook
    }

    /// Keeps a request waiting until its caller must have given up, or the engine stops.
    async fn hold(&self) {
        let hold_for = seconds(self.book().faults.hold_s);
        self.stop.run_until_cancelled(tokio::time::sleep(hold_for)).await;
    }

    /// Checks the bearer token.
    fn check_token(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        let sent = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let token = sent.and_then(|value| value.strip_prefix("Bearer "));
        match token {
            Some(token) if token == self.settings.internal_token.expose_secret() => Ok(()),
            _ => Err(Refusal::Unauthorized),
        }
    }

    /// Checks the bearer token where one was sent.
    fn check_token_if_any(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        if headers.contains_key(AUTHORIZATION) { self.check_token(headers) } else { Ok(()) }
    }
}
