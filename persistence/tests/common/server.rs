//! The server that tests share: the one they are given, else an embedded one for the process.

use std::fs;
use std::path::{Path, PathBuf};
use std::str::FromStr as _;
use std::sync::{Arc, Mutex, PoisonError, Weak, mpsc};
use std::thread::{self, JoinHandle};

use persistence::embedded::{EmbeddedServer, Settings};
use sqlx::postgres::PgConnectOptions;
use tokio::runtime;
use tokio::sync::oneshot;

/// Names a server on which tests may create databases.
const GIVEN: &str = "RINGMASTER_TEST_DATABASE_URL";

/// The superuser of an embedded cluster.
const SUPERUSER: &str = "postgres";

/// A running server; an embedded one stops with its last user.
pub struct Server {
    /// Connects as the login whose databases the tests run on.
    pub options: PgConnectOptions,
    /// Connects as a role that may create databases for it.
    pub admin: PgConnectOptions,
    _embedded: Option<Embedded>,
}

/// Returns the server, started if it does not run.
pub fn shared() -> Arc<Server> {
    static CURRENT: Mutex<Weak<Server>> = Mutex::new(Weak::new());
    let mut current = CURRENT.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(server) = current.upgrade() {
        return server;
    }
    let server = Arc::new(match std::env::var(GIVEN) {
        Ok(url) => {
            let options = PgConnectOptions::from_str(&url).expect("the given address is one");
            Server { admin: options.clone(), options, _embedded: None }
        }
        Err(_) => start(),
    });
    *current = Arc::downgrade(&server);
    server
}

/// The thread on which an embedded server lives, since a test's own runtime ends with the test.
struct Embedded {
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Embedded {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ended = thread.join();
        }
    }
}

fn start() -> Server {
    let (stop, stopped) = oneshot::channel();
    let (ready, options) = mpsc::channel();
    let thread = thread::spawn(move || serve(&ready, stopped));
    let options = options.recv().expect("the embedded server starts");
    // The embedded login creates no databases; the cluster's own superuser does, on the same socket.
    let admin = options.clone().username(SUPERUSER).database("postgres");
    let embedded = Embedded { stop: Some(stop), thread: Some(thread) };
    Server { options, admin, _embedded: Some(embedded) }
}

fn serve(ready: &mpsc::Sender<PgConnectOptions>, stopped: oneshot::Receiver<()>) {
    let runtime = runtime::Builder::new_current_thread().enable_all().build();
    let home = home();
    let data = runtime.expect("a runtime starts").block_on(async {
        let settings = Settings { home: home.clone(), pg_bin: None };
        let server = EmbeddedServer::start(settings).await.expect("the embedded server starts");
        let data = server.data_folder().to_owned();
        let _sent = ready.send(server.connect_options());
        let _dropped = stopped.await; // By whoever used it last.
        server.stop().await.expect("the embedded server stops");
        data
    });
    for folder in [data, home] {
        let _gone = fs::remove_dir_all(folder); // The one may lie within the other.
    }
}

/// Returns a folder of this process below the build's, where the cluster's own account can reach it.
fn home() -> PathBuf {
    let folder = format!("postgres-{}", std::process::id());
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(folder)
}
