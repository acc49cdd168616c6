//! One subscription: what it was sent, and what waits to be sent.

use std::collections::HashMap;
use std::sync::Arc;

use domain::EntityId;

use super::frames::{Rendered, ServerFrame};
use super::topic::Topic;

/// Subscriptions of one socket.
pub(super) const TOPICS_MAX: usize = 64;
/// Events of a log topic that may wait for a slow reader; beyond it the topic pauses.
const LOG_QUEUE_MAX: usize = 256;
/// Events of a state topic that wait unconflated; beyond it only the last of each call is kept.
const STATE_QUEUE_MAX: usize = 4_096;
/// Events in one frame.
const BATCH_MAX: usize = 200;

/// One subscription.
#[derive(Debug)]
pub(super) struct Subscription {
    pub topic: Topic,
    /// The number up to which everything was sent, or waits.
    pub reached: i64,
    pending: Vec<(EntityId, Arc<Rendered>)>,
    state: Flow,
}

/// Whether a subscription takes events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flow {
    Open,
    /// The reader was too slow; it has to subscribe again from where it was.
    Paused {
        announced: bool,
    },
}

impl Subscription {
    pub fn new(topic: Topic, reached: i64) -> Self {
        Self { topic, reached, pending: Vec::new(), state: Flow::Open }
    }

    /// Takes an event that follows what was reached.
    pub fn offer(&mut self, id: EntityId, event: &Arc<Rendered>) {
        if event.seq <= self.reached || self.state != Flow::Open {
            return;
        }
        match self.topic {
            Topic::Calls if self.pending.len() >= STATE_QUEUE_MAX => self.conflate(),
            Topic::Call(_) if self.pending.len() >= LOG_QUEUE_MAX => {
                self.state = Flow::Paused { announced: false };
                return;
            }
            Topic::Calls | Topic::Call(_) | Topic::Tree => {}
        }
        self.reached = event.seq;
        self.pending.push((id, Arc::clone(event)));
    }

    /// Says that everything up to `seq` was seen, though none of it was for this topic.
    pub fn pass(&mut self, seq: i64) {
        if self.state == Flow::Open {
            self.reached = self.reached.max(seq);
        }
    }

    /// Keeps only the last event of each call.
    fn conflate(&mut self) {
        let mut last: HashMap<EntityId, i64> = HashMap::new();
        for (id, event) in &self.pending {
            last.insert(*id, event.seq);
        }
        self.pending.retain(|(id, event)| last.get(id) == Some(&event.seq));
    }

    /// Whether the next event might not find room.
    pub fn is_full(&self) -> bool {
        self.pending.len() >= LOG_QUEUE_MAX
    }

    pub fn has_news(&self) -> bool {
        !self.pending.is_empty() || self.state == Flow::Paused { announced: false }
    }

    /// Returns the frames that send what waits.
    pub fn flush(&mut self, id: u64) -> Vec<String> {
        let pending: Vec<Arc<Rendered>> = self.pending.drain(..).map(|(_, event)| event).collect();
        let mut frames: Vec<String> = pending
            .chunks(BATCH_MAX)
            .map(|events| match events {
                [event] => ServerFrame::Ev { id, event }.text(),
                events => ServerFrame::Batch { id, events }.text(),
            })
            .collect();
        if self.state == (Flow::Paused { announced: false }) {
            self.state = Flow::Paused { announced: true };
            frames.push(ServerFrame::Lag { id, from: self.reached }.text());
        }
        frames
    }
}

#[cfg(test)]
mod tests {
    use serde_json::value::RawValue;
    use uuid::Uuid;

    use super::*;

    fn event(seq: i64) -> Arc<Rendered> {
        let data = RawValue::from_string("{}".to_owned()).unwrap();
        Arc::new(Rendered { seq, ts: String::new(), name: "interview.reported".to_owned(), data })
    }

    #[test]
    fn log_topic_pauses_for_a_slow_reader_and_says_from_where() {
        let id = EntityId(Uuid::nil());
        let mut subscription = Subscription::new(Topic::Call(id), 0);
        for seq in 1..=1_000 {
            subscription.offer(id, &event(seq));
        }
        let frames = subscription.flush(7);
        let lag = frames.last().unwrap();
        assert_eq!(lag, &format!(r#"{{"t":"lag","id":7,"from":{LOG_QUEUE_MAX}}}"#));
        assert!(!subscription.has_news());
    }

    #[test]
    fn state_topic_keeps_the_last_event_of_each_call() {
        let mut subscription = Subscription::new(Topic::Calls, 0);
        for seq in 1..=10_000 {
            let id = EntityId(Uuid::from_u128(u128::try_from(seq % 10).unwrap()));
            subscription.offer(id, &event(seq));
        }
        assert!(subscription.pending.len() <= STATE_QUEUE_MAX);
        assert_eq!(subscription.pending.last().unwrap().1.seq, 10_000);
    }

    #[test]
    fn what_was_reached_is_not_sent_again() {
        let id = EntityId(Uuid::nil());
        let mut subscription = Subscription::new(Topic::Calls, 5);
        subscription.offer(id, &event(5));
        subscription.offer(id, &event(6));
        subscription.offer(id, &event(6));
        assert_eq!(subscription.flush(1).len(), 1);
        assert_eq!(subscription.reached, 6);
    }
}
