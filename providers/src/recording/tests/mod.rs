//! The client against what the outside may do: real HTTP on loopback, and names that answer what a test
//! says. Only here can a place be made that leads to this machine without a simulated world.

mod addresses;
mod answers;
mod names;

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::http::header::AUTHORIZATION;
use domain::ports::{BoxFuture, Recording, RecordingError, Recordings as _};
use tokio::net::TcpListener;

use super::client::{Limits, RecordingClient, TwilioLogin};
use super::places::{Login, Place, Places, Reach};
use super::resolver::Lookup;

/// The most bytes of an answer, in these tests.
const BYTES_MAX: u64 = 64 * 1024;
/// The tests' audio.
const SOUND: &[u8] = b"RIFF....WAVE: a few words that somebody said";

/// Names and the answers to their look-ups, one after the other; the last one stays.
#[derive(Default)]
struct Names {
    answers: Mutex<HashMap<String, Vec<Vec<IpAddr>>>>,
    asked: AtomicUsize,
}

impl Names {
    /// `name` has these addresses at its first look-up, those at its second, and so on.
    fn of(name: &str, answers: &[&[&str]]) -> Arc<Self> {
        let parsed = |ips: &&[&str]| ips.iter().map(|ip| ip.parse().unwrap()).collect();
        let names = Self::default();
        let answers = answers.iter().map(parsed).collect();
        names.answers.lock().unwrap().insert(name.to_owned(), answers);
        Arc::new(names)
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

impl Lookup for Names {
    fn addresses(&self, host: String) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let mut all = self.answers.lock().unwrap();
        let found = all.get_mut(&host).map(|answers| match answers.len() {
            1 => answers[0].clone(),
            _ => answers.remove(0),
        });
        Box::pin(async move { found.ok_or_else(|| io::ErrorKind::NotFound.into()) })
    }
}

fn limits() -> Limits {
    let short = Duration::from_millis(300);
    Limits {
        head: Duration::from_secs(10),
        idle: short,
        total: Duration::from_secs(10),
        bytes_max: BYTES_MAX,
        fetches_max: 4,
    }
}

fn login() -> Option<TwilioLogin> {
    Some(TwilioLogin { account: "AC1".into(), token: "hunter2".into() })
}

fn place(prefix: String, login: Login, reach: Reach) -> Place {
    Place { prefix, login, reach }
}

/// Serves `router` on loopback.
async fn serve(router: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

/// A platform that answers every path with `handler`, and a client of it that bounds as `limits`.
async fn platform_within(router: Router, limits: Limits) -> (String, RecordingClient) {
    let base = format!("http://platform.test:{}/", serve(router).await.port());
    let places = Places::of(vec![place(base.clone(), Login::None, Reach::Local)]);
    let names = Names::of("platform.test", &[&["127.0.0.1"]]);
    (base, RecordingClient::within(places, names, login(), limits).unwrap())
}

async fn platform(router: Router) -> (String, RecordingClient) {
    platform_within(router, limits()).await
}

/// Reads a recording to its end.
async fn read(mut recording: Recording) -> Result<Vec<u8>, RecordingError> {
    let mut all = Vec::new();
    while let Some(bytes) = recording.body.next().await? {
        all.extend_from_slice(&bytes);
    }
    Ok(all)
}

/// Fetches a recording that must not come.
async fn refused(client: &RecordingClient, address: &str) -> RecordingError {
    client.fetch(address.to_owned(), None).await.err().expect("nothing should come")
}

/// Whether a request carried a login.
fn has_login(request: &Request) -> bool {
    request.headers().contains_key(AUTHORIZATION)
}
