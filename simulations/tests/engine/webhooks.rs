//! Points 1 to 10 of the checklist: what is pushed.

use std::time::Duration;

use chrono::TimeDelta;
use http::StatusCode;
use serde_json::json;
use simulations::engine::CallStatus::{Ended, Failed, InProgress, Ringing};
use simulations::engine::{
    CallBody, CallScript, CallStatus, EarlyForm, EngineSettings, Faults, Outcome, Profile,
    SecretSent, WebhookFaults,
};
use simulations::{Rate, Role, Span};

use crate::bench::{Bench, dialling, event_ids, order, settings, speed};

fn webhooks(change: impl FnOnce(&mut WebhookFaults)) -> Faults {
    let mut faults = Faults::default();
    change(&mut faults.webhooks);
    faults
}

fn statuses(told: &[CallBody]) -> Vec<CallStatus> {
    told.iter().map(|webhook| webhook.status).collect()
}
// 1. The answer comes before anything is dialled, or after the first webhook.

#[tokio::test]
async fn an_order_is_answered_before_the_phone_rings() {
    let profile = Profile { queued: Span::seconds(2.0, 2.0), ..Profile::always(Outcome::Answered) };
    let bench = Bench::with(EngineSettings { speed: speed(3.0), profile, ..settings() }).await;
    let (status, answer) = bench.place(&order(1)).await;
    assert_eq!((status, &answer["status"]), (StatusCode::OK, &json!("queued")));
    let entry = bench.ledger().calls.remove(0);
    assert_eq!(entry.call_id, answer["callId"]);
    assert_eq!(entry.rang_at, None);

    let first = bench.webhooks_of(&entry.call_id, 1).await.remove(0);
    assert_eq!(first.status, Ringing);
    let after = (first.occurred_at - entry.created_at.simulated).as_seconds_f64();
    assert!((0.2..=5.0).contains(&after), "{after}");
}

#[tokio::test]
async fn the_first_webhook_may_come_before_the_answer() {
    let late = dialling(|dial| dial.answer_after_first_webhook = Rate::ALWAYS);
    let bench = Bench::with(EngineSettings { faults: late, ..settings() }).await;
    let (_, answer) = bench.place(&order(1)).await;
    assert!(bench.received().iter().any(|webhook| answer["callId"] == webhook.call_id));
}

// 2. States come in order, and each may be skipped.

#[tokio::test]
async fn states_come_in_order() {
    let bench = Bench::answering().await;
    let call_id = bench.call(CallScript::default()).await;
    let told = bench.settled(&call_id).await;
    assert_eq!(statuses(&told), [Ringing, InProgress, Ended]);
    let last = told.last().unwrap();
    assert!(last.duration.unwrap() > 0.0 && last.cost.unwrap() > 0.0);
    assert!(last.recording_url.is_some() && last.summary.is_some());
    assert!(last.transcript.as_ref().unwrap().starts_with("assistant: Hello Asha Rao"));

    let call_id = bench.call(CallScript::ending(Outcome::NoAnswer)).await;
    assert_eq!(statuses(&bench.settled(&call_id).await), [Ringing, Failed]);
    let call_id = bench.call(CallScript::ending(Outcome::ProviderError)).await;
    let told = bench.settled(&call_id).await;
    assert_eq!(statuses(&told), [Failed]);
    assert_eq!(serde_json::to_value(told[0].failure_reason).unwrap(), "provider-error");
}

#[tokio::test]
async fn states_may_be_skipped() {
    let bench = Bench::with_faults(webhooks(|faults| faults.skip_states = Rate::ALWAYS)).await;
    let call_id = bench.call(CallScript::default()).await;
    assert_eq!(statuses(&bench.settled(&call_id).await), [Ended]);
}

// 3. `ended` may come twice, first without its transcript.

