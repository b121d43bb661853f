//! Who keeps a connection for too long is named, once.

use std::sync::{Arc, Mutex};

use rearguard::{
    CallContext,
    pool::{Discard, Holder, Observer, Options},
};

use crate::{fake::Fake, secs, settle};

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<(String, Holder)>>>);

impl Observer for Log {
    fn leaked(&self, pool: &str, holder: &Holder) {
        self.0.lock().unwrap().push((pool.to_owned(), holder.clone()));
        panic!("the observer's, which is kept from coming out");
    }

    fn discarded(&self, _: &str, _: Discard) {
        panic!("as above");
    }
}

#[tokio::test(start_paused = true)]
async fn a_borrower_beyond_the_threshold_is_reported_once_with_who_where_and_since_when() {
    let log = Log::default();
    let pool = Fake::default().pool(Options::new("orders").observer(log.clone()));
    tokio::time::sleep(secs(500)).await;
    let context = CallContext::new();
    let line = line!() + 1;
    let leaked = context.clone().scope(pool.get_for("checkout")).await.unwrap();
    tokio::time::sleep(secs(30)).await;
    let quick = pool.get().await.unwrap();
    tokio::time::sleep(secs(29)).await;
    drop(quick);
    assert!(log.0.lock().unwrap().is_empty());
    tokio::time::sleep(secs(1)).await;
    settle().await;
    {
        let told = log.0.lock().unwrap();
        let [(pool, holder)] = told.as_slice() else { panic!("{told:?}") };
        assert_eq!((pool.as_str(), holder.borrower), ("orders", Some("checkout")));
        assert_eq!(holder.trace_id, Some(context.trace().trace_id));
        assert!(holder.borrowed_at.file().ends_with("leaks.rs"));
        assert_eq!((holder.borrowed_at.line(), holder.age.as_secs()), (line, 60));
    }
    tokio::time::sleep(secs(1_000)).await;
    assert_eq!(log.0.lock().unwrap().len(), 1);
    let seen = pool.snapshot();
    assert_eq!((seen.counters.leaks, seen.holders.len()), (1, 1));
    assert!(seen.holders[0].reported && seen.holders[0].age > secs(1_000));
    drop(leaked);
    assert!(pool.snapshot().holders.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_pool_on_its_way_to_exhaustion_says_so_before() {
    let pool = Fake::default().pool(Options::new("p").max_size(100));
    assert_eq!(pool.snapshot().forecast.unwrap_err().need, 10);
    let mut leaked = Vec::new();
    for _ in 0..60 {
        tokio::time::sleep(secs(1)).await;
        leaked.push(pool.get().await.unwrap());
    }
    let forecast = pool.snapshot().forecast.unwrap();
    let left = forecast.exhausted_in.unwrap().as_secs();
    assert!((38..=43).contains(&left), "{forecast:?}");
    assert!(forecast.confidence_ratio > 0.99);
    assert_eq!(leaked.len(), 60);
    // Steady from now on.
    tokio::time::sleep(secs(120)).await;
    assert_eq!(pool.snapshot().forecast.unwrap().exhausted_in, None);
}
