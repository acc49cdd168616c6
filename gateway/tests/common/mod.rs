//! A server on a loopback port, with routes that show each rule of the gateway.

// Each test binary uses its own part of it.
#![allow(dead_code, reason = "shared by several test binaries")]

use std::future::pending;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use chrono::{DateTime, Utc};
use domain::TenantId;
use domain::ports::{
    BoxFuture, Clock, PersonStanding, Standing, Standings, StoreError, TenantStanding,
};
use gateway::auth::{
    Access, Grant, Keys, Page, Pages, Principal, Register, Role, ServiceCaller, WebhookSource, mint,
};
use gateway::envelope::{Data, List, Meta};
use gateway::extract::{Json, Paged, Path, RawBody};
use gateway::rates::{RateSettings, Rates};
use gateway::readiness::Readiness;
use gateway::request_id::RequestIds;
use gateway::router::{self, Route};
use gateway::server::{Abandoned, Limits, Server, Sockets};
use gateway::state::{AppState, Parts};
use gateway::telemetry::init_metrics;
use gateway::{ApiError, Code};
use metrics_exporter_prometheus::PrometheusHandle;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// What the tests' tokens are signed with.
pub const JWT_SECRET: &str = "a secret that is long enough for HS256";
/// What the tests' webhooks carry.
pub const WEBHOOK_SECRET: &str = "open sesame";
/// What the tests' services carry.
pub const SERVICE_TOKEN: &str = "between us";

/// A clock that stands still.
pub struct Still(pub DateTime<Utc>);

impl Clock for Still {
    fn now(&self) -> DateTime<Utc> {
        self.0
    }
}

/// Tables in which every tenant is open and nobody is listed.
pub struct Everybody;

impl Standings for Everybody {
    fn standing(&self, _: TenantId, _: Uuid) -> BoxFuture<'_, Result<Standing, StoreError>> {
        let standing = Standing { tenant: TenantStanding::Open, person: PersonStanding::Unlisted };
        Box::pin(async move { Ok(standing) })
    }
}

/// The instant at which the tests' clock stands.
pub fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000, 0).unwrap()
}

/// How a server is started.
pub struct Setup {
    pub limits: Limits,
    pub keys: Keys,
    pub rates: RateSettings,
    pub request_timeout: Duration,
}

impl Default for Setup {
    fn default() -> Self {
        let secret = |text: &str| SecretString::from(text);
        Self {
            limits: Limits::default(),
            keys: Keys::new(
                Some(&secret(JWT_SECRET)),
                Some(&secret(SERVICE_TOKEN)),
                Some(&secret(WEBHOOK_SECRET)),
            ),
            rates: RateSettings::default(),
            request_timeout: Duration::from_secs(30),
        }
    }
}

/// A server that runs.
pub struct Running {
    pub address: SocketAddr,
    pub readiness: Readiness,
    pub sockets: Sockets,
    pub shutdown: CancellationToken,
    pub run: JoinHandle<Abandoned>,
    pub http: reqwest::Client,
}

impl Running {
    pub async fn start() -> Self {
        Self::with(Setup::default()).await
    }

