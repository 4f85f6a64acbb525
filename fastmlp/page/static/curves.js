// The curves of training: loss on the left scale, share of right answers on the right one.

import { css, sharp } from "./colours.js";
import { precise } from "./numerals.js";

/** points: [samples seen, loss, held-out loss, accuracy] one after the other; NaN where there is none. noun: of the samples;
 * hasAccuracy: whether there is a share of right answers at all. */
export function drawCurves(canvas, points, { noun, hasAccuracy }) {
  const { context, width, height } = sharp(canvas);
  const left = 46,
    right = width - 40,
    top = 8,
    bottom = height - 18,
    count = points.length / 4;
  context.font = "11px system-ui, sans-serif";
  context.textBaseline = "middle";
  const last = count ? points[4 * (count - 1)] : 0;
  let most = 0;
  for (let i = 0; i < count; i++)
    for (const k of [1, 2]) if (points[4 * i + k] > most && points[4 * i + k] < Infinity) most = points[4 * i + k];
  most = nice(most || 1);
  const label = labelled(most / 4);
  for (let k = 0; k <= 4; k++) {
    const y = bottom - ((bottom - top) * k) / 4;
    context.strokeStyle = css("line", 0.28);
    context.lineWidth = 1;
    context.beginPath();
    context.moveTo(left, Math.round(y) + 0.5);
    context.lineTo(right, Math.round(y) + 0.5);
    context.stroke();
    context.fillStyle = css("muted");
    context.textAlign = "right";
    context.fillText(label((most * k) / 4), left - 5, y);
    context.textAlign = "left";
    if (hasAccuracy) context.fillText(`${25 * k}%`, right + 5, y);
  }
  context.textAlign = "right";
  context.fillText(`${last.toLocaleString("en")} ${noun}`, right, height - 6);
  if (!count) {
    context.textAlign = "center";
    context.fillText("training draws its curves here", (left + right) / 2, (top + bottom) / 2 - 8);
    return;
  }
  const curve = (k, scale, name, dashes) => {
    context.strokeStyle = context.fillStyle = css(name);
    context.lineWidth = 1.8;
    context.setLineDash(dashes);
    context.beginPath();
    let begun = false;
    for (let i = 0; i < count; i++) {
      const value = points[4 * i + k];
      if (!Number.isFinite(value)) continue;
      const x = left + ((right - left) * points[4 * i]) / Math.max(1, last);
      const y = bottom - (bottom - top) * Math.min(1, value / scale);
      begun ? context.lineTo(x, y) : context.moveTo(x, y);
      begun = true;
      if (count === 1) context.fillRect(x - 2, y - 2, 4, 4);
    }
    context.stroke();
    context.setLineDash([]);
  };
  curve(1, most, "negative", []);
  curve(2, most, "negative", [4, 3]);
  curve(3, 1, "positive", []);
}

/** How numbers at so large a step are written: with as many digits behind the point, or all as powers of ten. */
function labelled(step) {
  const behindPoint = Math.max(0, 1 - Math.floor(Math.log10(step) + 1e-9));
  return step < 1e-4 || step >= 1e5 ? (value) => (value ? precise(value, 2) : "0") : (value) => value.toFixed(behindPoint);
}

function nice(value) {
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 4, 6, 8, 10].find((step) => step * power >= value) * power;
}
