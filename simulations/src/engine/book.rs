//! The engine's memory: its calls, its keys, its applications and what it writes down.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::call::{Call, Order, RecordingHosts, TalkSize, talk};
use super::course::Course;
use super::faults::Faults;
use super::ledger::{
    Acknowledgement, AnalyzeRequest, DialRequest, Origin, RefreshRequest, WebhookTally,
};
use super::profile::Profile;
use super::wire::{PlaceCall, Provider};
use super::world::{Application, CallScript};
use crate::clock::SimClock;
use crate::dice::{Purpose, base32, dice};

/// How many calls an engine remembers; a reset makes room.
pub(super) const CALLS_MAX: usize = 250_000;
/// How long a key makes a repetition harmless.
const KEY_LIFE: TimeDelta = TimeDelta::hours(24);

/// All that changes while an engine runs; behind one lock that is never held over an await.
pub(super) struct Book {
    pub seed: u64,
    pub faults: Faults,
    /// Ends with the next reset, and with it everything that runs for a call.
    pub epoch: CancellationToken,
    pub requests: Vec<DialRequest>,
    pub analyses: Vec<AnalyzeRequest>,
    pub refreshes: Vec<RefreshRequest>,
    pub scheduled: u64,
    entries: Vec<Entry>,
    /// The number of the first entry: numbers go on after a reset, so that ids stay unique.
    first_number: u64,
    numbers: HashMap<String, u64>,
    keys: HashMap<String, Known>,
    /// When the taken lines become free.
    live: BinaryHeap<Reverse<DateTime<Utc>>>,
    applications: HashMap<Uuid, Application>,
    attempts: HashMap<Subject, u32>,
    draws: u64,
    hosts: Arc<RecordingHosts>,
}

/// A call and what became of its webhooks.
pub(super) struct Entry {
    pub call: Arc<Call>,
    pub tally: WebhookTally,
    pub acknowledged: Vec<Acknowledgement>,
    /// It was told of without the metadata it was placed with.
    pub metadata_forgotten: bool,
}

/// A key that was used.
struct Known {
    request: PlaceCall,
    call_id: String,
    at: DateTime<Utc>,
}

/// What is known about a key.
pub(super) enum KeyState {
    Unknown,
    SameRequest { call_id: String },
    OtherRequest,
}

/// What attempts are counted by.
#[derive(PartialEq, Eq, Hash)]
enum Subject {
    Application(Uuid),
    Phone(String),
}

impl Book {
    pub(super) fn new(seed: u64, faults: Faults, hosts: Arc<RecordingHosts>) -> Self {
        Self {
            seed,
            faults,
            epoch: CancellationToken::new(),
            requests: Vec::new(),
            analyses: Vec::new(),
            refreshes: Vec::new(),
            scheduled: 0,
            entries: Vec::new(),
            first_number: 0,
            numbers: HashMap::new(),
            keys: HashMap::new(),
            live: BinaryHeap::new(),
            applications: HashMap::new(),
            attempts: HashMap::new(),
            draws: 0,
            hosts,
        }
    }

    /// Forgets everything and stops what runs. With a new seed numbers begin at 0 again; without,
    /// they go on, because a call id is never given twice.
    pub(super) fn reset(&mut self, seed: Option<u64>) {
        self.epoch.cancel();
        let next_number = self.first_number + self.entries.len() as u64;
        let hosts = Arc::clone(&self.hosts);
        let draws = self.draws;
        *self = Self::new(seed.unwrap_or(self.seed), Faults::default(), hosts);
        if seed.is_none() {
            self.first_number = next_number;
            self.draws = draws;
        }
    }

    /// Returns the dice of the next request, whatever it is.
    pub(super) fn next_dice(&mut self, purpose: Purpose) -> ChaCha8Rng {
        self.draws += 1;
        dice(self.seed, purpose, self.draws)
    }

    /// Makes an application known, so that what is scripted for it applies to every call of it.
    pub(super) fn register(&mut self, application: Application) {
        self.applications.insert(application.application_id, application);
    }

    pub(super) fn is_full(&self) -> bool {
        self.entries.len() >= CALLS_MAX
    }

    /// Begins a call. Every call gets an id of its own, whatever it repeats.
    pub(super) fn begin(
        &mut self,
        mut order: Order,
        profile: &Profile,
        clock: &SimClock,
    ) -> Arc<Call> {
        let number = self.first_number + self.entries.len() as u64;
        order.attempt = self.count_attempt(&order);
        let script = self.script(&order);
        let mut dice_of_call = dice(self.seed, Purpose::Call, number);
        let call_id = format!("call_{}", base32(dice_of_call.random()));
        let mut course = Course::draw(profile, &script, &mut dice_of_call);
        let faults = script.faults.as_ref().unwrap_or(&self.faults.webhooks);
        let mut dice_of_faults = dice(self.seed, Purpose::Fault, number);
        let emissions = course.emissions(profile, faults, &mut dice_of_faults);
        let talk_size = TalkSize::from(&talk(self.seed, number, &order, course.shape));
        let call = Arc::new(Call {
            seed: self.seed,
            number,
            call_id,
            created_at: clock.now(),
            order,
            course,
            emissions,
            talk_size,
            hosts: Arc::clone(&self.hosts),
        });
        self.enter(&call);
        call
    }

    fn enter(&mut self, call: &Arc<Call>) {
        let planned = u32::try_from(call.emissions.len()).unwrap_or(u32::MAX);
        let tally = WebhookTally { planned, ..WebhookTally::default() };
        self.live.push(Reverse(call.over_at()));
        self.numbers.insert(call.call_id.clone(), call.number);
        self.entries.push(Entry {
            call: Arc::clone(call),
            tally,
            acknowledged: Vec::new(),
            metadata_forgotten: false,
        });
    }

