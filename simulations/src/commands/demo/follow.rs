//! Turns the live feed into lines for people.

use std::collections::HashMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use serde_json::Value;
use simulations::product::{Event, Feed, FeedError, Frame};

use super::screen::Screen;

/// The pause before a cut feed is resumed.
const RESUME_PAUSE: Duration = Duration::from_millis(300);
/// Names that are remembered; beyond it they are learnt anew.
const NAMES_MAX: usize = 20_000;

/// Shows what happens to calls, for ever; a cut feed is resumed where it ended.
pub(super) async fn follow(base: String, token: String, screen: Screen) {
    let mut follower = Follower { screen, names: HashMap::new(), reached: None };
    loop {
        // Cut, restarted, not up yet: whichever it was, the position tells where to go on.
        let _cut = follower.run(&base, &token).await;
        tokio::time::sleep(RESUME_PAUSE).await;
    }
}

struct Follower {
    screen: Screen,
    /// Who is called, by interview.
    names: HashMap<String, String>,
    reached: Option<i64>,
}

impl Follower {
    async fn run(&mut self, base: &str, token: &str) -> Result<(), FeedError> {
        let mut feed = Feed::open(base, token).await?;
        feed.subscribe("calls", self.reached).await?;
        loop {
            match feed.next().await? {
                Frame::Snap { seq, data } => self.take_snapshot(seq, &data),
                Frame::Ev { event } => self.take(&event),
                Frame::Batch { events } => events.iter().for_each(|event| self.take(event)),
                Frame::Gap { from, to } => {
                    self.screen.line(format!("          {} events were skipped", to - from));
                }
                Frame::Bye { .. } => return Err(FeedError::Cut(None)),
                Frame::Welcome { .. } | Frame::Res { .. } | Frame::Other => {}
            }
        }
    }

    fn take_snapshot(&mut self, seq: i64, data: &Value) {
        self.reached = Some(seq);
        for call in data["calls"].as_array().into_iter().flatten() {
            if let (Some(id), Some(name)) = (call["id"].as_str(), call["candidateName"].as_str()) {
                self.names.insert(id.to_owned(), name.to_owned());
            }
        }
    }

    fn take(&mut self, event: &Event) {
        self.reached = Some(event.seq);
        let id = event.data["id"].as_str().unwrap_or_default();
        let said = [&event.data["news"]["candidateName"], &event.data["order"]["candidateName"]];
        if let Some(name) = said.into_iter().find_map(Value::as_str) {
            if self.names.len() >= NAMES_MAX {
                self.names.clear();
            }
            self.names.insert(id.to_owned(), name.to_owned());
        }
        let name = self.names.get(id).map_or("somebody", String::as_str);
        if let Some(what) = describe(event) {
            self.screen.news(format!("{}  {name:<18} {what}", clock(&event.ts)));
        }
    }
}

/// Says what an event means; nothing where nobody would ask.
fn describe(event: &Event) -> Option<String> {
    let data = &event.data;
    let fact = event.name.strip_prefix("interview.")?;
    Some(match fact {
        "reported" => return report(data),
        // Of a first call the next line says that it rings; a further one may be hours away.
        "dial_planned" => match data["order"]["attempt"].as_u64() {
            Some(attempt @ 2..) => format!("is to be called again, call {attempt} of 3"),
            _ => return None,
        },
        "dial_unsure" => "did the engine call? it will be asked, not told twice".to_owned(),
        "dial_refused" => format!("the engine refuses: {}", text(&data["code"])),
        "overdue" => "nothing heard for long: the engine is asked".to_owned(),
        "transcript_missed" => "the transcript does not come".to_owned(),
        "given_up" => "nobody knows what became of the call".to_owned(),
        _ => return None,
    })
}

fn report(data: &Value) -> Option<String> {
    let news = &data["news"];
    let turns = news["turns"]["count"].as_u64();
    let is_first = data["version"] == 1;
    if data["from"].is_null() && !is_first {
        return turns.map(|turns| format!("transcript: {}", count_turns(turns)));
    }
    let mut line = text(&data["status"]).to_owned();
    if let Some(seconds) = news["duration"].as_f64().filter(|seconds| *seconds > 0.0) {
        line.push_str(&format!(", {seconds:.0} s"));
    }
    if let Some(turns) = turns {
        line.push_str(&format!(", {}", count_turns(turns)));
    }
    if let Some(reason) = news["failureReason"].as_str() {
        line.push_str(&format!(": {reason}"));
    }
    Some(line)
}

fn count_turns(turns: u64) -> String {
    if turns == 1 { "1 turn".to_owned() } else { format!("{turns} turns") }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// Writes the time of day in India.
fn clock(ts: &str) -> String {
    let at: Option<DateTime<Utc>> = ts.parse().ok();
    at.map_or_else(String::new, time_in_india)
}

pub(super) fn time_in_india(at: DateTime<Utc>) -> String {
    at.with_timezone(&Tz::Asia__Kolkata).format("%H:%M:%S").to_string()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn line(name: &str, data: Value) -> Option<String> {
        describe(&Event { seq: 1, ts: String::new(), name: name.to_owned(), data })
    }

    #[test]
    fn what_happens_to_a_call_is_said_in_a_few_words() {
        let ended = json!({
            "version": 3, "status": "ended", "from": "in-progress",
            "news": {"duration": 214.6, "turns": {"count": 17}},
        });
        assert_eq!(line("interview.reported", ended).unwrap(), "ended, 215 s, 17 turns");
        let order = |attempt: u32| json!({"order": {"attempt": attempt}});
        assert_eq!(line("interview.dial_planned", order(1)), None);
        let again = "is to be called again, call 2 of 3";
        assert_eq!(line("interview.dial_planned", order(2)).unwrap(), again);
        let busy = json!({
            "version": 1, "status": "failed", "news": {"duration": 0.0, "failureReason": "busy"},
        });
        assert_eq!(line("interview.reported", busy).unwrap(), "failed: busy");
        let late = json!({"version": 4, "status": "ended", "news": {"turns": {"count": 9}}});
        assert_eq!(line("interview.reported", late).unwrap(), "transcript: 9 turns");
        assert_eq!(line("interview.fetch_sent", json!({})), None);
        assert_eq!(line("screening.scored", json!({})), None);
        assert_eq!(clock("2026-11-20T03:30:05.123Z"), "09:00:05");
    }
}
