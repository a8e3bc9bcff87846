// Tells Python how wide it is itself, in whole pixels (see room.py). Any width above `data.most` is told as that, so that
// on a wide screen a window may be resized without a rerun.

const STILL_MS = 150; // a window that is being dragged is measured when it stops
const watched = new WeakMap();

function measure(state) {
  const width = Math.min(Math.floor(state.element.getBoundingClientRect().width), state.component.data.most);
  if (width <= 0 || width === state.told) return; // in a closed tab there is no width
  state.told = width;
  state.component.setStateValue("width", width);
}

function watch(element) {
  const state = { element: element.querySelector("div") };
  state.observer = new ResizeObserver(() => {
    clearTimeout(state.timer);
    state.timer = setTimeout(() => measure(state), state.told === undefined ? 0 : STILL_MS);
  });
  state.observer.observe(state.element);
  return state;
}

export default function (component) {
  const element = component.parentElement;
  const state = watched.get(element) ?? watch(element);
  watched.set(element, state);
  state.component = component;
  return () => {
    clearTimeout(state.timer);
    state.observer.disconnect();
    watched.delete(element);
  };
}
