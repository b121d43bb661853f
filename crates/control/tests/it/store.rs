use std::time::Duration;

use control::slo::{Engine, LetterState, Outbox, Store, StoreError};
use model::slo::Counts;
use proptest::prelude::*;

use crate::support::{DAY, HOUR, MINUTE, START, go_on, objective, tally};

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn open(&self) -> Store {
        Store::open(&self.0.path().join("slo.db")).unwrap()
    }

    fn load(&self) -> Engine {
        let mut engine = Engine::new(vec![objective("pay")]);
        self.read().load(&mut engine).unwrap();
        engine
    }

    fn read(&self) -> Store {
        Store::read(&self.0.path().join("slo.db")).unwrap()
    }
}

fn over(engine: &Engine, seconds: u64) -> Counts {
    engine.tracked()[0].over(Duration::from_secs(seconds))
}

#[test]
fn a_restart_finds_what_was_flushed() {
    let folder = Folder::new();
    let mut store = folder.open();
    let mut engine = Engine::new(vec![objective("pay")]);
    go_on(&mut engine, START, HOUR, 15);
    store.flush(&mut engine, &Outbox::default()).unwrap();
    // Not flushed: lost with the process.
    go_on(&mut engine, START + HOUR, 2, 100);
    drop((engine, store));
    let engine = folder.load();
    let status = engine.status(0).unwrap();
    assert_eq!(status.counts, Counts { good: 85 * HOUR, bad: 15 * HOUR });
    assert_eq!(status.causes[0].1, 15 * HOUR);
    assert!(status.alerts[0].since.is_some(), "it still fires");
    assert_eq!(status.now, START + HOUR - 1);
}

#[test]
fn a_burn_goes_on_where_it_was() {
    let folder = Folder::new();
    let mut store = folder.open();
    let mut engine = Engine::new(vec![objective("pay")]);
    go_on(&mut engine, START, 2 * HOUR, 0);
    go_on(&mut engine, START + 2 * HOUR, 300, 15);
    store.flush(&mut engine, &Outbox::default()).unwrap();
    let mut engine = folder.load();
    let fired = go_on(&mut engine, START + 2 * HOUR + 300, 120, 15);
    let page = fired.iter().find(|event| event.alert == 0).unwrap();
    // What was before the restart is known to the minute.
    let after = page.at + 1 - START - 2 * HOUR;
    assert!((344..=356).contains(&after), "{after}");
}

#[test]
fn an_alert_that_is_over_is_over_after_a_restart() {
    let folder = Folder::new();
    let mut store = folder.open();
    let mut engine = Engine::new(vec![objective("pay")]);
    go_on(&mut engine, START, HOUR, 15);
    store.flush(&mut engine, &Outbox::default()).unwrap();
    go_on(&mut engine, START + HOUR, 400, 0);
    store.flush(&mut engine, &Outbox::default()).unwrap();
    assert_eq!(folder.load().status(0).unwrap().alerts[0].since, None);
}

#[test]
fn rows_are_summed_up_and_the_sums_stay_right() {
    let folder = Folder::new();
    let mut store = folder.open();
    let mut engine = Engine::new(vec![objective("pay")]);
    for at in (START..START + 5 * DAY).step_by(30) {
        engine.look(at);
        engine.record(0, at, &tally(1, u64::from(at % 7 == 0)));
        engine.evaluate();
        if at % 600 == 0 {
            store.flush(&mut engine, &Outbox::default()).unwrap();
        }
    }
    store.flush(&mut engine, &Outbox::default()).unwrap();
    let again = folder.load();
    // Where a window begins is known to a minute, ten minutes, an hour.
    for (window, width) in [(HOUR, 60), (6 * HOUR, 60), (DAY, 600), (3 * DAY, 600), (4 * DAY, HOUR)]
    {
        let off = over(&again, window).total().abs_diff(over(&engine, window).total());
        assert!(off <= width / 30 + 1, "{window}: {off}");
    }
    assert_eq!(over(&again, 30 * DAY), over(&engine, 30 * DAY));
    let file = folder.0.path().join("slo.db");
    let rows: i64 = rusqlite::Connection::open(file)
        .unwrap()
        .query_row("SELECT count(*) FROM bucket WHERE objective = 1", [], |row| row.get(0))
        .unwrap();
    assert!(rows < 1200, "{rows} rows: minutes and ten minutes that nobody needs are dropped");
}

#[test]
fn a_file_of_a_later_version_is_refused_and_left_alone() {
    let folder = Folder::new();
    drop(folder.open());
    let file = folder.0.path().join("slo.db");
    let connection = rusqlite::Connection::open(&file).unwrap();
    connection.pragma_update(None, "user_version", 99).unwrap();
    drop(connection);
    for error in [Store::open(&file).unwrap_err(), Store::read(&file).unwrap_err()] {
        assert!(matches!(error, StoreError::Newer { found: 99, .. }), "{error}");
    }
    let error = Store::read(&file).unwrap_err();
    assert!(error.to_string().contains("run that version, or name another file"));
}

