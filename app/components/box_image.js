// One image with boxes over it: wheel zooms at the pointer, dragging pans, a double click fits.
// `data` is {src, fallback, width, height, stage, boxes, labels} (see box_image.py). Names are only ever set as text.

const SVG = "http://www.w3.org/2000/svg";
const LARGEST_ZOOM = 16; // screen pixels per image pixel
const NAMED_UP_TO = 24; // more names than this would hide the image: then a box shows its name under the pointer
const states = new WeakMap();

function svgElement(tag, attributes = {}, text) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  if (text !== undefined) made.textContent = text;
  return made;
}

// the view is {scale, left, top}: a point of the image is shown at (left + x * scale, top + y * scale)
export function fittedView(stage, image) {
  const scale = Math.min(stage.width / image.width, stage.height / image.height);
  return { scale, left: (stage.width - image.width * scale) / 2, top: (stage.height - image.height * scale) / 2 };
}

export function zoomedView(view, factor, x, y, smallest) {
  const scale = Math.min(Math.max(view.scale * factor, smallest), LARGEST_ZOOM);
  const ratio = scale / view.scale;
  return { scale, left: x - (x - view.left) * ratio, top: y - (y - view.top) * ratio };
}

function boxGroup(box) {
  const group = svgElement("g", { class: box.dashed ? "truth" : "prediction" });
  group.append(svgElement("rect", { class: "halo" }), svgElement("rect", { class: "box", stroke: box.colour }));
  group.append(svgElement("title", {}, box.title));
  const chip = svgElement("g", { class: "chip" });
  chip.append(svgElement("rect", { fill: box.colour, rx: 2 }), svgElement("text", {}, box.label));
  group.append(chip);
  return group;
}

function place(group, box, view, stage) {
  const x = view.left + box.x1 * view.scale;
  const y = view.top + box.y1 * view.scale;
  const width = Math.max((box.x2 - box.x1) * view.scale, 1);
  const height = Math.max((box.y2 - box.y1) * view.scale, 1);
  const [halo, rect, , chip] = group.children;
  for (const one of [halo, rect]) {
    for (const [name, value] of Object.entries({ x, y, width, height })) one.setAttribute(name, value);
  }
  const [back, text] = chip.children;
  const chipWidth = group.textWidth + 8;
  // the truth is named below its box, the prediction above, so that the two do not hide each other
  const below = box.dashed ? y + height + 16 < stage.height : y < 17;
  const chipX = Math.min(Math.max(x - 1, 0), Math.max(stage.width - chipWidth, 0));
  const chipY = below ? y + height + 1 : y - 17;
  for (const [name, value] of Object.entries({ x: chipX, y: chipY, width: chipWidth, height: 16 })) back.setAttribute(name, value);
  text.setAttribute("x", chipX + 4);
  text.setAttribute("y", chipY + 12);
}

function create(root) {
  const stage = root.querySelector(".stage");
  const image = root.querySelector("img");
  const svg = root.querySelector("svg");
  const zoomed = root.querySelector(".zoom");
  const state = { root, stage, image, svg, zoomed, view: undefined, isFitted: true, groups: [] };
  const size = () => ({ width: stage.clientWidth, height: stage.clientHeight });

  state.draw = () => {
    if (!state.view || !state.data) return;
    const { view, data } = state;
    image.style.width = `${data.width * view.scale}px`;
    image.style.height = `${data.height * view.scale}px`;
    image.style.left = `${view.left}px`;
    image.style.top = `${view.top}px`;
    image.style.imageRendering = view.scale >= 3 ? "pixelated" : "auto";
    state.groups.forEach((group, index) => place(group, data.boxes[index], view, size()));
    zoomed.textContent = `${Math.round(view.scale * 100)} %`;
  };
  state.fit = () => {
    if (!state.data || !stage.clientWidth) return;
    state.view = fittedView(size(), state.data);
    state.isFitted = true;
    state.draw();
  };
  const zoom = (factor, x, y) => {
    if (!state.view) return;
    state.view = zoomedView(state.view, factor, x, y, fittedView(size(), state.data).scale / 2);
    state.isFitted = false;
    state.draw();
  };
  const zoomAtCentre = (factor) => zoom(factor, stage.clientWidth / 2, stage.clientHeight / 2);

  stage.addEventListener("wheel", (event) => {
    event.preventDefault();
    const frame = stage.getBoundingClientRect();
    zoom(Math.exp(-event.deltaY * 0.0016), event.clientX - frame.left, event.clientY - frame.top);
  }, { passive: false });
  stage.addEventListener("pointerdown", (event) => {
    if (event.button !== 0 || !state.view) return;
    state.grip = { x: event.clientX - state.view.left, y: event.clientY - state.view.top };
    stage.setPointerCapture(event.pointerId);
  });
  stage.addEventListener("pointermove", (event) => {
    if (!state.grip) return;
    state.view = { ...state.view, left: event.clientX - state.grip.x, top: event.clientY - state.grip.y };
    state.isFitted = false;
    state.draw();
  });
  for (const end of ["pointerup", "pointercancel"]) stage.addEventListener(end, () => (state.grip = undefined));
  stage.addEventListener("dblclick", state.fit);
  root.querySelector("[data-act=in]").addEventListener("click", () => zoomAtCentre(1.5));
  root.querySelector("[data-act=out]").addEventListener("click", () => zoomAtCentre(1 / 1.5));
  root.querySelector("[data-act=fit]").addEventListener("click", state.fit);
  root.querySelector("[data-act=real]").addEventListener("click", () => state.view && zoomAtCentre(1 / state.view.scale));
  image.addEventListener("error", () => {
    if (image.src.endsWith(state.data.fallback)) stage.classList.add("broken");
    else image.src = state.data.fallback; // a format browsers do not show, TIFF for one: ask for a JPEG
  });
  state.observer = new ResizeObserver(() => (state.isFitted ? state.fit() : state.draw()));
  state.observer.observe(stage);
  return state;
}

export default function ({ data, parentElement }) {
  const root = parentElement.querySelector(".arm-image");
  let state = states.get(root);
  if (!state) states.set(root, (state = create(root)));
  const isNew = state.data?.src !== data.src;
  state.data = data;
  // as high as the picture needs at this width; a tall one gets bars
  Object.assign(state.stage.style, { aspectRatio: `${data.width} / ${data.height}`, maxHeight: `${data.stage}px` });
  for (const button of root.querySelectorAll("button")) button.title = data.labels[button.dataset.act];
  if (isNew) {
    state.stage.classList.remove("broken");
    state.image.src = data.src;
    state.image.alt = data.alt;
  }
  state.groups = data.boxes.map(boxGroup);
  state.svg.replaceChildren(...state.groups);
  state.svg.classList.toggle("crowded", state.groups.length > NAMED_UP_TO);
  for (const group of state.groups) group.textWidth = group.querySelector("text").getComputedTextLength();
  if (isNew) state.fit();
  else state.draw();
  return () => {
    state.observer.disconnect();
    states.delete(root);
  };
}
