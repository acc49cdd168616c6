//! The tree: who is alive, who is woken, who is restarted, and what goes out.

mod branch;
mod dialing;
mod duty;
mod erased;
mod feed;
mod hub;
mod interviews;
mod life;
mod loader;
mod node_import;
mod past_quarantine;
mod placing;
#[cfg(feature = "planted-defects")]
mod planted;
mod restarts;
mod routing;
mod tree;

pub use actors::QUEUE_MAX;
pub use branch::Branch;
pub use dialing::DialGate;
pub use feed::{Batch, Feed, History};
pub use interviews::{Interviews, Reported, SyncError, SyncReport};
pub use node_import::{ImportError, ImportSummary, NodeImport, Refusal, TableReport};
pub use placing::Placing;
pub use routing::{Incoming, Routed, Stored, Unavailable};
pub use tree::{KindStats, Phase, Ports, Tree, TreeSettings, TreeStats};
