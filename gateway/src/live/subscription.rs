//! One subscription: what it was sent, and what waits to be sent.

use std::sync::Arc;

use domain::EntityKey;

use super::frames::{Rendered, ServerFrame};
use super::topic::Topic;

/// Subscriptions of one socket.
pub(super) const TOPICS_MAX: usize = 64;
/// Events of a log topic that may wait for a slow reader; beyond it the topic pauses.
const LOG_QUEUE_MAX: usize = 256;
/// Events of a state topic that may wait for a slow reader; beyond it a snapshot comes in their place.
const STATE_QUEUE_MAX: usize = 4_096;
/// Events in one frame.
const BATCH_MAX: usize = 200;

/// One subscription.
#[derive(Debug)]
pub(super) struct Subscription {
    pub topic: Topic,
    /// The number up to which everything was sent, or waits.
    pub reached: i64,
    /// The number up to which everything was sent.
    sent: i64,
    pending: Vec<Arc<Rendered>>,
    flow: Flow,
}

/// Whether a subscription takes events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flow {
    Open,
    /// The reader was too slow; it has to subscribe again from where it was.
    Paused {
        announced: bool,
    },
    /// The reader was too slow for every single fact; it gets a snapshot in their place.
    Skipped,
}

impl Subscription {
    pub fn new(topic: Topic, reached: i64) -> Self {
        Self { topic, reached, sent: reached, pending: Vec::new(), flow: Flow::Open }
    }

    /// Whether a fact of that entity is for this subscription, whoever may see it, and is still to come.
    pub fn wants(&self, key: EntityKey, seq: i64) -> bool {
        self.flow == Flow::Open && seq > self.reached && self.topic.holds(key.kind, key.id)
    }

    /// Takes an event that follows what was reached.
    pub fn offer(&mut self, key: EntityKey, event: &Arc<Rendered>) {
        if !self.wants(key, event.seq) {
            return;
        }
        match self.topic {
            Topic::Calls if self.pending.len() >= STATE_QUEUE_MAX => return self.skip(),
            Topic::Call(_) if self.pending.len() >= LOG_QUEUE_MAX => {
                self.flow = Flow::Paused { announced: false };
                return;
            }
            Topic::Calls | Topic::Call(_) | Topic::Tree => {}
        }
        self.reached = event.seq;
        self.pending.push(Arc::clone(event));
    }

    /// Says that the log, whoever's facts it holds, went on up to `seq` without this socket.
    pub fn behind(&mut self, seq: i64) {
        let facts = usize::try_from(seq - self.reached);
        let is_far = facts.is_ok_and(|facts| facts > STATE_QUEUE_MAX);
        if self.topic == Topic::Calls && self.flow == Flow::Open && is_far {
            self.skip();
        }
    }

    /// Says that everything up to `seq` was seen, though none of it was for this topic.
    pub fn pass(&mut self, seq: i64) {
        if self.flow == Flow::Open {
            self.reached = self.reached.max(seq);
        }
        if self.pending.is_empty() && self.flow == Flow::Open {
            self.sent = self.reached;
        }
    }

    /// Gives up on the single facts: each says only what changed, so none of a call's can stand for the
    /// others, and what is true now has to be read.
    fn skip(&mut self) {
        self.pending.clear();
        self.flow = Flow::Skipped;
    }

    /// Returns the number after which a snapshot has to stand for what was skipped, if it has to.
    pub fn skipped_after(&self) -> Option<i64> {
        (self.flow == Flow::Skipped).then_some(self.sent)
    }

    /// Whether the next event might not find room.
    pub fn is_full(&self) -> bool {
        self.pending.len() >= LOG_QUEUE_MAX
    }

    pub fn has_news(&self) -> bool {
        let is_owed = matches!(self.flow, Flow::Skipped | Flow::Paused { announced: false });
        is_owed || !self.pending.is_empty()
    }

