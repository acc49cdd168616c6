//! Rendering: each committed fact becomes text once, whoever reads it.

use std::sync::Arc;

use domain::ports::{Facts, InterviewQueries, StoreError, StoredFact};
use domain::{EntityKey, TenantId};
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use supervisor::{Feed, History, Tree};
use tokio::sync::broadcast;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::frames::Rendered;
use super::owners::Owners;
use super::sampler::{Sample, TreeSampler};

/// Batches a socket may lag behind before it resumes from history.
const BROADCAST_MAX: usize = 256;
/// Facts of the table read at once for a socket that resumes.
const HISTORY_PAGE: u32 = 1_000;

/// What sockets stand on.
#[derive(Clone)]
pub struct LiveServices {
    /// The committed facts as they come.
    pub feed: Arc<Feed>,
    /// The facts of the past.
    pub facts: Arc<dyn Facts>,
    /// Snapshots, and who may see what.
    pub queries: Arc<dyn InterviewQueries>,
    /// Changes only when the log itself is reset.
    pub epoch: String,
}

/// One fact with whom it is for, and its text.
#[derive(Debug)]
pub(super) struct Item {
    pub key: EntityKey,
    pub tenant: TenantId,
    pub says_owner: bool,
    pub rendered: Arc<Rendered>,
}

pub(super) type Items = Arc<[Item]>;

/// A stretch of the log, rendered.
pub(super) struct Page {
    pub items: Vec<Item>,
    /// The number it begins after; beyond the one asked for where older facts are not held.
    pub after: i64,
    /// The number it reaches, whoever can read what lies there.
    pub to: i64,
}

/// Renders what the feed passes on, and passes it to every socket.
#[derive(Clone)]
pub struct LiveHub {
    pub(super) services: LiveServices,
    pub(super) owners: Arc<Owners>,
    pub(super) tree: Arc<TreeSampler>,
    live: broadcast::Sender<Items>,
}

impl LiveHub {
    /// Starts rendering, and looking at the tree for those who watch it; ends with `shutdown`.
    pub fn start(services: LiveServices, tree: Arc<Tree>, shutdown: CancellationToken) -> Self {
        let hub = Self::rendering(services, shutdown.clone());
        tokio::spawn(sample(Arc::clone(&hub.tree), tree, shutdown));
        hub
    }

    /// Starts rendering alone.
    pub(super) fn rendering(services: LiveServices, shutdown: CancellationToken) -> Self {
        let (live, _) = broadcast::channel(BROADCAST_MAX);
        let owners = Arc::new(Owners::new(Arc::clone(&services.queries)));
        let hub = Self { services, owners, tree: TreeSampler::new(), live };
        tokio::spawn(render(hub.clone(), shutdown));
        hub
    }

    pub(super) fn subscribe(&self) -> broadcast::Receiver<Items> {
        self.live.subscribe()
    }

    /// Returns a page of what follows `seq`: from memory where it is held, else from the table.
    pub(super) async fn history(&self, seq: i64) -> Result<Page, StoreError> {
        match self.services.feed.after(seq, HISTORY_PAGE as usize) {
            History::Held { facts, to } => {
                Ok(Page { items: facts.iter().map(|fact| item(fact)).collect(), after: seq, to })
            }
            History::Older(_) => {
                let page = self.services.facts.after(seq, HISTORY_PAGE).await?;
                let items = page.facts.iter().map(item).collect();
                Ok(Page { items, after: page.after, to: page.to })
            }
        }
    }
}

async fn sample(sampler: Arc<TreeSampler>, tree: Arc<Tree>, shutdown: CancellationToken) {
    sampler.run(|| look_at(Arc::clone(&tree)), shutdown).await;
}

async fn look_at(tree: Arc<Tree>) -> Sample {
    match tree.stats().await {
        Ok(stats) => Some(Arc::new(stats)),
        Err(failure) => {
            warn!(error = &failure as &dyn std::error::Error, "the tree cannot be looked at");
            None
        }
    }
}

async fn render(hub: LiveHub, shutdown: CancellationToken) {
    let mut feed = hub.services.feed.subscribe();
    loop {
        let batch = tokio::select! {
            () = shutdown.cancelled() => return,
            batch = feed.recv() => batch,
        };
        match batch {
            // Without sockets nothing is rendered at all.
            Ok(_) if hub.live.receiver_count() == 0 => {}
            Ok(batch) => {
                let items: Vec<Item> = batch.iter().map(|fact| item(fact)).collect();
                // The last socket may have gone meanwhile.
                let _ = hub.live.send(items.into());
            }
            // The sockets see the jump in the numbers and read the history.
            Err(broadcast::error::RecvError::Lagged(_)) => {}
            Err(broadcast::error::RecvError::Closed) => return,
        }
    }
}

/// Renders one fact: its fields in camel case, and whose they are.
pub(super) fn item(fact: &StoredFact) -> Item {
    let mut data = match serde_json::from_str(&fact.data) {
        Ok(Value::Object(fields)) => fields,
        _ => Map::new(),
    };
    // The owner stands somewhere inside: in what is new, or in the order.
    let says_owner = fact.data.contains("\"belongs_to\"");
    // The tag says what the frame's `type` says already.
    data.remove("type");
    let mut shown = Map::new();
    shown.insert("id".to_owned(), fact.key.id.to_string().into());
    shown.insert("kind".to_owned(), fact.key.kind.as_str().into());
    shown.insert("version".to_owned(), fact.version.into());
    shown.extend(data.into_iter().map(|(name, value)| (camel_case(&name), camelize(value))));
    let text = Value::Object(shown).to_string();
    let rendered = Rendered {
        seq: fact.seq,
        ts: fact.at.to_rfc3339_opts(chrono::SecondsFormat::Millis, true),
        name: format!("{}.{}", fact.key.kind, fact.name),
        data: RawValue::from_string(text).unwrap_or_else(|_| Box::<RawValue>::default()),
    };
    Item { key: fact.key, tenant: fact.tenant, says_owner, rendered: Arc::new(rendered) }
}

fn camelize(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            fields.into_iter().map(|(name, value)| (camel_case(&name), camelize(value))).collect()
        }
        Value::Array(items) => items.into_iter().map(camelize).collect(),
        other => other,
    }
}

fn camel_case(name: &str) -> String {
    let mut camel = String::with_capacity(name.len());
    let mut is_start = false;
    for letter in name.chars() {
        match letter {
            '_' => is_start = true,
            letter if is_start => {
                camel.extend(letter.to_uppercase());
                is_start = false;
            }
            letter => camel.push(letter),
        }
    }
    camel
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_the_store_become_names_of_the_wire() {
        assert_eq!(camel_case("failure_reason"), "failureReason");
        assert_eq!(
            camelize(serde_json::json!({"a_b": [{"c_d": "e_f"}]})),
            serde_json::json!({"aB": [{"cD": "e_f"}]})
        );
    }
}
