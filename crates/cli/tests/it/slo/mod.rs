//! `rearguard up` with objectives.

mod budgets;
mod locks;
mod reload;

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpListener,
    path::PathBuf,
    process::Command,
    sync::mpsc,
    thread,
};

use serde_json::Value;

use crate::support::{Gateway, scratch};

const EXAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/openslo/shop.yaml");

/// An empty folder.
pub(super) fn folder(name: &str) -> PathBuf {
    let folder = scratch(name);
    fs::remove_dir_all(&folder).unwrap_or_default();
    fs::create_dir_all(&folder).unwrap();
    folder
}

pub(super) fn objective(gateway: &Gateway, name: &str) -> Value {
    let slo = gateway.api("/api/v1/slo");
    let objectives = slo["objectives"].as_array().unwrap();
    let found = objectives.iter().find(|objective| objective["objective"] == name);
    found.unwrap_or_else(|| panic!("no {name} in {slo:#}")).clone()
}

pub(super) fn bad(gateway: &Gateway) -> u64 {
    objective(gateway, "payments-are-served")["counts"]["bad"].as_u64().unwrap()
}

pub(super) fn command(arguments: &[&str]) -> (bool, String, String) {
    let ended = Command::new(env!("CARGO_BIN_EXE_rearguard")).args(arguments).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (ended.status.success(), text(&ended.stdout), text(&ended.stderr))
}

/// Says no to the first so many letters, and then takes each.
pub(super) fn receiver(refused: usize) -> (String, mpsc::Receiver<Value>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("webhook=http://{}/", listener.local_addr().unwrap());
    let (sender, letters) = mpsc::channel();
    thread::spawn(move || {
        for (number, stream) in listener.incoming().enumerate() {
            let mut stream = stream.unwrap();
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let mut length = 0;
            loop {
                let mut line = String::new();
                reader.read_line(&mut line).unwrap();
                if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
                    length = value.trim().parse().unwrap();
                }
                if line.trim().is_empty() {
                    break;
                }
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body).unwrap();
            let status = if number < refused { "503 Busy" } else { "200 OK" };
            let answer =
                format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            stream.write_all(answer.as_bytes()).unwrap();
            // Nobody asks any more when the test is over.
            if number >= refused && sender.send(serde_json::from_slice(&body).unwrap()).is_err() {
                return;
            }
        }
    });
    (url, letters)
}
