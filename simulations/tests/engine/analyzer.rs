//! Point 11 of the checklist: the analyzer.

use std::time::Duration;

use http::StatusCode;
use serde_json::json;
use simulations::engine::{AnalyzerFaults, Faults};
use simulations::{Rate, Span};

use crate::bench::{Bench, SPEED};

fn analyzing(change: impl FnOnce(&mut AnalyzerFaults)) -> Faults {
    let mut faults = Faults::default();
    change(&mut faults.analyzer);
    faults
}
// 11. The analyzer.

#[tokio::test]
async fn the_same_transcript_is_scored_the_same() {
    let bench = Bench::answering().await;
    let (status, first) = bench.analyze(&json!({"transcript": "assistant: Hello"})).await;
    assert_eq!(status, StatusCode::OK);
    for score in ["communicationScore", "technicalScore", "overallScore"] {
        assert!((0..=100).contains(&first[score].as_i64().unwrap()));
    }
    assert!(first["candidateInfo"]["noticePeriodDays"].is_u64());
    assert!(first["usage"]["costUsd"].as_f64().unwrap() > 0.0);
    assert_eq!(bench.analyze(&json!({"transcript": "assistant: Hello"})).await.1, first);
    assert_ne!(bench.analyze(&json!({"transcript": "assistant: Bye"})).await.1, first);
    let noted = bench.ledger().analyses;
    assert_eq!((noted.len(), noted[0].status, noted[0].transcript_chars), (3, 200, 16));
}

#[tokio::test]
async fn the_analyzer_refuses_what_it_must() {
    let bench = Bench::answering().await;
    let path = "/api/v1/screening/analyze-call";
    let (status, answer) = bench.post(path, &json!({"transcript": "hello"}), None).await;
    assert_eq!(
        (status, &answer["error"]["code"]),
        (StatusCode::UNAUTHORIZED, &json!("unauthorized"))
    );
    let (status, _) = bench.post(path, &json!({"transcript": "hello"}), Some("wrong")).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    let (status, _) = bench.analyze(&json!({"callId": "call_1"})).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    let (status, _) = bench.analyze(&json!({"transcript": "x".repeat(200_001)})).await;
    assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test]
async fn the_analyzer_fails_on_demand() {
    let bench = Bench::answering().await;
    let body = json!({"transcript": "assistant: Hello"});
    bench.set_faults(analyzing(|faults| faults.too_many = Rate::ALWAYS)).await;
    let answer = bench.send(bench.request_analysis(&body)).await;
    assert_eq!(answer.status(), StatusCode::TOO_MANY_REQUESTS);
    assert!(answer.headers().contains_key("retry-after"));

    bench.set_faults(analyzing(|faults| faults.server_error = Rate::ALWAYS)).await;
    assert_eq!(bench.analyze(&body).await.0, StatusCode::INTERNAL_SERVER_ERROR);

    bench.set_faults(analyzing(|faults| faults.out_of_range = Rate::ALWAYS)).await;
    let (_, scores) = bench.analyze(&body).await;
    assert!(scores["overallScore"].as_i64().unwrap() > 100);
    assert!(scores["technicalScore"].as_i64().unwrap() < 0);

    bench.set_faults(analyzing(|faults| faults.time_out = Rate::ALWAYS)).await;
    let request = bench.request_analysis(&body).timeout(Duration::from_millis(300));
    assert!(request.send().await.unwrap_err().is_timeout());
    assert_eq!(bench.ledger().analyses.last().unwrap().status, 504);
}

#[tokio::test]
async fn an_analysis_takes_its_time() {
    let faults = analyzing(|faults| faults.latency = Span::seconds(30.0, 30.0));
    let bench = Bench::with_faults(faults).await;
    let takes = Duration::from_secs_f64(30.0 / SPEED);
    let begun = tokio::time::Instant::now();
    bench.analyze(&json!({"transcript": "assistant: Hello"})).await;
    assert!(begun.elapsed() >= takes);
}
