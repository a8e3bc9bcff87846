// Live graphs of one run: this module fetches the points itself, so a new point never reruns a Streamlit page.
// Called by Streamlit on mount and whenever `data` changes; `data` is {run, live, labels} (see live_charts.py).

const POLL_MS = 700;
const SLOWEST_POLL_MS = 10_000;
const IDLE_MS = 1_500; // a final run is not fetched again, only the theme is watched
const FETCH_TIMEOUT_MS = 10_000;
const MAX_POINTS = 1_000;
const MAX_POINTS_ZOOMED = 2_000; // half of them lie in the margins at most
const MARKERS_UP_TO = 40; // few points are drawn with markers: one point alone would make no line

let plotlyScript;

function loadPlotly() {
  plotlyScript ??= new Promise((resolve, reject) => {
    if (window.Plotly) return resolve(window.Plotly);
    const script = document.createElement("script");
    script.src = "/vendor/plotly.min.js";
    script.onload = () => resolve(window.Plotly);
    script.onerror = () => {
      plotlyScript = undefined; // the next attempt starts afresh
      script.remove();
      reject(new Error("plotly did not load"));
    };
    document.head.appendChild(script);
  });
  return plotlyScript;
}

// "train/loss", "val/loss" and "loss" are one chart called "loss"
export function chartsFromSeries(series) {
  const charts = new Map();
  for (const one of series) {
    const title = one.name.slice(one.name.indexOf("/") + 1) || one.name;
    if (!charts.has(title)) charts.set(title, []);
    charts.get(title).push(one);
  }
  return charts;
}

export function nextDelay(failures) {
  return Math.min(POLL_MS * 2 ** failures, SLOWEST_POLL_MS);
}

function readTheme(element) {
  const style = getComputedStyle(element);
  const value = (name) => style.getPropertyValue(name).trim();
  const colours = value("--st-chart-categorical-colors");
  return {
    text: value("--st-text-color"),
    border: value("--st-border-color"),
    background: value("--st-background-color"),
    panel: value("--st-secondary-background-color"),
    font: value("--st-font"),
    mono: value("--st-code-font"),
    colours: colours ? colours.split(",").map((colour) => colour.trim()) : undefined,
  };
}

function formatted(value) {
  if (value === null || value === undefined) return "–";
  if (value !== 0 && (Math.abs(value) < 1e-3 || Math.abs(value) >= 1e6)) return value.toExponential(3);
  return String(+value.toPrecision(5));
}

function summary(stats, labels) {
  return ["min", "max", "last"].map((name) => `${labels[name]} ${formatted(stats[name])}`).join("  ");
}

function details(series, labels) {
  const { stats } = series;
  const rows = ["min", "max"].map((n) => `${labels[n]} ${formatted(stats[n])} (${labels.step} ${stats[`${n}_step`] ?? "–"})`);
  rows.push(`${labels.last} ${formatted(stats.last)}`, `${labels.mean} ${formatted(stats.mean)}`);
  rows.push(`${labels.std} ${formatted(stats.std)}`, `${labels.count} ${stats.count}`);
  if (stats.special_count) rows.push(`${labels.special} ${stats.special_count}`);
  return [series.name, ...rows].join("\n");
}

// where the script logged NaN or infinity: a mark at the lower edge, since it has no place on the y axis
function specialTrace(series, colour) {
  const places = Object.keys(series.special ?? {}).map(Number);
  return {
    type: "scatter",
    mode: "markers",
    x: places.map((place) => series.steps[place]),
    y: places.map(() => 0.02),
    yaxis: "y2",
    text: places.map((place) => series.special[place]),
    uid: `${series.name} special`,
    name: series.name,
    showlegend: false,
    marker: { symbol: "x", size: 7, color: colour },
    hovertemplate: `<b>%{text}</b><extra>${escaped(series.name)}</extra>`,
  };
}

// the part of a chart that was zoomed to, or null for all of it
export function zoomedRange(event, before) {
  if (event["xaxis.autorange"]) return null;
  const [low, high] = event["xaxis.range"] ?? [event["xaxis.range[0]"], event["xaxis.range[1]"]];
  return low === undefined || high === undefined ? before : [low, high];
}

function trace(series, colour, isAlone, labels) {
  return {
    type: "scatter",
    mode: series.steps.length <= MARKERS_UP_TO ? "lines+markers" : "lines",
    name: series.name,
    uid: series.name, // legend choices follow the name, not the position
    x: series.steps,
    y: series.values,
    customdata: series.epochs.map((epoch, index) => [epoch, series.iters[index]]),
    line: { width: 1.6, color: colour },
    marker: { size: 5, color: colour },
    showlegend: !isAlone,
    hovertemplate:
      `<b>%{y:.5g}</b>  ${labels.epoch} %{customdata[0]} · ${labels.iteration} %{customdata[1]}` +
      `<extra>${isAlone ? "" : escaped(series.name)}</extra>`,
  };
}

// Plotly reads a small HTML dialect in labels; names come from users
function escaped(text) {
  return text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
}

