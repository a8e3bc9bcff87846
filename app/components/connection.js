// Asks /live/health of the page's own origin and says what does not answer: the pages' server, the API or a store.
// Called by Streamlit on mount and on every rerun; `data` is {labels, language} (see connection.py).

const POLL_MS = 2_000;
const POLL_AWAY_MS = 1_000;
const TIMEOUT_MS = 5_000;
const LASTING_MS = 20_000; // then the notice also says what to do

class Connection {
  constructor(pulse) {
    this.pulse = pulse;
    this.notice = document.createElement("div");
    this.notice.className = "arm-reconnecting";
    this.notice.setAttribute("role", "alert");
    this.notice.hidden = true;
    this.notice.append(document.createElement("b"), document.createElement("span"));
    document.body.append(this.notice);
    this.wake = () => document.hidden || this.tick();
    document.addEventListener("visibilitychange", this.wake);
  }

  configure({ labels, language }) {
    this.labels = labels;
    document.documentElement.lang = language; // Streamlit calls every page English: browsers offer to translate it
    if (this.away === undefined) this.tick();
    else this.draw();
  }

  async tick() {
    clearTimeout(this.timer);
    if (this.isBusy) return;
    this.isBusy = true;
    const away = document.hidden ? this.away : await whatIsAway();
    this.isBusy = false;
    if (this.isStopped) return;
    if (!away?.length) this.since = undefined;
    else this.since ??= Date.now();
    this.away = away;
    this.draw();
    this.timer = setTimeout(() => this.tick(), away?.length ? POLL_AWAY_MS : POLL_MS);
  }

  draw() {
    if (this.away === undefined) return;
    const isAway = this.away.length > 0;
    const lines = this.away.map((part) => this.labels[part]);
    if (isAway && Date.now() - this.since > LASTING_MS) lines.push(this.labels.lasting);
    this.pulse.dataset.state = isAway ? "away" : "ok";
    setText(this.pulse.lastElementChild, isAway ? this.labels.reconnecting : this.labels.ok);
    setText(this.notice.firstElementChild, this.labels.reconnecting);
    setText(this.notice.lastElementChild, lines.join(" "));
    this.notice.dataset.parts = this.away.join(" ");
    this.notice.hidden = !isAway;
    if (isAway) this.colour();
    if (this.away.includes("ui")) closeStreamlitsDialog();
  }

  // the theme's variables exist inside Streamlit's components only
  colour() {
    const style = getComputedStyle(this.pulse);
    const value = (name) => style.getPropertyValue(name);
    this.notice.style.font = `.86rem/1.4 ${value("--st-font")}`;
    this.notice.style.color = value("--st-text-color");
    this.notice.style.background = value("--st-background-color");
    this.notice.style.borderColor = value("--st-orange-color");
  }

  stop() {
    this.isStopped = true;
    clearTimeout(this.timer);
    document.removeEventListener("visibilitychange", this.wake);
    this.notice.remove();
  }
}

function closeStreamlitsDialog() {
  for (const dialog of document.querySelectorAll('[data-testid="stDialog"]')) {
    if (dialog.textContent.startsWith("Connection error")) dialog.querySelector("button")?.click();
  }
}

function setText(element, text) {
  if (element.textContent !== text) element.textContent = text; // a screen reader reads every change
}

async function whatIsAway() {
  try {
    const reply = await fetch("/live/health", { signal: AbortSignal.timeout(TIMEOUT_MS), cache: "no-store" });
    if (!reply.ok) return ["api"];
    const health = await reply.json();
    return ["mongo", "redis"].filter((store) => health[store] !== "ok");
  } catch {
    return ["ui"];
  }
}

const instances = new WeakMap();

export default function ({ parentElement, data }) {
  const pulse = parentElement.querySelector(".arm-pulse");
  let connection = instances.get(pulse);
  if (!connection) {
    connection = new Connection(pulse);
    instances.set(pulse, connection);
  }
  connection.configure(data);
  return () => {
    connection.stop();
    instances.delete(pulse);
  };
}
