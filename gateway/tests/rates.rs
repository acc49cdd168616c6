//! How often is too often, over HTTP. The clock stands still, so that every share is used up exactly once.

#![allow(clippy::unwrap_used, reason = "a test's helpers may panic as it does")]

mod common;

use chrono::Duration;
use gateway::auth::{Grant, Page, Pages, Role, mint};
use gateway::rates::{Rate, RateSettings};
use reqwest::{RequestBuilder, Response};
use secrecy::SecretString;
use serde_json::Value;
use uuid::Uuid;

use common::{JWT_SECRET, Running, SERVICE_TOKEN, Setup, WEBHOOK_SECRET, now, token};

const UNLIMITED: RateSettings = RateSettings {
    token: Rate::Unlimited,
    tenant: Rate::Unlimited,
    source: Rate::Unlimited,
    failures: Rate::Unlimited,
};

async fn limited(rates: RateSettings) -> Running {
    Running::with(Setup { rates, ..Setup::default() }).await
}

fn token_of(sub: u128, role: Role, pages: Pages) -> String {
    let grant =
        Grant { sub: Uuid::from_u128(sub), role, tenant: None, pages, ttl: Duration::hours(1) };
    mint(&SecretString::from(JWT_SECRET), grant, now()).unwrap()
}

fn me(server: &Running, sub: u128) -> RequestBuilder {
    server.get("/api/v1/me").bearer_auth(token_of(sub, Role::Hr, Pages::default()))
}

fn webhook(server: &Running, secret: &str) -> RequestBuilder {
    server.post("/api/webhook").header("x-webhook-secret", secret).body("{}")
}

fn header(answer: &Response, name: &str) -> String {
    answer.headers().get(name).map_or("", |value| value.to_str().unwrap()).to_owned()
}

async fn status(request: RequestBuilder) -> u16 {
    request.send().await.unwrap().status().as_u16()
}

/// Asserts that an answer is a refusal for its rate, with everything that belongs to one.
async fn is_limited(request: RequestBuilder, policy: &str) {
    let answer = request.send().await.unwrap();
    assert_eq!(answer.status(), 429);
    assert_eq!(header(&answer, "ratelimit-policy"), policy);
    assert!(header(&answer, "ratelimit").contains(";r=0;t="), "{:?}", answer.headers());
    let wait: u64 = header(&answer, "retry-after").parse().unwrap();
    assert!((1..=60).contains(&wait), "{wait}");
    let body: Value = answer.json().await.unwrap();
    assert_eq!((&body["code"], &body["retryable"]), (&"rate_limited".into(), &true.into()));
}

#[tokio::test]
async fn token_has_a_share_and_each_answer_says_what_is_left() {
    let server = limited(RateSettings { token: Rate::of(3), ..UNLIMITED }).await;
    for left in [2, 1, 0] {
        let answer = me(&server, 1).send().await.unwrap();
        assert_eq!(answer.status(), 200);
        assert_eq!(header(&answer, "ratelimit-policy"), "\"token\";q=3;w=1");
        assert_eq!(header(&answer, "ratelimit"), format!("\"token\";r={left};t=1"));
    }
    is_limited(me(&server, 1), "\"token\";q=3;w=1").await;
    assert_eq!(status(me(&server, 2)).await, 200, "another one has a share of their own");
    let open = server.get("/livez").send().await.unwrap();
    assert_eq!((open.status().as_u16(), header(&open, "ratelimit").as_str()), (200, ""));
}

#[tokio::test]
async fn refusal_says_what_is_left_as_well() {
    let server =
        limited(RateSettings { token: Rate::of(3), tenant: Rate::of(9), ..UNLIMITED }).await;
    let request = server.http.delete(server.url("/api/v1/me")).bearer_auth(token(Role::Hr));
    let answer = request.send().await.unwrap();
    assert_eq!(answer.status(), 403);
    assert_eq!(header(&answer, "ratelimit-policy"), "\"token\";q=3;w=1, \"tenant\";q=9;w=1");
    assert_eq!(header(&answer, "ratelimit"), "\"token\";r=2;t=1, \"tenant\";r=8;t=1");
}

#[tokio::test]
async fn tenant_has_a_share_that_its_people_use_up_together() {
    let server = limited(RateSettings { tenant: Rate::of(4), ..UNLIMITED }).await;
    for sub in 0..4 {
        assert_eq!(status(me(&server, sub)).await, 200);
    }
    is_limited(me(&server, 9), "\"tenant\";q=4;w=1").await;
}

