//! Compares what the engine did with what Ringmaster says, call by call.
//!
//! The rules are worked out anew here, from the ledger alone; nothing is taken from the product.

mod collect;
mod expected;
mod retries;
mod summary;

use std::collections::{BTreeMap, HashMap};

use uuid::Uuid;

use crate::cast::Candidate;
use crate::engine::{CallEntry, CallStatus, DialRequest, Ledger};
use crate::product::{InterviewDetail, ScreeningRow};

pub use collect::collect;
pub use summary::Summary;

use expected::{Grade, outcome_of};

/// How far two durations may differ, in seconds: the engine rounds to tenths.
const DURATION_SLACK_S: f64 = 0.01;
/// How far two scores may differ: both sides round to hundredths.
const SCORE_SLACK: f64 = 0.011;

/// What Ringmaster says of one application.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// Its interviews, with what was said.
    pub interviews: Vec<InterviewDetail>,
    /// Its screening, if there is one.
    pub screening: Option<ScreeningRow>,
}

/// What Ringmaster says, by application.
pub type Records = HashMap<Uuid, Record>;

/// Returns what does not agree, one sentence each; nothing when everything does.
///
/// Calls of other applications than those of `cast` are left out: an earlier run may have left
/// retries behind, whose first calls this ledger does not know.
pub fn compare(cast: &[Candidate], ledger: &Ledger, records: &Records) -> Vec<String> {
    let mut differences = retries::check(cast, ledger);
    let mut calls: BTreeMap<Uuid, Vec<&CallEntry>> = BTreeMap::new();
    for call in &ledger.calls {
        calls.entry(call.application_id.unwrap_or_default()).or_default().push(call);
    }
    for candidate in cast {
        let calls = calls.get(&candidate.id()).map(Vec::as_slice).unwrap_or_default();
        let name = &candidate.application.candidate_name;
        let of = |difference: String| format!("{name} ({}): {difference}", candidate.id());
        let Some(record) = records.get(&candidate.id()) else {
            differences.push(of("nothing is known of the application".to_owned()));
            continue;
        };
        let compared = compare_interviews(calls, &record.interviews);
        differences.extend(compared.into_iter().map(of));
        let lost = dials_lost(candidate, calls, ledger);
        differences.extend(check_unknown(&record.interviews, lost).map(of));
        let expected = expected::screening(candidate, calls, &ledger.analyses);
        match expected.and_then(|expected| expected.compare(record.screening.as_ref())) {
            Ok(()) => {}
            Err(difference) => differences.push(of(difference)),
        }
    }
    differences
}

fn compare_interviews(calls: &[&CallEntry], interviews: &[InterviewDetail]) -> Vec<String> {
    let mut differences = Vec::new();
    for call in calls {
        let named =
            interviews.iter().filter(|one| one.row.call_id.as_deref() == Some(&call.call_id));
        match named.collect::<Vec<_>>().as_slice() {
            [interview] => differences.extend(compare_call(call, interview)),
            many => differences.push(format!("{} has {} interviews", call.call_id, many.len())),
        }
    }
    for interview in interviews {
        let row = &interview.row;
        let is_known = calls.iter().any(|call| row.call_id.as_deref() == Some(&call.call_id));
        // An order that was taken back before it was sent has no call, and needs none.
        let is_cancelled = row.call_id.is_none() && row.outcome.as_deref() == Some("cancelled");
        if !is_known && !is_cancelled && !is_unknown_order(interview) {
            differences.push(format!("interview {} ({:?}) has no call", row.id, row.call_id));
        }
    }
    differences
}

/// Says whether nobody knows which call an order led to.
fn is_unknown_order(interview: &InterviewDetail) -> bool {
    let row = &interview.row;
    row.call_id.is_none() && row.outcome.as_deref() == Some("outcome_unknown")
}

/// Counts the dials of a candidate that cannot be found again once their answer is lost: the engine told of
/// their calls without the metadata they were placed with, or they were placed with none. The calls have
/// interviews of their own.
fn dials_lost(candidate: &Candidate, calls: &[&CallEntry], ledger: &Ledger) -> usize {
    let is_lost = |request: &&DialRequest| {
        let call =
            request.answer.began().and_then(|id| calls.iter().find(|call| call.call_id == id));
        request.application_id == Some(candidate.id())
            && call.is_some_and(|call| call.metadata_forgotten || request.metadata.is_none())
    };
    ledger.requests.iter().filter(is_lost).count()
}

/// An order may end as unknown only where the engine made it so.
fn check_unknown(interviews: &[InterviewDetail], lost: usize) -> Option<String> {
    let unknown = interviews.iter().filter(|interview| is_unknown_order(interview)).count();
    (unknown > lost).then(|| {
        format!(
            "{unknown} orders ended as unknown, and only {lost} of their calls were not to be found"
        )
    })
}