    pub async fn with(setup: Setup) -> Self {
        let server = Server::bind(([127, 0, 0, 1], 0).into(), setup.limits).await.unwrap();
        let (readiness, sockets) = (Readiness::new(), Sockets::new());
        readiness.started();
        let app = AppState::new(Parts {
            keys: setup.keys,
            register: Register::new(Arc::new(Everybody), Arc::new(Still(now()))),
            rates: Rates::new(&setup.rates, Arc::new(Still(now()))),
            clock: Arc::new(Still(now())),
            readiness: readiness.clone(),
            request_ids: RequestIds::new(now()),
            sockets: sockets.clone(),
            metrics: metrics(),
            request_timeout: setup.request_timeout,
        });
        let mut table = router::operations();
        table.extend(examples());
        let service = router::build(&app, table);
        let (address, shutdown) = (server.local_addr(), CancellationToken::new());
        let run = tokio::spawn(server.run(service, shutdown.clone(), sockets.clone()));
        let http = reqwest::Client::new();
        Self { address, readiness, sockets, shutdown, run, http }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub fn get(&self, path: &str) -> reqwest::RequestBuilder {
        self.http.get(self.url(path))
    }

    pub fn post(&self, path: &str) -> reqwest::RequestBuilder {
        self.http.post(self.url(path))
    }
}

/// One for the whole process: metrics have one home.
pub fn metrics() -> PrometheusHandle {
    static METRICS: OnceLock<PrometheusHandle> = OnceLock::new();
    METRICS.get_or_init(|| init_metrics().unwrap()).clone()
}

/// A good token of somebody with `role`.
pub fn token(role: Role) -> String {
    token_from(role, now())
}

/// A token that was good for an hour from `start` on.
pub fn token_from(role: Role, start: DateTime<Utc>) -> String {
    let ttl = chrono::Duration::hours(1);
    let grant = Grant { sub: Uuid::from_u128(7), role, tenant: None, pages: Pages::default(), ttl };
    mint(&SecretString::from(JWT_SECRET), grant, start).unwrap()
}

/// Sends, and returns status and body.
pub async fn answer(request: reqwest::RequestBuilder) -> (u16, Value) {
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    (status, response.json().await.unwrap())
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct Echo {
    text: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    how_often: Option<u8>,
}

#[derive(Deserialize, Serialize)]
struct Filter {
    status: Option<String>,
}

fn examples() -> Vec<Route> {
    const ADMINS: Access = Access::Roles(&[Role::Admin, Role::Superadmin]);
    const HEADS: Access = Access::Page(&[Role::Admin, Role::SalesHead], Page::Crm);
    vec![
        Route::get("/api/v1/me", Access::AnyRole, me),
        Route::delete("/api/v1/me", ADMINS, me),
        Route::get("/api/v1/heads", HEADS, me),
        // As the server's own: their descriptions, which have no parameters, hold for these too.
        Route::get("/api/v1/tree", Access::AnyRole, me),
        Route::post("/api/v1/dialing/stop", ADMINS, me),
        Route::get("/api/v1/things/{id}", Access::AnyRole, thing),
        Route::get("/api/service", Access::Service, service),
        Route::post("/api/v1/echo", Access::Open, echo),
        Route::post("/api/echo", Access::Open, echo),
        Route::get("/api/v1/list", Access::Open, list),
        Route::get("/api/list", Access::Open, list),
        Route::get("/api/items/{id}", Access::Open, item),
        Route::post("/api/webhook", Access::Webhook(WebhookSource::MrHire), webhook),
        Route::get("/api/stuck", Access::Open, stuck),
        Route::get("/api/panic", Access::Open, panics),
    ]
}

async fn me(principal: Principal) -> Json<Data<Value>> {
    Json(Data::new(json!({"sub": principal.sub, "role": principal.role})))
}

/// Things are the numbers up to 9.
async fn thing(Path(id): Path<u64>) -> Result<Json<Data<u64>>, ApiError> {
    if id < 10 { Ok(Json(Data::new(id))) } else { Err(ApiError::new(Code::NotFound)) }
}

async fn service(_: ServiceCaller) -> Json<Data<bool>> {
    Json(Data::new(true))
}

async fn echo(Json(body): Json<Echo>) -> Json<Data<Echo>> {
    Json(Data::new(body))
}

async fn list(Paged { page, filter }: Paged<Filter>) -> Json<List<Filter>> {
    Json(List::new(vec![filter], page, 1, Meta { as_of: now(), seq: 1 }))
}

async fn item(Path(id): Path<Uuid>) -> Json<Data<Uuid>> {
    Json(Data::new(id))
}

async fn webhook(RawBody(body): RawBody) -> Json<Data<usize>> {
    Json(Data::new(body.len()))
}

async fn stuck() -> Json<Data<bool>> {
    pending().await
}

async fn panics() -> Json<Data<bool>> {
    panic!("hunter2")
}
