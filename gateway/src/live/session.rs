//! A socket that said who it is: what it hears, what it is told, until one of them ends it.

use std::collections::HashMap;
use std::time::Duration;

use axum::extract::ws::{Message, WebSocket};
use domain::ports::{InterviewFilter, PageRequest, Scope, StoreError};
use serde_json::{Value, json};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval, timeout};
use tracing::debug;

use super::frames::{ClientFrame, ServerFrame};
use super::hub::{Item, Items};
use super::sampler::Sample;
use super::socket::{Bye, LiveState, known};
use super::subscription::{Subscription, TOPICS_MAX};
use super::topic::Topic;
use crate::auth::{Patience, Principal};
use crate::error::{ApiError, Occurrence};
use crate::problem::Code;
use crate::routes::{interview_json, scope, tree_json};

/// How long one send may take; a client that does not read is cut off after it.
const SEND_TIMEOUT: Duration = Duration::from_secs(30);
/// Events wait this long for others to share a write with.
const FLUSH_TICK: Duration = Duration::from_millis(25);
/// How often the server shows that it is alive; two unanswered ones end the socket.
pub(super) const HEARTBEAT: Duration = Duration::from_secs(20);
/// How long before its end a token's holder is warned.
const EXPIRY_WARNING: chrono::Duration = chrono::Duration::seconds(60);
/// Rows of a snapshot of the board.
const BOARD_ROWS: u32 = 200;

pub(super) struct Session {
    pub(super) socket: WebSocket,
    live: LiveState,
    principal: Principal,
    subscriptions: HashMap<u64, Subscription>,
    /// The last number that came over the broadcast, or was read in its place.
    seen: i64,
    /// What the tree is like, while it is watched.
    tree: Option<watch::Receiver<Sample>>,
    tree_said: Value,
    unanswered: u32,
    is_warned: bool,
}

impl Session {
    pub fn new(socket: WebSocket, live: LiveState, principal: Principal) -> Self {
        Self {
            socket,
            live,
            principal,
            subscriptions: HashMap::new(),
            seen: 0,
            tree: None,
            tree_said: Value::Null,
            unanswered: 0,
            is_warned: false,
        }
    }

    /// Serves until the socket ends; answers why it does.
    pub async fn run(&mut self) -> Bye {
        let mut items = self.live.hub.subscribe();
        // Who comes before it is known where the log stands would be taken for far behind.
        let Some(seen) = self.live.hub.services.feed.known() else { return Bye::Restart };
        self.seen = seen;
        if let Err(bye) = self.welcome().await {
            return bye;
        }
        let closing = self.live.app.sockets.closing().clone();
        let mut flush = interval(FLUSH_TICK);
        let mut heartbeat = interval(HEARTBEAT);
        for ticker in [&mut flush, &mut heartbeat] {
            ticker.set_missed_tick_behavior(MissedTickBehavior::Delay);
            ticker.reset();
        }
        loop {
            let has_news = self.subscriptions.values().any(Subscription::has_news);
            let step = tokio::select! {
                () = closing.cancelled() => Err(Bye::Restart),
                message = self.socket.recv() => self.heard(message).await,
                batch = items.recv() => self.received(batch).await,
                _ = flush.tick(), if has_news => self.flush().await,
                _ = heartbeat.tick() => self.beat().await,
                sample = sampled(&mut self.tree) => self.show_tree(sample).await,
            };
            if let Err(bye) = step {
                debug!(?bye, "a socket ends");
                return bye;
            }
        }
    }

    async fn welcome(&mut self) -> Result<(), Bye> {
        let services = &self.live.hub.services;
        let frame = ServerFrame::Welcome {
            session: self.principal.sub.to_string(),
            epoch: &services.epoch,
            seq: services.feed.last(),
            heartbeat_ms: u64::try_from(HEARTBEAT.as_millis()).unwrap_or(u64::MAX),
            max_topics: TOPICS_MAX,
        };
        let text = frame.text();
        self.send(text).await
    }

