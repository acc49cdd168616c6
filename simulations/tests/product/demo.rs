//! The demo as it is started by hand: its own verdict is its exit code.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use simulations::product::{Api, Database};

use crate::harness::{Folder, SOON, eventually, server_binary};

/// How long a demo may take: twice a day's simulated minutes, and some for a loaded machine.
const RUN_MAX: Duration = Duration::from_secs(400);
/// How long an interrupted demo may take to stop everything.
const STOP_MAX: Duration = Duration::from_secs(45);

/// A demo under way. What it started ends with it.
struct Demo {
    child: Child,
    output: PathBuf,
    _folder: Arc<Folder>,
}

impl Demo {
    fn start(folder: &Arc<Folder>, arguments: &[&str]) -> Self {
        let output = folder.join("demo.log");
        let file = File::create(&output).unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_ringmaster-sim"))
            .args(["demo", "--listen", "127.0.0.1:0", "--home"])
            .arg(folder.join("demo"))
            .arg("--server-bin")
            .arg(server_binary())
            .args(arguments)
            .env_remove("MR_HIRE_BACKEND_URL")
            .stdout(file.try_clone().unwrap())
            .stderr(file)
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        Self { child, output, _folder: Arc::clone(folder) }
    }

    fn said(&self) -> String {
        fs::read_to_string(&self.output).unwrap()
    }

    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id().try_into().unwrap()), signal).unwrap();
    }

    async fn says(&self, limit: Duration, what: &str) {
        eventually(limit, what, async || self.said().contains(what).then_some(())).await;
    }

    /// Waits for its end; returns its exit code.
    async fn ends(&mut self, limit: Duration) -> Option<i32> {
        let ended = async || self.child.try_wait().unwrap();
        eventually(limit, "the demo ends", ended).await.code()
    }

    /// Returns the process id of the server it named last.
    fn server(&self) -> Pid {
        let said = self.said();
        let (_, after) = said.rsplit_once("process ").unwrap();
        let digits: String = after.chars().take_while(char::is_ascii_digit).collect();
        Pid::from_raw(digits.parse().unwrap())
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        if self.child.try_wait().is_ok_and(|ended| ended.is_some()) {
            return;
        }
        // It failed; a demo that is killed could not take its server along.
        let _either_way = kill(self.server(), Signal::SIGKILL);
        let _either_way = self.child.kill();
        let _either_way = self.child.wait();
    }
}

const AGREE: &str = "CHECK ledger and API agree call by call: yes";

/// As fast as a dial's time limit allows (see [`crate::harness::SPEED`]): a day with all its retries is over
/// in three minutes.
const A_DAY_IN_MINUTES: &str = "600";

#[tokio::test]
async fn demo_ends_with_a_ledger_that_agrees_call_by_call() {
    let mut demo =
        Demo::start(&Arc::new(Folder::new()), &["--calls", "30", "--speed", A_DAY_IN_MINUTES]);
    assert_eq!(demo.ends(RUN_MAX).await, Some(0), "{}", demo.said());
    let said = demo.said();
    assert!(said.contains("SIMULATED: no phone can ring") && said.contains(AGREE), "{said}");
    assert!(said.contains("0 outside of it"), "{said}");
}

#[tokio::test]
async fn server_that_is_killed_in_mid_demo_comes_back_and_nothing_is_lost_or_doubled() {
    let mut demo =
        Demo::start(&Arc::new(Folder::new()), &["--calls", "36", "--speed", "600", "--short"]);
    demo.says(SOON, " ended, ").await; // Calls are under way.
    kill(demo.server(), Signal::SIGKILL).unwrap();
    demo.says(SOON, "the server is back").await;
    demo.says(SOON, "is to be called again").await; // Retries are under way.
    kill(demo.server(), Signal::SIGKILL).unwrap();
    assert_eq!(demo.ends(RUN_MAX).await, Some(0), "{}", demo.said());
    let said = demo.said();
    assert_eq!(said.matches("the server is back").count(), 2, "{said}");
    assert!(said.contains(AGREE), "{said}");
}

#[tokio::test]
async fn interrupted_demo_stops_its_server_and_the_next_one_goes_on_from_its_data() {
    let folder = Arc::new(Folder::new());
    let mut days = Vec::new();
    for _ in 0..2 {
        let mut demo = Demo::start(&folder, &["--forever", "--calls", "40"]);
        demo.says(SOON, "ringing").await;
        press_the_button(&demo, &folder).await;
        demo.signal(Signal::SIGINT);
        assert_eq!(demo.ends(STOP_MAX).await, Some(0), "{}", demo.said());
        let said = demo.said();
        let day = said.lines().find(|line| line.trim_start().starts_with("time ")).unwrap();
        days.push(day.to_owned());
        assert!(kill(demo.server(), None).is_err(), "the server outlived its demo");
        let database = Database::of(&folder.join("demo/server"));
        assert!(!database.sockets().unwrap().exists(), "its socket folder was left behind");
    }
    assert_ne!(days[0], days[1]);
}

/// Whoever stops dialing and resumes it is told so on the screen.
async fn press_the_button(demo: &Demo, folder: &Folder) {
    let said = demo.said();
    let base = said.lines().find_map(|line| line.trim_start().strip_prefix("server ")).unwrap();
    let base = base.trim_start().split(' ').next().unwrap();
    let token = fs::read_to_string(folder.join("demo/token")).unwrap();
    let api = Api::new(base, Some(token)).unwrap();
    for (verb, what) in
        [("stop", "!! dialing is stopped (all)"), ("resume", "!! dialing is resumed")]
    {
        api.post(&format!("/api/v1/dialing/{verb}"), None).await.unwrap();
        demo.says(SOON, what).await;
    }
}
