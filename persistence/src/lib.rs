//! PostgreSQL, and nothing but PostgreSQL: the journal, the store, the queries, the embedded server.

mod boot;
mod calling;
mod clock;
mod database;
pub mod embedded;
mod error;
pub mod examine;
mod journal;
mod lease;
mod migrate;
mod node_backend;
mod patience;
#[cfg(feature = "planted-defects")]
pub mod planted;
mod queries;
mod repositories;
mod retention;
mod seal;
mod store;

pub use boot::check_login;
pub use calling::CallingStore;
pub use clock::{DatabaseClock, Pace};
pub use database::{Database, Limits};
pub use error::PersistenceError;
pub use journal::{GroupJournal, JournalSettings};
pub use migrate::{Migrations, Pending};
pub use node_backend::NodeDatabase;
pub use queries::Queries;
pub use repositories::{InterviewRepository, ScreeningRepository};
pub use retention::{Retired, TableSize};
pub use seal::{KEY_BYTES, Keyring};
pub use store::PgStore;
