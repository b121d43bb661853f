// Keeps the first page up to date. The server renders everything; this asks for it again and
// again, puts in place only what has changed, and says plainly when no answer comes.

const POLL_MS = 1500;
const ANSWER_TIMEOUT_MS = 4000;
const LOST_AFTER_MS = 5000;
const ANNOUNCE_EVERY_MS = 15000;

const live = document.getElementById("live");
const connection = document.getElementById("connection");
const lost = document.getElementById("lost");
const announcement = document.getElementById("announcement");
const pause = document.getElementById("pause");

let paused = false;
let seenAt = Date.now();
let problem = "";
let timer;
let asking;

// Polling

async function refresh() {
  clearTimeout(timer);
  asking?.abort();
  const mine = (asking = new AbortController());
  const timeout = setTimeout(() => mine.abort(), ANSWER_TIMEOUT_MS);
  try {
    const answer = await fetch("/live" + location.search, { cache: "no-store", signal: mine.signal });
    if (!answer.ok) throw new Error(`it answers with status ${answer.status}`);
    const text = await answer.text();
    if (mine === asking) show(text);
  } catch (error) {
    if (mine === asking) problem = error.name === "Error" ? error.message : "";
  } finally {
    clearTimeout(timeout);
    if (mine === asking) {
      tell();
      if (!paused) timer = setTimeout(refresh, POLL_MS);
    }
  }
}

function show(text) {
  const fresh = new DOMParser().parseFromString(text, "text/html").getElementById("live");
  if (!fresh) throw new Error("its answer is not the page's");
  const before = failureKeys();
  seenAt = Date.now();
  problem = "";
  document.title = fresh.dataset.title;
  morph(live, fresh);
  announce(before);
}

/** Says how fresh the page is. */
function tell() {
  const seconds = Math.round((Date.now() - seenAt) / 1000);
  const at = new Date(seenAt).toISOString().slice(11, 19);
  const isLost = !paused && Date.now() - seenAt > LOST_AFTER_MS;
  const state = paused ? "paused" : isLost ? "lost" : "live";
  connection.className = `connection ${state}`;
  setText(connection, { paused: `paused at ${at} UTC`, lost: "no answer", live: "live" }[state]);
  live.classList.toggle("old", isLost);
  lost.hidden = !isLost;
  setText(lost, isLost
    ? `The gateway has stopped answering${problem && `: ${problem}`}. Last seen ${seconds} s ago, at ${at} UTC. ` +
      "What is shown below is from then."
    : "");
}

function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

// Announcing new failures to screen readers, not too often

let announcedAt = 0;
let unannounced = 0;

function failureKeys() {
  return new Set([...live.querySelectorAll(".failure")].map((failure) => failure.dataset.key));
}

function announce(before) {
  unannounced += [...failureKeys()].filter((key) => !before.has(key)).length;
  if (unannounced === 0 || Date.now() - announcedAt < ANNOUNCE_EVERY_MS) return;
  const newest = live.querySelector(".failure");
  const words = (selector) => newest?.querySelector(selector)?.textContent ?? "";
  setText(announcement, `New failures: ${unannounced}. ${words("h3")}: ${words(".sentence")}`);
  announcedAt = Date.now();
  unannounced = 0;
}

// Putting what is new in place: elements that stay keep their focus, selection and scroll

const keyOf = (node) => node.dataset?.key;

function morph(old, fresh) {
  if (old.nodeName !== fresh.nodeName) return old.replaceWith(fresh);
  if (old.nodeType === Node.TEXT_NODE) {
    if (old.data !== fresh.data) old.data = fresh.data;
    return;
  }
  morphAttributes(old, fresh);
  morphChildren(old, fresh);
}

function morphAttributes(old, fresh) {
  for (const { name } of [...old.attributes]) {
    if (!fresh.hasAttribute(name)) old.removeAttribute(name);
  }
  for (const { name, value } of fresh.attributes) {
    if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
}

function morphChildren(old, fresh) {
  const keyed = new Map([...old.childNodes].filter(keyOf).map((node) => [keyOf(node), node]));
  let next = old.firstChild;
  for (const child of [...fresh.childNodes]) {
    const key = keyOf(child);
    const match = key ? keyed.get(key) : next && !keyOf(next) ? next : null;
    if (!match) {
      old.insertBefore(child, next);
      continue;
    }
    keyed.delete(key);
    if (match === next) next = next.nextSibling;
    else old.insertBefore(match, next);
    morph(match, child);
  }
  while (next) {
    const gone = next;
    next = next.nextSibling;
    gone.remove();
  }
}

// What a person does

async function copy(button) {
  const text = button.dataset.copy;
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // Browsers offer no clipboard on plain HTTP past loopback: the old way.
    const field = Object.assign(document.createElement("textarea"), { value: text, className: "unseen" });
    document.body.append(field);
    field.select();
    document.execCommand("copy");
    field.remove();
    button.focus();
  }
  setText(announcement, "Copied.");
  button.textContent = "Copied";
  setTimeout(() => (button.textContent = "Copy"), 1500);
}

function filter(search) {
  history.replaceState(null, "", `/${search}`);
  refresh();
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-copy]");
  if (button) copy(button);
});

document.addEventListener("change", (event) => {
  const form = event.target.closest("#filter");
  if (form) filter(`?${new URLSearchParams(new FormData(form))}`);
});

pause.addEventListener("click", () => {
  paused = !paused;
  pause.setAttribute("aria-pressed", String(paused));
  pause.textContent = paused ? "Resume" : "Pause";
  if (paused) {
    clearTimeout(timer);
    asking?.abort();
    tell();
  } else {
    refresh();
  }
});

// A hidden page asks for nothing; it catches up as soon as it is seen.
document.addEventListener("visibilitychange", () => {
  if (paused) return;
  if (document.hidden) clearTimeout(timer);
  else refresh();
});

document.documentElement.classList.add("js");
pause.hidden = false;
setInterval(tell, 1000);
refresh();
