//! What calls are placed with, on a real database: what is sealed opens where it was sealed for alone.

#![allow(clippy::unwrap_used, reason = "a test's helpers may panic as it does")]

mod common;

use std::sync::Arc;

use common::{OTHER, World, with_world};
use domain::calling::{Credentials, ProviderChoice, ProviderSource};
use domain::ports::{
    CallConfigs, CallingSettings, ConfigAccess, ConfigChange, ConfigRefusal, CredentialsChange,
    Expected, NewPrompt, PromptEditor, Prompts, StoreError, SystemConfig, SystemConfigs,
};
use domain::prompt::{ActivePrompt, Fit, Platform, PromptName, PromptText};
use domain::{Provider, TenantId};
use persistence::{CallingStore, KEY_BYTES, Keyring};
use serde_json::json;
use sqlx::Executor as _;
use uuid::Uuid;

const OURS: TenantId = TenantId::DEFAULT;
const ASHA: Uuid = Uuid::from_u128(0xa5);
const BINA: Uuid = Uuid::from_u128(0xb1);
const CANARY: &str = "canary-7f3a91";
const ONE: [u8; KEY_BYTES] = [1; KEY_BYTES];
const TWO: [u8; KEY_BYTES] = [2; KEY_BYTES];

fn store(world: &World, keys: Keyring) -> CallingStore {
    CallingStore::new(world.database.clone(), Arc::new(keys))
}

fn change(user: Uuid, credentials: CredentialsChange) -> ConfigChange {
    let allowed = vec![Provider::Elevenlabs, Provider::Vapi];
    ConfigChange { user, allowed, default: None, credentials, is_active: None }
}

fn canary() -> CredentialsChange {
    CredentialsChange::Set(Credentials::parse(&json!({"elevenlabs": {"key": CANARY}})).unwrap())
}

/// Saves a configuration, whatever was there.
async fn save(world: &World, store: &CallingStore, tenant: TenantId, change: ConfigChange) {
    let at = world.now().await;
    store.put_config(tenant, change, Expected::Any, at).await.unwrap().unwrap();
}

async fn opened(store: &CallingStore, tenant: TenantId, user: Uuid) -> Option<Credentials> {
    match store.opened_config(tenant, user).await.unwrap().unwrap().0 {
        ConfigAccess::Active { credentials, .. } => credentials,
        ConfigAccess::None | ConfigAccess::Inactive(_) => None,
    }
}

