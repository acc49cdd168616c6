//! Whose calls are, asked once for everybody who may see only their own.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use domain::ports::{InterviewQueries, StoreError};
use domain::{EntityId, TenantId};
use uuid::Uuid;

use super::hub::Item;

/// Calls whose owner is remembered; beyond it all of them are asked for again.
const OWNERS_MAX: usize = 50_000;

/// Knows to whom calls belong, deleted ones too.
pub(super) struct Owners {
    queries: Arc<dyn InterviewQueries>,
    known: Mutex<HashMap<EntityId, Known>>,
}

#[derive(Clone, Copy)]
struct Known {
    owner: Option<Uuid>,
    /// The number of the last fact that this can know of.
    as_of: i64,
}

impl Known {
    /// Whether what is known can be said of that fact. Only a fact that names an owner changes it.
    fn covers(self, item: &Item) -> bool {
        !item.says_owner || self.as_of >= item.rendered.seq
    }
}

impl Owners {
    pub fn new(queries: Arc<dyn InterviewQueries>) -> Self {
        Self { queries, known: Mutex::default() }
    }

    /// Says of each of the tenant's `items` whether it belongs to `user`; what is not known is asked
    /// for together.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot say.
    pub async fn are_of(
        &self,
        tenant: TenantId,
        user: Uuid,
        items: &[&Item],
    ) -> Result<Vec<bool>, StoreError> {
        let mut owners = self.remembered(items);
        let mut asked: Vec<EntityId> =
            items.iter().map(|item| item.key.id).filter(|id| !owners.contains_key(id)).collect();
        asked.sort_unstable();
        asked.dedup();
        if !asked.is_empty() {
            let found = self.queries.owners(tenant, asked).await?;
            self.remember(&found.owners, found.seq);
            owners.extend(found.owners);
        }
        let is_theirs = |item: &&Item| owners.get(&item.key.id).copied().flatten() == Some(user);
        Ok(items.iter().map(is_theirs).collect())
    }

    /// Returns the owners that are known well enough for all of `items`.
    fn remembered(&self, items: &[&Item]) -> HashMap<EntityId, Option<Uuid>> {
        let known = self.lock();
        let mut owners = HashMap::new();
        for item in items {
            if let Some(one) = known.get(&item.key.id) {
                owners.insert(item.key.id, one.owner);
            }
        }
        for item in items {
            if known.get(&item.key.id).is_some_and(|one| !one.covers(item)) {
                owners.remove(&item.key.id);
            }
        }
        owners
    }

    fn remember(&self, owners: &[(EntityId, Option<Uuid>)], as_of: i64) {
        let mut known = self.lock();
        if known.len() + owners.len() > OWNERS_MAX {
            known.clear();
        }
        for (id, owner) in owners {
            let one = known.entry(*id).or_insert(Known { owner: *owner, as_of });
            if one.as_of < as_of {
                *one = Known { owner: *owner, as_of };
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<EntityId, Known>> {
        // Nothing is left half-written under the lock.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::live::doubles::{Table, fact};
    use crate::live::hub::item;

    const USER: Uuid = Uuid::from_u128(0xa);

    fn told(seq: i64, n: u128, data: &str) -> Item {
        item(&fact(seq, n, data))
    }

    async fn ask(owners: &Owners, items: &[Item]) -> Vec<bool> {
        let items: Vec<&Item> = items.iter().collect();
        owners.are_of(TenantId::DEFAULT, USER, &items).await.unwrap()
    }

    #[tokio::test]
    async fn page_of_facts_is_one_question_and_what_is_known_none() {
        let table = Arc::new(Table::default());
        let owners = Owners::new(Arc::clone(&table) as _);
        table.put(1, Some(USER), 3);
        table.put(2, None, 3);
        let page = [told(1, 1, "{}"), told(2, 2, "{}"), told(3, 1, "{}")];

        assert_eq!(ask(&owners, &page).await, [true, false, true]);
        assert_eq!(ask(&owners, &page).await, [true, false, true]);
        assert_eq!(table.questions(), 1);
    }

    #[tokio::test]
    async fn fact_that_names_an_owner_is_asked_about_once_for_all_sockets() {
        let table = Arc::new(Table::default());
        let owners = Owners::new(Arc::clone(&table) as _);
        table.put(1, None, 1);
        assert_eq!(ask(&owners, &[told(1, 1, "{}")]).await, [false]);

        table.put(1, Some(USER), 2);
        let naming = [told(2, 1, r#"{"news":{"belongs_to":"a"}}"#)];
        for _socket in 0..3 {
            assert_eq!(ask(&owners, &naming).await, [true]);
        }
        assert_eq!(table.questions(), 2);
    }
}
