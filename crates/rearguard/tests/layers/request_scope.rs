//! What a handler does with its scope: from other tasks, too late, after the answer.

use std::sync::Arc;

use rearguard::{
    OwnedScope,
    layers::{AfterResponse, RequestScope, ServiceLayer},
};
use tokio::{sync::Notify, time::sleep};

use crate::support::{
    Log, Step, Steps, answer, ask, http_2, millis, read, reaped, request, timing,
};

#[tokio::test(start_paused = true)]
async fn cleanups_run_newest_first_each_for_its_outcomes() {
    let log = Log::default();
    for (status, expected) in [(200, "adopted, always, success"), (500, "adopted, always, failure")]
    {
        let given = ask(&ServiceLayer::new(), request(), async |_| {
            let scope = RequestScope::current().unwrap();
            let say = |what: &'static str| {
                let log = log.clone();
                async move { log.say(what) }
            };
            scope.on_failure(say("failure"));
            scope.on_success(say("success"));
            scope.on_cancel(say("cancel"));
            scope.defer(say("always"));
            let mut other = OwnedScope::new();
            other.defer(say("adopted"));
            scope.adopt(other);
            Ok(answer(status, Steps::exact(0, [])))
        });
        given.await;
        assert_eq!(log.said(), expected);
    }
}

#[tokio::test(start_paused = true)]
async fn another_task_registers_before_and_after_the_end() {
    let (log, ended) = (Log::default(), Arc::new(Notify::new()));
    let (said, told) = (log.clone(), Arc::clone(&ended));
    let given = ask(&ServiceLayer::new(), request(), async |_| {
        let scope = RequestScope::current().unwrap();
        let (log, ended) = (log.clone(), Arc::clone(&ended));
        let (sent, registered) = tokio::sync::oneshot::channel();
        tokio::spawn(async move {
            let first = log.clone();
            scope.defer(async move { first.say("in time") });
            sent.send(()).unwrap();
            ended.notified().await;
            scope.defer_with(|outcome| async move { log.say(format!("late, {outcome}")) });
        });
        registered.await.unwrap();
        Ok(answer(500, Steps::exact(0, [])))
    });
    given.await;
    assert_eq!(said.said(), "in time");
    told.notify_one();
    sleep(millis(1)).await;
    reaped().await;
    assert_eq!(said.said(), "late, failed");
}

#[tokio::test(start_paused = true)]
async fn a_cleanup_registers_another_one_with_the_same_scope() {
    let log = Log::default();
    let given = ask(&ServiceLayer::new(), request(), async |_| {
        let scope = RequestScope::current().unwrap();
        let (again, log) = (scope.clone(), log.clone());
        scope.defer(async move {
            again.defer(async move { log.say("of a cleanup") });
        });
        Ok(answer(200, Steps::exact(0, [])))
    });
    given.await;
    assert_eq!(log.said(), "of a cleanup", "before the answer");
}

#[tokio::test(start_paused = true)]
async fn the_answer_does_not_wait_for_what_comes_after_it() {
    let after = AfterResponse::new(4);
    let layer = ServiceLayer::new().after_response(after.clone());
    let log = Log::default();
    let mut given = ask(&layer, http_2(), async |_| {
        let scope = RequestScope::current().unwrap();
        let log = log.clone();
        scope.after_response(async move {
            sleep(millis(300)).await;
            log.say("released");
        });
        assert_eq!((after.stats().waiting, after.stats().running), (1, 0));
        Ok(answer(200, Steps::stream([Step::Data("a"), Step::Yield])))
    })
    .await;
    assert!(read(given.body_mut()).await.error.is_none());
    assert_eq!(log.said(), "");
    tokio::task::yield_now().await;
    assert_eq!((after.stats().waiting, after.stats().running), (0, 1));
    let left = after.drain(millis(100)).await;
    assert_eq!((left.running, left.ended), (1, 0), "it was given too little time");
    let left = after.drain(millis(500)).await;
    assert_eq!((left.running, left.ended, log.said().as_str()), (0, 1, "released"));
}

#[tokio::test(start_paused = true)]
async fn what_comes_after_runs_also_when_the_caller_leaves() {
    let after = AfterResponse::new(4);
    let layer = ServiceLayer::new().after_response(after.clone());
    let log = Log::default();
    let given = ask(&layer, request(), async |_| {
        let (log, before) = (log.clone(), log.clone());
        let scope = RequestScope::current().unwrap();
        scope.after_response(async move { log.say("released") });
        scope.defer(async move {
            sleep(millis(5)).await;
            before.say("deferred");
        });
        sleep(millis(1000)).await;
        Ok(answer(200, Steps::exact(0, [])))
    });
    assert!(tokio::time::timeout(millis(10), given).await.is_err());
    after.drain(millis(10)).await;
    assert_eq!((log.said().as_str(), after.stats().ended), ("deferred, released", 1));
}

#[tokio::test(start_paused = true)]
async fn what_a_full_queue_refuses_runs_before_the_answer() {
    let after = AfterResponse::new(1);
    let layer = ServiceLayer::new().after_response(after.clone());
    let given = ask(&layer, request(), async |_| {
        let scope = RequestScope::current().unwrap();
        scope.after_response(sleep(millis(100)));
        scope.after_response(sleep(millis(200)));
        Ok(answer(200, Steps::exact(0, [])))
    });
    let (_, cleanup) = timing(given.await.headers()).unwrap();
    assert!((200.0..=202.0).contains(&cleanup), "{cleanup}");
    assert_eq!(after.stats().refused, 1);
    let left = after.drain(millis(1000)).await;
    assert_eq!((left.waiting + left.running, left.ended), (0, 1));
}