#[tokio::test]
async fn credentials_are_sealed_in_the_table_and_bound_to_their_row_and_tenant() {
    with_world(async |world| {
        let store = store(world, Keyring::new(Some(&ONE), &[]));
        for (tenant, user) in [(OURS, ASHA), (OURS, BINA), (OTHER, ASHA)] {
            save(world, &store, tenant, change(user, canary())).await;
            let credentials = opened(&store, tenant, user).await.unwrap();
            assert!(credentials.expose().contains(CANARY));
        }
        let in_clear = "select count(*) from hr_call_configs c
            where position('canary'::bytea in c.credentials) > 0 or c::text like '%canary%'";
        assert_eq!(world.count(in_clear).await, 0);
        assert_eq!(world.count("select count(distinct credentials) from hr_call_configs").await, 3);

        for steal in [
            "update hr_call_configs c set credentials = o.credentials from hr_call_configs o
             where c.user_id = '00000000-0000-0000-0000-0000000000a5' and c.tenant_id = o.tenant_id
                 and o.user_id = '00000000-0000-0000-0000-0000000000b1'",
            "update hr_call_configs c set credentials = o.credentials from hr_call_configs o
             where c.user_id = o.user_id and c.tenant_id <> o.tenant_id
                 and c.tenant_id = '00000000-0000-0000-0000-000000000001'",
            "update hr_call_configs set credentials = set_byte(credentials, 30,
                 get_byte(credentials, 30) # 1)
             where user_id = '00000000-0000-0000-0000-0000000000a5'
                 and tenant_id = '00000000-0000-0000-0000-000000000001'",
        ] {
            save(world, &store, OURS, change(ASHA, canary())).await;
            let done = world.journal().await.execute(steal).await.unwrap();
            assert_eq!(done.rows_affected(), 1, "{steal}");
            let answer = store.opened_config(OURS, ASHA).await;
            assert!(matches!(answer, Err(StoreError::Broken(_))), "{steal}: {answer:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn change_without_a_word_of_credentials_keeps_them_and_needs_no_key() {
    with_world(async |world| {
        let sealing = store(world, Keyring::new(Some(&ONE), &[]));
        save(world, &sealing, OURS, change(ASHA, canary())).await;
        let keyless = store(world, Keyring::default());
        save(world, &keyless, OURS, change(ASHA, CredentialsChange::Keep)).await;
        assert!(opened(&sealing, OURS, ASHA).await.is_some());
        let at = world.now().await;
        let default = Provider::Vapi;
        let set = keyless.set_default(OURS, ASHA, default, Expected::Any, at).await.unwrap();
        assert!(set.unwrap().has_credentials);

        let refused = keyless.put_config(OURS, change(ASHA, canary()), Expected::Any, at).await;
        assert_eq!(refused.unwrap(), Err(ConfigRefusal::SealingOff));
        let refused = keyless.opened_config(OURS, ASHA).await.unwrap();
        assert_eq!(refused, Err(ConfigRefusal::SealingOff));
        let rotated = store(world, Keyring::new(Some(&TWO), &[&ONE]));
        assert!(opened(&rotated, OURS, ASHA).await.is_some());

        save(world, &keyless, OURS, change(ASHA, CredentialsChange::Clear)).await;
        assert!(opened(&keyless, OURS, ASHA).await.is_none());
    })
    .await;
}

#[tokio::test]
async fn first_provider_is_data_from_then_on_and_of_the_default_tenant() {
    with_world(async |world| {
        let store = store(world, Keyring::default());
        let at = world.now().await;
        let named = |choice: ProviderChoice| match choice {
            ProviderChoice::Chosen { provider, source, .. } => (provider, source),
            ProviderChoice::Nobody { .. } => panic!("all are on"),
        };
        for provider in [Provider::Elevenlabs, Provider::NvidiaTwilio] {
            store.begin_with(provider, at).await.unwrap();
            let choice = named(store.provider(OURS, None, None).await.unwrap());
            assert_eq!(choice, (Provider::Elevenlabs, ProviderSource::SystemConfig));
        }
        let nothing = SystemConfig::CallProvider(None);
        store.put_system_config(OURS, nothing, at).await.unwrap();
        store.begin_with(Provider::NvidiaTwilio, at).await.unwrap();
        for tenant in [OURS, OTHER] {
            let choice = named(store.provider(tenant, Some(ASHA), None).await.unwrap());
            assert_eq!(choice, (Provider::Vapi, ProviderSource::Fallback));
        }
        save(world, &store, OURS, change(ASHA, CredentialsChange::Keep)).await;
        let choice = named(store.provider(OURS, Some(ASHA), None).await.unwrap());
        assert_eq!(choice, (Provider::Elevenlabs, ProviderSource::HrDefault));
        let choice = named(store.provider(OTHER, Some(ASHA), None).await.unwrap());
        assert_eq!(
            choice,
            (Provider::Vapi, ProviderSource::Fallback),
            "another tenant's counts not"
        );
    })
    .await;
}

#[tokio::test]
async fn two_who_write_at_once_leave_one_configuration_and_one_interview_prompt() {
    with_world(async |world| {
        let store = store(world, Keyring::default());
        let at = world.now().await;
        let put =
            || store.put_config(OURS, change(ASHA, CredentialsChange::Keep), Expected::Any, at);
        let (one, two) = tokio::join!(put(), put());
        let versions = [one, two].map(|saved| saved.unwrap().unwrap().into_config().version);
        assert_eq!(versions.iter().sum::<i64>(), 3, "{versions:?}");

        let text = || PromptText::parse("Ask {{candidateName}}.").unwrap();
        let put = || store.put_interview_prompt(OURS, ASHA, None, text(), Expected::Any, at);
        let (one, two) = tokio::join!(put(), put());
        assert_eq!(one.unwrap().unwrap().id, two.unwrap().unwrap().id);
        let active = "select count(*) from ai_call_prompts where is_active";
        assert_eq!(world.count(active).await, 1);
    })
    .await;
}

#[tokio::test]
async fn best_prompt_of_the_tenant_counts() {
    with_world(async |world| {
        let store = store(world, Keyring::default());
        let at = world.now().await;
        let vapi = Platform::Call(Provider::Vapi);
        let write = async |tenant, belongs_to, platform: Option<Platform>, is_active| {
            let name = PromptName::parse("A prompt").unwrap();
            let text = PromptText::parse("Ask.").unwrap();
            let new = NewPrompt { name, text, platform, belongs_to, is_active };
            store.create_prompt(tenant, new, at).await.unwrap().unwrap().id
        };
        let chosen =
            async |owner, platform| match store.active_prompt(OURS, owner, platform).await.unwrap()
            {
                ActivePrompt::Stored { prompt, fit } => Some((prompt.id, fit)),
                ActivePrompt::BuiltIn { .. } => None,
            };
        write(OTHER, None, None, true).await;
        write(OURS, Some(BINA), Some(vapi), true).await;
        write(OURS, Some(ASHA), Some(vapi), false).await;
        assert_eq!(chosen(Some(ASHA), Some(vapi)).await, None);
        let global = write(OURS, None, None, true).await;
        assert_eq!(chosen(Some(ASHA), Some(vapi)).await, Some((global, Fit::GlobalForAny)));
        let own = write(OURS, Some(ASHA), None, true).await;
        write(OURS, None, Some(vapi), true).await;
        assert_eq!(chosen(Some(ASHA), Some(vapi)).await, Some((own, Fit::OwnForAny)));
        let best = write(OURS, Some(ASHA), Some(vapi), true).await;
        assert_eq!(chosen(Some(ASHA), Some(vapi)).await, Some((best, Fit::OwnForPlatform)));
        assert_eq!(chosen(None, Some(vapi)).await.unwrap().1, Fit::GlobalForPlatform);

        let editor = PromptEditor::Owner(OTHER, ASHA);
        let deleted = store.delete_prompt(editor, best, Expected::Any).await.unwrap();
        assert_eq!(deleted, Err(domain::ports::PromptRefusal::NotFound), "another tenant's");
    })
    .await;
}
