//! Many tasks on several threads, whose requests are dropped at random times.

use std::{
    env,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use rearguard::client::{Client, ClientOptions};
use tokio::{task::JoinSet, time::timeout};

use crate::{PATIENCE, ask, get, post, scripted::Scripted, text, until, until_quiet};

const TASKS: u64 = 8;
const CONNECTIONS: usize = 4;

/// Answers with the path, now and then late, in two pieces, or as the last of its connection.
async fn server(open: Arc<AtomicUsize>, seed: u64) -> Scripted {
    Scripted::start(move |number, mut peer| {
        let open = Arc::clone(&open);
        let mut random = fastrand::Rng::with_seed(seed.wrapping_add(number as u64));
        async move {
            open.fetch_add(1, SeqCst);
            while let Some(head) = peer.request().await {
                let body = head.path();
                tokio::time::sleep(Duration::from_micros(random.u64(..500))).await;
                match random.u8(..20) {
                    0 => break,
                    1 => {
                        peer.answer_with("connection: close\r\n", body).await;
                        break;
                    }
                    2..5 => {
                        let length = body.len();
                        let half = length / 2;
                        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n");
                        peer.write(&format!("{head}{}", &body[..half])).await;
                        tokio::time::sleep(Duration::from_micros(random.u64(..2000))).await;
                        peer.write(&body[half..]).await;
                    }
                    _ => peer.answer(body).await,
                }
            }
            open.fetch_sub(1, SeqCst);
        }
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_request_gets_anothers_answer_and_nothing_stays_open() {
    let rounds = env::var("REARGUARD_CLIENT_ROUNDS").map_or(200, |it| it.parse().unwrap());
    let seed =
        env::var("REARGUARD_SEED").map_or_else(|_| fastrand::u64(..), |it| it.parse().unwrap());
    let open = Arc::new(AtomicUsize::new(0));
    let server = server(Arc::clone(&open), seed).await;
    let options = ClientOptions::new().connections(CONNECTIONS);
    let client = Client::new(options.queue_timeout(PATIENCE));
    let answered = Arc::new(AtomicU64::new(0));
    let mut tasks = JoinSet::new();
    for task in 0..TASKS {
        let (client, address) = (client.clone(), server.to_string());
        let answered = Arc::clone(&answered);
        let mut random = fastrand::Rng::with_seed(seed ^ task);
        tasks.spawn(async move {
            for round in 0..rounds {
                let path = format!("/{task}/{round}");
                let patience = Duration::from_micros(random.u64(..4000));
                let repeatable = random.bool();
                let asked = async {
                    if repeatable {
                        return ask(&client, &address, &path).await;
                    }
                    text(client.send(post(&address, &path)).await?).await
                };
                // A POST that meets the race fails, as it must.
                if let Ok(Ok(answer)) = timeout(patience, asked).await {
                    assert_eq!(answer, path, "seed {seed}");
                    answered.fetch_add(1, SeqCst);
                }
                if round % 10 == 0 {
                    drop(client.send(get(&address, "/unread")).await);
                }
            }
        });
    }
    while let Some(ended) = tasks.join_next().await {
        ended.unwrap();
    }
    assert!(answered.load(SeqCst) > 0, "seed {seed}");
    until_quiet(&client).await;
    let stats = client.stats();
    assert!(stats.connections <= CONNECTIONS && stats.waiting == 0, "{stats:?}, seed {seed}");
    assert_eq!(client.close(PATIENCE).await, 0);
    until("all sockets are closed", async || open.load(SeqCst) == 0).await;
}
