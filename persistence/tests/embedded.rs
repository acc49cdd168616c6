//! The embedded server against a real PostgreSQL. These tests start, kill and stop postmasters of
//! their own, so they are slower than others: some seconds each.

#![expect(clippy::unwrap_used, reason = "the helpers of tests are tests")]

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, Uid};
use persistence::embedded::{
    EmbeddedError, EmbeddedServer, ServerState, Settings, check_durability,
};
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection as _, PgConnection};
use tempfile::TempDir;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

/// How long anything here may take before the test calls it a failure.
const PATIENCE: Duration = Duration::from_secs(60);

/// Tells the child process of the takeover test which home to serve.
const CHILD_HOME: &str = "RINGMASTER_TEST_HOME";

/// A home of its own; whatever still runs on it at the end is stopped.
struct World {
    parent: TempDir,
}

impl World {
    /// A home that any account can reach.
    fn new() -> Self {
        Self::with_mode(0o755)
    }

    fn with_mode(mode: u32) -> Self {
        let parent = tempfile::tempdir().unwrap();
        fs::set_permissions(parent.path(), Permissions::from_mode(mode)).unwrap();
        Self { parent }
    }

    fn home(&self) -> PathBuf {
        self.parent.path().join("home")
    }

    async fn start(&self) -> Result<EmbeddedServer, EmbeddedError> {
        start(&self.home(), None).await
    }

    fn record(&self) -> Option<serde_json::Value> {
        serde_json::from_slice(&fs::read(self.home().join("cluster.json")).ok()?).ok()
    }

    /// Where the cluster lies, if it is not the home itself.
    fn outside(&self) -> Option<PathBuf> {
        self.record()?["outside"].as_str().map(PathBuf::from)
    }

    fn data(&self) -> PathBuf {
        self.outside().unwrap_or(self.home()).join("data")
    }

    fn sockets(&self) -> Option<PathBuf> {
        self.record()?["sockets"].as_str().map(PathBuf::from)
    }

    /// The postmaster, if one left its process id and lives.
    fn postmaster(&self) -> Option<i32> {
        let text = fs::read_to_string(self.data().join("postmaster.pid")).ok()?;
        let pid = text.lines().next()?.trim().parse().ok()?;
        let line = fs::read_to_string(format!("/proc/{pid}/cmdline")).ok()?;
        line.contains(self.data().to_str()?).then_some(pid)
    }

    fn signal_postmaster(&self, signal: Signal) -> i32 {
        let pid = self.postmaster().expect("a postmaster runs");
        kill(Pid::from_raw(pid), signal).unwrap();
        pid
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let mut tries = 0;
        while let Some(pid) = self.postmaster().filter(|_| tries < 500) {
            let signal = if tries < 250 { Signal::SIGQUIT } else { Signal::SIGKILL };
            let _ended_meanwhile = kill(Pid::from_raw(pid), signal);
            std::thread::sleep(Duration::from_millis(20)); // No async in a drop; bounded by `tries`.
            tries += 1;
        }
        for folder in [self.sockets(), self.outside()].into_iter().flatten() {
            let _gone_already = fs::remove_dir_all(folder);
        }
    }
}

async fn start(home: &Path, pg_bin: Option<PathBuf>) -> Result<EmbeddedServer, EmbeddedError> {
    EmbeddedServer::start(Settings { home: home.to_owned(), pg_bin }).await
}

/// Polls until `probe` has an answer; says what was awaited when it never has.
async fn until<T>(awaited: &str, mut probe: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(answer) = probe().await {
            return answer;
        }
        assert!(Instant::now() < deadline, "waited in vain until {awaited}");
        sleep(Duration::from_millis(20)).await;
    }
}

async fn connect(options: &PgConnectOptions) -> PgConnection {
    PgConnection::connect_with(options).await.unwrap()
}

async fn text(connection: &mut PgConnection, asked: &'static str) -> String {
    sqlx::query_scalar(asked).fetch_one(connection).await.unwrap()
}

async fn truth(connection: &mut PgConnection, asked: &'static str) -> bool {
    sqlx::query_scalar(asked).fetch_one(connection).await.unwrap()
}

async fn remember(options: &PgConnectOptions, word: &str) {
    let mut connection = connect(options).await;
    let table = "create table if not exists words (word text not null)";
    sqlx::query(table).execute(&mut connection).await.unwrap();
    let insert = sqlx::query("insert into words (word) values ($1)").bind(word);
    insert.execute(&mut connection).await.unwrap();
}

async fn remembered(options: &PgConnectOptions) -> String {
    text(&mut connect(options).await, "select string_agg(word, ' ' order by word) from words").await
}

