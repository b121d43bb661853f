//! Bodies of every size around the edges of buffers, in pieces of every size, both ways.

use crate::support::{Conversation, Message, Rig, Service};

/// Sizes one beside, on and past where a buffer of 4, 8, 16, 32 or 64 KiB is full.
fn size(random: &mut fastrand::Rng) -> usize {
    let edge = 1 << random.u32(12..18);
    match random.u8(0..4) {
        0 => random.usize(0..64),
        1 => random.usize(0..200_000),
        _ => edge - 3 + random.usize(0..7),
    }
}

/// Bytes in which a piece that is missing, doubled or misplaced shows.
fn bytes(length: usize, seed: usize) -> Vec<u8> {
    (0..length).map(|at| ((at ^ (at >> 8) ^ (at >> 16)) + seed) as u8).collect()
}

/// A message with this body, framed by its length or in chunks of random sizes.
fn framed(first: &str, body: &[u8], random: &mut fastrand::Rng) -> Vec<u8> {
    let mut out = first.as_bytes().to_vec();
    if random.bool() {
        out.extend_from_slice(format!("content-length: {}\r\n\r\n", body.len()).as_bytes());
        out.extend_from_slice(body);
        return out;
    }
    out.extend_from_slice(b"transfer-encoding: chunked\r\n\r\n");
    let mut rest = body;
    while !rest.is_empty() {
        let most = size(random).clamp(1, rest.len());
        out.extend_from_slice(format!("{most:X}\r\n").as_bytes());
        out.extend_from_slice(&rest[..most]);
        out.extend_from_slice(b"\r\n");
        rest = &rest[most..];
    }
    out.extend_from_slice(b"0\r\n\r\n");
    out
}

/// The pieces in which it is written.
fn pieces<'a>(mut rest: &'a [u8], random: &mut fastrand::Rng) -> Vec<&'a [u8]> {
    let mut pieces = Vec::new();
    while !rest.is_empty() {
        let (piece, after) = rest.split_at(size(random).clamp(1, rest.len()));
        pieces.push(piece);
        rest = after;
    }
    pieces
}

/// Sends the body back, framed anew.
fn echo(with: &mut Conversation) {
    let mut random = fastrand::Rng::with_seed(with.index as u64);
    while let Some(request) = with.request() {
        if !request.whole {
            return;
        }
        let answer = framed("HTTP/1.1 200 OK\r\n", &request.body, &mut random);
        for piece in pieces(&answer, &mut random) {
            with.say(piece);
        }
    }
}

fn check_answer(answer: &Message, body: &[u8], seed: u64, round: usize) {
    assert_eq!(answer.status(), 200, "seed {seed}, round {round}");
    let same = answer.whole && answer.body == body;
    let at = answer.body.iter().zip(body).position(|(got, sent)| got != sent);
    let (got, sent) = (answer.body.len(), body.len());
    assert!(same, "seed {seed}, round {round}: {got} bytes of {sent}, first other at {at:?}");
}

#[test]
fn bodies_around_the_edges_of_buffers_arrive_unchanged() {
    let service = Service::start(echo);
    let rig = Rig::with(service.address, |settings, _| settings.workers = 2);
    std::thread::scope(|scope| {
        for seed in 0..4 {
            let rig = &rig;
            scope.spawn(move || {
                let mut random = fastrand::Rng::with_seed(seed);
                let mut client = rig.client();
                for round in 0..60 {
                    let body = bytes(size(&mut random), round);
                    let head = format!("PUT /{seed}/{round} HTTP/1.1\r\nhost: shop\r\n");
                    let request = framed(&head, &body, &mut random);
                    // The echo comes only once all has been sent, so nothing has to be read before.
                    for piece in pieces(&request, &mut random) {
                        client.send(piece);
                    }
                    check_answer(&client.response(), &body, seed, round);
                }
            });
        }
    });
    rig.settle();
    assert_eq!(rig.handle.failures(0, 9).len(), 0);
}

#[test]
fn pipelined_bodies_around_the_edges_of_buffers_arrive_unchanged() {
    let service = Service::start(echo);
    let rig = Rig::to(service.address);
    for seed in 0..6 {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut client = rig.client();
        let bodies: Vec<_> = (0..12).map(|round| bytes(size(&mut random), round)).collect();
        let mut requests = Vec::new();
        for (round, body) in bodies.iter().enumerate() {
            let head = format!("PUT /{seed}/{round} HTTP/1.1\r\nhost: shop\r\n");
            requests.extend(framed(&head, body, &mut random));
        }
        let mut writing = client.wire.stream.try_clone().expect("a second handle");
        std::thread::scope(|scope| {
            scope.spawn(move || {
                use std::io::Write as _;
                for piece in pieces(&requests, &mut random) {
                    writing.write_all(piece).expect("it is taken");
                }
            });
            for (round, body) in bodies.iter().enumerate() {
                check_answer(&client.response(), body, seed, round);
            }
        });
    }
    rig.settle();
    assert_eq!(rig.handle.failures(0, 9).len(), 0);
}
