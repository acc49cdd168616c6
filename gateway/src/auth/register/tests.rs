//! The minute after which nobody comes in who should not, second by second.

use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering};
use std::task::Poll;

use domain::Role;
use domain::ports::BoxFuture;
use futures_util::FutureExt as _;

use super::*;
use crate::auth::Pages;

/// A clock that a test moves, and the tables that it changes.
struct World {
    seconds: AtomicI64,
    tables: Mutex<Option<Standing>>,
    asked: AtomicUsize,
    /// Whether the tables let whoever asks wait.
    is_slow: AtomicBool,
}

const GOOD: Standing =
    Standing { tenant: TenantStanding::Open, person: PersonStanding::Listed(Role::Hr) };
const DELETED: Standing = Standing { person: PersonStanding::Deleted, ..GOOD };
const DEMOTED: Standing = Standing { person: PersonStanding::Listed(Role::Student), ..GOOD };
const CLOSED: Standing = Standing { tenant: TenantStanding::Closed, ..GOOD };
const UNKNOWN: Standing = Standing { tenant: TenantStanding::Unknown, ..GOOD };

impl Clock for World {
    fn now(&self) -> DateTime<Utc> {
        DateTime::from_timestamp(self.seconds.load(Ordering::Relaxed), 0).unwrap()
    }
}

impl Standings for World {
    fn standing(&self, _: TenantId, _: Uuid) -> BoxFuture<'_, Result<Standing, StoreError>> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let found = *self.tables.lock().unwrap();
        let found = found.ok_or_else(|| StoreError::Away(anyhow::anyhow!("it is away")));
        Box::pin(async move {
            poll_fn(|_| {
                if self.is_slow.load(Ordering::Relaxed) { Poll::Pending } else { Poll::Ready(()) }
            })
            .await;
            found
        })
    }
}

impl World {
    fn new(tables: Standing) -> (Arc<Self>, Register) {
        let world = Arc::new(Self {
            seconds: AtomicI64::new(1_800_000_000),
            tables: Mutex::new(Some(tables)),
            asked: AtomicUsize::new(0),
            is_slow: AtomicBool::new(false),
        });
        let register = Register::new(Arc::clone(&world) as _, Arc::clone(&world) as _);
        (world, register)
    }

    fn set(&self, tables: Option<Standing>) {
        *self.tables.lock().unwrap() = tables;
    }

    fn pass(&self, seconds: i64) {
        self.seconds.fetch_add(seconds, Ordering::Relaxed);
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }
}

fn principal(n: u128) -> Principal {
    Principal {
        sub: Uuid::from_u128(n),
        role: Role::Hr,
        tenant: TenantId::DEFAULT,
        pages: Pages::default(),
        expires_at: DateTime::<Utc>::MAX_UTC,
    }
}

fn asks(register: &Register, patience: Patience) -> Result<(), Code> {
    let admitted = register.admit(&principal(7), patience).now_or_never();
    admitted.expect("the tables answer at once").map_err(|refusal| refusal.code())
}

#[test]
fn who_is_deleted_demoted_or_of_a_closed_tenant_is_out_within_thirty_seconds() {
    for (change, code) in [
        (DELETED, Code::UserDeleted),
        (DEMOTED, Code::RoleChanged),
        (CLOSED, Code::UnknownTenant),
        (UNKNOWN, Code::UnknownTenant),
    ] {
        let (world, register) = World::new(GOOD);
        assert_eq!(asks(&register, Patience::Request), Ok(()));
        world.set(Some(change));
        world.pass(29);
        assert_eq!(asks(&register, Patience::Request), Ok(()), "it is remembered");
        world.pass(1);
        assert_eq!(asks(&register, Patience::Request), Err(code));
        assert_eq!(asks(&register, Patience::Request), Err(code), "and stays out");
        world.set(Some(GOOD));
        assert_eq!(asks(&register, Patience::Request), Ok(()), "no refusal is remembered");
    }
}