// epochs and iterations are whole: a short axis must not say 1.5
export function wholeTicks(series) {
  const steps = series.flatMap((one) => [one.steps[0], one.steps.at(-1)]).filter(Number.isFinite);
  return Math.max(...steps) - Math.min(...steps) <= 10 ? { tickmode: "linear", tick0: 0, dtick: 1 } : {};
}

// Plotly draws one value alone between itself minus and plus 1, where a learning rate of 0.0003 looks like 0
export function rangeOfOneValue(series) {
  const lows = series.map((one) => one.stats.min).filter(Number.isFinite);
  const highs = series.map((one) => one.stats.max).filter(Number.isFinite);
  const low = Math.min(...lows);
  if (!lows.length || low === 0 || low !== Math.max(...highs)) return {};
  return { range: [low - Math.abs(low) / 2, low + Math.abs(low) / 2] };
}

function layout(theme, run, series) {
  const hasLegend = series.length > 1;
  const axis = {
    gridcolor: theme.border,
    linecolor: theme.border,
    zeroline: false,
    tickfont: { size: 11 },
    automargin: true,
  };
  return {
    uirevision: run, // zoom and legend choices survive new data
    margin: { l: 44, r: 14, t: 8, b: hasLegend ? 52 : 30 },
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    font: { family: theme.font, size: 12, color: theme.text },
    xaxis: { ...axis, showgrid: false, ...wholeTicks(series) },
    yaxis: { ...axis, exponentformat: "power", ...rangeOfOneValue(series) }, // SI prefixes would make 800µ of 0.0008
    yaxis2: { overlaying: "y", range: [0, 1], fixedrange: true, visible: false },
    hovermode: "x",
    hoverlabel: {
      bgcolor: theme.panel,
      bordercolor: theme.border,
      font: { family: theme.mono, size: 11, color: theme.text },
      namelength: -1,
    },
    modebar: { bgcolor: "rgba(0,0,0,0)", color: theme.border, activecolor: theme.text },
    legend: { orientation: "h", x: 0, y: -0.14, yanchor: "top", font: { size: 11 } },
  };
}

const CONFIG = {
  responsive: true,
  displaylogo: false,
  showTips: false, // "Double-click to zoom back out", in English only, lies on the page's controls
  // named one by one: Plotly's default set has buttons that lead to services outside
  modeBarButtons: [["toImage", "zoom2d", "pan2d", "resetScale2d"]],
};

class LiveCharts {
  constructor(root) {
    this.root = root;
    this.status = root.querySelector(".arm-charts__status");
    this.grid = root.querySelector(".arm-charts__grid");
    this.cards = new Map();
    this.stopped = new AbortController();
    this.failures = 0;
    this.wake = () => document.hidden || this.tick();
    document.addEventListener("visibilitychange", this.wake);
    // fires when a tab of the page is opened and the charts become visible
    this.resized = new ResizeObserver(() => this.wasHidden && this.isVisible() && this.tick());
    this.resized.observe(root);
  }

  configure(data) {
    const isOtherRun = this.data?.run !== data.run;
    const wasLive = this.data?.live;
    this.data = data;
    this.root.hidden = !data.shown;
    if (isOtherRun) this.reset();
    // after the last state one more fetch brings the points that came with it
    if (isOtherRun || wasLive !== data.live) this.isComplete = false;
    this.tick();
  }

  reset() {
    this.version = undefined;
    this.reply = undefined;
    for (const card of this.cards.values()) this.dropCard(card);
    this.cards.clear();
    this.showStatus("loading", this.data.labels.loading);
  }

  isVisible() {
    return !document.hidden && this.root.offsetParent !== null;
  }

  async tick() {
    clearTimeout(this.timer);
    if (this.isBusy) return;
    this.isBusy = true;
    this.wasHidden = !this.isVisible();
    try {
      if (!this.wasHidden && !this.isComplete) await this.fetchPoints();
      if (!this.wasHidden) await this.drawIfThemeChanged();
      this.failures = 0;
    } catch (error) {
      if (this.stopped.signal.aborted) return;
      this.failures += 1;
      this.showStatus("reconnecting", this.data.labels.reconnecting);
    } finally {
      this.isBusy = false;
    }
    if (this.stopped.signal.aborted) return;
    this.timer = setTimeout(() => this.tick(), this.isComplete ? IDLE_MS : nextDelay(this.failures));
  }

  async fetchPoints() {
    const { run, live } = this.data;
    const query = new URLSearchParams({ max_points: MAX_POINTS });
    if (this.version !== undefined) query.set("version", this.version);
    const reply = await this.get(query);
    const points = reply.status === 304 ? undefined : await reply.json();
    if (run !== this.data.run) return; // the page moved on while we waited
    if (points) {
      this.version = points.version;
      this.reply = points;
      await this.draw();
    }
    this.isComplete = !live && !this.data.live;
    const isEmpty = !this.reply?.series.length;
    const { labels } = this.data;
    this.showStatus(isEmpty ? "empty" : live ? "live" : "final", isEmpty ? "" : live ? labels.live : "");
    this.showEmpty(isEmpty ? (live ? labels.waiting : labels.none) : "");
  }