/// Waits until the postmaster was seen to be gone and is back.
async fn restarted(state: &mut watch::Receiver<ServerState>) {
    for wanted in [ServerState::Restarting, ServerState::Running] {
        let seen = timeout(PATIENCE, state.wait_for(|now| *now == wanted)).await;
        seen.expect("the state follows in time").expect("the server watches");
    }
}

/// Starts on a home whose server is about to let go of it.
async fn start_once_free(world: &World) -> EmbeddedServer {
    until("the home is free", async || match world.start().await {
        Err(EmbeddedError::HomeInUse { .. }) => None,
        started => Some(started.unwrap()),
    })
    .await
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[tokio::test]
async fn a_first_start_makes_a_private_durable_database_and_the_next_one_keeps_it() {
    let world = World::new();
    let server = world.start().await.unwrap();
    let options = server.connect_options();
    assert_eq!(*server.state().borrow(), ServerState::Running);
    assert_eq!(mode(&world.home()) & 0o007, 0, "the home is nobody else's");
    assert_eq!(mode(server.data_folder()), 0o700);
    assert_eq!(mode(&world.sockets().unwrap()), 0o700);

    let pid = world.postmaster().unwrap();
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let group = stat.rsplit(')').next().unwrap().split_whitespace().nth(2).unwrap();
    assert_eq!(group, pid.to_string(), "Ctrl-C in our terminal does not reach it");
    let environment = fs::read(format!("/proc/{pid}/environ")).unwrap();
    let environment = String::from_utf8_lossy(&environment).into_owned();
    assert!(environment.contains("LC_ALL=C"), "{environment}");
    assert!(!environment.contains("CARGO"), "what we were told stays with us: {environment}");

    let mut connection = connect(&options).await;
    check_durability(&mut connection).await.unwrap();
    let facts = "select concat_ws(' ', current_user, current_database(), rolsuper, rolbypassrls,
                        rolcreaterole, current_setting('server_encoding'),
                        current_setting('data_checksums'), current_setting('jit'),
                        current_setting('listen_addresses') = '')
                 from pg_roles where rolname = current_user";
    assert_eq!(text(&mut connection, facts).await, "ringmaster ringmaster f f t UTF8 on off t");
    connection.close().await.unwrap();

    remember(&options, "first").await;
    let sockets = world.sockets().unwrap();
    assert!(sockets.is_dir());
    server.stop().await.unwrap();
    assert_eq!(world.postmaster(), None, "nothing runs after a stop");
    assert!(!sockets.exists(), "nothing is left behind outside of the home");

    let again = world.start().await.unwrap();
    assert_eq!(remembered(&again.connect_options()).await, "first");
    again.stop().await.unwrap();
}

#[tokio::test]
async fn a_second_server_on_the_same_home_is_refused_with_the_holders_process_id() {
    let world = World::new();
    let server = world.start().await.unwrap();
    let refused = world.start().await.unwrap_err();
    let home = world.home().canonicalize().unwrap();
    let told =
        format!("{} is in use by another server (process {})", home.display(), std::process::id());
    assert_eq!(refused.to_string(), told);
    remember(&server.connect_options(), "undisturbed").await;
    server.stop().await.unwrap();
}

#[tokio::test]
async fn a_killed_postmaster_is_started_again_and_has_lost_nothing() {
    let world = World::new();
    let server = world.start().await.unwrap();
    let mut state = server.state();
    for word in ["a", "b"] {
        remember(&server.connect_options(), word).await;
        let killed = world.signal_postmaster(Signal::SIGKILL);
        restarted(&mut state).await;
        assert_ne!(world.postmaster(), Some(killed));
    }
    // The last time, somebody also cleaned its socket away.
    fs::remove_dir_all(world.sockets().unwrap()).unwrap();
    world.signal_postmaster(Signal::SIGKILL);
    restarted(&mut state).await;
    assert_eq!(remembered(&server.connect_options()).await, "a b");
    server.stop().await.unwrap();
    assert_eq!(world.postmaster(), None);
}

#[tokio::test]
async fn a_stop_right_after_the_postmaster_died_leaves_nothing_running() {
    let world = World::new();
    let server = world.start().await.unwrap();
    world.signal_postmaster(Signal::SIGKILL);
    server.stop().await.unwrap();
    assert_eq!(world.postmaster(), None);

    let server = world.start().await.unwrap();
    let mut state = server.state();
    world.signal_postmaster(Signal::SIGKILL);
    state.wait_for(|now| *now == ServerState::Restarting).await.unwrap();
    server.stop().await.unwrap();
    assert_eq!(world.postmaster(), None);
}

