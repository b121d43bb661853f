//! Chromium without a window, driven over the DevTools protocol.
//!
//! Why ours where crates exist: the protocol runs over two pipes as JSON between zero bytes, and
//! the tests need five of its commands.

use std::{
    io::{self, BufRead, BufReader, Write},
    process::{Child, ChildStdin, Command, Stdio},
    sync::mpsc::{Receiver, RecvTimeoutError, channel},
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

/// Generous, for a machine that is busy; nothing waits for it when all is well.
const BOUND: Duration = Duration::from_secs(60);

/// `--remote-debugging-pipe` reads commands on descriptor 3 and writes answers on 4.
const ONTO_PIPES: &str = "exec \"$0\" \"$@\" 3<&0 4>&1 </dev/null >/dev/null 2>&1";

const FLAGS: [&str; 11] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-sync",
    "--remote-debugging-pipe",
];

/// Light or dark, as the person prefers.
#[derive(Clone, Copy, Debug)]
pub(super) enum Scheme {
    Light,
    Dark,
}

/// A browser with one page open.
pub(super) struct Browser {
    child: Child,
    commands: ChildStdin,
    messages: Receiver<Value>,
    session: String,
    last_id: u64,
    /// What the page complained of: errors, exceptions, violated policies.
    problems: Vec<String>,
    /// Removed after the browser has ended.
    _profile: tempfile::TempDir,
}

impl Browser {
    /// Starts a browser with an empty profile.
    pub(super) fn start() -> Self {
        let program = ["chromium", "chromium-browser", "google-chrome"]
            .into_iter()
            .find(|name| Command::new(name).arg("--version").output().is_ok())
            .expect(
                "found no chromium, which this test needs; on Debian: apt-get install chromium",
            );
        let profile = tempfile::tempdir().unwrap();
        let mut child = Command::new("sh")
            .args(["-c", ONTO_PIPES, program])
            .args(FLAGS)
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .env("TMPDIR", profile.path())
            .arg("about:blank")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let commands = child.stdin.take().unwrap();
        let answers = BufReader::new(child.stdout.take().unwrap());
        let (sender, messages) = channel();
        thread::spawn(move || {
            for message in answers.split(0).map_while(Result::ok) {
                let Ok(message) = serde_json::from_slice(&message) else { return };
                if sender.send(message).is_err() {
                    return;
                }
            }
        });
        let session = String::new();
        let problems = Vec::new();
        let mut browser =
            Self { child, commands, messages, session, last_id: 0, problems, _profile: profile };
        let target = browser.command("Target.createTarget", &json!({ "url": "about:blank" }));
        let target = json!({ "targetId": target["targetId"], "flatten": true });
        let attached = browser.command("Target.attachToTarget", &target);
        browser.session = attached["sessionId"].as_str().unwrap().to_owned();
        for domain in ["Page.enable", "Runtime.enable", "Log.enable", "Network.enable"] {
            browser.command(domain, &json!({}));
        }
        browser
    }

    fn send(&mut self, method: &str, parameters: &Value) -> io::Result<()> {
        self.last_id += 1;
        let mut message = json!({ "id": self.last_id, "method": method, "params": parameters });
        if !self.session.is_empty() {
            message["sessionId"] = self.session.clone().into();
        }
        let mut bytes = serde_json::to_vec(&message)?;
        bytes.push(0);
        self.commands.write_all(&bytes)
    }

