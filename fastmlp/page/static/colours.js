// The colours of numbers: activations black to white, negative ones orange; weights blue for, orange against.

const names = ["positive", "negative", "highlight", "ring", "line", "text", "muted", "panel", "paper", "nan"];
let values = {};

/** Read the theme's colours from the style sheet; again after the theme changes. */
export function readTheme() {
  const style = getComputedStyle(document.documentElement);
  const probe = document.createElement("canvas").getContext("2d");
  for (const name of names) {
    probe.fillStyle = style.getPropertyValue(`--${name}`).trim();
    const [r, g, b] = probe.fillStyle.match(/[0-9a-f]{2}/gi).map((part) => parseInt(part, 16));
    values[name] = [r, g, b];
  }
}

export const rgb = (name) => values[name];
export const css = (name, alpha = 1) => `rgba(${values[name].join(",")},${alpha})`;

/** Black or white words, whichever are read the better on a theme's colour that lets the paper through. */
export function wordsOn(name, alpha) {
  const light = values[name].map((value, c) => ((values.paper[c] + (value - values.paper[c]) * alpha) / 255) ** 2.2);
  return 0.21 * light[0] + 0.72 * light[1] + 0.07 * light[2] > 0.18 ? "#05070b" : "#ffffff";
}

/** The largest finite magnitude, or 1 where all are zero. */
export function largest(numbers) {
  let found = 0;
  for (const value of numbers) {
    const magnitude = Math.abs(value);
    if (magnitude > found && magnitude < Infinity) found = magnitude;
  }
  return found || 1;
}

/** Whether an activation lies between 0 and 1 by itself; others are shown against their layer's largest magnitude. */
export const isBounded = (activation) => activation === "sigmoid" || activation === "softmax";

export const scaleOf = (activation, numbers) => (isBounded(activation) ? 1 : largest(numbers));

/** [r, g, b] of an activation. */
export function brightness(value, scale) {
  if (Number.isNaN(value)) return values.nan;
  const share = Math.min(1, Math.abs(value) / scale);
  if (value >= 0) return [255 * share, 255 * share, 255 * share];
  return [255 * share, 138 * share, 61 * share];
}

/** Write [r, g, b] of a signed number into RGBA bytes: zero is the colour of paper. */
export function signedInto(bytes, offset, value, scale) {
  const share = Number.isNaN(value) ? 1 : Math.min(1, Math.abs(value) / scale);
  const end = Number.isNaN(value) ? values.nan : value > 0 ? values.positive : values.negative;
  for (let c = 0; c < 3; c++) bytes[offset + c] = values.paper[c] + (end[c] - values.paper[c]) * Math.sqrt(share);
  bytes[offset + 3] = 255;
}

/** An offscreen canvas with one pixel for each number; paint(bytes, offset, value) colours it. */
export function picture(numbers, width, height, paint) {
  const canvas = document.createElement("canvas");
  canvas.width = width;
  canvas.height = height;
  const context = canvas.getContext("2d");
  const image = context.createImageData(width, height);
  for (let i = 0; i < width * height; i++) if (i < numbers.length) paint(image.data, 4 * i, numbers[i]);
  context.putImageData(image, 0, 0);
  return canvas;
}

export function signedPicture(numbers, width, height, scale = largest(numbers)) {
  return picture(numbers, width, height, (bytes, offset, value) => signedInto(bytes, offset, value, scale));
}

export function greyPicture(numbers, width, height, scale) {
  return picture(numbers, width, height, (bytes, offset, value) => {
    const [r, g, b] = brightness(value, scale);
    bytes[offset] = r;
    bytes[offset + 1] = g;
    bytes[offset + 2] = b;
    bytes[offset + 3] = 255;
  });
}

/** A canvas's context, the canvas as sharp as the screen is; width and height are in CSS pixels. */
export function sharp(canvas) {
  const ratio = window.devicePixelRatio || 1;
  const width = canvas.clientWidth,
    height = canvas.clientHeight;
  if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
  }
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  return { context, width, height };
}