#[tokio::test]
async fn ended_may_come_early_without_its_transcript() {
    for (form, transcript) in [(EarlyForm::Absent, None), (EarlyForm::Empty, Some(String::new()))] {
        let bench = Bench::with_faults(webhooks(|faults| {
            faults.early_ended = Rate::ALWAYS;
            faults.early_form = form;
        }))
        .await;
        let call_id = bench.call(CallScript::default()).await;
        let told = bench.settled(&call_id).await;
        assert_eq!(statuses(&told), [Ringing, InProgress, Ended, Ended]);
        assert_eq!(told[2].transcript, transcript);
        assert!(told[2].messages.as_ref().is_none_or(Vec::is_empty));
        assert!(told[3].transcript.as_ref().unwrap().len() > 50);
        assert_ne!(told[2].event_id, told[3].event_id);
    }
}

// 4. Duplicates, under the same event id and under a new one.

#[tokio::test]
async fn webhooks_may_come_twice() {
    let bench =
        Bench::with_faults(webhooks(|faults| faults.duplicate_same_event = Rate::ALWAYS)).await;
    let call_id = bench.call(CallScript::default()).await;
    let told = bench.settled(&call_id).await;
    assert!((6..=9).contains(&told.len()), "{}", told.len());
    assert_eq!(event_ids(&told), 3);

    bench.set_faults(webhooks(|faults| faults.duplicate_new_event = Rate::ALWAYS)).await;
    let call_id = bench.call(CallScript::default()).await;
    let told = bench.settled(&call_id).await;
    assert_eq!((told.len(), event_ids(&told)), (6, 6));
}

// 5. Reordering and delay.

#[tokio::test]
async fn in_progress_may_come_after_ended() {
    let bench = Bench::with_faults(webhooks(|faults| faults.reorder = Rate::ALWAYS)).await;
    let call_id = bench.call(CallScript::default()).await;
    assert_eq!(statuses(&bench.settled(&call_id).await), [Ringing, Ended, InProgress]);
}

#[tokio::test]
async fn webhooks_may_be_held_back() {
    let bench = Bench::with_faults(webhooks(|faults| {
        faults.delay = Rate::ALWAYS;
        faults.delay_by = Span::seconds(100.0, 100.0);
    }))
    .await;
    let call_id = bench.call(CallScript::default()).await;
    let told = bench.settled(&call_id).await;
    let acknowledged = bench.entry(&call_id).acknowledged;
    assert_eq!(told.len(), acknowledged.len());
    for one in acknowledged {
        assert!((one.at.simulated - one.occurred_at).as_seconds_f64() >= 100.0);
    }
}

// 6. Lost webhooks: only a pull shows what happened.

#[tokio::test]
async fn what_was_lost_is_seen_by_a_pull() {
    let bench = Bench::with_faults(webhooks(|faults| faults.lose = Rate::ALWAYS)).await;
    let call_id = bench.call(CallScript::default()).await;
    let entry = bench.settled_entry(&call_id).await;
    assert_eq!((entry.webhooks.lost, entry.webhooks.sent), (3, 0));
    assert!(bench.received().is_empty());

    let detail = bench.until("the detail has the transcript", async || {
        let (_, detail) = bench.get(&format!("/call/{call_id}")).await;
        detail["transcript"].is_string().then_some(detail)
    });
    let detail = detail.await;
    assert_eq!(detail["status"], "ended");
    assert_eq!(detail["messages"].as_array().unwrap().len(), entry.turns);
    let (_, list) = bench.get("/calls?limit=100").await;
    assert_eq!(
        (&list["calls"][0]["callId"], &list["calls"][0]["status"]),
        (&json!(call_id), &json!("ended"))
    );
}

// 7. Blank and tool turns; fewer turns in a later webhook.

#[tokio::test]
async fn some_conversations_have_blank_and_tool_turns() {
    let bench = Bench::answering().await;
    bench.generate(60).await;
    let ledger = bench.all_settled(60).await;
    let told = bench.received();
    let turns: Vec<_> = told.iter().flat_map(|webhook| webhook.messages.iter().flatten()).collect();
    assert!(turns.iter().any(|turn| turn.role == Role::Tool));
    assert!(turns.iter().any(|turn| turn.is_blank()));
    for call in ledger.calls {
        let last = told.iter().rfind(|webhook| webhook.call_id == call.call_id).unwrap();
        let messages = last.messages.as_ref().unwrap();
        assert_eq!(messages.iter().filter(|turn| !turn.is_blank()).count(), call.turns_not_blank);
        assert_eq!(last.transcript.as_ref().unwrap().chars().count(), call.transcript_chars);
    }
}