    fn count_attempt(&mut self, order: &Order) -> u32 {
        let subject = match order.application_id {
            Some(application_id) => Subject::Application(application_id),
            None => Subject::Phone(order.phone_number.clone()),
        };
        let attempts = self.attempts.entry(subject).or_default();
        *attempts += 1;
        *attempts
    }

    fn script(&self, order: &Order) -> CallScript {
        let application = order.application_id.and_then(|id| self.applications.get(&id));
        let position = order.attempt as usize - 1;
        application.and_then(|one| one.attempts.get(position)).cloned().unwrap_or_default()
    }

    /// Completes what a `POST /call` left open from what is known about the application;
    /// `provider` is taken where nobody chose one.
    pub(super) fn order_of(&self, request: &PlaceCall, provider: Provider) -> Order {
        let known = request.application_id.and_then(|id| self.applications.get(&id));
        let name = request.candidate_name.clone();
        let role = request.role.clone();
        Order {
            origin: Origin::Request,
            application_id: request.application_id,
            attempt: 0,
            phone_number: request.phone_number.clone(),
            candidate_name: name
                .or_else(|| known.map(|one| one.candidate_name.clone()))
                .unwrap_or_default(),
            role: role.or_else(|| known.map(|one| one.role.clone())).unwrap_or_default(),
            provider: request.provider.or(known.map(|one| one.provider)).unwrap_or(provider),
            belongs_to: request.belongs_to.or(known.and_then(|one| one.belongs_to)),
            metadata: request.metadata.clone(),
            idempotency_key: request.idempotency_key.clone(),
        }
    }

    /// Compares `request` with the one that used its key before.
    pub(super) fn key_state(&self, request: &PlaceCall, now: DateTime<Utc>) -> KeyState {
        let key = request.idempotency_key.as_ref();
        let known =
            key.and_then(|key| self.keys.get(key)).filter(|known| now - known.at < KEY_LIFE);
        match known {
            None => KeyState::Unknown,
            Some(known) if known.request == *request => {
                KeyState::SameRequest { call_id: known.call_id.clone() }
            }
            Some(_) => KeyState::OtherRequest,
        }
    }

    /// Remembers which call a key stands for.
    pub(super) fn remember(&mut self, request: PlaceCall, call: &Call) {
        if let Some(key) = request.idempotency_key.clone() {
            let known = Known { request, call_id: call.call_id.clone(), at: call.created_at };
            self.keys.insert(key, known);
        }
    }

    /// Returns how many lines are taken at `now`, and when the next one becomes free.
    pub(super) fn lines(&mut self, now: DateTime<Utc>) -> (usize, Option<DateTime<Utc>>) {
        while self.live.peek().is_some_and(|Reverse(over_at)| *over_at <= now) {
            self.live.pop();
        }
        (self.live.len(), self.live.peek().map(|Reverse(over_at)| *over_at))
    }

    /// Returns the calls, oldest first.
    pub(super) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Returns the call with this id.
    pub(super) fn find(&self, call_id: &str) -> Option<&Arc<Call>> {
        self.by_number(*self.numbers.get(call_id)?)
    }

    /// Returns the call with this number.
    pub(super) fn by_number(&self, number: u64) -> Option<&Arc<Call>> {
        let position = usize::try_from(number.checked_sub(self.first_number)?).ok()?;
        self.entries.get(position).map(|entry| &entry.call)
    }

    /// Returns up to `limit` calls, newest first, from the one before `before` on, and whether
    /// there are more.
    pub(super) fn page(&self, before: Option<u64>, limit: usize) -> (Vec<Arc<Call>>, bool) {
        let end = before.map_or(u64::MAX, |before| before.saturating_sub(self.first_number));
        let end = usize::try_from(end).unwrap_or(usize::MAX).min(self.entries.len());
        let start = end.saturating_sub(limit);
        let page = self.entries[start..end].iter().rev();
        (page.map(|entry| Arc::clone(&entry.call)).collect(), start > 0)
    }

    /// Says whether calls that are told of now keep their metadata; writes down of which it is forgotten.
    pub(super) fn keeps_metadata<'a>(
        &mut self,
        calls: impl IntoIterator<Item = &'a Arc<Call>>,
    ) -> bool {
        if !self.faults.metadata_forgotten {
            return true;
        }
        for call in calls {
            if let Some(entry) = self.entry_mut(call.number) {
                entry.metadata_forgotten |= call.order.metadata.is_some();
            }
        }
        false
    }

    /// Changes what is written down about a call's webhooks, if the call is still known.
    pub(super) fn note(&mut self, number: u64, change: impl FnOnce(&mut WebhookTally)) {
        if let Some(entry) = self.entry_mut(number) {
            change(&mut entry.tally);
        }
    }

    /// Writes down that a webhook was answered 2xx.
    pub(super) fn acknowledge(&mut self, number: u64, acknowledgement: Acknowledgement) {
        if let Some(entry) = self.entry_mut(number) {
            entry.tally.acknowledged += 1;
            entry.tally.last_acknowledged_at = Some(acknowledgement.at);
            entry.acknowledged.push(acknowledgement);
        }
    }

    fn entry_mut(&mut self, number: u64) -> Option<&mut Entry> {
        let position = usize::try_from(number.checked_sub(self.first_number)?).ok()?;
        self.entries.get_mut(position)
    }
}