    async fn heard(&mut self, message: Option<Result<Message, axum::Error>>) -> Result<(), Bye> {
        let text = match message {
            Some(Ok(Message::Text(text))) => text,
            Some(Ok(Message::Pong(_))) => {
                self.unanswered = 0;
                return Ok(());
            }
            Some(Ok(Message::Ping(_))) => return Ok(()),
            Some(Ok(Message::Binary(_))) => return Err(Bye::Protocol),
            Some(Ok(Message::Close(_))) | None => return Err(Bye::Gone),
            Some(Err(_)) => return Err(Bye::Protocol),
        };
        self.unanswered = 0;
        match serde_json::from_str(&text) {
            Ok(ClientFrame::Hello { token: None }) => Ok(()),
            Ok(ClientFrame::Hello { token: Some(token) } | ClientFrame::Auth { token }) => {
                self.renew(&token).await
            }
            Ok(ClientFrame::Ping) => self.send(ServerFrame::Pong.text()).await,
            Ok(ClientFrame::Unsub { id }) => {
                self.subscriptions.remove(&id);
                self.watch_tree();
                self.answer(id, Ok(())).await
            }
            Ok(ClientFrame::Cmd { id }) => {
                let refusal = ApiError::new(Code::InvalidRequest);
                self.answer(id, Err(refusal.detail("no commands are served over this socket")))
                    .await
            }
            Ok(ClientFrame::Sub { id, topic, from, epoch }) => {
                self.subscribe(id, &topic, from, epoch).await
            }
            Err(_) => Err(Bye::Protocol),
        }
    }

    /// Takes a newer token of the same person.
    async fn renew(&mut self, token: &str) -> Result<(), Bye> {
        match known(&self.live.app, token).await {
            Ok(principal) if principal.sub == self.principal.sub => {
                self.is_warned = false;
                self.principal = principal;
                if matches!(scope(&principal), Scope::Owner(..)) {
                    self.subscriptions.retain(|_, s| s.topic != Topic::Tree);
                    self.watch_tree();
                }
                Ok(())
            }
            Ok(_) => Err(Bye::Expired),
            Err(refusal) => Err(Bye::to(&refusal)),
        }
    }

    async fn subscribe(
        &mut self,
        id: u64,
        name: &str,
        from: Option<i64>,
        epoch: Option<String>,
    ) -> Result<(), Bye> {
        let topic = match self.admitted(name).await {
            Ok(topic) => topic,
            Err(refusal) => return self.answer(id, Err(refusal)).await,
        };
        self.answer(id, Ok(())).await?;
        if topic == Topic::Tree {
            // Its state is all there is to it: every watch begins with the newest.
            self.subscriptions.insert(id, Subscription::new(topic, self.seen));
            self.tree = None;
            self.watch_tree();
            return Ok(());
        }
        let is_of_this_log = epoch.is_none_or(|epoch| epoch == self.live.hub.services.epoch);
        match from {
            // A page may have been read a moment ahead of this process's feed.
            Some(from) if is_of_this_log && from > self.seen && from <= self.head().await? => {
                self.subscriptions.insert(id, Subscription::new(topic, from));
                Ok(())
            }
            Some(from) if is_of_this_log && (0..=self.seen).contains(&from) => {
                self.subscriptions.insert(id, Subscription::new(topic, from));
                self.replay(id, name, from).await
            }
            Some(from) => {
                let reason = if is_of_this_log { "unknown" } else { "epoch" };
                let to = self.seen;
                self.send(ServerFrame::Gap { id, from, to, reason }.text()).await?;
                self.snapshot(id, name, topic).await
            }
            None => self.snapshot(id, name, topic).await,
        }
    }

    /// Says which topic it is, if it is one and this person may see it.
    async fn admitted(&mut self, name: &str) -> Result<Topic, ApiError> {
        if self.subscriptions.len() >= TOPICS_MAX {
            return Err(ApiError::new(Code::Overloaded).detail("too many topics"));
        }
        let unknown = || ApiError::new(Code::InvalidRequest).detail("there is no such topic");
        let topic = Topic::parse(name).ok_or_else(unknown)?;
        match (topic, scope(&self.principal)) {
            (Topic::Call(id), scope) => {
                let rates = &self.live.app.rates;
                rates.may_look(&self.principal)?;
                let found = self.live.hub.services.queries.detail(scope, id).await?;
                if found.is_none() {
                    rates.missed(&self.principal)?;
                    return Err(ApiError::new(Code::InterviewNotFound));
                }
            }
            (Topic::Tree, Scope::Owner(..)) => return Err(ApiError::new(Code::Forbidden)),
            (Topic::Tree | Topic::Calls, _) => {}
        }
        Ok(topic)
    }

    /// Returns the last number of the log itself.
    async fn head(&mut self) -> Result<i64, Bye> {
        let head = self.live.hub.services.facts.head().await;
        head.map(|(seq, _)| seq).map_err(|_| Bye::Restart)
    }

