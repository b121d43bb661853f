//! Kafka: the messages of a consumer group.
//!
//! Kafka acknowledges no message, but a place in a partition: all before it are done. So
//!
//! - a [`Source`] gives the next message only when the one before is settled, so that no later
//!   message's commit swallows one that failed. For more at a time, take more consumers in the group,
//! - for a message that was returned the source goes back to its place (`seek`): it and all after it come
//!   again, in order. Its delay holds up the source,
//! - the broker counts no deliveries. The source counts them, for the message at which a partition stands; the
//!   count begins anew when the process does, or when another takes the partition,
//! - what is discarded is committed: it is lost unless a dead-letter function has put it elsewhere,
//! - where a partition went to another consumer while its message was handled, the other begins at the
//!   last commit: the message is done twice.

use std::{
    collections::HashMap,
    error, fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use rdkafka::{
    ClientConfig, Message as _, Offset, TopicPartitionList,
    consumer::{
        CommitMode, Consumer as _, ConsumerContext, DefaultConsumerContext, StreamConsumer,
    },
    error::KafkaError,
    message::{BorrowedHeaders, Header, Headers as KafkaHeaders, OwnedHeaders, OwnedMessage},
};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    task::spawn_blocking,
    time::sleep,
};

use super::{
    consumer::SETTLE_TIMEOUT,
    headers::{Headers, HeadersMut},
    settle::{Delivery, Settle, Settler},
};
use crate::{Error, ErrorKind};

/// Partitions whose deliveries are counted; past that, the counts begin anew.
pub const MAX_PARTITIONS: usize = 10_000;

/// Sets what a [`Source`] needs: nothing is committed but what was done.
///
/// ```
/// use rdkafka::ClientConfig;
///
/// let mut config = ClientConfig::new();
/// rearguard::messaging::kafka::configure(config.set("group.id", "billing"));
/// assert_eq!(config.get("enable.auto.commit"), Some("false"));
/// ```
pub fn configure(config: &mut ClientConfig) -> &mut ClientConfig {
    config.set("enable.auto.commit", "false").set("enable.auto.offset.store", "false")
}

/// A consumer whose messages are handled one after the other.
pub struct Source<C: ConsumerContext + 'static = DefaultConsumerContext> {
    shared: Arc<Shared<C>>,
    /// One permit: the message that is not settled has it.
    turn: Arc<Semaphore>,
}

struct Shared<C: ConsumerContext + 'static> {
    consumer: StreamConsumer<C>,
    stands: Mutex<Stands>,
}

#[derive(Debug, Default)]
struct Stands {
    /// The message that was given out, until its place is committed.
    open: Option<Place>,
    /// For each topic and partition the offset at which it stands, and how often that was delivered.
    deliveries: HashMap<(String, i32), (i64, u64)>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Place {
    topic: String,
    partition: i32,
    offset: i64,
}

impl<C: ConsumerContext + 'static> Source<C> {
    /// Of a consumer that has subscribed, made with what [`configure`] sets.
    #[must_use]
    pub fn new(consumer: StreamConsumer<C>) -> Self {
        let shared = Shared { consumer, stands: Mutex::default() };
        Self { shared: Arc::new(shared), turn: Arc::new(Semaphore::new(1)) }
    }

    /// The next message, when the one before is settled. Dropped half way, none is lost.
    ///
    /// # Errors
    /// What the client library says; a later call may succeed.
    pub async fn next(&mut self) -> Result<Polled<C>, Error> {
        let failed = || Error::new(ErrorKind::Failed, "messaging.receive").retryable();
        let turn = Arc::clone(&self.turn).acquire_owned().await;
        let turn = turn.map_err(|error| failed().because(error))?;
        // Not committed: it was returned, or its settling failed or was dropped.
        let open = self.shared.stands().open.clone();
        if let Some(place) = open {
            self.shared.go_back(place).await.map_err(|error| failed().because(error))?;
        }
        let message = self.shared.consumer.recv().await;
        let message = message.map_err(|error| failed().because(error))?.detach();
        let place = Place {
            topic: message.topic().to_owned(),
            partition: message.partition(),
            offset: message.offset(),
        };
        let deliveries = self.shared.stands().begin(&place);
        let settler = OffsetSettler { shared: Arc::clone(&self.shared), place, deliveries, turn };
        Ok(Polled { message, settler })
    }

    /// The client library's consumer.
    pub fn consumer(&self) -> &StreamConsumer<C> {
        &self.shared.consumer
    }
}

