//! The import from the Node backend, put together without an actor or a listener.

use std::sync::Arc;

use anyhow::Context as _;
use domain::TenantId;
use domain::ports::{FactSink, StoredFact};
use persistence::{
    CallingStore, GroupJournal, InterviewRepository, JournalSettings, NodeDatabase, PgStore,
    Queries,
};
use providers::MrHireReader;
use secrecy::ExposeSecret as _;
use supervisor::{ImportSummary, NodeImport};

use super::Storage;
use super::adapters::{instance_name, keyring};
use crate::config::{Config, ImportArgs};

/// Takes over what the Node backend's database holds. No actor runs meanwhile, and nothing leaves: what is
/// due waits for a server. One that runs on the same `DATABASE_URL` may go on.
///
/// # Errors
/// When a database cannot be reached or does not answer.
pub async fn import_node_backend(
    config: Config,
    args: ImportArgs,
) -> anyhow::Result<ImportSummary> {
    let source = NodeDatabase::connect(args.from.expose_secret()).await;
    let source = source.context("RINGMASTER_IMPORT_FROM (--from)")?;
    let storage = Storage::connect(&config).await?;
    let tenant = args.tenant.unwrap_or(TenantId::DEFAULT);
    let imported = import_into(&storage, &config, Arc::new(source), tenant).await;
    let closed = storage.close().await;
    let summary = imported.context("the import")?;
    closed.map(|()| summary)
}

/// Nobody hears what an import commits: a server that runs reads it from the log.
struct Unheard;

impl FactSink for Unheard {
    fn publish(&self, _: Vec<StoredFact>) {}
}

async fn import_into(
    storage: &Storage,
    config: &Config,
    source: Arc<NodeDatabase>,
    tenant: TenantId,
) -> anyhow::Result<ImportSummary> {
    storage.prepare(config).await.context(storage.named())?;
    let clock = storage.clock(config).await?;
    let (journal, journal_task) = GroupJournal::start(
        storage.database.clone(),
        instance_name(),
        JournalSettings { permits: config.dial_permits, ..JournalSettings::default() },
        Arc::new(Unheard),
    );
    let import = NodeImport {
        source,
        journal: Arc::new(journal),
        store: Arc::new(PgStore::new(storage.database.clone())),
        target: Arc::new(Queries::new(storage.database.clone())),
        configs: Arc::new(CallingStore::new(storage.database.clone(), keyring(config))),
        repository: Arc::new(InterviewRepository),
        evidence: Arc::new(MrHireReader),
        clock,
        tenant,
    };
    let summary = import.run().await;
    journal_task.abort();
    Ok(summary?)
}