    /// Sends what followed `from`, page by page, up to where the broadcast stands.
    async fn replay(&mut self, id: u64, name: &str, from: i64) -> Result<(), Bye> {
        let mut reached = from;
        while reached < self.seen {
            let Ok(page) = self.live.hub.history(reached).await else { return Err(Bye::Restart) };
            if page.after > reached {
                let gap = ServerFrame::Gap { id, from: reached, to: page.after, reason: "expired" };
                self.send(gap.text()).await?;
                let topic = self.subscriptions.get(&id).map(|s| s.topic);
                return match topic {
                    Some(topic) => self.snapshot(id, name, topic).await,
                    None => Ok(()),
                };
            }
            if page.to == reached {
                return Ok(());
            }
            reached = page.to;
            for item in self.visible(&page.items).await? {
                let Some(subscription) = self.subscriptions.get_mut(&id) else { return Ok(()) };
                subscription.offer(item.key, &item.rendered);
                if subscription.is_full() {
                    self.flush().await?;
                }
            }
            if let Some(subscription) = self.subscriptions.get_mut(&id) {
                subscription.pass(reached);
            }
            self.flush().await?;
        }
        Ok(())
    }

    async fn snapshot(&mut self, id: u64, name: &str, topic: Topic) -> Result<(), Bye> {
        match self.read(topic).await {
            Ok((data, seq)) => {
                self.subscriptions.insert(id, Subscription::new(topic, seq));
                self.send(ServerFrame::Snap { id, topic: name, seq, data }.text()).await
            }
            Err(failure) => self.answer(id, Err(failure.into())).await,
        }
    }

    async fn read(&mut self, topic: Topic) -> Result<(Value, i64), StoreError> {
        let services = &self.live.hub.services;
        let scope = scope(&self.principal);
        match topic {
            Topic::Calls => {
                let page = PageRequest { page: 1, limit: BOARD_ROWS };
                let page = services.queries.page(scope, InterviewFilter::default(), page).await?;
                let calls: Vec<Value> = page.rows.into_iter().map(interview_json).collect();
                Ok((json!({ "calls": calls, "total": page.total }), page.seq))
            }
            Topic::Call(id) => {
                let detail = services.queries.detail(scope, id).await?;
                let seq = detail.as_ref().map_or(self.seen, |detail| detail.seq);
                let call = detail.map(|detail| interview_json(detail.summary));
                Ok((json!({ "call": call }), seq))
            }
            // Its samples come by themselves.
            Topic::Tree => Ok((Value::Null, self.seen)),
        }
    }

    async fn received(&mut self, batch: Result<Items, RecvError>) -> Result<(), Bye> {
        match batch {
            Ok(items) => {
                let Some(first) = items.first().map(|item| item.rendered.seq) else {
                    return Ok(());
                };
                if first > self.seen + 1 {
                    for subscription in self.subscriptions.values_mut() {
                        subscription.behind(first - 1);
                    }
                    self.catch_up(first - 1).await?;
                }
                self.take(&items).await
            }
            // What was missed is read when the next batch shows the jump in the numbers.
            Err(RecvError::Lagged(_)) => Ok(()),
            Err(RecvError::Closed) => Err(Bye::Restart),
        }
    }

    /// Reads what the broadcast did not bring, up to the number `to`.
    async fn catch_up(&mut self, to: i64) -> Result<(), Bye> {
        while self.seen < to {
            let Ok(page) = self.live.hub.history(self.seen).await else {
                return Err(Bye::Restart);
            };
            if page.to == self.seen {
                return Ok(());
            }
            self.take(&page.items).await?;
            self.seen = self.seen.max(page.to);
            self.flush().await?;
        }
        Ok(())
    }

    async fn take(&mut self, items: &[Item]) -> Result<(), Bye> {
        for item in self.visible(items).await? {
            for subscription in self.subscriptions.values_mut() {
                subscription.offer(item.key, &item.rendered);
            }
        }
        let last = items.last().map_or(self.seen, |item| item.rendered.seq);
        self.seen = self.seen.max(last);
        for subscription in self.subscriptions.values_mut() {
            subscription.pass(self.seen);
        }
        Ok(())
    }