impl<C: ConsumerContext + 'static> Shared<C> {
    fn stands(&self) -> MutexGuard<'_, Stands> {
        self.stands.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Goes back to a message that was not done, unless its partition went to another consumer.
    async fn go_back(
        self: &Arc<Self>,
        place: Place,
    ) -> Result<(), Box<dyn error::Error + Send + Sync>> {
        let shared = Arc::clone(self);
        // It blocks its thread until the client's own has answered.
        let gone_back = spawn_blocking(move || {
            let Place { topic, partition, offset } = &place;
            let assigned = shared.consumer.assignment()?;
            if assigned.find_partition(topic, *partition).is_some() {
                shared.consumer.seek(topic, *partition, Offset::Offset(*offset), SETTLE_TIMEOUT)?;
            }
            shared.stands().open = None;
            Ok::<_, KafkaError>(())
        });
        Ok(gone_back.await??)
    }

    fn commit(&self, place: &Place) -> Result<(), KafkaError> {
        let mut places = TopicPartitionList::with_capacity(1);
        let next = Offset::Offset(place.offset + 1);
        places.add_partition_offset(&place.topic, place.partition, next)?;
        self.consumer.commit(&places, CommitMode::Sync)?;
        self.stands().open = None;
        Ok(())
    }
}

impl Stands {
    /// A message is given out; returns how often it was.
    fn begin(&mut self, place: &Place) -> u64 {
        self.open = Some(place.clone());
        let partition = (place.topic.clone(), place.partition);
        if self.deliveries.len() >= MAX_PARTITIONS && !self.deliveries.contains_key(&partition) {
            self.deliveries.clear();
        }
        let at = self.deliveries.entry(partition).or_insert((place.offset, 0));
        let deliveries = if at.0 == place.offset { at.1 + 1 } else { 1 };
        *at = (place.offset, deliveries);
        deliveries
    }
}

impl<C: ConsumerContext + 'static> fmt::Debug for Source<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Source").field("stands", &*self.shared.stands()).finish_non_exhaustive()
    }
}

/// A message of a [`Source`], for [`handle`](super::handle).
#[derive(Debug)]
pub struct Polled<C: ConsumerContext + 'static = DefaultConsumerContext> {
    message: OwnedMessage,
    settler: OffsetSettler<C>,
}

fn find<'a>(headers: &'a impl KafkaHeaders, name: &str) -> Option<&'a [u8]> {
    // The last one counts, as for those who append what is newer.
    let indices = (0..headers.count()).rev();
    let mut headers = indices.filter_map(|index| headers.try_get(index));
    headers.find(|header| header.key.eq_ignore_ascii_case(name)).and_then(|header| header.value)
}

impl Headers for OwnedHeaders {
    fn get(&self, name: &str) -> Option<&[u8]> {
        find(self, name)
    }
}

impl Headers for BorrowedHeaders {
    fn get(&self, name: &str) -> Option<&[u8]> {
        find(self, name)
    }
}

impl HeadersMut for OwnedHeaders {
    fn set(&mut self, name: &'static str, value: &str) {
        // There is no removing: those of other names are copied.
        let mut headers = Self::new_with_capacity(self.count() + 1);
        for header in self.iter().filter(|header| header.key != name) {
            headers = headers.insert(header);
        }
        *self = headers.insert(Header { key: name, value: Some(value) });
    }
}

impl Headers for OwnedMessage {
    fn get(&self, name: &str) -> Option<&[u8]> {
        find(self.headers()?, name)
    }
}

impl<C: ConsumerContext + 'static> Delivery for Polled<C> {
    type Message = OwnedMessage;
    type Settler = OffsetSettler<C>;

    fn split(self) -> (OwnedMessage, OffsetSettler<C>) {
        (self.message, self.settler)
    }
}

/// Commits a message's place, or leaves it to be gone back to.
pub struct OffsetSettler<C: ConsumerContext + 'static = DefaultConsumerContext> {
    shared: Arc<Shared<C>>,
    place: Place,
    deliveries: u64,
    turn: OwnedSemaphorePermit,
}

impl<C: ConsumerContext + 'static> Settler for OffsetSettler<C> {
    fn deliveries(&self) -> Option<u64> {
        Some(self.deliveries)
    }

    async fn settle(self, how: Settle) -> Result<(), Error> {
        let Self { shared, place, turn, .. } = self;
        if let Settle::Return(after) = how {
            sleep(after).await;
            drop(turn);
            return Ok(());
        }
        let failed = || Error::new(ErrorKind::Failed, "messaging.settle");
        // It blocks its thread until the broker has answered.
        let committed = spawn_blocking(move || {
            let committed = shared.commit(&place);
            drop(turn);
            committed
        });
        match committed.await {
            Ok(committed) => committed.map_err(|error| failed().because(error)),
            Err(error) => Err(failed().because(error)),
        }
    }
}

impl<C: ConsumerContext + 'static> fmt::Debug for OffsetSettler<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OffsetSettler")
            .field("place", &self.place)
            .field("deliveries", &self.deliveries)
            .finish_non_exhaustive()
    }
}
