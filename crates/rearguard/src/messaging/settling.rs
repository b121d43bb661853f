//! The cleanup by which a message is settled.

use std::{sync::Arc, time::Duration};

use tokio::time::timeout;

use super::{
    consumer::{
        Consumer, DEAD_LETTER_TIMEOUT, RETURN_AFTER_MAX, Reason, SETTLE_TIMEOUT, Tried, Verdict,
    },
    settle::{Settle, Settler},
    stats::count,
};
use crate::{Error, ErrorKind, Outcome};

/// A message that is to be settled.
pub(super) struct Settling<M, S> {
    pub(super) consumer: Consumer<M>,
    pub(super) message: Arc<M>,
    pub(super) settler: S,
    pub(super) tried: Tried,
}

impl<M: Send + Sync + 'static, S: Settler> Settling<M, S> {
    /// The work has ended.
    pub(super) async fn by(self, outcome: Outcome) -> Result<(), Error> {
        match self.consumer.verdict(outcome, self.tried) {
            Verdict::Acknowledge => self.acknowledge().await,
            Verdict::Return(after) => self.give_back(after).await,
            Verdict::PutAside(reason) => {
                count(&self.consumer.counters.poison);
                self.put_aside(reason).await
            }
        }
    }

    async fn acknowledge(self) -> Result<(), Error> {
        let Self { consumer, settler, .. } = self;
        tell(&consumer, settler, Settle::Done).await?;
        count(&consumer.counters.acknowledged);
        Ok(())
    }

    async fn give_back(self, after: Duration) -> Result<(), Error> {
        let Self { consumer, settler, .. } = self;
        tell(&consumer, settler, Settle::Return(after)).await?;
        count(&consumer.counters.returned);
        Ok(())
    }

    /// It is not wanted any more.
    pub(super) async fn forget(self) -> Result<(), Error> {
        self.acknowledge().await
    }

    pub(super) async fn put_aside(self, reason: Reason) -> Result<(), Error> {
        let Some(dead_letter) = self.consumer.dead_letter.clone() else {
            let Self { consumer, settler, .. } = self;
            tell(&consumer, settler, Settle::Discard).await?;
            count(&consumer.counters.discarded);
            return Ok(());
        };
        let failed = match timeout(
            DEAD_LETTER_TIMEOUT,
            dead_letter(Arc::clone(&self.message), reason),
        )
        .await
        {
            Ok(Ok(())) => {
                let Self { consumer, settler, .. } = self;
                tell(&consumer, settler, Settle::Done).await?;
                count(&consumer.counters.dead_lettered);
                return Ok(());
            }
            Ok(Err(source)) => {
                Error::new(ErrorKind::Failed, "messaging.dead_letter").because(source)
            }
            Err(_) => Error::new(ErrorKind::DeadlinePassed, "messaging.dead_letter"),
        };
        count(&self.consumer.counters.dead_letter_failed);
        let (name, after) = (self.consumer.name, self.consumer.delay(self.tried.deliveries));
        self.give_back(after).await?;
        Err(failed.with("consumer", name))
    }
}

async fn tell<M>(consumer: &Consumer<M>, settler: impl Settler, how: Settle) -> Result<(), Error> {
    let longest = match how {
        Settle::Return(after) => after.min(RETURN_AFTER_MAX) + SETTLE_TIMEOUT,
        Settle::Done | Settle::Discard => SETTLE_TIMEOUT,
    };
    let told = match timeout(longest, settler.settle(how)).await {
        Ok(told) => told,
        Err(_) => Err(Error::new(ErrorKind::ResponseTimedOut, "messaging.settle")),
    };
    told.map_err(|error| {
        count(&consumer.counters.settle_failed);
        error.with("consumer", consumer.name)
    })
}
