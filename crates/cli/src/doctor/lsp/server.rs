//! Answers messages.

use std::{
    collections::HashMap,
    io,
    path::{Path, PathBuf},
    process::ExitCode,
};

use serde_json::{Value, json};

use super::{super::check::settings::Resolved, document::Document};

/// So many files are open at once; findings of one more are not told.
const MAX_DOCUMENTS: usize = 1_000;

const METHOD_NOT_FOUND: i32 = -32601;
const INVALID_REQUEST: i32 = -32600;

/// What to do after a message.
#[derive(Debug)]
pub(super) enum Next {
    /// Read the next one.
    Go,
    /// End the process.
    Exit(ExitCode),
}

/// The open files.
#[derive(Debug)]
pub(super) struct Server {
    resolved: Resolved,
    documents: HashMap<String, Document>,
    is_shut_down: bool,
}

/// Sends a message.
type Send<'s> = &'s mut dyn FnMut(Value) -> io::Result<()>;

impl Server {
    pub(super) fn new(resolved: Resolved) -> Self {
        Self { resolved, documents: HashMap::new(), is_shut_down: false }
    }

    /// Answers a message; what it cannot do is told to the editor and is no error.
    pub(super) fn answer(&mut self, message: &Value, send: Send<'_>) -> io::Result<Next> {
        let method = message["method"].as_str().unwrap_or_default();
        let params = &message["params"];
        let id = &message["id"];
        if id.is_null() {
            return self.notified(method, params, send);
        }
        // An answer to a request of ours; there are none.
        if method.is_empty() {
            return Ok(Next::Go);
        }
        let result = match method {
            _ if self.is_shut_down => Err((INVALID_REQUEST, "it is shut down".to_owned())),
            "initialize" => Ok(capabilities()),
            "shutdown" => {
                self.is_shut_down = true;
                Ok(Value::Null)
            }
            "textDocument/codeAction" => Ok(self.actions(params)),
            _ => Err((METHOD_NOT_FOUND, format!("{method} is not known"))),
        };
        send(match result {
            Ok(result) => json!({"jsonrpc": "2.0", "id": id, "result": result}),
            Err((code, message)) => {
                json!({"jsonrpc": "2.0", "id": id, "error": {"code": code, "message": message}})
            }
        })?;
        Ok(Next::Go)
    }

    fn notified(&mut self, method: &str, params: &Value, send: Send<'_>) -> io::Result<Next> {
        let document = &params["textDocument"];
        let uri = document["uri"].as_str().unwrap_or_default();
        match method {
            "exit" => {
                let code = if self.is_shut_down { ExitCode::SUCCESS } else { ExitCode::FAILURE };
                return Ok(Next::Exit(code));
            }
            "textDocument/didOpen" => {
                self.show(uri, document["text"].as_str(), &document["version"], send)?;
            }
            "textDocument/didChange" => {
                // Each change is the whole text, as the capabilities ask.
                let changes = params["contentChanges"].as_array();
                let last = changes.and_then(|changes| changes.last());
                let text = last.and_then(|change| change["text"].as_str());
                self.show(uri, text, &document["version"], send)?;
            }
            // The files beside it may have changed too.
            "textDocument/didSave" => self.show_all(send)?,
            "textDocument/didClose" => {
                self.documents.remove(uri);
                publish(uri, &Value::Null, Vec::new(), send)?;
            }
            _ => {}
        }
        Ok(Next::Go)
    }

    fn show(
        &mut self,
        uri: &str,
        text: Option<&str>,
        version: &Value,
        send: Send<'_>,
    ) -> io::Result<()> {
        let (Some(text), Some(path)) = (text, path_of(uri)) else { return Ok(()) };
        if self.documents.len() >= MAX_DOCUMENTS && !self.documents.contains_key(uri) {
            return Ok(());
        }
        let document = Document::new(&path, text.to_owned(), version.clone(), &self.resolved);
        publish(uri, version, document.diagnostics(uri), send)?;
        self.documents.insert(uri.to_owned(), document);
        Ok(())
    }

    fn show_all(&mut self, send: Send<'_>) -> io::Result<()> {
        let documents = std::mem::take(&mut self.documents);
        for (uri, document) in documents {
            self.show(&uri, Some(&document.found.text), &document.version, send)?;
        }
        Ok(())
    }

    fn actions(&self, params: &Value) -> Value {
        let uri = params["textDocument"]["uri"].as_str().unwrap_or_default();
        let line = |end: &str| params["range"][end]["line"].as_u64().unwrap_or_default();
        let document = self.documents.get(uri);
        let actions = document.map(|it| it.actions(uri, line("start"), line("end")));
        Value::Array(actions.unwrap_or_default())
    }
}

fn publish(uri: &str, version: &Value, found: Vec<Value>, send: Send<'_>) -> io::Result<()> {
    let mut params = json!({"uri": uri, "diagnostics": found});
    if !version.is_null() {
        params["version"] = version.clone();
    }
    send(json!({
        "jsonrpc": "2.0",
        "method": "textDocument/publishDiagnostics",
        "params": params,
    }))
}

fn capabilities() -> Value {
    json!({
        "capabilities": {
            "positionEncoding": "utf-16",
            // Opened and closed files are told, and changes with the whole text (1).
            "textDocumentSync": {"openClose": true, "change": 1, "save": true},
            "codeActionProvider": {"codeActionKinds": ["quickfix"]},
        },
        "serverInfo": {"name": "rearguard doctor", "version": env!("CARGO_PKG_VERSION")},
    })
}

/// The path of a `file:` URI to a Go file.
fn path_of(uri: &str) -> Option<PathBuf> {
    let path = uri.strip_prefix("file://")?;
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let digits = [rest.next()?, rest.next()?];
            bytes.push(u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    let path = String::from_utf8(bytes).ok()?;
    let path = Path::new(&path);
    (path.is_absolute() && path.extension().is_some_and(|it| it == "go")).then(|| path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uri_is_a_path_to_a_go_file_or_nothing() {
        assert_eq!(path_of("file:///a%20b/%C3%BC.go"), Some(PathBuf::from("/a b/ü.go")));
        for uri in ["file:///a.txt", "untitled:a.go", "file://a.go", "file:///%zz.go", "file:///%c"]
        {
            assert_eq!(path_of(uri), None, "{uri}");
        }
    }
}
