//! The red button, while retries come due.

use chrono::TimeDelta;
use serde_json::json;
use simulations::cast::Candidate;
use simulations::engine::{CallScript, Outcome};

use crate::harness::{AFTER_RETRIES, SOON, World, eventually};

/// Candidates whose first call nobody answers, and whose second one somebody does.
fn unlucky(count: u32) -> Vec<Candidate> {
    let attempts = vec![
        CallScript::ending(Outcome::NoAnswer),
        CallScript { duration_s: Some(90.0), ..CallScript::default() },
    ];
    let draw = |position| Candidate::living(simulations::cast::Home::India, 7, position);
    let mut cast: Vec<_> = (0..count).map(draw).collect();
    for candidate in &mut cast {
        candidate.application.attempts = attempts.clone();
    }
    cast
}

#[tokio::test]
async fn no_call_is_placed_while_dialing_is_stopped_and_those_that_are_due_go_out_afterwards() {
    let world = World::new().await;
    let cast = unlucky(6);
    world.call(&cast, TimeDelta::seconds(30)).await;
    let api = &world.api;
    let count_calls = async |status: &str| {
        let rows = api.screenings(usize::MAX).await.unwrap();
        rows.iter().filter(|row| row.call_status == status).count()
    };
    eventually(SOON, "every candidate waits for a second call", async || {
        (count_calls("retry_scheduled").await == cast.len()).then_some(())
    })
    .await;

    let reason = json!({"reason": "a drill"});
    let stopped = api.post("/api/v1/dialing/stop", Some(&reason)).await.unwrap();
    assert_eq!(stopped["data"]["stopped"], true);
    eventually(AFTER_RETRIES, "every second call is due", async || {
        (count_calls("calling").await == cast.len()).then_some(())
    })
    .await;
    // Long enough for every dial to be tried several times over, if it were tried at all.
    let clock = world.engine.engine().clock();
    let long_due = clock.now() + TimeDelta::hours(1);
    eventually(SOON, "an hour goes by", async || (clock.now() > long_due).then_some(())).await;
    assert_eq!(world.engine.engine().ledger().requests, []);
    let tree: serde_json::Value = api.get("/api/v1/tree").await.unwrap();
    let banner = tree["data"]["banner"].as_str().unwrap();
    assert!(banner.contains("DIALING IS STOPPED"), "{banner}");

    let resumed = api.post("/api/v1/dialing/resume", None).await.unwrap();
    assert_eq!(resumed["data"]["stopped"], false);
    eventually(SOON, "every second call is placed", async || {
        let placed = world.engine.engine().ledger();
        let placed = placed.requests.iter().filter(|request| request.answer.began().is_some());
        (placed.count() == cast.len()).then_some(())
    })
    .await;
    eventually(SOON, "every candidate is scored", async || {
        (count_calls("completed").await == cast.len()).then_some(())
    })
    .await;
    world.end().await;
}
