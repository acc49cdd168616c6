//! The line between a server and its database. It is cut where it hurts, after a commit was sent; it is
//! slow, stalls, or goes dead without a word.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use tokio::time::sleep;

/// What PostgreSQL calls its socket.
const SOCKET: &str = ".s.PGSQL.5432";
/// The function that commits a batch.
const COMMITS: &str = "journal_commit(";
/// Bytes read at once.
const CHUNK: usize = 1 << 16;
/// The length of a message's head: its kind and its length.
const HEAD: usize = 5;

/// Where a line is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// The commit was sent, and is perhaps carried out.
    Sent,
    /// The commit was carried out and answered; the answer does not come back.
    Answered,
}

/// A line. It ends with its owner.
pub struct Line {
    folder: TempDir,
    shared: Arc<Shared>,
    _lines: JoinSet<()>,
}

struct Shared {
    database: PathBuf,
    armed: Mutex<Option<Cut>>,
    made: AtomicU32,
    /// Connections taken so far.
    taken: AtomicU32,
    weather: watch::Sender<Weather>,
}

/// What holds for whatever travels over the line from now on.
#[derive(Clone, Copy, Debug, Default)]
struct Weather {
    /// How long each chunk of bytes takes, either way.
    delay: Duration,
    /// Nothing is handed on, and nothing is lost: it goes on where it stopped.
    is_stalled: bool,
    /// Connections with a lower number are dead: open for whoever made them, and silent for good.
    dead_below: u32,
    /// Connections with a lower number are closed.
    closed_below: u32,
}

impl Line {
    /// Opens a line to the database whose socket lies in the folder `database`.
    ///
    /// # Errors
    /// When no socket can be made.
    pub fn open(database: &Path) -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new().prefix("rm-line").tempdir()?;
        let listener = UnixListener::bind(folder.path().join(SOCKET)).context("a new line")?;
        let shared = Arc::new(Shared {
            database: database.join(SOCKET),
            armed: Mutex::new(None),
            made: AtomicU32::new(0),
            taken: AtomicU32::new(0),
            weather: watch::Sender::default(),
        });
        let mut lines = JoinSet::new();
        lines.spawn(accept(listener, Arc::clone(&shared)));
        Ok(Self { folder, shared, _lines: lines })
    }

    /// Returns the address of the database over this line.
    pub fn url(&self, role: &str, database: &str) -> String {
        let folder = self.folder.path().display();
        format!("postgres://{role}@localhost/{database}?host={folder}")
    }

    /// Cuts whatever connection commits next.
    pub fn cut_next(&self, cut: Cut) {
        *self.shared.armed.lock().unwrap_or_else(PoisonError::into_inner) = Some(cut);
    }

    /// Takes back a cut that nothing came to.
    pub fn disarm(&self) {
        *self.shared.armed.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Returns how many cuts were made.
    pub fn cuts(&self) -> u32 {
        self.shared.made.load(Ordering::SeqCst)
    }

    /// Holds each chunk of bytes back for `delay`, in both directions.
    pub fn slow_down(&self, delay: Duration) {
        self.shared.weather.send_modify(|weather| weather.delay = delay);
    }

    /// Hands nothing on any more, or goes on where it stopped. New connections are taken meanwhile, and
    /// are as silent as the old ones.
    pub fn stall(&self, is_stalled: bool) {
        self.shared.weather.send_modify(|weather| weather.is_stalled = is_stalled);
    }

    /// Lets every connection that stands now go dead, as behind a firewall that forgot it: it stays open
    /// on this side, and never says anything again. New ones work.
    pub fn forget(&self) {
        let taken = self.shared.taken.load(Ordering::SeqCst);
        self.shared.weather.send_modify(|weather| weather.dead_below = taken);
    }

    /// Closes every connection that stands now; new ones work.
    pub fn hang_up(&self) {
        let taken = self.shared.taken.load(Ordering::SeqCst);
        self.shared.weather.send_modify(|weather| weather.closed_below = taken);
    }
}

async fn accept(listener: UnixListener, shared: Arc<Shared>) {
    let mut lines = JoinSet::new();
    while let Ok((client, _)) = listener.accept().await {
        while lines.try_join_next().is_some() {}
        lines.spawn(carry(client, Arc::clone(&shared)));
    }
}

/// What both directions of one connection know.
#[derive(Default)]
struct Fate {
    /// Which connection of the line it is.
    number: u32,
    withholds: AtomicBool,
    answered: Notify,
}

/// Carries bytes both ways until an end closes, or the line is cut: both ends are dropped then.
async fn carry(client: UnixStream, shared: Arc<Shared>) {
    let Ok(server) = UnixStream::connect(&shared.database).await else { return };
    let (mut from_client, mut to_client) = client.into_split();
    let fate = Fate { number: shared.taken.fetch_add(1, Ordering::SeqCst), ..Fate::default() };
    let is_dead = {
        let (from_server, to_server) = server.into_split();
        tokio::select! {
            () = ask(&mut from_client, to_server, &shared, &fate) => false,
            () = answer(from_server, &mut to_client, &shared, &fate) => false,
            () = shared.weathered(|now| fate.number < now.closed_below) => false,
            () = shared.weathered(|now| fate.number < now.dead_below) => true,
        }
    };
    // The database heard of the end; the client has to find out by itself.
    let mut chunk = vec![0; CHUNK];
    while is_dead && matches!(from_client.read(&mut chunk).await, Ok(1..)) {}
}

