use std::{collections::VecDeque, time::Duration};

use model::slo::{Alarm, Seconds};

use super::format::Receiver;

/// Before a second try.
pub const FIRST_PAUSE: Duration = Duration::from_secs(2);
/// Pauses double up to this.
pub const LONGEST_PAUSE: Duration = Duration::from_secs(300);
/// So often something is tried: about 45 minutes.
pub const MAX_ATTEMPTS: u32 = 15;
/// So many letters wait; one more makes the oldest a dead letter.
pub const MAX_WAITING: usize = 1_000;
/// So many dead letters are kept, the latest.
pub const MAX_DEAD: usize = 1_000;

/// What a letter says of its alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LetterState {
    /// It fires.
    Firing,
    /// It is over.
    Resolved,
}

impl LetterState {
    /// `firing` or `resolved`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Firing => "firing",
            Self::Resolved => "resolved",
        }
    }
}

impl From<Alarm> for LetterState {
    fn from(alarm: Alarm) -> Self {
        match alarm {
            Alarm::Fired | Alarm::NoData => Self::Firing,
            Alarm::Resolved | Alarm::DataAgain => Self::Resolved,
        }
    }
}

/// Something that one receiver has to be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Letter {
    /// Tells one alert from another; an alert's end has the same.
    pub key: String,
    /// What it says of the alert.
    pub state: LetterState,
    /// Who.
    pub receiver: Receiver,
    /// What, as JSON.
    pub body: String,
    /// How often it was tried.
    pub attempts: u32,
    /// Why the last try failed.
    pub error: String,
    /// When it was written.
    pub written: Seconds,
    /// When it is tried next.
    pub(in super::super) next: Seconds,
}

/// What to try now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// Names it to [`Outbox::delivered`] and [`Outbox::failed`].
    pub number: u64,
    /// Where it is posted to.
    pub address: String,
    /// What.
    pub body: String,
}

/// What receivers have still to be told, in order for each of them. It reads no clock and sends
/// nothing.
///
/// ```
/// use control::slo::{LetterState, Outbox};
///
/// let mut outbox = Outbox::default();
/// let receiver = "webhook=http://127.0.0.1:5001".parse().unwrap();
/// outbox.push("pay/14.4", LetterState::Firing, &receiver, "{}".to_owned(), 100);
/// let first = outbox.due(100).unwrap();
/// assert_eq!(outbox.due(100), None); // under way
/// outbox.failed(first.number, "connection refused", 100);
/// assert_eq!(outbox.due(101), None);
/// let again = outbox.due(102).unwrap();
/// outbox.delivered(again.number);
/// assert!(outbox.waiting().next().is_none());
/// ```
#[derive(Clone, Debug, Default)]
pub struct Outbox {
    waiting: VecDeque<(u64, Letter)>,
    under_way: Vec<u64>,
    dead: VecDeque<Letter>,
    number: u64,
    /// How many became dead letters, those that are kept no more included.
    died: u64,
    /// Grows with every change, so that whoever writes it down knows of it.
    revision: u64,
}

impl Outbox {
    /// With what was written down before, the oldest first.
    pub(in super::super) fn restored(waiting: Vec<Letter>, dead: Vec<Letter>) -> Self {
        let waiting: VecDeque<_> = (1..).zip(waiting).collect();
        let (number, died) = (waiting.len() as u64, dead.len() as u64);
        Self { waiting, dead: dead.into(), number, died, ..Self::default() }
    }

    pub(in super::super) const fn revision(&self) -> u64 {
        self.revision
    }

    /// Adds a letter. Where the same is waiting already, that says these newer words instead. An alert that is over before anybody was
    /// told that it fired is told of all the same: both letters, in order.
    pub fn push(
        &mut self,
        key: &str,
        state: LetterState,
        receiver: &Receiver,
        body: String,
        now: Seconds,
    ) {
        let is_same = |letter: &Letter| {
            letter.key == key && letter.state == state && letter.receiver == *receiver
        };
        if let Some((_, known)) = self.waiting.iter_mut().find(|(_, letter)| is_same(letter)) {
            known.body = body;
            self.revision += 1;
            return;
        }
        if self.waiting.len() >= MAX_WAITING
            && let Some((number, mut letter)) = self.waiting.pop_front()
        {
            self.under_way.retain(|other| *other != number);
            letter.error = format!("more than {MAX_WAITING} letters were waiting");
            self.bury(letter);
        }
        self.number += 1;
        self.revision += 1;
        let letter = Letter {
            key: key.to_owned(),
            state,
            receiver: receiver.clone(),
            body,
            attempts: 0,
            error: String::new(),
            written: now,
            next: now,
        };
        self.waiting.push_back((self.number, letter));
    }

