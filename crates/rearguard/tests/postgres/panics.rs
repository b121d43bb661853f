use std::{
    future::{Future, poll_fn},
    panic::AssertUnwindSafe,
    pin::pin,
    task::Poll,
};

use rearguard::{
    Error,
    postgres::{TransactionOptions, stats, transaction},
};

use crate::support::{Database, balances, has, insert, transfer};

/// Panics at a poll of a future instead of polling it; tells whether it got through before.
async fn panic_at<F: Future>(poll: usize, future: F) -> F::Output {
    let mut future = pin!(future);
    let mut polls = 0;
    poll_fn(|context| {
        assert!(polls != poll, "injected");
        polls += 1;
        match future.as_mut().poll(context) {
            Poll::Ready(value) => Poll::Ready(value),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

#[tokio::test]
async fn a_panic_at_any_await_rolls_back_goes_on_and_leaves_the_next_clean() {
    let database = Database::new().await;
    let (watcher, client) = (database.watcher().await, database.plain().await);
    let mut connection = database.connection().await;
    let before = stats().panicked;
    for poll in 0.. {
        let body = transaction(&mut connection, TransactionOptions::new(), async |mut tx| {
            panic_at(poll, async {
                transfer(&tx, 1).await?;
                tx.savepoint(async |tx| tx.batch_execute("SELECT pg_sleep(0.005)").await).await
            })
            .await
        });
        let ended = caught(body).await;
        let name = format!("after {poll}");
        insert(&mut connection, &name).await.unwrap();
        assert!(has(&client, &name).await);
        watcher.quiet().await;
        if let Ok(done) = ended {
            done.unwrap();
            assert_eq!(balances(&client).await, (499, 501));
            assert!(poll > 5, "{poll} polls: too few to be the whole of it");
            break;
        }
        assert_eq!(balances(&client).await, (500, 500), "panic at poll {poll}");
    }
    assert!(stats().panicked > before);
}

async fn caught(
    future: impl Future<Output = Result<(), Error>>,
) -> std::thread::Result<Result<(), Error>> {
    let mut future = pin!(future);
    poll_fn(|context| {
        let polled = std::panic::catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(context)));
        match polled {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(value)) => Poll::Ready(Ok(value)),
            Err(panic) => Poll::Ready(Err(panic)),
        }
    })
    .await
}