async fn ask(client: &mut OwnedReadHalf, mut server: OwnedWriteHalf, shared: &Shared, fate: &Fate) {
    let mut speech = Speech::default();
    let mut chunk = vec![0; CHUNK];
    loop {
        let Ok(length @ 1..) = client.read(&mut chunk).await else { return };
        shared.pass().await;
        let commits = speech.hear(&chunk[..length]);
        let cut = if commits { shared.take_cut() } else { None };
        if cut.is_some() {
            fate.withholds.store(true, Ordering::SeqCst);
        }
        if server.write_all(&chunk[..length]).await.is_err() {
            return;
        }
        match cut {
            None => {}
            Some(Cut::Sent) => return,
            Some(Cut::Answered) => return fate.answered.notified().await,
        }
    }
}

async fn answer(
    mut server: OwnedReadHalf,
    client: &mut OwnedWriteHalf,
    shared: &Shared,
    fate: &Fate,
) {
    let mut chunk = vec![0; CHUNK];
    loop {
        let Ok(length @ 1..) = server.read(&mut chunk).await else { return };
        shared.pass().await;
        if fate.withholds.load(Ordering::SeqCst) {
            fate.answered.notify_one();
        } else if client.write_all(&chunk[..length]).await.is_err() {
            return;
        }
    }
}

impl Shared {
    /// Waits until bytes may travel on.
    async fn pass(&self) {
        let delay = self.weather.borrow().delay;
        if !delay.is_zero() {
            sleep(delay).await;
        }
        self.weathered(|now| !now.is_stalled).await;
    }

    async fn weathered(&self, is_so: impl FnMut(&Weather) -> bool) {
        let mut weather = self.weather.subscribe();
        // The sender is ours: it outlives this wait.
        let _open = weather.wait_for(is_so).await;
    }

    fn take_cut(&self) -> Option<Cut> {
        let cut = self.armed.lock().unwrap_or_else(PoisonError::into_inner).take();
        if cut.is_some() {
            self.made.fetch_add(1, Ordering::SeqCst);
        }
        cut
    }
}

/// What a client says, message by message, as far as commits are concerned.
#[derive(Default)]
struct Speech {
    pending: Vec<u8>,
    has_begun: bool,
    /// The prepared statements that commit.
    committing: HashSet<Vec<u8>>,
    /// One of them has its arguments, and is carried out with the next `Sync`.
    is_bound: bool,
}

impl Speech {
    /// Hears some bytes; answers whether a message that ended in them commits something.
    ///
    /// Source: the message formats of PostgreSQL's manual, chapter "Frontend/Backend Protocol".
    fn hear(&mut self, bytes: &[u8]) -> bool {
        self.pending.extend_from_slice(bytes);
        let mut commits = false;
        while let Some(message) = self.next_message() {
            commits |= self.commits(&message);
        }
        commits
    }

    fn next_message(&mut self) -> Option<Vec<u8>> {
        // The first message has no kind, only a length.
        let kind = usize::from(self.has_begun);
        let length = self.pending.get(kind..kind + HEAD - 1)?;
        let length = u32::from_be_bytes(length.try_into().ok()?) as usize + kind;
        if self.pending.len() < length {
            return None;
        }
        self.has_begun = true;
        Some(self.pending.drain(..length).collect())
    }

    fn commits(&mut self, message: &[u8]) -> bool {
        let Some(body) = message.get(HEAD..) else { return false };
        match message[0] {
            b'Q' => body.starts_with(b"COMMIT"),
            b'P' => {
                let mut parts = body.splitn(3, |byte| *byte == 0);
                let (name, text) = (parts.next(), parts.next());
                let text = String::from_utf8_lossy(text.unwrap_or_default());
                if text.contains(COMMITS) {
                    self.committing.insert(name.unwrap_or_default().to_vec());
                }
                false
            }
            b'B' => {
                let statement = body.splitn(3, |byte| *byte == 0).nth(1);
                self.is_bound |= statement.is_some_and(|name| self.committing.contains(name));
                false
            }
            b'S' => std::mem::take(&mut self.is_bound),
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(kind: u8, body: &[u8]) -> Vec<u8> {
        let length = u32::try_from(body.len() + 4).unwrap();
        [&[kind], &length.to_be_bytes()[..], body].concat()
    }

    #[test]
    fn commits_are_heard_and_nothing_else_is_however_the_bytes_arrive() {
        let begin = message(b'x', b"user\0ringmaster\0\0")[1..].to_vec();
        let parse = message(b'P', b"s1\0select journal_commit($1) as base\0\0\0");
        let other = message(b'P', b"s2\0select 1\0\0\0");
        let bind = message(b'B', b"\0s1\0rest");
        let harmless = message(b'B', b"\0s2\0rest");
        let sync = message(b'S', b"");
        let said = [begin, parse, other, harmless, sync.clone(), bind, sync].concat();
        for cut in 1..said.len() {
            let mut speech = Speech::default();
            let first = speech.hear(&said[..cut]);
            assert!(!first, "{cut}");
            assert!(speech.hear(&said[cut..]), "{cut}");
        }
        let mut speech = Speech { has_begun: true, ..Speech::default() };
        assert!(speech.hear(&message(b'Q', b"COMMIT\0")));
        assert!(!speech.hear(&message(b'Q', b"ROLLBACK\0")));
    }
}