#[tokio::test]
async fn turns_may_become_fewer() {
    let bench = Bench::with_faults(webhooks(|faults| faults.shrink_messages = Rate::ALWAYS)).await;
    let call_id = bench.call(CallScript::default()).await;
    let told = bench.settled(&call_id).await;
    let turns = |position: usize| told[position].messages.as_ref().unwrap().len();
    assert_eq!(statuses(&told), [Ringing, InProgress, Ended, Ended]);
    assert!(turns(3) < turns(2));
}

// 8. Boundaries on demand.

#[tokio::test]
async fn boundary_calls_are_made_on_demand() {
    let bench = Bench::answering().await;
    for (duration_s, chars) in [(59.9, 51), (60.0, 50), (60.0, 51)] {
        let call_id = bench.call(CallScript::boundary(duration_s, chars)).await;
        let told = bench.settled(&call_id).await;
        let last = told.last().unwrap();
        assert_eq!(last.duration, Some(duration_s));
        assert_eq!(last.transcript.as_ref().unwrap().chars().count(), chars);
    }
}

// 9. Wrong or missing secret: 401, and the engine stops trying.

#[tokio::test]
async fn a_refused_secret_is_not_tried_again() {
    for secret in [SecretSent::Wrong, SecretSent::Missing] {
        let bench = Bench::with_faults(webhooks(|faults| faults.secret = secret)).await;
        let call_id = bench.call(CallScript::default()).await;
        let tally = bench.settled_entry(&call_id).await.webhooks;
        assert_eq!((tally.sent, tally.refused, tally.acknowledged), (3, 3, 0));
    }
}

// 10. A slow or failing receiver gets the same event again, by the schedule.

#[tokio::test]
async fn a_failing_receiver_gets_the_same_event_again() {
    let bench = Bench::answering().await;
    bench.receiver.fail_next(&[503, 429, 408]);
    let call_id = bench.call(CallScript::ending(Outcome::ProviderError)).await;
    let tally = bench.settled_entry(&call_id).await.webhooks;
    assert_eq!((tally.planned, tally.sent, tally.acknowledged), (1, 4, 1));
    let told = bench.received();
    let attempts: Vec<_> = told.iter().map(|webhook| webhook.attempt.unwrap()).collect();
    assert_eq!((attempts, event_ids(&told)), (vec![1, 2, 3, 4], 1));

    // The fourth attempt is due a minute after the first, which was made at the event's time.
    let through = bench.entry(&call_id).acknowledged.remove(0);
    assert!(through.at.simulated - through.occurred_at >= TimeDelta::seconds(60));
}

#[tokio::test]
async fn five_attempts_are_made_and_no_more() {
    let bench = Bench::answering().await;
    bench.receiver.fail_next(&[500; 9]);
    let call_id = bench.call(CallScript::ending(Outcome::InvalidNumber)).await;
    let tally = bench.settled_entry(&call_id).await.webhooks;
    assert_eq!((tally.sent, tally.acknowledged, tally.abandoned), (5, 0, 1));

    bench.receiver.fail_next(&[]);
    bench.receiver.fail_next(&[404]);
    let call_id = bench.call(CallScript::ending(Outcome::InvalidNumber)).await;
    let tally = bench.settled_entry(&call_id).await.webhooks;
    assert_eq!((tally.sent, tally.refused), (1, 1));
}

#[tokio::test]
async fn a_slow_receiver_processes_an_event_twice() {
    let patience = Duration::from_millis(200);
    let bench = Bench::with(EngineSettings { webhook_timeout: patience, ..settings() }).await;
    bench.receiver.stall_next();
    let call_id = bench.call(CallScript::ending(Outcome::InvalidNumber)).await;
    let tally = bench.settled_entry(&call_id).await.webhooks;
    assert_eq!((tally.sent > 1, tally.acknowledged), (true, 1));
    assert_eq!(event_ids(&bench.received()), 1);
}
