//! The client: one request, at most three redirects, each looked at.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use domain::ports::{BoxFuture, ByteRange, Recording, RecordingError, RecordingHost, Recordings};
use reqwest::header::{ACCEPT_ENCODING, LOCATION, RANGE};
use reqwest::{Client, Response, StatusCode, Url};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout};

use super::body::Bounded;
use super::head::Head;
use super::places::{Admitted, Login, Places};
use super::resolver::{Lookup, SystemLookup, Vetted};

/// How long a connection may take to stand.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long an answer may take to begin, redirects included. Less than a request of ours may take.
const HEAD_TIMEOUT: Duration = Duration::from_secs(20);
/// How long nothing may come.
const IDLE_TIMEOUT: Duration = Duration::from_secs(20);
/// How long all of it may take: a slow line, and a player that pauses.
const TOTAL_TIMEOUT: Duration = Duration::from_secs(15 * 60);
/// Recordings on their way at once.
const FETCHES_MAX: usize = 64;
/// Redirects that are followed. Source: ours; a platform needs one, to where it stores.
const REDIRECTS_MAX: usize = 3;

/// What Twilio knows us by.
#[derive(Clone, Debug)]
pub struct TwilioLogin {
    /// `TWILIO_ACCOUNT_SID`.
    pub account: SecretString,
    /// `TWILIO_AUTH_TOKEN`.
    pub token: SecretString,
}

/// From where, and how much.
#[derive(Clone, Debug)]
pub struct RecordingSettings {
    /// Hosts beside Twilio's and Vapi's; no login is shown to them.
    pub hosts: Vec<RecordingHost>,
    /// Without it nothing is fetched from Twilio.
    pub twilio: Option<TwilioLogin>,
    /// The engine of a simulated world, which keeps its own recordings; on this machine.
    pub simulated: Option<Url>,
    /// The most bytes of one answer.
    pub bytes_max: u64,
}

/// The bounds of one fetch.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) head: Duration,
    pub(super) idle: Duration,
    pub(super) total: Duration,
    pub(super) bytes_max: u64,
    pub(super) fetches_max: usize,
}

impl Limits {
    pub(super) const fn new(bytes_max: u64) -> Self {
        Self {
            head: HEAD_TIMEOUT,
            idle: IDLE_TIMEOUT,
            total: TOTAL_TIMEOUT,
            bytes_max,
            fetches_max: FETCHES_MAX,
        }
    }
}

/// Fetches recordings.
#[derive(Clone)]
pub struct RecordingClient {
    http: Client,
    places: Places,
    twilio: Option<TwilioLogin>,
    limits: Limits,
    room: Arc<Semaphore>,
}

impl RecordingClient {
    /// Makes a client; sends nothing yet.
    ///
    /// # Errors
    /// When the TLS of this machine cannot be set up.
    pub fn new(settings: RecordingSettings) -> anyhow::Result<Self> {
        let places = Places::new(&settings.hosts, settings.simulated.as_ref());
        let limits = Limits::new(settings.bytes_max);
        Self::within(places, Arc::new(SystemLookup), settings.twilio, limits)
    }

    pub(super) fn within(
        places: Places,
        lookup: Arc<dyn Lookup>,
        twilio: Option<TwilioLogin>,
        limits: Limits,
    ) -> anyhow::Result<Self> {
        let http = Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .referer(false)
            .no_proxy()
            .dns_resolver(Vetted::new(lookup, places.hosts()))
            .build()
            .context("the HTTP client of recordings")?;
        let room = Arc::new(Semaphore::new(limits.fetches_max));
        Ok(Self { http, places, twilio, limits, room })
    }

    async fn fetch_once(
        &self,
        address: String,
        range: Option<ByteRange>,
    ) -> Result<Recording, RecordingError> {
        let deadline = Instant::now() + self.limits.total;
        let admitted = self.places.admit(&address)?;
        let place = Arc::clone(&self.room).try_acquire_owned().map_err(|_| RecordingError::Busy)?;
        let response = timeout(self.limits.head, self.follow(admitted, range)).await;
        let late = |_| RecordingError::Unavailable(anyhow!("the platform does not answer"));
        let response = response.map_err(late)??;
        let bytes_max = self.limits.bytes_max;
        let Head { media, extent, length } = Head::read(&response, range, bytes_max)?;
        let idle = self.limits.idle;
        let body = Bounded { response, left: bytes_max, idle, deadline, _place: place };
        Ok(Recording { media, extent, length, body: Box::new(body) })
    }

    /// Asks, and goes where it is sent, as long as that is a place of recordings.
    ///
    /// The login goes along only as long as nobody but Twilio has had a say in where it goes.
    async fn follow(
        &self,
        mut admitted: Admitted,
        range: Option<ByteRange>,
    ) -> Result<Response, RecordingError> {
        let mut login = admitted.login;
        for _ in 0..=REDIRECTS_MAX {
            let response = self.ask(&admitted.url, login, range).await?;
            if !is_redirect(response.status()) {
                return Ok(response);
            }
            let next = self.places.redirected(&admitted.url, response.headers().get(LOCATION));
            admitted = next.map_err(|refused| RecordingError::Unavailable(refused.into()))?;
            if admitted.login == Login::None {
                login = Login::None;
            }
        }
        Err(RecordingError::Unavailable(anyhow!("the platform redirects without end")))
    }

    async fn ask(
        &self,
        url: &Url,
        login: Login,
        range: Option<ByteRange>,
    ) -> Result<Response, RecordingError> {
        let mut request = self.http.get(url.clone()).header(ACCEPT_ENCODING, "identity");
        if let Some(range) = range {
            request = request.header(RANGE, range.to_string());
        }
        if login == Login::Twilio {
            let twilio = self.twilio.as_ref().ok_or(RecordingError::NotConfigured)?;
            let (account, token) = (twilio.account.expose_secret(), twilio.token.expose_secret());
            request = request.basic_auth(account, Some(token));
        }
        // An address may be a key to what lies there, so it does not go into the log.
        let sent = request.send().await;
        sent.map_err(|error| RecordingError::Unavailable(error.without_url().into()))
    }
}

fn is_redirect(status: StatusCode) -> bool {
    matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308)
}

impl Recordings for RecordingClient {
    fn admit(&self, address: &str) -> Result<(), RecordingError> {
        self.places.admit(address).map(drop)
    }

    fn fetch(
        &self,
        address: String,
        range: Option<ByteRange>,
    ) -> BoxFuture<'_, Result<Recording, RecordingError>> {
        Box::pin(self.fetch_once(address, range))
    }
}