    /// Returns what of `items` is waited for and may be seen by this person: of their tenant, and for
    /// recruiters of their own calls.
    async fn visible<'a>(&mut self, items: &'a [Item]) -> Result<Vec<&'a Item>, Bye> {
        let is_wanted = |item: &&Item| {
            item.tenant == self.principal.tenant
                && self.subscriptions.values().any(|s| s.wants(item.key, item.rendered.seq))
        };
        let mut wanted: Vec<&Item> = items.iter().filter(is_wanted).collect();
        if let Scope::Owner(tenant, user) = scope(&self.principal) {
            let theirs = self.live.hub.owners.are_of(tenant, user, &wanted).await;
            // Who cannot be told what is theirs comes back and resumes, rather than missing it.
            let mut theirs = theirs.map_err(|_| Bye::Restart)?.into_iter();
            wanted.retain(|_| theirs.next() == Some(true));
        }
        Ok(wanted)
    }

    async fn flush(&mut self) -> Result<(), Bye> {
        let mut frames = Vec::new();
        for (id, subscription) in &mut self.subscriptions {
            frames.extend(subscription.flush(*id));
        }
        for frame in frames {
            self.send(frame).await?;
        }
        let skipped =
            self.subscriptions.iter().filter_map(|(id, s)| Some((*id, s.skipped_after()?)));
        let skipped: Vec<(u64, i64)> = skipped.collect();
        for (id, from) in skipped {
            self.show_anew(id, from).await?;
        }
        Ok(())
    }

    /// Sends the board as it is now in the place of the facts that a slow reader was not sent.
    async fn show_anew(&mut self, id: u64, from: i64) -> Result<(), Bye> {
        let (data, seq) = self.read(Topic::Calls).await.map_err(|_| Bye::Restart)?;
        self.subscriptions.insert(id, Subscription::new(Topic::Calls, seq));
        self.send(ServerFrame::Gap { id, from, to: seq, reason: "slow" }.text()).await?;
        self.send(ServerFrame::Snap { id, topic: "calls", seq, data }.text()).await
    }

    async fn beat(&mut self) -> Result<(), Bye> {
        self.unanswered += 1;
        if self.unanswered > 2 {
            return Err(Bye::Slow);
        }
        let left = self.principal.expires_at - self.live.app.clock.now();
        if left <= chrono::Duration::zero() {
            return Err(Bye::Expired);
        }
        let standing = self.live.app.register.admit(&self.principal, Patience::Beat).await;
        standing.map_err(|refusal| Bye::to(&refusal))?;
        if left <= EXPIRY_WARNING && !self.is_warned {
            self.is_warned = true;
            self.send(ServerFrame::Expiring { in_ms: left.num_milliseconds() }.text()).await?;
        }
        self.transmit(Message::Ping(axum::body::Bytes::new())).await?;
        self.send(ServerFrame::Beat { seq: self.seen }.text()).await
    }

    /// Begins to watch the tree, or ends it, as the subscriptions ask for.
    fn watch_tree(&mut self) {
        if !self.subscriptions.values().any(|s| s.topic == Topic::Tree) {
            self.tree = None;
        } else if self.tree.is_none() {
            self.tree_said = Value::Null;
            self.tree = Some(self.live.hub.tree.subscribe());
        }
    }

    /// Sends the tree to those who watch it, when it is not as it was said last.
    async fn show_tree(&mut self, sample: Sample) -> Result<(), Bye> {
        self.watch_tree();
        let Some(stats) = sample else { return Ok(()) };
        let data = tree_json(&stats, &self.principal);
        if data == self.tree_said {
            return Ok(());
        }
        let watchers = self.subscriptions.iter().filter(|(_, s)| s.topic == Topic::Tree);
        let ids: Vec<u64> = watchers.map(|(id, _)| *id).collect();
        for id in ids {
            let seq = self.seen;
            let frame = ServerFrame::Snap { id, topic: "tree", seq, data: data.clone() };
            self.send(frame.text()).await?;
        }
        self.tree_said = data;
        Ok(())
    }

    async fn answer(&mut self, id: u64, result: Result<(), ApiError>) -> Result<(), Bye> {
        let nowhere = Occurrence { request_id: None, path: None };
        let problem = result.err().map(|error| error.document(nowhere));
        self.send(ServerFrame::Res { id, ok: problem.is_none(), problem }.text()).await
    }

    async fn send(&mut self, text: String) -> Result<(), Bye> {
        self.transmit(Message::Text(text.into())).await
    }

    async fn transmit(&mut self, message: Message) -> Result<(), Bye> {
        match timeout(SEND_TIMEOUT, self.socket.send(message)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(Bye::Gone),
            Err(_) => Err(Bye::Slow),
        }
    }
}

/// Waits for the next look at the tree; for ever, while it is not watched.
async fn sampled(tree: &mut Option<watch::Receiver<Sample>>) -> Sample {
    if let Some(samples) = tree
        && samples.changed().await.is_ok()
    {
        return samples.borrow_and_update().clone();
    }
    std::future::pending().await
}
