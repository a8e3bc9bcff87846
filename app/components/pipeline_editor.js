// A YAML editor (CodeMirror 6) that marks problems at their lines. `data` is {doc, text, problems, jump, poll, labels}
// (see pipeline_editor.py). The text goes to Python a moment after the last key; Python answers with problems.

const TYPING_PAUSE_MS = 350;
const POLL_MS = 1_000;
const instances = new WeakMap();
let editorParts;

// this module itself comes from a blob, so addresses must be whole
function loadParts() {
  editorParts ??= import(new URL("/vendor/codemirror.js", location.origin).href).catch((error) => {
    editorParts = undefined; // the next attempt starts afresh
    throw error;
  });
  return editorParts;
}

// columns count characters from 1; the editor counts UTF-16 units from 0
export function offsetInLine(lineText, column) {
  return [...lineText].slice(0, Math.max(column - 1, 0)).join("").length;
}

export function rangeOf(doc, problem) {
  const line = doc.line(Math.min(Math.max(problem.line, 1), doc.lines));
  const from = line.from + offsetInLine(line.text, problem.column);
  const to = line.from + offsetInLine(line.text, problem.end_column);
  return { from: Math.min(from, line.to), to: Math.min(Math.max(to, from + 1), line.to) };
}

// the reference around a position, `#torch.optim.Adam` or `@model`, or ""
export function referenceAt(lineText, offset) {
  for (const found of lineText.matchAll(/[#@][\w.]+/g)) {
    if (found.index <= offset && offset <= found.index + found[0].length) return found[0];
  }
  return "";
}

function theme(parts) {
  const colour = (name, fallback) => `var(--st-${name}-text-color, ${fallback})`;
  const look = parts.EditorView.theme({
    "&": { color: "var(--st-text-color)", backgroundColor: "var(--st-background-color)", fontSize: ".86rem", height: "100%" },
    "&.cm-focused": { outline: "2px solid var(--st-primary-color)", outlineOffset: "-1px" },
    ".cm-scroller": { fontFamily: "var(--st-code-font, monospace)", lineHeight: "1.5", overflow: "auto" },
    ".cm-content": { caretColor: "var(--st-text-color)" },
    ".cm-cursor": { borderLeftColor: "var(--st-text-color)" },
    ".cm-gutters": {
      backgroundColor: "var(--st-secondary-background-color)", color: "var(--st-text-color)", border: "none",
    },
    ".cm-lineNumbers .cm-gutterElement": { opacity: ".6" },
    ".cm-activeLine, .cm-activeLineGutter": { backgroundColor: "color-mix(in srgb, var(--st-primary-color) 9%, transparent)" },
    "&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground": {
      backgroundColor: "color-mix(in srgb, var(--st-primary-color) 28%, transparent)",
    },
    ".cm-tooltip, .cm-panels": {
      backgroundColor: "var(--st-secondary-background-color)", color: "var(--st-text-color)",
      border: "1px solid var(--st-border-color)",
    },
    ".cm-tooltip-autocomplete ul li[aria-selected]": { backgroundColor: "var(--st-primary-color)", color: "#fff" },
    ".cm-arm-library": { color: colour("violet", "#7a4fc0") },
    ".cm-arm-component": { color: colour("blue", "#1f66b0") },
    ".cm-arm-artefact": { color: colour("green", "#1d7a4f") },
  });
  const { tags } = parts;
  const words = parts.HighlightStyle.define([
    { tag: tags.comment, color: "var(--st-text-color)", opacity: ".62", fontStyle: "italic" },
    { tag: [tags.propertyName, tags.definition(tags.propertyName)], fontWeight: "600" },
    { tag: [tags.number, tags.bool, tags.null], color: colour("orange", "#a85f00") },
    { tag: [tags.separator, tags.punctuation, tags.squareBracket, tags.brace], opacity: ".75" },
  ]);
  return [look, parts.syntaxHighlighting(words)];
}

function references(parts) {
  const kinds = { "#": "cm-arm-library", "@": "cm-arm-component", $: "cm-arm-artefact" };
  const finder = new parts.MatchDecorator({
    regexp: /(?<=["'\s[{(:,]|^)([#@$])[A-Za-z_][\w.]*/g,
    // a `#` after a space is a comment of YAML, unless it is quoted
    decoration: (match, view, position) =>
      match[1] === "#" && !/["']/.test(view.state.sliceDoc(position - 1, position))
        ? null
        : parts.Decoration.mark({ class: kinds[match[1]] }),
  });
  return parts.ViewPlugin.fromClass(
    class {
      constructor(view) {
        this.decorations = finder.createDeco(view);
      }
      update(update) {
        this.decorations = finder.updateDeco(update, this.decorations);
      }
    },
    { decorations: (plugin) => plugin.decorations },
  );
}

// names of the file after `@` (its sections) and `$` (what its steps put out)
function completions(context) {
  const word = context.matchBefore(/[@$]\w*/);
  if (!word) return null;
  const text = context.state.doc.toString();
  const found = word.text[0] === "@" ? text.matchAll(/^(\w+):/gm) : text.matchAll(/output: *(\w+)|^ +input: *\[(\w+)/gm);
  const names = new Set([...found].map((match) => match[1] ?? match[2]));
  const options = [...names].filter((name) => name && name !== "atp").map((name) => ({ label: word.text[0] + name }));
  return { from: word.from, options };
}

class Editor {
  constructor(parts, element, component) {
    this.parts = parts;
    this.element = element;
    this.component = component;
    const { EditorView, EditorState } = parts;
    this.extensions = [
      parts.lineNumbers(), parts.highlightActiveLineGutter(), parts.highlightActiveLine(), parts.foldGutter(),
      parts.history(), parts.drawSelection(), parts.bracketMatching(), parts.closeBrackets(), parts.lintGutter(),
      parts.indentUnit.of("  "), EditorState.tabSize.of(2), parts.yaml(), references(parts), ...theme(parts),
      parts.autocompletion({ override: [completions] }), parts.highlightSelectionMatches(), parts.search({ top: true }),
      parts.keymap.of([
        { key: "Mod-s", preventDefault: true, run: () => this.send("save", true) },
        { key: "F1", preventDefault: true, run: () => this.askHelp() },
        ...parts.closeBracketsKeymap, ...parts.defaultKeymap, ...parts.historyKeymap, ...parts.searchKeymap,
        ...parts.foldKeymap, ...parts.completionKeymap, ...parts.lintKeymap, parts.indentWithTab,
      ]),
      EditorView.contentAttributes.of({ "aria-label": component.data.labels.editor, spellcheck: "false" }),
      EditorView.updateListener.of((update) => update.docChanged && this.typed()),
    ];
    this.view = new EditorView({
      parent: element.querySelector(".arm-editor__text"),
      root: element.getRootNode(),
    });
    this.onLine = (event) => this.goTo(event.detail.line, event.detail.column ?? 1);
    window.addEventListener("arm-pipeline-line", this.onLine);
  }

  update(component) {
    this.component = component;
    const { data } = component;
    if (data.doc !== this.doc) {
      this.doc = data.doc;
      clearTimeout(this.typing);
      this.sent = data.text;
      this.view.setState(this.parts.EditorState.create({ doc: data.text, extensions: this.extensions }));
    }
    // problems of an older text would stand at wrong places
    if (data.checked === this.view.state.doc.toString()) this.mark(data.problems);
    if (data.jump && data.jump.id !== this.jumped) {
      this.jumped = data.jump.id;
      this.goTo(data.jump.line, data.jump.column);
    }
    clearTimeout(this.polling);
    if (data.poll) this.polling = setTimeout(() => this.send("poll", Date.now()), POLL_MS);
  }

  typed() {
    clearTimeout(this.typing);
    this.typing = setTimeout(() => this.sendText(), TYPING_PAUSE_MS);
  }

  sendText() {
    const text = this.view.state.doc.toString();
    if (text === this.sent) return;
    this.sent = text;
    this.component.setStateValue("text", { doc: this.doc, text });
  }

  send(name, value) {
    clearTimeout(this.typing);
    this.sendText();
    this.component.setTriggerValue(name, value);
    return true;
  }

  askHelp() {
    const head = this.view.state.selection.main.head;
    const line = this.view.state.doc.lineAt(head);
    return this.send("help", referenceAt(line.text, head - line.from));
  }

  mark(problems) {
    const { doc } = this.view.state;
    const diagnostics = problems.map((problem) => ({
      ...rangeOf(doc, problem),
      severity: problem.level,
      message: `${problem.code}: ${problem.message}${problem.hint ? `\n${problem.hint}` : ""}`,
    }));
    this.view.dispatch(this.parts.setDiagnostics(this.view.state, diagnostics));
    const list = this.element.querySelector(".arm-editor__problems");
    list.replaceChildren(
      ...problems.map((problem) => {
        const item = document.createElement("li");
        const button = document.createElement("button");
        button.type = "button";
        button.className = `arm-editor__problem arm-editor__problem--${problem.level}`;
        const place = document.createElement("b");
        place.textContent = `${problem.line}:${problem.column}`;
        const code = document.createElement("i");
        code.textContent = problem.code;
        const text = document.createElement("span");
        text.textContent = problem.hint ? `${problem.message} — ${problem.hint}` : problem.message;
        button.append(place, code, text);
        button.onclick = () => this.goTo(problem.line, problem.column);
        item.append(button);
        return item;
      }),
    );
  }

  goTo(lineNumber, column) {
    const { doc } = this.view.state;
    const line = doc.line(Math.min(Math.max(lineNumber, 1), doc.lines));
    const anchor = Math.min(line.from + offsetInLine(line.text, column ?? 1), line.to);
    const { EditorView } = this.parts;
    this.view.dispatch({ selection: { anchor }, effects: EditorView.scrollIntoView(anchor, { y: "center" }) });
    this.view.focus();
  }

  destroy() {
    clearTimeout(this.typing);
    clearTimeout(this.polling);
    window.removeEventListener("arm-pipeline-line", this.onLine);
    this.view.destroy();
  }
}

export default function (component) {
  const element = component.parentElement;
  const state = instances.get(element) ?? { latest: component };
  instances.set(element, state);
  state.latest = component;
  if (state.editor) state.editor.update(component);
  state.starting ??= loadParts().then(
    (parts) => {
      if (state.isGone) return;
      state.editor = new Editor(parts, element, state.latest);
      state.editor.update(state.latest);
    },
    () => {
      element.querySelector(".arm-editor__text").textContent = component.data.labels.failed;
    },
  );
  return () => {
    state.isGone = true;
    instances.delete(element);
    state.editor?.destroy();
  };
}
