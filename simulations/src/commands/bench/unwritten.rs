//! A journal that answers at once and keeps nothing: what the route costs without it.
//!
//! Only the bench knows it. No switch of the product leads here.

use std::future::ready;
use std::sync::{Arc, Mutex, PoisonError};

use domain::ports::{BoxFuture, FactSink, Journal, LedgerAnswer, State, Step, StoredFact, Verdict};

/// Numbers facts, publishes them and forgets the rest.
pub(super) struct Unwritten {
    last: Mutex<i64>,
    sink: Arc<dyn FactSink>,
}

impl Unwritten {
    /// Goes on after the number `last`.
    pub(super) fn new(last: i64, sink: Arc<dyn FactSink>) -> Self {
        Self { last: Mutex::new(last), sink }
    }
}

impl Journal for Unwritten {
    fn submit(&self, step: Step) -> BoxFuture<'static, LedgerAnswer> {
        let Step { key, tenant, expected, state, facts, .. } = step;
        let version = match state {
            State::Unmoved => expected,
            State::Moved { .. } => expected + 1,
        };
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let first_seq = *last + i64::from(!facts.is_empty());
        let numbered = facts.into_iter().zip(*last + 1..).map(|(fact, seq)| StoredFact {
            seq,
            tenant,
            key,
            version,
            name: fact.name.to_owned(),
            schema: fact.schema,
            data: fact.data,
            at: fact.at,
        });
        let numbered: Vec<StoredFact> = numbered.collect();
        *last += numbered.len() as i64;
        self.sink.publish(numbered); // Under the lock: the feed is in the order of the numbers.
        Box::pin(ready(Ok(Verdict::Committed { first_seq })))
    }
}

/// Keeps a copy of every step on its way.
pub(super) struct Recorder {
    inner: Unwritten,
    steps: Mutex<Vec<Step>>,
}

impl Recorder {
    pub(super) fn new(inner: Unwritten) -> Self {
        Self { inner, steps: Mutex::default() }
    }

    /// Returns what was submitted since the last time, in order.
    pub(super) fn take(&self) -> Vec<Step> {
        std::mem::take(&mut self.steps.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Journal for Recorder {
    fn submit(&self, step: Step) -> BoxFuture<'static, LedgerAnswer> {
        self.steps.lock().unwrap_or_else(PoisonError::into_inner).push(step.clone());
        self.inner.submit(step)
    }
}

/// Has no use for facts.
pub(super) struct Nobody;

impl FactSink for Nobody {
    fn publish(&self, _facts: Vec<StoredFact>) {}
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use domain::ports::{FactRecord, Wake};
    use domain::{EntityId, EntityKey, Kind, TenantId};

    use super::*;

    #[derive(Default)]
    struct Heard(Mutex<Vec<i64>>);

    impl FactSink for Heard {
        fn publish(&self, facts: Vec<StoredFact>) {
            self.0.lock().unwrap().extend(facts.iter().map(|fact| fact.seq));
        }
    }

    fn step(facts: usize) -> Step {
        let at = DateTime::UNIX_EPOCH;
        let fact = || FactRecord { name: "moved", schema: 1, data: "{}".to_owned(), at };
        Step {
            key: EntityKey { kind: Kind::Interview, id: EntityId(uuid::Uuid::nil()) },
            tenant: TenantId::DEFAULT,
            expected: 0,
            state: State::Unmoved,
            wake: Wake::Keep,
            deliveries: Vec::new(),
            facts: (0..facts).map(|_| fact()).collect(),
            intents: Vec::new(),
            signals: Vec::new(),
            aliases: Vec::new(),
            erase: false,
        }
    }

    #[tokio::test]
    async fn facts_are_numbered_as_the_journal_numbers_them() {
        let heard = Arc::new(Heard::default());
        let journal = Unwritten::new(7, Arc::clone(&heard) as _);
        let mut firsts = Vec::new();
        for facts in [2, 0, 1] {
            match journal.submit(step(facts)).await.unwrap() {
                Verdict::Committed { first_seq } => firsts.push(first_seq),
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(firsts, [8, 9, 10]);
        assert_eq!(*heard.0.lock().unwrap(), [8, 9, 10]);
    }
}
