//! The protocol over a store in memory, in paused time. What crosses a wire is tested in
//! `tests/lock`.

use std::{
    future::pending,
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use tokio::time::{Instant, sleep, timeout};

use super::{
    FencingToken, LockManager, LockOptions, Loss, Reply, TokenSource,
    memory::{MemoryStore, Network, test_clock},
    timing::{cancel_margin, validity},
};
use crate::{CallContext, Error, ErrorKind, Outcome, Reaper};

const TTL: Duration = Duration::from_secs(3);

fn locks() -> (LockManager, MemoryStore) {
    let store = MemoryStore::default();
    // Read once, so that it counts from now.
    test_clock();
    (LockManager::new(store.clone()).with_clock(test_clock), store)
}

async fn reaped() {
    Reaper::global().drain(Duration::from_secs(60)).await;
}

#[tokio::test(start_paused = true)]
async fn rule_1_a_grant_that_arrives_late_is_released_and_not_used() {
    let (locks, store) = locks();
    store.set_network(Network { back: TTL - Duration::from_millis(80), ..Network::default() });
    let ran = AtomicUsize::new(0);
    let result: Result<(), Error> = locks
        .with_options(LockOptions::new().wait(Duration::ZERO))
        .with_lock("a", TTL, async |_| {
            ran.fetch_add(1, SeqCst);
            Ok(())
        })
        .await;
    let error = result.expect_err("late");
    assert_eq!(error.kind(), ErrorKind::QueueTimedOut, "{error}");
    assert_eq!((ran.load(SeqCst), store.is_taken("a")), (0, false));
    assert!(locks.metrics().late_grants > 0, "{:?}", locks.metrics());
    assert_eq!(store.log()[..2], ["acquire", "release"]);
}

#[tokio::test(start_paused = true)]
async fn rule_2_work_is_renewed_at_each_third_for_as_long_as_it_takes() {
    let (locks, store) = locks();
    let begun = Instant::now();
    let work = locks.with_lock("a", TTL, async |lease| {
        sleep(TTL * 5).await;
        assert!(lease.is_held() && lease.remaining() > TTL / 2);
        Ok::<_, Error>(())
    });
    work.await.expect("held");
    let renewals = store.times_of("renew");
    assert_eq!(renewals.len(), 14);
    let third = u32::try_from(renewals.len()).expect("few");
    assert!(renewals[13] - begun < TTL / 3 * third + Duration::from_millis(100));
    assert_eq!(locks.metrics().renewals, 14);
}

#[tokio::test(start_paused = true)]
async fn rule_2_an_unknown_renewal_never_moves_the_deadline() {
    let (locks, store) = locks();
    let begun = Instant::now();
    let result = locks.with_lock("a", TTL, async |lease| {
        // Each renewal is done at the server, which the holder never hears of.
        store.set_network(Network { answers_lost: true, ..Network::default() });
        let undone_by = lease.clone();
        lease.on_lost(async move { assert!(!undone_by.is_held()) });
        pending::<Result<(), Error>>().await
    });
    let error = result.await.expect_err("lost");
    assert_eq!((error.kind(), error.context("why")), (ErrorKind::LockLost, Some("unrenewed")));
    // Before the deadline, as it was at the grant; and then the time of a release without an answer.
    let lasted = begun.elapsed() - super::MAX_RELEASE;
    assert!(
        lasted <= validity(TTL) && lasted + cancel_margin(TTL) * 2 >= validity(TTL),
        "{lasted:?}"
    );
    let metrics = locks.metrics();
    assert_eq!((metrics.lost, metrics.renewals), (1, 0));
    // And a third was under way.
    assert!(metrics.unknown_renewals >= 2 && metrics.unknown_releases == 1, "{metrics:?}");
}

#[tokio::test(start_paused = true)]
async fn rule_2_a_lost_lock_cancels_the_work_at_once_and_is_not_made_anew() {
    let (locks, store) = locks();
    let begun = Instant::now();
    let undone = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&undone);
    let result = locks.with_lock("a", TTL, async |lease| {
        lease.defer(async move { counted.fetch_add(1, SeqCst) }.after());
        store.forget_all();
        pending::<Result<(), Error>>().await
    });
    let error = result.await.expect_err("lost");
    assert_eq!((error.kind(), error.context("why")), (ErrorKind::LockLost, Some("refused")));
    assert!(begun.elapsed() < TTL / 3 + Duration::from_millis(10), "with the first renewal");
    assert_eq!((undone.load(SeqCst), store.is_taken("a")), (1, false));
    assert_eq!(store.log(), ["acquire", "renew", "release"]);
}

/// Throws a value away that does not matter.
trait After: Future + Sized {
    async fn after(self) {
        drop(self.await);
    }
}

impl<F: Future> After for F {}