/// Not a test by itself: the body of the process that the next test kills.
#[tokio::test]
async fn child_process_that_serves_a_home_until_it_is_killed() {
    let Some(home) = std::env::var_os(CHILD_HOME) else { return };
    let server = start(Path::new(&home), None).await.unwrap();
    remember(&server.connect_options(), "before").await;
    let mut connection = connect(&server.connect_options()).await;
    let hold = "select pg_advisory_lock(7), pg_sleep(3600)";
    sqlx::query(hold).execute(&mut connection).await.unwrap();
}

/// A process that is killed at the end, whatever happened.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _dead_already = self.0.kill();
        let _reaped_already = self.0.wait();
    }
}

/// Starts this very program again, to serve the home of `world`.
fn serve_in_a_child(world: &World) -> Killed {
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child_process_that_serves_a_home_until_it_is_killed"])
        .env(CHILD_HOME, world.home())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    Killed(child.unwrap())
}

#[tokio::test]
async fn a_killed_servers_postmaster_is_adopted_and_its_sessions_are_ended() {
    let world = World::new();
    let child = serve_in_a_child(&world);
    until("the child's session is busy", async || {
        let sockets = world.sockets()?;
        let options = PgConnectOptions::new_without_pgpass()
            .host(sockets.to_str()?)
            .username("ringmaster")
            .database("ringmaster");
        let mut connection = PgConnection::connect_with(&options).await.ok()?;
        let busy = "select exists (select from pg_stat_activity
                                   where wait_event = 'PgSleep' and pid <> pg_backend_pid())";
        truth(&mut connection, busy).await.then_some(())
    })
    .await;
    let before = world.postmaster().unwrap();
    drop(child); // SIGKILL: it stops nothing and says nothing.

    let server = world.start().await.unwrap();
    assert_eq!(world.postmaster(), Some(before), "the same postmaster serves on");
    let mut connection = connect(&server.connect_options()).await;
    assert!(
        truth(&mut connection, "select pg_try_advisory_lock(7)").await,
        "the dead server's session still holds its lock"
    );
    assert_eq!(remembered(&server.connect_options()).await, "before");

    world.signal_postmaster(Signal::SIGKILL);
    let mut state = server.state();
    restarted(&mut state).await;
    assert_eq!(remembered(&server.connect_options()).await, "before");
    server.stop().await.unwrap();
    assert_eq!(world.postmaster(), None);
}

#[tokio::test]
async fn a_dropped_server_leaves_its_postmaster_which_the_next_one_can_stop() {
    let world = World::new();
    drop(world.start().await.unwrap());
    let before = world.postmaster();
    assert!(before.is_some());
    let server = start_once_free(&world).await;
    assert_eq!(world.postmaster(), before);
    server.stop().await.unwrap();
    assert_eq!(world.postmaster(), None, "an adopted postmaster is stopped as well");
}

#[tokio::test]
async fn a_running_postmaster_whose_socket_was_cleaned_away_is_replaced() {
    let world = World::new();
    let server = world.start().await.unwrap();
    remember(&server.connect_options(), "kept").await;
    drop(server);
    let before = world.postmaster();
    fs::remove_dir_all(world.sockets().unwrap()).unwrap();
    let server = start_once_free(&world).await;
    assert_ne!(world.postmaster(), before);
    assert_eq!(remembered(&server.connect_options()).await, "kept");
    server.stop().await.unwrap();
}

#[tokio::test]
async fn a_copied_home_is_a_database_of_its_own() {
    let (world, copy) = (World::new(), World::new());
    let server = world.start().await.unwrap();
    remember(&server.connect_options(), "both").await;
    server.stop().await.unwrap();
    let copied = Command::new("cp").arg("-a").args([world.home(), copy.home()]).status().unwrap();
    assert!(copied.success());

    let server = world.start().await.unwrap();
    let other = copy.start().await.unwrap();
    remember(&other.connect_options(), "copy").await;
    assert_eq!(remembered(&server.connect_options()).await, "both");
    assert_eq!(remembered(&other.connect_options()).await, "both copy");
    other.stop().await.unwrap();
    remember(&server.connect_options(), "on").await;
    server.stop().await.unwrap();
}

/// A process that stands still, and goes on at the end.
struct Frozen(Pid);

impl Frozen {
    fn new(pid: i32) -> Self {
        kill(Pid::from_raw(pid), Signal::SIGSTOP).unwrap();
        Self(Pid::from_raw(pid))
    }
}

impl Drop for Frozen {
    fn drop(&mut self) {
        let _gone_already = kill(self.0, Signal::SIGCONT);
    }
}

