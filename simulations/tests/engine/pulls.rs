//! Points 13, 15 and 16 of the checklist: what is fetched.

use http::StatusCode;
use serde_json::json;
use simulations::engine::{
    CallScript, EngineSettings, Faults, Outcome, Profile, Provider, PullFaults,
};
use simulations::{Rate, Span};

use crate::bench::{Bench, TOKEN, application, settings, speed};

// 13. The list: newest first, a hundred at most; the detail may be behind.

#[tokio::test]
async fn the_list_is_newest_first_and_comes_in_pages() {
    let bench = Bench::answering().await;
    bench.generate(230).await;
    let mut seen = Vec::new();
    let mut path = "/calls?limit=500".to_owned();
    for length in [100, 100, 30] {
        let (_, page) = bench.get(&path).await;
        assert_eq!(page["calls"].as_array().unwrap().len(), length);
        seen.extend(page["calls"].as_array().unwrap().iter().map(|call| call["callId"].clone()));
        path = format!("/calls?cursor={}", page["nextCursor"].as_str().unwrap_or("end"));
    }
    assert!(path.ends_with("end"));
    let newest_first = bench.ledger().calls.into_iter().rev().map(|call| json!(call.call_id));
    assert!(seen.into_iter().eq(newest_first));
    assert_eq!(bench.get("/calls?cursor=x").await.0, StatusCode::BAD_REQUEST);
    assert_eq!(bench.get("/call/call_x").await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn the_detail_may_be_behind_the_list() {
    let profile = Profile {
        detail_lag: Span::seconds(2.0, 2.0),
        queued: Span::seconds(0.5, 0.5),
        ..Profile::always(Outcome::Answered)
    };
    let bench = Bench::with(EngineSettings { speed: speed(2.0), profile, ..settings() }).await;
    let call_id = bench.call(CallScript::default()).await;
    let (detail, list) = bench
        .until("the list is ahead", async || {
            let (_, list) = bench.get("/calls").await;
            let (_, detail) = bench.get(&format!("/call/{call_id}")).await;
            (list["calls"][0]["status"] == "ringing").then_some((detail, list))
        })
        .await;
    assert_eq!(detail["status"], "queued", "{list}");
}

// 15. A refresh may be slow or fail.

#[tokio::test]
async fn a_refresh_may_fail() {
    let bench = Bench::answering().await;
    let path = "/call-provider/refresh";
    assert_eq!(bench.post(path, &json!({"userId": "u1"}), None).await.0, StatusCode::NO_CONTENT);
    let pull = PullFaults { refresh_error: Rate::ALWAYS, ..PullFaults::default() };
    bench.set_faults(Faults { pull, ..Faults::default() }).await;
    let (status, _) = bench.post(path, &json!({"userId": "u1"}), Some(TOKEN)).await;
    assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
    let noted = bench.ledger().refreshes;
    assert_eq!((noted.len(), noted[0].user_id.as_deref()), (2, Some("u1")));
}

// 16. Recordings: a login at Twilio, and 404 until they are processed.

#[tokio::test]
async fn a_recording_needs_a_login_and_time() {
    let profile = Profile {
        recording_after: Span::seconds(3_000.0, 3_000.0),
        transcript_after: Span::seconds(2.0, 2.0),
        ..Profile::always(Outcome::Answered)
    };
    let bench = Bench::with(EngineSettings { profile, ..settings() }).await;
    let mut at_twilio = application(1);
    at_twilio.provider = Provider::OpenaiTwilio;
    let call_id = bench.start(at_twilio).await;
    let told = bench.webhooks_of(&call_id, 3).await;
    let url = told[2].recording_url.clone().unwrap();
    assert!(url.contains("/2010-04-01/Accounts/"));

    let get = || bench.http.get(&url).basic_auth("ACsimulated", Some("recording-token"));
    assert_eq!(bench.send(bench.http.get(&url)).await.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(bench.send(get()).await.status(), StatusCode::NOT_FOUND);
    let there = async || bench.send(get()).await.status().is_success().then_some(());
    bench.until("the recording is processed", there).await;

    let pull = PullFaults { recordings_missing: true, ..PullFaults::default() };
    bench.set_faults(Faults { pull, ..Faults::default() }).await;
    assert_eq!(bench.send(get()).await.status(), StatusCode::NOT_FOUND);
}
