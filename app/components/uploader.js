// Sends one file in chunks (see uploader.py and app/upload_proxy.py). `data` is {purpose, finish, labels, nameLabel}.
// What was sent is never sent twice: after a break the server is asked how far it is. Reruns of the page do not disturb
// a transfer: its state hangs on the element, and Streamlit keeps the element as long as its key is drawn.

const CHUNK_BYTES = 8 << 20;
const PATIENCE_S = 60; // so long a lost connection is retried before the reader is asked
const HEADERS = { "X-Arm-Upload": "1" };

class Refusal extends Error {
  constructor(status, reply) {
    super(`${status}`);
    this.status = status;
    this.reply = reply;
  }
}

function element(tag, className, text) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

function filled(sentence, holes) {
  return sentence.replace(/\{(\w+)\}/g, (hole, name) => holes[name] ?? hole);
}

function sizeText(bytes, labels) {
  const [b, ...units] = labels.units.split(" ");
  let amount = bytes, unit = b;
  for (const next of units) {
    if (amount < 1000) break;
    amount /= 1000;
    unit = next;
  }
  const digits = unit === b || amount >= 100 ? 0 : 1;
  return `${amount.toLocaleString(labels.language, { maximumFractionDigits: digits })} ${unit}`;
}

async function asked(method, path, signal, body) {
  const options = { method, headers: HEADERS, signal, credentials: "same-origin", cache: "no-store" };
  const reply = await fetch(path, body === undefined ? options : { ...options, body });
  const text = await reply.text();
  let content = null;
  try {
    content = text ? JSON.parse(text) : null;
  } catch {
    content = null;
  }
  if (!reply.ok) throw new Refusal(reply.status, content);
  return content;
}

// Worth another try without the reader: nobody answered, or who answered says that a store or the backend is away.
function isPassing(error) {
  if (error.name === "AbortError") return false;
  if (!(error instanceof Refusal)) return true;
  const lasting = ["disk_full", "disk_full_now", "storage_failed"];
  return [502, 503, 504].includes(error.status) && !lasting.includes(error.reply?.code);
}

function pause(seconds, signal) {
  return new Promise((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer);
      reject(new DOMException("", "AbortError"));
    };
    const timer = setTimeout(() => {
      signal.removeEventListener("abort", stop);
      resolve();
    }, seconds * 1000);
    signal.addEventListener("abort", stop, { once: true });
  });
}