#[tokio::test]
async fn a_start_after_both_were_killed_waits_for_the_remains_to_clear() {
    let world = World::new();
    let server = world.start().await.unwrap();
    remember(&server.connect_options(), "kept").await;
    let mut connection = connect(&server.connect_options()).await;
    let backend = sqlx::query_scalar("select pg_backend_pid()").fetch_one(&mut connection);
    let frozen = Frozen::new(backend.await.unwrap()); // It holds on to the shared memory.
    drop(server);
    world.signal_postmaster(Signal::SIGKILL);

    let thawed = until("the start met the remains", async || {
        let log = fs::read_to_string(world.home().join("postgres.log")).ok()?;
        log.contains("pre-existing shared memory block").then_some(())
    });
    let thawed = async {
        thawed.await;
        drop(frozen);
    };
    let (server, ()) = tokio::join!(start_once_free(&world), thawed);
    assert_eq!(remembered(&server.connect_options()).await, "kept");
    server.stop().await.unwrap();
}

#[tokio::test]
async fn an_initdb_that_was_cut_off_is_swept_away_and_done_again() {
    let world = World::new();
    let unfinished = world.home().join("init-cut");
    fs::create_dir_all(unfinished.join("base")).unwrap();
    fs::write(unfinished.join("PG_VERSION"), "15\n").unwrap();
    fs::set_permissions(world.home(), Permissions::from_mode(0o711)).unwrap();
    let server = world.start().await.unwrap();
    remember(&server.connect_options(), "whole").await;
    assert!(!unfinished.exists());
    server.stop().await.unwrap();
}

#[tokio::test]
async fn a_database_that_vanished_is_an_error_and_not_an_empty_beginning() {
    let world = World::new();
    world.start().await.unwrap().stop().await.unwrap();
    let aside = world.home().join("aside");
    fs::rename(world.data(), &aside).unwrap();
    let refused = world.start().await.unwrap_err();
    assert!(matches!(refused, EmbeddedError::DataMissing { .. }), "{refused}");
    fs::rename(&aside, world.data()).unwrap();
    world.start().await.unwrap().stop().await.unwrap();
}

#[tokio::test]
async fn a_home_out_of_the_clusters_reach_has_its_data_outside_and_finds_it_again() {
    if !Uid::effective().is_root() {
        return; // Only root's cluster runs as somebody else.
    }
    let world = World::with_mode(0o700);
    let server = world.start().await.unwrap();
    assert!(server.data_folder().starts_with("/var/lib/ringmaster"));
    assert_eq!(mode(&world.home()), 0o700);
    remember(&server.connect_options(), "outside").await;
    server.stop().await.unwrap();

    let again = world.start().await.unwrap();
    assert_eq!(remembered(&again.connect_options()).await, "outside");
    again.stop().await.unwrap();
}

#[tokio::test]
async fn a_machine_without_postgresql_is_told_how_to_install_it() {
    let world = World::new();
    let refused = start(&world.home(), Some(world.parent.path().to_owned())).await.unwrap_err();
    let told = refused.to_string();
    let looked = world.parent.path().display();
    let begin = format!("no postgresql 15 or later was found in {looked}: install it with `");
    assert!(told.starts_with(&begin) && !told.contains('\n'), "{told}");
    assert!(!world.home().exists(), "a refusal leaves nothing behind");
}

#[tokio::test]
async fn a_postgresql_that_is_too_old_is_refused_by_its_version() {
    let world = World::new();
    let folder = world.parent.path().join("bin");
    fs::create_dir(&folder).unwrap();
    for name in ["initdb", "postgres"] {
        let program = folder.join(name);
        fs::write(&program, "#!/bin/sh\necho 'postgres (PostgreSQL) 14.12'\n").unwrap();
        fs::set_permissions(&program, Permissions::from_mode(0o755)).unwrap();
    }
    let refused = start(&world.home(), Some(folder)).await.unwrap_err();
    let told = refused.to_string();
    assert!(told.starts_with("postgresql 14.12 in "), "{told}");
    assert!(told.contains("is too old, 15 or later is needed: install it with `"), "{told}");
}

#[tokio::test]
async fn a_database_that_could_lose_commits_is_refused_by_the_settings_name() {
    let world = World::new();
    let server = world.start().await.unwrap();
    let options = server.connect_options();
    for (change, told) in [
        ("alter role ringmaster set synchronous_commit = off", Some("synchronous_commit is off")),
        ("alter role ringmaster set synchronous_commit = local", None),
        ("alter role ringmaster reset synchronous_commit", None),
        (
            "alter database ringmaster set synchronous_commit = off",
            Some("synchronous_commit is off"),
        ),
    ] {
        sqlx::query(change).execute(&mut connect(&options).await).await.unwrap();
        let checked = check_durability(&mut connect(&options).await).await;
        let said = checked.err().map(|refused| refused.to_string());
        match (said, told) {
            (None, None) => {}
            (Some(said), Some(told)) => assert!(said.contains(told), "{said}"),
            (said, _) => panic!("after `{change}`: {said:?}"),
        }
    }
    server.stop().await.unwrap();
}