#[tokio::test]
async fn source_of_webhooks_has_a_share_that_only_its_secret_uses_up() {
    let server = limited(RateSettings { source: Rate::of(2), ..UNLIMITED }).await;
    for _ in 0..10 {
        assert_eq!(status(webhook(&server, "sesame")).await, 401);
    }
    for _ in 0..2 {
        assert_eq!(status(webhook(&server, WEBHOOK_SECRET)).await, 200);
    }
    is_limited(webhook(&server, WEBHOOK_SECRET), "\"source\";q=2;w=1").await;
}

#[tokio::test]
async fn who_shows_too_many_bad_tokens_is_not_looked_at_any_more() {
    let server = limited(RateSettings { failures: Rate::of(5), ..UNLIMITED }).await;
    let old = common::token_from(Role::Hr, now() - Duration::hours(2));
    let bad = |n: usize| match n % 4 {
        0 => server.get("/api/v1/me").bearer_auth("guess"),
        1 => server.get("/api/v1/me"),
        2 => server.get("/api/v1/me").bearer_auth(&old),
        _ => server.get("/api/service").bearer_auth("guess"),
    };
    for n in 0..5 {
        assert_eq!(status(bad(n)).await, 401);
    }
    let policy = "\"failures\";q=5;w=60";
    assert_eq!(status(me(&server, 1)).await, 200, "five were allowed");
    is_limited(bad(0), policy).await;
    assert_eq!(status(me(&server, 1)).await, 200, "its token is good");
    let ours = server.get("/api/service").bearer_auth(SERVICE_TOKEN);
    assert_eq!(status(ours).await, 200, "its token is good");
    assert_eq!(status(server.get("/livez")).await, 200);
    assert_eq!(status(webhook(&server, WEBHOOK_SECRET)).await, 200, "its secret is right");
    is_limited(webhook(&server, "sesame"), policy).await;
}

#[tokio::test]
async fn wrong_secrets_of_webhooks_count_as_bad_tokens_do() {
    let server = limited(RateSettings { failures: Rate::of(5), ..UNLIMITED }).await;
    for _ in 0..5 {
        assert_eq!(status(webhook(&server, "sesame")).await, 401);
    }
    is_limited(webhook(&server, "sesame"), "\"failures\";q=5;w=60").await;
    assert_eq!(status(me(&server, 1)).await, 200);
    assert_eq!(status(webhook(&server, WEBHOOK_SECRET)).await, 200);
}

#[tokio::test]
async fn who_is_let_in_is_never_counted_as_a_failure() {
    let server = limited(RateSettings { failures: Rate::of(5), ..UNLIMITED }).await;
    for _ in 0..20 {
        assert_eq!(status(me(&server, 1)).await, 200);
        assert_eq!(status(webhook(&server, WEBHOOK_SECRET)).await, 200);
    }
}

#[tokio::test]
async fn who_guesses_at_ids_is_refused_them_and_nothing_else() {
    let server = limited(RateSettings { failures: Rate::of(5), ..UNLIMITED }).await;
    let thing = |id: u64, sub: u128| {
        let token = token_of(sub, Role::Hr, Pages::default());
        server.get(&format!("/api/v1/things/{id}")).bearer_auth(token)
    };
    for id in 0..30 {
        assert_eq!(status(thing(id % 10, 1)).await, 200, "what exists is no guess");
    }
    for id in 10..15 {
        assert_eq!(status(thing(id, 1)).await, 404);
    }
    is_limited(thing(15, 1), "\"misses\";q=5;w=60").await;
    is_limited(thing(1, 1), "\"misses\";q=5;w=60").await;
    assert_eq!(status(me(&server, 1)).await, 200, "what has no id is served");
    assert_eq!(status(thing(10, 2)).await, 404, "another one is looked at");
}

#[tokio::test]
async fn page_is_opened_by_the_token_and_for_administrators_by_their_role() {
    let server = Running::start().await;
    let crm: Pages = [Page::Crm].into_iter().collect();
    let heads = async |role, pages| {
        let request = server.get("/api/v1/heads").bearer_auth(token_of(1, role, pages));
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        let body: Value = answer.json().await.unwrap();
        (status, body["code"].as_str().unwrap_or_default().to_owned())
    };
    assert_eq!(heads(Role::SalesHead, crm).await.0, 200);
    let none = Pages::default();
    assert_eq!(heads(Role::SalesHead, none).await, (403, "page_forbidden".into()));
    assert_eq!(heads(Role::Admin, none).await.0, 200);
    for role in [Role::Superadmin, Role::Hr, Role::Student] {
        assert_eq!(heads(role, crm).await, (403, "forbidden".into()), "a page makes no role");
    }
}