#[tokio::test(start_paused = true)]
async fn rule_3_the_renewing_stops_before_the_release() {
    let (locks, store) = locks();
    let slow = Duration::from_millis(200);
    store.set_network(Network { there: slow, back: slow, ..Network::default() });
    // Ends while a renewal is under way.
    let work = locks.with_lock("a", TTL, async |_| {
        sleep(TTL / 3 - slow).await;
        Ok::<_, Error>(())
    });
    work.await.expect("held");
    sleep(TTL * 2).await;
    let log = store.log();
    assert_eq!(log.last(), Some(&"release"), "{log:?}");
    assert!(!store.is_taken("a"));
}

#[derive(Debug)]
struct Sequence {
    next: AtomicI64,
    store: MemoryStore,
}

impl TokenSource for Sequence {
    fn draw(&self) -> Reply<'_, FencingToken> {
        Box::pin(async move {
            assert!(self.store.is_taken("a"), "drawn while the lock is held");
            Ok(FencingToken::new(self.next.fetch_add(1, SeqCst)))
        })
    }
}

#[tokio::test(start_paused = true)]
async fn rule_4_a_token_is_drawn_while_the_lock_is_held() {
    let (locks, store) = locks();
    let locks = locks.with_tokens(Sequence { next: AtomicI64::new(7), store });
    for expected in 7..10 {
        let work = locks.with_lock("a", TTL, async |lease| lease.require_token());
        assert_eq!(work.await.expect("a token").get(), expected);
    }
}

