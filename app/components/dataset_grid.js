// A grid of thumbnails with their boxes. `data` is {items, colours, unknown, labels} (see dataset_grid.py).
// Names come from uploaded files: they are only ever set as text and attributes, never parsed as HTML.

const SVG = "http://www.w3.org/2000/svg";

function element(tag, className, text) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

function svgElement(tag, attributes) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}

function overlay(item, colourOf) {
  const svg = svgElement("svg", { viewBox: `0 0 ${item.width} ${item.height}`, "aria-hidden": "true" });
  for (const box of item.boxes) {
    const place = { x: box.x1, y: box.y1, width: box.x2 - box.x1, height: box.y2 - box.y1 };
    svg.append(svgElement("rect", { ...place, class: "halo" }));
    const rect = svgElement("rect", { ...place, class: "box", stroke: colourOf(box.class) });
    const title = svgElement("title", {});
    title.textContent = box.class;
    rect.append(title);
    svg.append(rect);
  }
  return svg;
}

function card(item, data, open) {
  const colourOf = (name) => (Object.hasOwn(data.colours, name) ? data.colours[name] : data.unknown);
  const link = element("a", "card");
  link.href = item.href;
  link.title = item.name;
  link.dataset.item = item.id;
  link.addEventListener("click", (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey || event.button !== 0) return; // a new tab, as asked
    event.preventDefault();
    open(item.id);
  });

  const frame = element("div", "frame");
  const image = element("img");
  image.loading = "lazy";
  image.decoding = "async";
  image.alt = item.name;
  image.src = item.src;
  image.addEventListener("error", () => frame.classList.add("broken"));
  frame.append(image, overlay(item, colourOf));

  const caption = element("div", "caption");
  const counts = element("span", "counts");
  const perClass = new Map();
  for (const box of item.boxes) perClass.set(box.class, (perClass.get(box.class) ?? 0) + 1);
  for (const [name, number] of perClass) {
    const swatch = element("i");
    swatch.style.background = colourOf(name);
    const count = element("span", "count", String(number));
    count.prepend(swatch);
    count.title = name;
    counts.append(count);
  }
  if (!item.boxes.length) counts.append(element("span", "none", data.labels.noBoxes));
  const top = element("div", "row");
  top.append(element("span", "name", item.name), element("span", "split", item.split));
  caption.append(top, counts);
  link.append(frame, caption);
  return link;
}

export default function ({ data, parentElement, setTriggerValue }) {
  const grid = parentElement.querySelector(".arm-grid");
  const shown = JSON.stringify(data);
  if (grid.shown === shown) return; // the page was rerun for something else: keep the loaded pictures
  grid.shown = shown;
  grid.replaceChildren(...data.items.map((item) => card(item, data, (id) => setTriggerValue("open", id))));
}