#[test]
fn who_has_no_row_is_judged_by_the_token_alone() {
    let (_, register) = World::new(Standing { person: PersonStanding::Unlisted, ..GOOD });
    assert_eq!(asks(&register, Patience::Request), Ok(()));
}

#[test]
fn one_question_does_for_half_a_minute() {
    let (world, register) = World::new(GOOD);
    for _ in 0..100 {
        assert_eq!(asks(&register, Patience::Request), Ok(()));
    }
    assert_eq!(world.asked(), 1);
    world.pass(30);
    assert_eq!(asks(&register, Patience::Request), Ok(()));
    assert_eq!(world.asked(), 2);
}

#[test]
fn all_who_come_at_once_wait_for_one_answer() {
    let (world, register) = World::new(GOOD);
    let somebody = principal(7);
    world.is_slow.store(true, Ordering::Relaxed);
    let mut crowd: Vec<_> =
        (0..64).map(|_| Box::pin(register.admit(&somebody, Patience::Request))).collect();
    for one in &mut crowd {
        assert!(one.as_mut().now_or_never().is_none());
    }
    world.is_slow.store(false, Ordering::Relaxed);
    for one in crowd {
        assert!(one.now_or_never().expect("it is answered").is_ok());
    }
    assert_eq!(world.asked(), 1);
    assert!(register.asking().is_empty(), "no question is kept");
}

#[test]
fn without_a_database_an_answer_counts_for_a_minute_and_no_longer() {
    for (patience, last) in [(Patience::Request, 59), (Patience::Beat, 39)] {
        let (world, register) = World::new(GOOD);
        assert_eq!(asks(&register, patience), Ok(()));
        world.set(None);
        world.pass(30);
        assert_eq!(asks(&register, patience), Ok(()));
        world.pass(last - 30);
        assert_eq!(asks(&register, patience), Ok(()));
        world.pass(1);
        assert_eq!(asks(&register, patience), Err(Code::JournalUnavailable));
        let (world, register) = World::new(GOOD);
        world.set(None);
        assert_eq!(asks(&register, patience), Err(Code::JournalUnavailable), "a stranger");
    }
}

#[test]
fn database_that_is_away_is_not_asked_by_everybody() {
    let (world, register) = World::new(GOOD);
    assert_eq!(asks(&register, Patience::Request), Ok(()));
    world.set(None);
    world.pass(30);
    for _ in 0..100 {
        assert_eq!(asks(&register, Patience::Request), Ok(()));
    }
    assert_eq!(world.asked(), 2, "one asks, the others go by what is known");
    world.pass(10);
    assert_eq!(asks(&register, Patience::Request), Ok(()));
    assert_eq!(world.asked(), 3, "who asked may have given up");
}

#[test]
fn who_was_refused_is_not_let_in_by_an_outage() {
    let (world, register) = World::new(GOOD);
    assert_eq!(asks(&register, Patience::Request), Ok(()));
    world.pass(30);
    world.set(Some(DELETED));
    assert_eq!(asks(&register, Patience::Request), Err(Code::UserDeleted));
    world.set(None);
    assert_eq!(asks(&register, Patience::Request), Err(Code::JournalUnavailable));
}

#[test]
fn the_same_person_stands_in_each_tenant_for_themselves() {
    let (world, register) = World::new(GOOD);
    assert_eq!(asks(&register, Patience::Request), Ok(()));
    world.set(Some(DELETED));
    let there = Principal { tenant: TenantId(Uuid::from_u128(2)), ..principal(7) };
    let admitted = register.admit(&there, Patience::Request).now_or_never().unwrap();
    assert_eq!(admitted.map_err(|refusal| refusal.code()), Err(Code::UserDeleted));
    assert_eq!(asks(&register, Patience::Request), Ok(()), "here they are still remembered");
}

#[test]
fn memory_is_bounded() {
    let (_, register) = World::new(GOOD);
    for n in 0..(KNOWN_MAX as u128 + 10) {
        register.admit(&principal(n), Patience::Request).now_or_never().unwrap().unwrap();
    }
    assert!(register.known().len() <= KNOWN_MAX);
}