#[tokio::test(start_paused = true)]
async fn rule_5_a_store_without_a_sequence_gives_no_token() {
    let (locks, _) = locks();
    let error = locks.with_lock("a", TTL, async |lease| {
        assert_eq!(lease.token(), None);
        lease.require_token()
    });
    let error = error.await.expect_err("none").to_string();
    assert!(error.contains("with_tokens"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn rule_6_a_waiter_that_is_not_told_asks_within_a_time_to_live() {
    let (locks, store) = locks();
    let short = Duration::from_millis(300);
    let held = locks.lock("a", TTL).await.expect("free");
    let begun = Instant::now();
    let waits = locks.with_lock("a", short, async |_| Ok::<_, Error>(begun.elapsed()));
    let ends = async {
        sleep(TTL).await;
        // Nobody is told of that.
        store.forget_all();
    };
    let (waited, ()) = tokio::join!(waits, ends);
    let waited = waited.expect("granted");
    assert!(waited >= TTL && waited < TTL + short * 2, "{waited:?}");
    assert_eq!(locks.metrics().waited, 1);
    assert!(locks.metrics().waiting >= TTL);
    drop(held);
    reaped().await;
}

#[tokio::test(start_paused = true)]
async fn a_waiter_that_is_told_has_the_lock_at_once() {
    let (locks, _) = locks();
    let held = locks.lock("a", TTL).await.expect("free");
    let waits = locks.with_lock("a", TTL, async |_| Ok::<_, Error>(Instant::now()));
    let ends = async {
        sleep(Duration::from_millis(333)).await;
        assert!(held.release(Outcome::Succeeded).await.is_clean());
        Instant::now()
    };
    let (granted, released) = tokio::join!(waits, ends);
    assert_eq!(granted.expect("granted"), released);
}

#[tokio::test(start_paused = true)]
async fn waiting_is_bounded_by_the_options_and_by_the_tasks_deadline() {
    let (locks, _) = locks();
    let held = locks.lock("a", TTL).await.expect("free");
    let brief = locks.with_options(LockOptions::new().wait(Duration::from_secs(1)));
    let begun = Instant::now();
    let error = brief.lock("a", TTL).await.expect_err("taken");
    assert_eq!((error.kind(), begun.elapsed()), (ErrorKind::QueueTimedOut, Duration::from_secs(1)));
    let context = CallContext::new().within(Duration::from_millis(200));
    let begun = Instant::now();
    let error = context.scope(brief.lock("a", TTL)).await.expect_err("taken");
    assert_eq!(error.kind(), ErrorKind::DeadlinePassed, "{error}");
    assert_eq!(begun.elapsed(), Duration::from_millis(200));
    assert!(brief.try_lock("a", TTL).await.expect("asked").is_none());
    let ran: Result<Option<()>, Error> = brief.try_with_lock("a", TTL, async |_| Ok(())).await;
    assert_eq!(ran.expect("asked"), None);
    assert_eq!(locks.metrics().timed_out, 2);
    drop(held);
    reaped().await;
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_lost_is_released_in_case_it_was_a_grant() {
    let (locks, store) = locks();
    store.set_network(Network { answers_lost: true, ..Network::default() });
    let trying = locks.try_lock("a", TTL);
    let heals = async {
        sleep(Duration::from_millis(1)).await;
        assert!(store.is_taken("a"));
        store.set_network(Network::default());
    };
    let (tried, ()) = tokio::join!(trying, heals);
    assert_eq!(tried.expect_err("unknown").kind(), ErrorKind::ResponseTimedOut);
    assert_eq!(store.log(), ["acquire", "release"]);
    assert_eq!((store.is_taken("a"), locks.metrics().unknown_grants), (false, 1));
}

#[tokio::test(start_paused = true)]
async fn a_store_that_is_down_is_tried_again_while_one_waits() {
    let (locks, store) = locks();
    store.set_network(Network { down: true, ..Network::default() });
    let heals = async {
        sleep(Duration::from_secs(4)).await;
        store.set_network(Network::default());
    };
    let (locked, ()) = tokio::join!(locks.lock("a", TTL), heals);
    let tries = store.times_of("acquire").len();
    assert!((6..20).contains(&tries), "{tries}");
    let locked = locked.expect("healed");
    assert!(locked.release(Outcome::Succeeded).await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn an_acquisition_dropped_half_way_releases_what_it_is_granted() {
    let (locks, store) = locks();
    let slow = Duration::from_millis(100);
    store.set_network(Network { there: slow, back: slow, ..Network::default() });
    assert!(timeout(slow / 2, locks.lock("a", TTL)).await.is_err());
    assert!(store.log().is_empty(), "it is still on its way");
    reaped().await;
    assert_eq!(store.log(), ["acquire", "release"]);
    assert!(!store.is_taken("a") && locks.holders().is_empty());
}

#[tokio::test(start_paused = true)]
async fn dropped_or_panicking_work_is_undone_and_released() {
    let (locks, store) = locks();
    let undone = Arc::new(AtomicUsize::new(0));
    let undo = |lease: &super::Lease| {
        let undone = Arc::clone(&undone);
        lease.on_failure(async move { undone.fetch_add(1, SeqCst) }.after());
    };
    let work = locks.with_lock("a", TTL, async |lease| {
        undo(&lease);
        pending::<Result<(), Error>>().await
    });
    assert!(timeout(Duration::from_secs(1), work).await.is_err());
    reaped().await;
    assert_eq!((undone.load(SeqCst), store.is_taken("a")), (1, false));

    let (again, lease) = (locks.clone(), undone.clone());
    let work = tokio::spawn(async move {
        let panics = again.with_lock("a", TTL, async |held| {
            held.on_failure(async move { lease.fetch_add(1, SeqCst) }.after());
            panic!("the body");
            #[expect(unreachable_code, reason = "says what the body would return")]
            Ok::<(), Error>(())
        });
        panics.await
    });
    assert!(work.await.expect_err("goes on").is_panic());
    assert_eq!((undone.load(SeqCst), store.is_taken("a")), (2, false));
}

#[tokio::test(start_paused = true)]
async fn work_that_took_too_long_is_undone_and_what_failed_in_an_undo_is_told() {
    let (locks, store) = locks();
    let brief = locks.with_options(LockOptions::new().hold(TTL * 2));
    let held = brief.with_lock("a", TTL, async |_| pending::<Result<(), Error>>().await);
    let error = held.await.expect_err("too long");
    assert_eq!((error.kind(), error.operation()), (ErrorKind::DeadlinePassed, "lock.hold"));
    assert!(!store.is_taken("a"));

    let work = locks.with_lock("a", TTL, async |lease| {
        lease.defer(async { Err("no") });
        Ok::<_, Error>(())
    });
    let error = work.await.expect_err("a cleanup failed");
    assert_eq!((error.kind(), error.operation()), (ErrorKind::Failed, "lock.cleanup"));
}

#[tokio::test(start_paused = true)]
async fn work_that_ends_after_its_deadline_is_lost_although_it_succeeded() {
    let (locks, store) = locks();
    let work = locks.with_lock("a", TTL, async |lease| {
        store.set_network(Network { down: true, ..Network::default() });
        // As if the process was paused within one poll.
        tokio::time::advance(TTL * 2).await;
        assert!(!lease.is_held() && lease.ensure_held().is_err());
        Ok::<_, Error>(())
    });
    assert_eq!(work.await.expect_err("lost").kind(), ErrorKind::LockLost);
}

#[tokio::test(start_paused = true)]
async fn who_holds_is_known_by_line_and_trace() {
    let (locks, _) = locks();
    let context = CallContext::new();
    let trace = context.trace().trace_id;
    let line = line!() + 1;
    let held = context.scope(locks.lock("orders/7", TTL)).await.expect("free");
    let holders = locks.holders();
    assert_eq!((&*holders[0].name, holders[0].trace), ("orders/7", Some(trace)));
    assert_eq!((holders[0].at.line(), holders[0].at.file()), (line, file!()));
    assert!(held.release(Outcome::Succeeded).await.is_clean());
    assert!(locks.holders().is_empty());
}

#[tokio::test(start_paused = true)]
async fn who_watches_a_lease_is_told_of_its_loss_and_of_its_release() {
    let (locks, store) = locks();
    let held = locks.lock("a", TTL).await.expect("free");
    let lease = (*held).clone();
    store.forget_all();
    assert_eq!(lease.lost().await, Some(Loss::Refused));
    assert!(held.release(Outcome::Failed).await.is_clean());
    let held = locks.lock("a", TTL).await.expect("free");
    let lease = (*held).clone();
    let (lost, _) = tokio::join!(lease.lost(), held.release(Outcome::Succeeded));
    assert_eq!((lost, lease.is_held(), lease.loss()), (None, false, None));
}
