//! User instructions that a request costs, counted by valgrind.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use super::{
    CONNECTIONS, ROOM,
    proxy::{self, Proxy, Setup, Workers},
};
use crate::bench::{
    client, counts,
    output::Folder,
    server::{Server, Under},
};

/// Batches of one request on each of [`CONNECTIONS`] that are sent under valgrind. What starting
/// and stopping cost cancels between the two.
const BATCHES: (usize, usize) = (16, 80);

/// Of a server that is started under valgrind twice.
pub(super) fn a_request(
    folder: &Folder,
    mut start: impl FnMut(Under) -> Result<Server>,
) -> Result<f64> {
    let mut count = |batches: usize| -> Result<f64> {
        let out = folder.0.join(format!("callgrind-{batches}"));
        let server = start(Under::Callgrind(out.clone()))?;
        client::send_batches(server.port(), CONNECTIONS, batches)?;
        server.stop()?;
        Ok(counts::read_callgrind(&out)? as f64)
    };
    let (few, many) = (count(BATCHES.0)?, count(BATCHES.1)?);
    Ok((many - few) / ((BATCHES.1 - BATCHES.0) * CONNECTIONS) as f64)
}

/// Of Rearguard in front of an upstream, for each set of documents that `documents` writes once the
/// name of the service is known; in the order of `0..sets`.
pub(in crate::bench) fn of_rearguard(
    folder: &Folder,
    rearguard: &Path,
    sets: usize,
    documents: impl Fn(usize, &str) -> Result<PathBuf>,
) -> Result<Vec<f64>> {
    let upstream = proxy::start_upstream(&folder.0.join("upstream"), 1, &Under::Nothing)?;
    let service = format!("127.0.0.1:{}", upstream.port());
    let mut counted = Vec::new();
    for set in 0..sets {
        let documents = [documents(set, &service)?];
        let instructions = a_request(folder, |under| {
            Proxy::Rearguard.start(&Setup {
                folder: &folder.0.join("rearguard"),
                rearguard,
                upstream: upstream.port(),
                workers: Workers::SingleProcess,
                connections: ROOM,
                under,
                documents: &documents,
            })
        });
        counted.push(instructions.context("rearguard under valgrind")?);
    }
    upstream.stop()?;
    Ok(counted)
}
