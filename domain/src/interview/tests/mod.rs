mod dialing;
mod import;
mod placing;
mod properties;
mod reports;
mod time;

use chrono::{DateTime, Utc};

use super::*;
use crate::ids::{EntityId, IntentId, RequestMark, TenantId};
use crate::machine::{Rejected, Transition};
use crate::policy::Zone;
use crate::screening::{InterviewEnd, ScreeningEvent};
use crate::signal::Signal;
use crate::testing::{Bench, Outcome};
use crate::value::{CallId, CostUsd, Phone, Provider, Seconds};

type Desk = Bench<Interview>;

impl Outcome for InterviewEvent {
    fn outcome_of(&self) -> Option<IntentId> {
        match self {
            Self::DialAnswered { intent, .. }
            | Self::DialRefused { intent, .. }
            | Self::DialPostponed { intent, .. }
            | Self::Fetched { intent, .. }
            | Self::FetchFailed { intent, .. }
            | Self::IntentUnknown { intent } => Some(*intent),
            _ => None,
        }
    }
}

fn call_id() -> CallId {
    CallId::parse("call_01").unwrap()
}

fn application() -> EntityId {
    EntityId(uuid::Uuid::from_u128(77))
}

fn desk() -> Desk {
    Desk::new(EntityId::derived(TenantId::DEFAULT, "mr-hire", "call_01"))
}

fn report(status: CallStatus) -> CallReport {
    CallReport { status: Some(status), ..CallReport::of(call_id()) }
}

/// An `ended` for the test application.
fn ended(duration: f64, transcript: Option<&str>) -> CallReport {
    CallReport {
        duration: Some(Seconds::parse(duration).unwrap()),
        transcript: transcript.map(str::to_owned),
        application: Some(application()),
        ..report(CallStatus::Ended)
    }
}

fn words(chars: usize) -> String {
    "é".repeat(chars)
}

fn order() -> DialOrder {
    DialOrder {
        application: Some(application()),
        phone: Phone::parse("+919529117230").unwrap(),
        candidate_name: "Asha Rao".to_owned(),
        role: "Backend Engineer".to_owned(),
        system_prompt: "You are kind.".to_owned(),
        belongs_to: None,
        zone: Zone::default(),
        attempt: 2,
        provider: None,
        asked: Asked::default(),
    }
}

fn request() -> RequestMark {
    RequestMark::of("POST", "/api/mr-hire/call", b"{}")
}

/// An order that somebody asked for over HTTP, for no application.
fn requested() -> DialOrder {
    let asked = Asked { tally: Tally::Extra, request: Some(request()) };
    let provider = Some(Provider::Elevenlabs);
    DialOrder { application: None, provider, attempt: 1, asked, ..order() }
}

impl Desk {
    fn hear(&mut self, report: CallReport) -> Result<Transition<Interview>, Rejected> {
        self.tell(report)
    }

    fn shown(&self) -> InterviewView {
        self.machine.view().unwrap()
    }

    fn told(&self) -> Vec<InterviewEnd> {
        let ends = self.signals.iter().filter_map(|signal| match signal {
            Signal::Screening(to, ScreeningEvent::InterviewEnded(end)) => {
                assert_eq!(*to, application());
                Some(end.clone())
            }
            _ => None,
        });
        ends.collect()
    }

    fn grades(&self) -> Vec<Grade> {
        self.told().iter().map(|end| end.grade).collect()
    }

    /// Sends the open question and lets it fail.
    fn miss(&mut self) {
        let intent = self.dispatch("fetch_call").unwrap();
        self.tell(InterviewEvent::FetchFailed { intent, why: FetchFailure::Unreachable }).unwrap();
    }

    fn fact_names(&self) -> Vec<String> {
        let name = |fact: &String| {
            let value: serde_json::Value = serde_json::from_str(fact).unwrap();
            value["type"].as_str().unwrap().to_owned()
        };
        self.facts.iter().map(name).collect()
    }
}

fn dial_intent(desk: &Desk) -> IntentId {
    desk.machine.dial_id()
}

/// Orders a call, sends the dial, and answers with its first attempt.
fn sending() -> Desk {
    let mut desk = desk();
    desk.tell(InterviewEvent::PlacingAsked(order())).unwrap();
    desk.dispatch("dial").unwrap();
    desk
}

fn answered(desk: &Desk, attempt: u32) -> InterviewEvent {
    InterviewEvent::DialAnswered {
        intent: dial_intent(desk),
        attempt,
        call_id: call_id(),
        provider: Some(Provider::Vapi),
    }
}

fn minutes(from: DateTime<Utc>, to: DateTime<Utc>) -> i64 {
    (to - from).num_minutes()
}

fn cost(value: f64) -> Option<CostUsd> {
    Some(CostUsd::parse(value).unwrap())
}