    /// Returns the frames that send what waits.
    pub fn flush(&mut self, id: u64) -> Vec<String> {
        let mut frames: Vec<String> = std::mem::take(&mut self.pending)
            .chunks(BATCH_MAX)
            .map(|events| match events {
                [event] => ServerFrame::Ev { id, event }.text(),
                events => ServerFrame::Batch { id, events }.text(),
            })
            .collect();
        if self.flow != Flow::Skipped {
            self.sent = self.reached;
        }
        if self.flow == (Flow::Paused { announced: false }) {
            self.flow = Flow::Paused { announced: true };
            frames.push(ServerFrame::Lag { id, from: self.reached }.text());
        }
        frames
    }
}

#[cfg(test)]
mod tests {
    use domain::{EntityId, Kind};
    use serde_json::value::RawValue;
    use uuid::Uuid;

    use super::*;

    fn call(n: u128) -> EntityKey {
        EntityKey { kind: Kind::Interview, id: EntityId(Uuid::from_u128(n)) }
    }

    fn event(seq: i64) -> Arc<Rendered> {
        let data = RawValue::from_string("{}".to_owned()).unwrap();
        Arc::new(Rendered { seq, ts: String::new(), name: "interview.reported".to_owned(), data })
    }

    #[test]
    fn log_topic_pauses_for_a_slow_reader_and_says_from_where() {
        let mut subscription = Subscription::new(Topic::Call(call(1).id), 0);
        for seq in 1..=1_000 {
            subscription.offer(call(1), &event(seq));
        }
        let frames = subscription.flush(7);
        let lag = frames.last().unwrap();
        assert_eq!(lag, &format!(r#"{{"t":"lag","id":7,"from":{LOG_QUEUE_MAX}}}"#));
        assert!(!subscription.has_news());
    }

    #[test]
    fn state_topic_asks_for_a_snapshot_rather_than_lose_a_single_fact() {
        let mut subscription = Subscription::new(Topic::Calls, 0);
        subscription.offer(call(1), &event(1));
        assert_eq!(subscription.flush(7).len(), 1);
        let seqs = 2..;
        for seq in seqs.take(STATE_QUEUE_MAX) {
            subscription.offer(call(u128::try_from(seq % 10).unwrap()), &event(seq));
        }
        assert_eq!(subscription.skipped_after(), None);

        subscription.offer(call(1), &event(5_000));
        subscription.pass(5_000);

        assert_eq!(subscription.skipped_after(), Some(1), "what was sent last");
        assert!(subscription.has_news());
        assert!(subscription.flush(7).is_empty(), "no fact out of a row of facts");
        assert_eq!(subscription.skipped_after(), Some(1));
    }

    #[test]
    fn state_topic_of_a_socket_far_behind_is_skipped_and_a_log_topic_is_not() {
        let far = i64::try_from(STATE_QUEUE_MAX).unwrap() + 1;
        let mut board = Subscription::new(Topic::Calls, 0);
        board.behind(far - 1);
        assert_eq!(board.skipped_after(), None);
        board.behind(far);
        assert_eq!(board.skipped_after(), Some(0));
        let mut one = Subscription::new(Topic::Call(call(1).id), 0);
        one.behind(far);
        assert_eq!(one.skipped_after(), None);
    }

    #[test]
    fn who_resumes_late_in_the_log_is_not_far_behind() {
        let mut board = Subscription::new(Topic::Calls, 50_000);
        board.behind(50_010);
        assert_eq!(board.skipped_after(), None);
        board.behind(50_000 + i64::try_from(STATE_QUEUE_MAX).unwrap() + 1);
        assert_eq!(board.skipped_after(), Some(50_000));
    }

    #[test]
    fn what_was_reached_is_not_sent_again() {
        let mut subscription = Subscription::new(Topic::Calls, 5);
        subscription.offer(call(1), &event(5));
        subscription.offer(call(1), &event(6));
        subscription.offer(call(1), &event(6));
        assert_eq!(subscription.flush(1).len(), 1);
        assert_eq!(subscription.reached, 6);
    }
}
