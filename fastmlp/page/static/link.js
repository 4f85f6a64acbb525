// A link that carries the settings: read from the address's fragment, and made for others of this computer.

export const isWhole = (value, low, end) => Number.isInteger(value) && value >= low && value < end;

/** {name: whether a number can be it} of the settings, for a model's network. */
export const SETTINGS = {
  learning_rate: (value, model) => value >= 0 && model.holds(value),
  batch_size: (value) => isWhole(value, 1, 2 ** 16),
  pause_after: (value) => isWhole(value, 1, 2 ** 20),
  steps_per_second: (value) => [0, 1, 10, 100, 1000].includes(value),
};

/** {token, settings, network, hide, mode} as the fragment says; what it leaves out is undefined. */
export function readLink() {
  const fields = new URLSearchParams(location.hash.slice(1));
  const settings = {};
  for (const name in SETTINGS) if (fields.has(name)) settings[name] = Number(fields.get(name));
  if (fields.has("optimizer")) settings.optimizer = fields.get("optimizer");
  let network = null;
  if (fields.has("hidden")) {
    const sizes = fields.get("hidden") === "" ? [] : fields.get("hidden").split("-").map(Number);
    const seed = Number(fields.get("seed"));
    if (sizes.every((size) => isWhole(size, 1, 8193)) && sizes.length <= 12 && isWhole(seed, 0, 2 ** 32))
      network = { hidden_sizes: sizes, activation: fields.get("activation") ?? "sigmoid", seed };
  }
  const hide = (fields.get("hide") ?? "").split(",").filter((name) => ["neuron", "training", "files"].includes(name));
  return { token: fields.get("token") ?? "", settings, network, hide, mode: fields.get("lines") };
}

export function makeLink(model, { token, hide, mode, theme }) {
  const { status, network } = model;
  const fields = new URLSearchParams({ token });
  fields.set("hidden", network.layer_sizes.slice(1, -1).join("-"));
  fields.set("activation", network.activations.length > 1 ? network.activations[0] : network.choices[0]);
  fields.set("seed", status.seed);
  for (const name of ["optimizer", ...Object.keys(SETTINGS)]) fields.set(name, status[name]);
  fields.set("lines", mode);
  fields.set("theme", theme);
  if (hide.length) fields.set("hide", hide.join(","));
  return `${location.origin}/#${fields}`;
}
