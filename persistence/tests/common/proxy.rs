//! A line to the database that is cut where it hurts.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use persistence::{Database, Limits};
use sqlx::postgres::PgConnectOptions;
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpStream, UnixListener, UnixStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// Longest run of requests between two cuts.
const REQUESTS_BETWEEN_CUTS_MAX: u64 = 40;
/// How many parameters the statement has that commits a batch.
const COMMIT_PARAMETERS: u8 = 39;

/// Where a line is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cut {
    /// The request never gets there.
    Before,
    /// The request gets there, and perhaps is carried out.
    During,
    /// The request is carried out and answered, and the answer does not come back.
    After,
}

/// The next cuts, drawn from a seed.
struct Cuts {
    random: u64,
    left: u32,
    /// Requests to let through first.
    ahead: u64,
    /// Whether the cut waits for a request that commits something.
    waits_for_commit: bool,
}

impl Cuts {
    /// Draws the next number (splitmix64).
    fn draw(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.random ^ (self.random >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Judges one request. Two cuts of three fall where it matters whether it was committed.
    fn next(&mut self, request: &[u8]) -> Option<Cut> {
        if self.left == 0 {
            return None;
        }
        if self.ahead > 0 {
            self.ahead -= 1;
            return None;
        }
        if self.waits_for_commit && !commits(request) {
            return None;
        }
        self.left -= 1;
        self.waits_for_commit = !self.draw().is_multiple_of(3);
        self.ahead = self.draw() % REQUESTS_BETWEEN_CUTS_MAX;
        Some(match self.draw() % 3 {
            0 => Cut::Before,
            1 => Cut::During,
            _ => Cut::After,
        })
    }
}

/// Whether a request is a `commit`, or carries the arguments of a batch.
fn commits(request: &[u8]) -> bool {
    match request {
        [b'Q', _, _, _, _, sql @ ..] => sql.starts_with(b"COMMIT"),
        // The names of portal and statement, one format for all parameters, the parameters' number.
        [b'B', _, _, _, _, names @ ..] => {
            let mut parts = names.splitn(3, |byte| *byte == 0).skip(2);
            matches!(parts.next(), Some([0, 1, 0, 1, 0, COMMIT_PARAMETERS, ..]))
        }
        _ => false,
    }
}

struct Shared {
    server: PgConnectOptions,
    cuts: Mutex<Cuts>,
    is_down: AtomicBool,
    accepted: AtomicU32,
    /// Lines with a lower number are dead: open on this side, and silent for good.
    dead_below: watch::Sender<u32>,
}

/// A proxy on a socket of its own; it ends with its owner.
pub struct Proxy {
    folder: TempDir,
    shared: Arc<Shared>,
    _lines: JoinSet<()>,
}

impl Proxy {
    /// Starts a proxy before `database` which cuts `cuts` times, at places drawn from `seed`.
    pub fn start(database: &Database, seed: u64, cuts: u32) -> Self {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let socket = folder.path().join(socket_name(database.options().get_port()));
        let listener = UnixListener::bind(socket).expect("the folder is new");
        let cuts = Cuts {
            random: seed,
            left: cuts,
            ahead: REQUESTS_BETWEEN_CUTS_MAX,
            waits_for_commit: true,
        };
        let shared = Arc::new(Shared {
            server: database.options().clone(),
            cuts: Mutex::new(cuts),
            is_down: AtomicBool::new(false),
            accepted: AtomicU32::new(0),
            dead_below: watch::Sender::default(),
        });
        let mut lines = JoinSet::new();
        lines.spawn(accept(listener, Arc::clone(&shared)));
        Self { folder, shared, _lines: lines }
    }

    /// Returns the same database as it is reached over this line.
    pub fn database(&self) -> Database {
        let options = self.shared.server.clone().socket(self.folder.path());
        Database::new(options, Limits::default())
    }

    /// Returns how many cuts are still to come.
    pub fn cuts_left(&self) -> u32 {
        self.shared.cuts.lock().unwrap_or_else(PoisonError::into_inner).left
    }

    /// Lets nobody in any more, or again; lines that stand end with their next request.
    pub fn set_down(&self, is_down: bool) {
        self.shared.is_down.store(is_down, Ordering::SeqCst);
    }

    /// Lets the lines that stand go dead, as behind a firewall that forgot them; new ones work.
    pub fn forget(&self) {
        self.shared.dead_below.send_replace(self.accepted());
    }

    /// Returns how many lines were asked for.
    pub fn accepted(&self) -> u32 {
        self.shared.accepted.load(Ordering::SeqCst)
    }
}

async fn accept(listener: UnixListener, shared: Arc<Shared>) {
    let mut lines = JoinSet::new();
    while let Ok((client, _)) = listener.accept().await {
        let number = shared.accepted.fetch_add(1, Ordering::SeqCst);
        lines.spawn(serve(client, number, Arc::clone(&shared)));
    }
}

async fn serve(mut client: UnixStream, number: u32, shared: Arc<Shared>) {
    let mut dead_below = shared.dead_below.subscribe();
    tokio::select! {
        () = pass_on(&mut client, &shared) => return,
        _ = dead_below.wait_for(|below| number < *below) => {}
    }
    let mut unheard = [0; 1 << 10];
    while matches!(client.read(&mut unheard).await, Ok(1..)) {}
}

async fn pass_on(client: &mut UnixStream, shared: &Shared) {
    let (host, port) = (shared.server.get_host(), shared.server.get_port());
    let folder = shared.server.get_socket().cloned();
    let folder = folder.or_else(|| host.starts_with('/').then(|| PathBuf::from(host)));
    if let Some(folder) = folder {
        let server = UnixStream::connect(folder.join(socket_name(port))).await;
        let (from, to) = tokio::io::split(server.expect("the server is up"));
        carry(client, from, to, shared).await;
    } else {
        let server = TcpStream::connect((host, port)).await;
        let (from, to) = tokio::io::split(server.expect("the server is up"));
        carry(client, from, to, shared).await;
    }
}

/// Returns what the server calls its socket.
fn socket_name(port: u16) -> String {
    format!(".s.PGSQL.{port}")
}

/// Carries bytes both ways until an end closes, or the line is cut: both ends are dropped then.
async fn carry(
    client: &mut UnixStream,
    mut from_server: impl AsyncRead + Unpin,
    mut to_server: impl AsyncWrite + Unpin,
    shared: &Shared,
) {
    let (mut from_client, mut to_client) = client.split();
    let mut asked = vec![0; 1 << 20];
    let mut answered = vec![0; 1 << 16];
    let mut withholds = false;
    loop {
        tokio::select! {
            biased;
            read = from_client.read(&mut asked) => {
                let Ok(length @ 1..) = read else { return };
                if shared.is_down.load(Ordering::SeqCst) {
                    return;
                }
                let cut = shared.cuts.lock().unwrap_or_else(PoisonError::into_inner).next(&asked[..length]);
                if cut == Some(Cut::Before) || to_server.write_all(&asked[..length]).await.is_err() {
                    return;
                }
                match cut {
                    Some(Cut::During) => return,
                    Some(_) => withholds = true,
                    None => {}
                }
            }
            read = from_server.read(&mut answered) => {
                let Ok(length @ 1..) = read else { return };
                if withholds || to_client.write_all(&answered[..length]).await.is_err() {
                    return;
                }
            }
        }
    }
}
