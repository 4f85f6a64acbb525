// The bar at the top: undo and redo, files, the link, the legend, the theme; and the keys for undo and redo.

import { readTheme } from "./colours.js";
import { SETTINGS, makeLink } from "./link.js";

const LARGEST_FILE = 32 * 1024 * 1024 - 4096;
const byId = (id) => document.getElementById(id);

export function setUpToolbar({ model, wire, diagram, link, tell, redrawAll }) {
  byId("undo").onclick = () => wire.order("undo");
  byId("redo").onclick = () => wire.order("redo");
  byId("save").onclick = () => wire.order("save");
  byId("load").onclick = () => byId("file").click();
  byId("file").onchange = async ({ target }) => {
    const [file] = target.files;
    if (!file) return;
    if (file.size > LARGEST_FILE) tell("This file is too large: at most 32 MB.");
    else wire.frame({ type: "load" }, new Uint8Array(await file.arrayBuffer()));
    target.value = "";
  };
  byId("legend-button").onclick = () => byId("legend").showModal();
  byId("link").onclick = () => {
    const write = () => {
      const hide = [...byId("link-dialog").querySelectorAll("[name=hide]:checked")].map(({ value }) => value);
      const mode = diagram.byProduct ? "products" : "weights";
      byId("link-text").value = makeLink(model, {
        token: link.token,
        hide,
        mode,
        theme: document.documentElement.dataset.theme,
      });
    };
    write();
    for (const box of byId("link-dialog").querySelectorAll("[name=hide]")) box.onchange = write;
    byId("link-dialog").showModal();
  };
  byId("link-copy").onclick = () => navigator.clipboard?.writeText(byId("link-text").value);
  byId("theme").onclick = () => {
    const theme = document.documentElement.dataset.theme === "dark" ? "light" : "dark";
    document.documentElement.dataset.theme = theme;
    try {
      localStorage.setItem("fastmlp-theme", theme);
    } catch {
      // A browser that keeps nothing starts with the system's theme.
    }
    readTheme();
    redrawAll();
  };
  document.addEventListener("keydown", (event) => {
    if (
      !(event.ctrlKey || event.metaKey) ||
      event.key.toLowerCase() !== "z" ||
      event.target.matches("input:not([type=range], [type=checkbox], [type=radio])")
    )
      return;
    event.preventDefault();
    wire.order(event.shiftKey ? "redo" : "undo");
  });
}

/** Take over the link's settings: at once where nobody has worked yet, else when asked to. */
export function followLink({ model, wire, link, tell }) {
  const { status, network } = model,
    { settings, network: asked } = link;
  const isOther =
    asked &&
    (asked.seed !== status.seed ||
      asked.hidden_sizes.join() !== network.layer_sizes.slice(1, -1).join() ||
      (network.activations.length > 1 && asked.activation !== network.activations[0]));
  if (!Object.hasOwn(network.optimizers, settings.optimizer)) delete settings.optimizer;
  for (const name in SETTINGS) if (name in settings && !SETTINGS[name](settings[name], model)) delete settings[name];
  const other = Object.fromEntries(Object.entries(settings).filter(([name, value]) => status[name] !== value));
  if (!isOther && !Object.keys(other).length) return;
  const follow = () => {
    if (isOther && network.choices.includes(asked.activation)) wire.order("rebuild", asked);
    // Another optimizer comes with its default rate: the link's is said with it.
    if (other.optimizer && "learning_rate" in settings) other.learning_rate = settings.learning_rate;
    if (Object.keys(other).length) wire.order("settings", other);
  };
  if (status.undo === null && status.images_seen === 0) follow();
  else tell("This link carries other settings than those here.", "link", "Use them", follow);
}

/** Save bytes from the server as a file. */
export function download(content, name) {
  const anchor = document.createElement("a");
  anchor.href = URL.createObjectURL(new Blob([content]));
  anchor.download = name;
  anchor.click();
  setTimeout(() => URL.revokeObjectURL(anchor.href), 1000);
}
