// A graph drawn by Graphviz in the browser (/vendor/viz.js). `data` is {dot, graph, toggled, labels} (see
// pipeline_graph.py). A click on a node tells the editor its line; a click on a frame opens or closes it.

const ZOOM_STEP = 1.25;
const ZOOMS = [0.2, 4];
const READABLE = 0.65; // names in the nodes are 11 px high; a larger graph is not opened smaller, it scrolls
const instances = new WeakMap();
let graphviz;

function loadGraphviz() {
  graphviz ??= import(new URL("/vendor/viz.js", location.origin).href).then(
    (viz) => viz.instance(),
  ).catch((error) => {
    graphviz = undefined; // the next attempt starts afresh
    throw error;
  });
  return graphviz;
}

// "#line-5/frame-c1/file-sub%2Fstep.yaml" -> {line: 5, frame: "c1", file: "sub/step.yaml"}; no file: the one that is open
export function targetOf(href) {
  const file = /\/file-([^/]+)$/.exec(href ?? "");
  const line = /(?:#|\/)line-(\d+)/.exec(href ?? "");
  const frame = /(?:#|\/)frame-(\w+)/.exec(href ?? "");
  return {
    line: line ? Number(line[1]) : null,
    frame: frame ? frame[1] : null,
    file: file ? decodeURIComponent(file[1]) : null,
  };
}

export function toggled(frames, frame) {
  return frames.includes(frame) ? frames.filter((one) => one !== frame) : [...frames, frame];
}

function setZoom(state, zoom) {
  state.zoom = Math.min(Math.max(zoom, ZOOMS[0]), ZOOMS[1]);
  if (!state.svg) return;
  state.svg.style.width = `${state.width * state.zoom}px`;
  state.svg.style.height = `${state.height * state.zoom}px`;
}

function fit(state) {
  const room = state.element.querySelector(".arm-graph__view").clientWidth - 12;
  setZoom(state, room > 0 ? Math.min(room / state.width, 1) : 1);
}

// As large as can be read, at the node where the calculation starts (the only one that no line of the file stands for)
function show(state, view) {
  fit(state);
  setZoom(state, Math.max(state.zoom, READABLE));
  view.scrollTo(0, 0);
  const start = state.svg.querySelector("g.node:not(:has(a))")?.getBoundingClientRect();
  if (!start) return;
  const place = view.getBoundingClientRect();
  view.scrollLeft = start.left + start.width / 2 - place.left - place.width / 2;
}

function follow(state, event) {
  const link = event.target.closest?.("a");
  if (!link) return;
  event.preventDefault();
  const { line, frame, file } = targetOf(link.getAttribute("xlink:href") ?? link.getAttribute("href"));
  if (frame) {
    const { data, setStateValue } = state.component;
    setStateValue("toggled", { graph: data.graph, frames: toggled(data.toggled, frame) });
  }
  if (file) {
    // a call in another file is opened here; its steps then lead there
    if (!frame) state.component.setTriggerValue("place", { file, line });
  } else if (line) {
    window.dispatchEvent(new CustomEvent("arm-pipeline-line", { detail: { line } }));
    state.svg.querySelectorAll(".chosen").forEach((one) => one.classList.remove("chosen"));
    link.closest("g.node")?.classList.add("chosen");
  }
}

function draw(state, viz) {
  const { data } = state.component;
  const view = state.element.querySelector(".arm-graph__view");
  if (state.dot === data.dot) return;
  const isNew = state.graph !== data.graph;
  state.dot = data.dot;
  state.graph = data.graph;
  let svg;
  try {
    svg = viz.renderSVGElement(data.dot);
  } catch {
    view.textContent = data.labels.failed;
    return;
  }
  const box = svg.viewBox.baseVal;
  Object.assign(state, { svg, width: box.width * 1.2, height: box.height * 1.2 });
  svg.setAttribute("role", "group");
  svg.setAttribute("aria-label", data.labels.graph);
  for (const title of svg.querySelectorAll("title")) title.remove(); // ids would show as tooltips
  for (const link of svg.querySelectorAll("a")) {
    link.removeAttribute("xlink:title");
    link.setAttribute("tabindex", "0");
    link.setAttribute("role", "button");
  }
  view.replaceChildren(svg);
  if (isNew) {
    show(state, view);
  } else {
    setZoom(state, state.zoom);
  }
}

function create(element) {
  const state = { element, zoom: 1 };
  const view = element.querySelector(".arm-graph__view");
  view.addEventListener("click", (event) => follow(state, event));
  view.addEventListener("keydown", (event) => {
    if (event.key === "Enter" || event.key === " ") follow(state, event);
  });
  const acts = {
    out: () => setZoom(state, state.zoom / ZOOM_STEP),
    in: () => setZoom(state, state.zoom * ZOOM_STEP),
    fit: () => fit(state),
  };
  for (const button of element.querySelectorAll("button[data-act]")) button.onclick = acts[button.dataset.act];
  return state;
}

export default function (component) {
  const element = component.parentElement;
  const state = instances.get(element) ?? create(element);
  instances.set(element, state);
  state.component = component;
  for (const button of element.querySelectorAll("button[data-act]")) {
    button.setAttribute("aria-label", component.data.labels[button.dataset.act]);
    button.title = component.data.labels[button.dataset.act];
  }
  loadGraphviz().then(
    (viz) => draw(state, viz),
    () => {
      element.querySelector(".arm-graph__view").textContent = component.data.labels.failed;
    },
  );
  return () => instances.delete(element);
}