fn compare_call(call: &CallEntry, interview: &InterviewDetail) -> Vec<String> {
    let mut differences = Vec::new();
    let mut check = |agrees: bool, what: &str, engine: String, ours: String| {
        if !agrees {
            let id = &call.call_id;
            differences.push(format!("{id}: {what} is {engine} at the engine, {ours} here"));
        }
    };
    let row = &interview.row;
    let status = call.final_status.map_or("not final", status_name);
    check(row.status == status, "the status", status.to_owned(), row.status.clone());
    let duration = row.duration.unwrap_or_default();
    let is_close = (duration - call.duration_s).abs() <= DURATION_SLACK_S;
    check(is_close, "the duration", call.duration_s.to_string(), format!("{:?}", row.duration));
    let (turns, ours) = (call.turns_not_blank, interview.messages.len());
    check(turns == ours, "the number of turns", turns.to_string(), ours.to_string());
    let ours = interview.transcript.as_deref().map_or(0, |text| text.chars().count());
    let chars = call.transcript_chars;
    check(chars == ours, "the transcript's length", chars.to_string(), ours.to_string());
    let outcome = outcome_of(Grade::of(call));
    let is_same = row.outcome.as_deref() == Some(outcome);
    check(is_same, "the outcome", outcome.to_owned(), format!("{:?}", row.outcome));
    let why = expected::failure_of(call);
    let is_same = row.failure_reason.as_deref() == why;
    check(is_same, "the failure", format!("{why:?}"), format!("{:?}", row.failure_reason));
    let blank = interview.messages.iter().filter(|turn| turn.message.trim().is_empty()).count();
    check(blank == 0, "the number of blank turns", "not kept".to_owned(), blank.to_string());
    differences
}