#[test]
fn what_is_no_database_says_so() {
    let folder = Folder::new();
    let file = folder.0.path().join("slo.db");
    std::fs::write(&file, "this is a text, and a long one at that: ".repeat(100)).unwrap();
    let error = Store::open(&file).unwrap_err().to_string();
    assert!(error.contains("slo.db") && error.contains("not a database"), "{error}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    /// Whenever the process dies, what was flushed counts once, and nothing else does.
    #[test]
    fn deaths_at_any_time_neither_lose_nor_double(
        steps in prop::collection::vec((1_u64..4_000, 0_u64..50, 0_u64..5, 0_u8..4), 1..40),
    ) {
        let folder = Folder::new();
        let mut store = folder.open();
        let mut engine = Engine::new(vec![objective("pay")]);
        let mut at = START;
        let mut flushed = Counts::NONE;
        for (step, good, bad, what) in steps {
            at += step;
            engine.look(at);
            engine.record(0, at, &tally(good, bad));
            engine.evaluate();
            match what {
                0 => {
                    drop((engine, store));
                    engine = folder.load();
                    store = folder.open();
                }
                1 | 2 => {
                    store.flush(&mut engine, &Outbox::default()).unwrap();
                    flushed = over(&engine, 30 * DAY);
                }
                _ => {}
            }
            prop_assert!(over(&engine, 30 * DAY).bad >= flushed.bad);
        }
        let again = folder.load();
        prop_assert_eq!(over(&again, 30 * DAY), flushed);
        prop_assert!(over(&again, 6 * MINUTE).total() <= flushed.total());
    }
}

#[test]
fn what_was_counted_last_is_summed_up_after_a_weekend_without_anybody() {
    let folder = Folder::new();
    let (mut store, mut engine) = (folder.open(), folder.load());
    go_on(&mut engine, START, 1_000, 1);
    store.flush(&mut engine, &Outbox::default()).unwrap();
    drop((store, engine));
    let (mut store, mut engine) = (folder.open(), folder.load());
    go_on(&mut engine, START + 3 * DAY + 9 * HOUR, 1, 0);
    store.flush(&mut engine, &Outbox::default()).unwrap();
    let engine = folder.load();
    assert_eq!(over(&engine, 30 * DAY), Counts { good: 99_100, bad: 1_000 });
    let past = store.past(&objective("pay"), 0, START + 30 * DAY).unwrap();
    let sum = past.iter().fold(Counts::NONE, |sum, (_, counts)| sum + *counts);
    assert_eq!(sum, Counts { good: 99_100, bad: 1_000 });
}

#[test]
fn letters_are_read_back_in_their_order() {
    let folder = Folder::new();
    let (mut store, mut engine) = (folder.open(), folder.load());
    let mut outbox = Outbox::default();
    let receiver = "webhook=http://127.0.0.1:1/".parse().unwrap();
    for (number, state) in
        [(1, LetterState::Firing), (1, LetterState::Resolved), (2, LetterState::Firing)]
    {
        outbox.push(&number.to_string(), state, &receiver, "{}".to_owned(), START);
    }
    let first = outbox.due(START).unwrap();
    outbox.failed(first.number, "no", START);
    store.flush(&mut engine, &outbox).unwrap();
    let mut read = folder.read().outbox().unwrap();
    assert_eq!(read.waiting().collect::<Vec<_>>(), outbox.waiting().collect::<Vec<_>>());
    let again = read.due(START + 2).unwrap();
    read.delivered(again.number);
    store.flush(&mut engine, &read).unwrap();
    assert_eq!(folder.read().outbox().unwrap().waiting().count(), 2);
}

#[test]
fn a_second_writer_is_refused_and_told_who_has_it_and_a_reader_is_not() {
    let folder = Folder::new();
    let file = folder.0.path().join("slo.db");
    let (mut store, mut engine) = (folder.open(), Engine::new(vec![objective("pay")]));
    let error = Store::open(&file).unwrap_err().to_string();
    let expected = format!("{} is in use by process {}", file.display(), std::process::id());
    assert!(error.starts_with(&expected) && error.ends_with("name another folder"), "{error}");
    go_on(&mut engine, START, 10, 1);
    store.flush(&mut engine, &Outbox::default()).unwrap();
    assert_eq!(over(&folder.load(), HOUR).bad, 10, "read while it is written");
    drop(store);
    folder.open();
}

#[test]
fn a_reader_changes_nothing_and_does_not_read_what_is_older() {
    let folder = Folder::new();
    drop(folder.open());
    let mut engine = Engine::new(vec![objective("pay")]);
    go_on(&mut engine, START, 10, 1);
    let error = folder.read().flush(&mut engine, &Outbox::default()).unwrap_err();
    assert!(error.to_string().contains("readonly"), "{error}");
    let file = folder.0.path().join("slo.db");
    let connection = rusqlite::Connection::open(&file).unwrap();
    connection.pragma_update(None, "user_version", 1).unwrap();
    drop(connection);
    let error = Store::read(&file).unwrap_err();
    assert!(matches!(error, StoreError::Older { found: 1, .. }), "{error}");
}