  async draw() {
    const Plotly = await loadPlotly();
    this.theme = readTheme(this.root);
    this.themeKey = JSON.stringify(this.theme);
    for (const [title, series] of chartsFromSeries(this.reply.series)) {
      const card = this.cards.get(title) ?? this.addCard(title);
      const isGrown = card.overview?.some((one, index) => one.total !== series[index]?.total) ?? false;
      card.overview = series;
      card.last.textContent = series.length === 1 ? summary(series[0].stats, this.data.labels) : "";
      card.head.title = series.map((one) => details(one, this.data.labels)).join("\n\n");
      if (card.range && isGrown && card.reachesEnd) await this.fetchRange(card);
      await this.drawCard(Plotly, card);
      this.listen(card);
    }
    this.root.dataset.version = this.version;
    this.root.dataset.points = this.reply.series.reduce((sum, one) => sum + one.total, 0);
  }

  async drawCard(Plotly, card) {
    const series = card.range ? (card.exact ?? card.overview) : card.overview;
    const isAlone = series.length === 1;
    const traces = series.flatMap((one, index) => {
      const colour = this.theme.colours?.[index % this.theme.colours.length];
      const drawn = trace(one, colour, isAlone, this.data.labels);
      return Object.keys(one.special ?? {}).length ? [drawn, specialTrace(one, colour)] : [drawn];
    });
    card.element.dataset.exact = series.every((one) => one.is_exact);
    await Plotly.react(card.plot, traces, layout(this.theme, this.data.run, series), CONFIG);
  }

  listen(card) {
    if (card.isListening) return;
    card.isListening = true;
    card.plot.on("plotly_relayout", (event) => this.zoom(card, event));
  }

  // after a zoom the exact points of that range replace the overview, a double click brings it back
  async zoom(card, event) {
    const range = zoomedRange(event, card.range);
    if (String(range) === String(card.range)) return;
    card.range = range;
    card.exact = undefined;
    try {
      if (range) await this.fetchRange(card);
      if (card.range === range) await this.drawCard(await loadPlotly(), card);
    } catch (error) {
      if (!this.stopped.signal.aborted) card.reachesEnd = true; // asked again with the next points
    }
  }

  async fetchRange(card) {
    const { range, overview } = card;
    if (overview.every((one) => one.is_exact)) return; // all there already
    const [low, high] = [Math.min(...range), Math.max(...range)];
    const margin = (high - low) / 4; // so that the line leaves the picture, and a short pan finds points
    const query = new URLSearchParams({
      max_points: MAX_POINTS_ZOOMED,
      from_step: Math.floor(low - margin),
      to_step: Math.ceil(high + margin),
    });
    for (const one of overview) query.append("series", one.name);
    const reply = await this.get(query);
    if (card.range !== range) return; // zoomed on while we waited
    card.exact = (await reply.json()).series;
    card.reachesEnd = card.overview.some((one) => one.stats.last_step <= high + margin);
  }

  async get(query) {
    const signal = AbortSignal.any([this.stopped.signal, AbortSignal.timeout(FETCH_TIMEOUT_MS)]);
    const reply = await fetch(`/live/${encodeURIComponent(this.data.run)}/points?${query}`, { signal });
    if (!reply.ok && reply.status !== 304) throw new Error(`status ${reply.status}`);
    return reply;
  }

  async drawIfThemeChanged() {
    if (this.reply && this.themeKey !== JSON.stringify(readTheme(this.root))) await this.draw();
  }

  addCard(title) {
    const element = document.createElement("div");
    element.className = "arm-charts__card";
    const part = (name) => {
      const child = document.createElement("div");
      child.className = `arm-charts__${name}`;
      return child;
    };
    const head = part("head");
    const card = { element, head, plot: part("plot"), last: part("last"), range: null };
    const heading = part("title");
    heading.textContent = title;
    head.append(heading, card.last);
    element.append(head, card.plot);
    this.grid.append(element);
    this.cards.set(title, card);
    return card;
  }

  dropCard(card) {
    window.Plotly?.purge(card.plot);
    card.element.remove();
  }

  showStatus(state, text) {
    this.root.dataset.state = state;
    this.status.dataset.state = state;
    if (this.status.textContent !== text) this.status.textContent = text;
  }

  showEmpty(text) {
    const shown = this.root.querySelector(".arm-charts__empty");
    shown.hidden = !text;
    shown.textContent = text;
  }

  stop() {
    this.stopped.abort();
    clearTimeout(this.timer);
    document.removeEventListener("visibilitychange", this.wake);
    this.resized.disconnect();
    for (const card of this.cards.values()) this.dropCard(card);
  }
}

const instances = new WeakMap();

export default function ({ parentElement, data }) {
  const root = parentElement.querySelector(".arm-charts");
  let charts = instances.get(root);
  if (!charts) {
    charts = new LiveCharts(root);
    instances.set(root, charts);
  }
  charts.configure(data);
  return () => {
    charts.stop();
    instances.delete(root);
  };
}