const fn status_name(status: CallStatus) -> &'static str {
    match status {
        CallStatus::Queued => "queued",
        CallStatus::Ringing => "ringing",
        CallStatus::InProgress => "in-progress",
        CallStatus::Ended => "ended",
        CallStatus::Failed => "failed",
    }
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, TimeDelta, Utc};

    use super::*;
    use crate::cast::Home;
    use crate::clock::Moment;
    use crate::engine::{
        AnalyzeRequest, DialAnswer, Origin, Outcome, Provider, Totals, WebhookTally,
    };
    use crate::product::{InterviewRow, Message};

    /// A candidate whom nobody reaches at first, and who is interviewed in the second call.
    struct Case {
        candidate: Candidate,
        ledger: Ledger,
        records: Records,
    }

    fn moment(hours: i64) -> Moment {
        let begins: DateTime<Utc> = "2026-11-20T03:40:00Z".parse().unwrap();
        let at = begins + TimeDelta::hours(hours);
        Moment { simulated: at, real: at }
    }

    fn call(candidate: &Candidate, attempt: u32, outcome: Outcome, duration_s: f64) -> CallEntry {
        let is_real = outcome == Outcome::Answered;
        let status = if is_real { CallStatus::Ended } else { CallStatus::Failed };
        CallEntry {
            number: attempt.into(),
            call_id: format!("call_{attempt}"),
            origin: if attempt == 1 { Origin::World } else { Origin::Request },
            application_id: Some(candidate.id()),
            attempt,
            phone_number: candidate.application.phone_number.clone(),
            candidate_name: candidate.application.candidate_name.clone(),
            provider: Provider::Vapi,
            idempotency_key: (attempt > 1).then(|| format!("key_{attempt}")),
            created_at: moment(i64::from(attempt - 1) * 5),
            rang_at: None,
            status,
            final_status: Some(status),
            outcome,
            duration_s,
            transcript_chars: if is_real { 300 } else { 0 },
            turns: 3,
            turns_not_blank: if is_real { 2 } else { 0 },
            webhooks: WebhookTally::default(),
            acknowledged: Vec::new(),
            metadata_forgotten: false,
        }
    }

    fn interview(call: &CallEntry) -> InterviewDetail {
        let is_real = call.outcome == Outcome::Answered;
        let message = Message { role: "user".to_owned(), message: "Yes.".to_owned() };
        InterviewDetail {
            row: InterviewRow {
                id: Uuid::from_u128(call.number.into()),
                call_id: Some(call.call_id.clone()),
                status: if is_real { "ended" } else { "failed" }.to_owned(),
                outcome: Some(if is_real { "completed" } else { "not_reached" }.to_owned()),
                candidate_name: None,
                duration: Some(call.duration_s),
                failure_reason: (!is_real).then(|| "busy".to_owned()),
                application_id: call.application_id,
                version: 3,
            },
            transcript: is_real.then(|| "x".repeat(300)),
            messages: vec![message; call.turns_not_blank],
            seq: 9,
        }
    }

    impl Case {
        fn new() -> Self {
            let candidate = Candidate {
                resume_score: Some(50.0),
                quiz_score: None,
                ..Candidate::living(Home::India, 1, 1)
            };
            let job = crate::cast::Job { weights: None, threshold: Some(60.0), ..candidate.job };
            let candidate = Candidate { job, ..candidate };
            let id = candidate.id();
            let calls = vec![
                call(&candidate, 1, Outcome::Busy, 0.0),
                call(&candidate, 2, Outcome::Answered, 100.0),
            ];
            let screening = ScreeningRow {
                application_id: id,
                status: "shortlisted".to_owned(),
                call_status: "completed".to_owned(),
                attempts: 2,
                call_id: Some("call_2".to_owned()),
                next_attempt_at: None,
                call_score: Some(80.0),
                final_score: Some(65.0),
                failure_reason: None,
            };
            let interviews = calls.iter().map(interview).collect();
            let record = Record { interviews, screening: Some(screening) };
            let request = DialRequest {
                at: moment(5),
                idempotency_key: Some("key_2".to_owned()),
                phone_number: Some(candidate.application.phone_number.clone()),
                application_id: Some(id),
                metadata: serde_json::from_value(serde_json::json!({"intentId": "i"})).unwrap(),
                answer: DialAnswer::Accepted { call_id: "call_2".to_owned() },
            };
            let analysis = AnalyzeRequest {
                at: moment(6),
                call_id: Some("call_2".to_owned()),
                application_id: Some(id),
                transcript_chars: 300,
                status: 200,
                overall_score: Some(80),
            };
            let ledger = Ledger {
                seed: 1,
                speed: 60.0,
                at: moment(9),
                totals: Totals::default(),
                requests: vec![request],
                calls,
                analyses: vec![analysis],
                refreshes: Vec::new(),
            };
            Self { candidate, ledger, records: HashMap::from([(id, record)]) }
        }

        fn compare(&self) -> Vec<String> {
            compare(std::slice::from_ref(&self.candidate), &self.ledger, &self.records)
        }

        /// The second order ends as unknown, and its call is an interview that nobody ordered.
        fn lose_the_second_order(&mut self) {
            let interviews = &mut self.record().interviews;
            let mut order = interviews[1].clone();
            order.row.id = Uuid::from_u128(7);
            order.row.call_id = None;
            order.row.outcome = Some("outcome_unknown".to_owned());
            interviews.push(order);
        }

        fn record(&mut self) -> &mut Record {
            self.records.get_mut(&self.candidate.id()).unwrap()
        }

        fn screening(&mut self) -> &mut ScreeningRow {
            self.record().screening.as_mut().unwrap()
        }
    }

    /// Something goes wrong on one side.
    type Defect = fn(&mut Case);

    #[test]
    fn sides_that_agree_have_no_differences_and_every_single_one_is_found() {
        assert_eq!(Case::new().compare(), Vec::<String>::new());
        let defects: [(&str, Defect); 16] = [
            ("a lost interview", |case| drop(case.record().interviews.pop())),
            ("a doubled interview", |case| {
                let again = case.record().interviews[0].clone();
                case.record().interviews.push(again);
            }),
            ("an interview without a call", |case| {
                case.record().interviews[0].row.call_id = Some("call_9".to_owned());
            }),
            ("a wrong status", |case| case.record().interviews[1].row.status = "failed".to_owned()),
            ("a wrong duration", |case| case.record().interviews[1].row.duration = Some(99.0)),
            ("a lost turn", |case| drop(case.record().interviews[1].messages.pop())),
            ("a shorter transcript", |case| case.record().interviews[1].transcript = None),
            ("a wrong outcome", |case| case.record().interviews[0].row.outcome = None),
            ("another failure", |case| case.record().interviews[0].row.failure_reason = None),
            ("no screening", |case| case.record().screening = None),
            ("an open screening", |case| case.screening().status = "in_progress".to_owned()),
            ("a wrong score", |case| case.screening().final_score = Some(66.0)),
            ("a miscounted attempt", |case| case.screening().attempts = 3),
            ("a number rung twice under one key", |case| {
                let again = DialAnswer::Accepted { call_id: "call_3".to_owned() };
                let request = DialRequest { answer: again, ..case.ledger.requests[0].clone() };
                case.ledger.requests.push(request);
            }),
            ("a call at night", |case| case.ledger.requests[0].at = moment(14)),
            ("a call too early", |case| case.ledger.calls[1].created_at = moment(3)),
        ];
        for (what, defect) in defects {
            let mut case = Case::new();
            defect(&mut case);
            assert_ne!(case.compare(), Vec::<String>::new(), "{what} goes unnoticed");
        }
    }

    #[test]
    fn order_ends_as_unknown_only_where_the_engine_forgot_whose_its_call_was() {
        let mut case = Case::new();
        case.lose_the_second_order();
        let differences = case.compare();
        assert!(differences.iter().any(|one| one.contains("ended as unknown")), "{differences:?}");
        case.ledger.calls[1].metadata_forgotten = true;
        assert_eq!(case.compare(), Vec::<String>::new());
        case.lose_the_second_order();
        assert_ne!(case.compare(), Vec::<String>::new(), "one lost dial is no excuse for two");
    }

    #[test]
    fn call_after_a_real_interview_is_found() {
        let mut case = Case::new();
        let third = call(&case.candidate, 3, Outcome::Busy, 0.0);
        case.record().interviews.push(interview(&third));
        case.ledger.calls.push(third);
        let differences = case.compare();
        assert!(differences.iter().any(|one| one.contains("after a real interview")));
    }
}
