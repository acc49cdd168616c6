//! The store beside the journal: what activations, timers and the tree ask of the database.
//!
//! Whatever takes work pushes it ahead by [`HOLD_SECONDS`] in the statement that takes it, so that a
//! crash between taking and doing costs that time and nothing else.

mod checkpoints;
mod dialing;
mod facts;
mod inbox;
mod intents;
mod quarantine;
mod resolver;
mod text;
mod timers;

use domain::ports::{BoxFuture, StoreError};

use crate::database::Database;
use crate::error::PersistenceError;
use crate::lease::Lease;

/// How long taken work is invisible to other takers, in seconds; `DESIGN.md`, Supervision.
const HOLD_SECONDS: f64 = 30.0;

type Answer<'a, T> = BoxFuture<'a, Result<T, StoreError>>;
type Stored<T> = Result<T, PersistenceError>;

/// Implements every port of the store on PostgreSQL.
#[derive(Clone, Debug)]
pub struct PgStore {
    database: Database,
}

impl PgStore {
    /// Makes a store on the database's pool of the journal role.
    pub fn new(database: Database) -> Self {
        Self { database }
    }

    async fn connection(&self) -> Stored<Lease> {
        Ok(self.database.store().await?)
    }
}