    fn command(&mut self, method: &str, parameters: &Value) -> Value {
        self.send(method, parameters).expect("chromium has ended");
        let until = Instant::now() + BOUND;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let answer = match self.messages.recv_timeout(left) {
                Ok(answer) => answer,
                Err(RecvTimeoutError::Timeout) => panic!("chromium does not answer {method}"),
                Err(RecvTimeoutError::Disconnected) => {
                    panic!("chromium ended before it answered {method}")
                }
            };
            if answer["id"] == self.last_id {
                assert!(answer["error"].is_null(), "{method}: {}", answer["error"]);
                return answer["result"].clone();
            }
            self.note(&answer);
        }
    }

    fn note(&mut self, event: &Value) {
        let parameters = &event["params"];
        let is_problem = match event["method"].as_str() {
            Some("Runtime.exceptionThrown") => true,
            Some("Runtime.consoleAPICalled") => {
                parameters["type"] == "error" || parameters["type"] == "warning"
            }
            Some("Log.entryAdded") => {
                let level = &parameters["entry"]["level"];
                level == "error" || level == "warning"
            }
            _ => false,
        };
        if is_problem {
            self.problems.push(parameters.to_string());
        }
    }

    /// What the page complained of since this was last asked.
    pub(super) fn problems(&mut self) -> Vec<String> {
        self.evaluate("0");
        std::mem::take(&mut self.problems)
    }

    /// Makes the window this large and sets which colours the person prefers.
    pub(super) fn show(&mut self, width: u32, height: u32, scheme: Scheme) {
        let metrics = json!({
            "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600,
        });
        self.command("Emulation.setDeviceMetricsOverride", &metrics);
        let value = match scheme {
            Scheme::Light => "light",
            Scheme::Dark => "dark",
        };
        let feature = json!({ "name": "prefers-color-scheme", "value": value });
        self.command("Emulation.setEmulatedMedia", &json!({ "features": [feature] }));
    }

    /// From the next page on, the page's own scripts do not run.
    pub(super) fn without_scripts(&mut self) {
        self.command("Emulation.setScriptExecutionDisabled", &json!({ "value": true }));
    }

    /// Opens a page and waits until it is loaded.
    pub(super) fn open(&mut self, url: &str) {
        let opened = self.command("Page.navigate", &json!({ "url": url }));
        assert!(opened["errorText"].is_null(), "{url}: {}", opened["errorText"]);
        self.wait_for(&format!("document.readyState == 'complete' && location.href == '{url}'"));
    }

    /// The value of a JavaScript expression.
    pub(super) fn evaluate(&mut self, expression: &str) -> Value {
        let parameters =
            json!({ "expression": expression, "returnByValue": true, "awaitPromise": true });
        let result = self.command("Runtime.evaluate", &parameters);
        assert!(result["exceptionDetails"].is_null(), "{expression}: {result}");
        result["result"]["value"].clone()
    }

    /// Waits until an expression is true.
    pub(super) fn wait_for(&mut self, expression: &str) {
        let until = Instant::now() + BOUND;
        while self.evaluate(expression) != true {
            if Instant::now() > until {
                let text = self.text();
                panic!("{expression} is still not so on a page that reads:\n{text}");
            }
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// The text that a person sees.
    pub(super) fn text(&mut self) -> String {
        self.evaluate("document.body.innerText").as_str().unwrap().to_owned()
    }

    /// Writes a picture of the whole page into the folder that `REARGUARD_PICTURES` names.
    pub(super) fn picture(&mut self, name: &str) {
        let Some(folder) = std::env::var_os("REARGUARD_PICTURES") else { return };
        let parameters = json!({ "format": "png", "captureBeyondViewport": true });
        let picture = self.command("Page.captureScreenshot", &parameters);
        let bytes = from_base64(picture["data"].as_str().unwrap());
        std::fs::write(std::path::Path::new(&folder).join(format!("{name}.png")), bytes).unwrap();
    }
}

impl Drop for Browser {
    /// Lets the browser end its processes itself, so that none still writes to the profile when
    /// that is removed.
    fn drop(&mut self) {
        self.session.clear();
        let until = Instant::now() + Duration::from_secs(10);
        let mut asked = self.send("Browser.close", &json!({})).is_ok();
        while asked && matches!(self.child.try_wait(), Ok(None)) {
            asked = Instant::now() < until;
            thread::sleep(Duration::from_millis(20));
        }
        // Where it has ended, neither does anything.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// RFC 4648 section 4.
fn from_base64(text: &str) -> Vec<u8> {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = Vec::new();
    let (mut bits, mut held) = (0_u32, 0);
    for byte in text.bytes().take_while(|byte| *byte != b'=') {
        let digit = DIGITS.iter().position(|digit| *digit == byte).unwrap();
        bits = bits << 6 | u32::try_from(digit).unwrap();
        held += 6;
        if held >= 8 {
            held -= 8;
            out.push((bits >> held & 0xff) as u8);
        }
    }
    out
}