// The last chunk may still be on its way into the file, which is busy then (409); an import that refused it took it.
async function discard(id) {
  for (let attempt = 0; attempt < 5; attempt += 1) {
    try {
      await asked("DELETE", `/upload/${id}`);
      return;
    } catch (error) {
      if (error.status !== 409) return;
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
  }
}

class Uploader {
  constructor(root) {
    this.root = root;
    this.state = "idle"; // idle, sending, lost, checking
    this.file = null;
    this.upload = null;
    this.build();
  }

  build() {
    this.zone = element("label", "zone");
    this.input = element("input");
    this.input.type = "file";
    this.input.accept = ".zip,application/zip";
    this.title = element("span", "title");
    this.note = element("span", "note");
    this.zone.append(this.input, this.title, this.note);
    this.nameRow = element("label", "name");
    this.nameText = element("span");
    this.name = element("input");
    this.name.type = "text";
    this.name.maxLength = 200;
    this.nameRow.append(this.nameText, this.name);
    this.bar = element("div", "bar");
    this.fill = element("div", "fill");
    this.bar.append(this.fill);
    this.bar.setAttribute("role", "progressbar");
    this.status = element("div", "status");
    this.status.setAttribute("role", "status");
    this.buttons = element("div", "buttons");
    this.start = element("button", "primary start");
    this.cancel = element("button", "cancel");
    this.start.type = this.cancel.type = "button";
    this.buttons.append(this.start, this.cancel);
    this.root.replaceChildren(this.zone, this.nameRow, this.bar, this.status, this.buttons);
    this.input.addEventListener("change", () => this.choose(this.input.files[0]));
    this.name.addEventListener("input", () => this.draw());
    this.start.addEventListener("click", () => this.run());
    this.cancel.addEventListener("click", () => this.stop());
    for (const kind of ["dragover", "dragleave", "drop"]) {
      this.zone.addEventListener(kind, (event) => {
        event.preventDefault();
        this.zone.classList.toggle("over", kind === "dragover");
        if (kind === "drop" && this.state === "idle") this.choose(event.dataTransfer.files[0]);
      });
    }
  }

  choose(file) {
    if (!file) return;
    this.said = "";
    if (!/\.zip$/i.test(file.name)) {
      this.file = null;
      this.said = this.labels.not_zip;
    } else {
      this.file = file;
      this.upload = null;
      this.name.value = file.name.replace(/\.zip$/i, "");
    }
    this.draw();
  }

  async run() {
    this.abort = new AbortController();
    this.said = "";
    this.set("sending");
    try {
      await this.send();
      this.set("checking");
      const query = this.nameLabel ? `?name=${encodeURIComponent(this.name.value.trim())}` : "";
      const reply = await asked("POST", `/upload/${this.upload.id}/${this.finish}${query}`, this.abort.signal);
      this.upload = null; // the import took it
      this.set("idle");
      this.ended({ ok: true, reply });
    } catch (error) {
      this.fail(error);
    }
  }

  async send() {
    const size_bytes = this.file.size;
    const began = { time: performance.now(), bytes: this.upload?.received_bytes ?? 0 };
    if (this.upload === null) {
      const query = new URLSearchParams({ purpose: this.purpose, size_bytes });
      this.upload = await this.patiently(() => asked("POST", `/upload?${query}`, this.abort.signal));
    } else {
      await this.ask();
    }
    while (this.upload.received_bytes < size_bytes) {
      const offset = this.upload.received_bytes;
      const chunk = this.file.slice(offset, offset + Math.min(CHUNK_BYTES, this.upload.chunk_bytes));
      const path = `/upload/${this.upload.id}?offset=${offset}`;
      this.upload = await this.patiently(async (attempt) => {
        if (attempt) await this.ask(); // it may have arrived although the answer did not
        return this.upload.received_bytes > offset ? this.upload : asked("PUT", path, this.abort.signal, chunk);
      });
      const seconds = (performance.now() - began.time) / 1000;
      this.rate = (this.upload.received_bytes - began.bytes) / Math.max(seconds, 0.001);
      this.draw();
    }
  }

  async ask() {
    this.upload = await asked("GET", `/upload/${this.upload.id}`, this.abort.signal);
  }

  async patiently(action) {
    const deadline = performance.now() + PATIENCE_S * 1000;
    for (let attempt = 0; ; attempt += 1) {
      try {
        const done = await action(attempt);
        this.waiting = false;
        return done;
      } catch (error) {
        if (!isPassing(error) || performance.now() > deadline) throw error;
        this.waiting = true;
        this.draw();
        await pause(Math.min(0.5 * 2 ** attempt, 5), this.abort.signal);
      }
    }
  }

  fail(error) {
    this.waiting = false;
    if (error.name === "AbortError") {
      this.said = this.labels.cancelled;
      this.forget();
    } else if (isPassing(error)) {
      // the file can go on from where it is; an import whose answer was lost may have ended well
      this.said = this.state === "checking" ? this.labels.lost_at_end : this.labels.lost;
      this.set(this.state === "checking" ? "idle" : "lost");
    } else if (error instanceof Refusal) {
      const isFull = ["disk_full_now", "storage_failed"].includes(error.reply?.code);
      if (isFull) this.set("lost");
      else this.forget();
      this.ended({ ok: false, status: error.status, reply: error.reply });
    } else {
      this.said = this.labels.lost;
      this.set("lost");
    }
  }

  stop() {
    if (this.state === "lost") {
      this.said = this.labels.cancelled;
      this.forget();
    } else {
      this.abort?.abort();
    }
  }

  forget() {
    const left = this.upload;
    this.upload = null;
    if (left) discard(left.id);
    this.set("idle");
  }

  set(state) {
    this.state = state;
    this.draw();
  }

  draw() {
    const { labels, file, state } = this;
    if (!labels) return;
    const isIdle = state === "idle";
    this.root.dataset.state = state;
    this.zone.classList.toggle("chosen", file !== null);
    this.input.disabled = !isIdle;
    this.title.textContent = file ? file.name : labels.choose;
    this.note.textContent = file ? `${sizeText(file.size, labels)}${isIdle ? ` · ${labels.change}` : ""}` : labels.drop;
    this.nameRow.hidden = !this.nameLabel || file === null;
    this.nameText.textContent = this.nameLabel ?? "";
    this.name.disabled = !isIdle;
    this.bar.hidden = isIdle;
    const share = file && this.upload ? this.upload.received_bytes / file.size : 0;
    this.fill.style.width = `${share * 100}%`;
    this.bar.setAttribute("aria-valuenow", Math.round(share * 100));
    this.bar.classList.toggle("busy", state === "checking");
    this.status.textContent = this.sentence(share);
    this.status.dataset.kind = state === "lost" || this.waiting ? "warning" : "";
    this.start.hidden = !(isIdle || state === "lost");
    this.start.textContent = state === "lost" ? labels.resume : labels.start;
    this.start.disabled = file === null || (Boolean(this.nameLabel) && !this.name.value.trim());
    this.cancel.hidden = isIdle || state === "checking";
    this.cancel.textContent = labels.cancel;
  }

  sentence(share) {
    const { labels, file, state } = this;
    if (this.waiting) return labels.waiting;
    if (state === "checking") return labels.checking;
    if (state !== "sending") return this.said ?? "";
    const holes = { percent: Math.floor(share * 100), sent: sizeText(share * file.size, labels), size: sizeText(file.size, labels) };
    const told = [filled(labels.sending, holes)];
    if (this.rate > 0 && share > 0) {
      told.push(filled(labels.speed, { speed: sizeText(this.rate, labels) }));
      const seconds = Math.ceil((file.size * (1 - share)) / this.rate);
      const left = seconds < 90 ? filled(labels.seconds, { n: seconds }) : filled(labels.minutes, { n: Math.ceil(seconds / 60) });
      told.push(filled(labels.left, { time: left }));
    }
    return told.join(" · ");
  }
}

const warn = (event) => event.preventDefault(); // the browser asks whether to leave the page

export default function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".arm-uploader");
  const uploader = (root.uploader ??= new Uploader(root));
  Object.assign(uploader, { labels: { ...data.labels, language: data.language }, nameLabel: data.nameLabel, purpose: data.purpose, finish: data.finish });
  uploader.ended = (value) => setTriggerValue("ended", value);
  uploader.draw();
  const guard = (event) => {
    if (uploader.state === "sending" || uploader.state === "checking") warn(event);
  };
  window.addEventListener("beforeunload", guard);
  return () => {
    window.removeEventListener("beforeunload", guard);
    if (!root.isConnected) uploader.abort?.abort();
  };
}