    /// The next letter to try: for each receiver the oldest, so that an end never overtakes its
    /// beginning.
    pub fn due(&mut self, now: Seconds) -> Option<Delivery> {
        let mut seen: Vec<&Receiver> = Vec::new();
        for (number, letter) in &self.waiting {
            if seen.contains(&&letter.receiver) {
                continue;
            }
            seen.push(&letter.receiver);
            if letter.next <= now && !self.under_way.contains(number) {
                let delivery = Delivery {
                    number: *number,
                    address: letter.receiver.address(),
                    body: letter.body.clone(),
                };
                self.under_way.push(*number);
                return Some(delivery);
            }
        }
        None
    }

    /// It was taken.
    pub fn delivered(&mut self, number: u64) {
        self.under_way.retain(|other| *other != number);
        self.waiting.retain(|(other, _)| *other != number);
        self.revision += 1;
    }

    /// It was not taken: it is tried again later, or given up.
    pub fn failed(&mut self, number: u64, error: &str, now: Seconds) {
        self.under_way.retain(|other| *other != number);
        let Some(place) = self.waiting.iter().position(|(other, _)| *other == number) else {
            return;
        };
        let letter = &mut self.waiting[place].1;
        letter.attempts += 1;
        self.revision += 1;
        error.clone_into(&mut letter.error);
        letter.next = now + pause(letter.attempts).as_secs();
        if letter.attempts >= MAX_ATTEMPTS
            && let Some((_, letter)) = self.waiting.remove(place)
        {
            self.bury(letter);
        }
    }

    /// What was not taken yet, the oldest first.
    pub fn waiting(&self) -> impl Iterator<Item = &Letter> {
        self.waiting.iter().map(|(_, letter)| letter)
    }

    /// What was given up, the oldest first.
    pub fn dead(&self) -> impl Iterator<Item = &Letter> {
        self.dead.iter()
    }

    /// How many were ever given up.
    #[must_use]
    pub const fn died(&self) -> u64 {
        self.died
    }

    fn bury(&mut self, letter: Letter) {
        if self.dead.len() >= MAX_DEAD {
            self.dead.pop_front();
        }
        self.died += 1;
        self.dead.push_back(letter);
    }
}

fn pause(attempts: u32) -> Duration {
    let doubled = 2_u32.saturating_pow(attempts.saturating_sub(1));
    FIRST_PAUSE.saturating_mul(doubled).min(LONGEST_PAUSE)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn receiver(port: u16) -> Receiver {
        format!("webhook=http://127.0.0.1:{port}").parse().unwrap()
    }

    #[test]
    fn an_end_never_overtakes_its_beginning() {
        let mut outbox = Outbox::default();
        outbox.push("a", LetterState::Firing, &receiver(1), "1".into(), 0);
        outbox.push("a", LetterState::Resolved, &receiver(1), "2".into(), 0);
        outbox.push("a", LetterState::Firing, &receiver(2), "3".into(), 0);
        let first = outbox.due(0).unwrap();
        assert_eq!(first.body, "1");
        assert_eq!(outbox.due(0).unwrap().body, "3", "another receiver need not wait");
        assert_eq!(outbox.due(0), None);
        outbox.failed(first.number, "no", 0);
        assert_eq!(outbox.due(1), None);
        let again = outbox.due(2).unwrap();
        assert_eq!(again.body, "1");
        outbox.delivered(again.number);
        assert_eq!(outbox.due(2).unwrap().body, "2");
    }

    #[test]
    fn the_same_is_said_once() {
        let mut outbox = Outbox::default();
        for words in ["1", "2", "3"] {
            outbox.push("a", LetterState::Firing, &receiver(1), words.into(), 0);
        }
        assert_eq!(outbox.waiting().count(), 1);
        assert_eq!(outbox.due(0).unwrap().body, "3", "the newest words");
    }

    #[test]
    fn what_is_tried_too_often_is_a_dead_letter_with_its_reason() {
        let mut outbox = Outbox::default();
        outbox.push("a", LetterState::Firing, &receiver(1), "1".into(), 0);
        let mut now = 0;
        let mut tries = 0;
        while outbox.waiting().count() > 0 {
            if let Some(delivery) = outbox.due(now) {
                outbox.failed(delivery.number, "503", now);
                tries += 1;
            }
            now += 1;
        }
        assert_eq!(tries, MAX_ATTEMPTS);
        assert!((2_000..3_000).contains(&now), "{now}");
        let dead: Vec<_> = outbox.dead().collect();
        assert_eq!((dead.len(), dead[0].error.as_str(), outbox.died()), (1, "503", 1));
    }

    #[test]
    fn a_queue_that_is_full_gives_the_oldest_up() {
        let mut outbox = Outbox::default();
        for number in 0..=MAX_WAITING {
            outbox.push(&number.to_string(), LetterState::Firing, &receiver(1), String::new(), 0);
        }
        assert_eq!(outbox.waiting().count(), MAX_WAITING);
        assert_eq!(outbox.dead().next().unwrap().key, "0");
    }
}
