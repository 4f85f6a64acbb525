// The confusion matrix: held-out images by what they are and what the network answers; a cell opens its images.

import { css, greyPicture, picture, sharp, wordsOn } from "./colours.js";

const LARGEST_FONT = 12,
  SMALLEST_FONT = 7.5, // CSS pixels
  FIGURE_WIDTH = 0.64; // of the font's size

export class Confusion {
  constructor(canvas, onOpen) {
    Object.assign(this, { canvas, onOpen, counts: null, n: 0, at: [0, 0], focused: false });
    canvas.addEventListener("click", (event) => {
      if (!this.counts) return;
      const box = canvas.getBoundingClientRect(),
        along = (place, length) => Math.floor(((place - this.margin) / (length - this.margin)) * this.n);
      const column = along(event.clientX - box.left, box.width),
        row = along(event.clientY - box.top, box.height);
      if (column >= 0 && row >= 0 && column < this.n && row < this.n) this.open(row, column);
    });
    canvas.addEventListener("keydown", (event) => {
      const steps = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };
      if (!this.counts || (!steps[event.key] && event.key !== "Enter")) return;
      event.preventDefault();
      if (event.key === "Enter") return this.open(...this.at);
      this.at = this.at.map((value, k) => Math.min(this.n - 1, Math.max(0, value + steps[event.key][k])));
      this.render();
      this.onMove?.(...this.at, this.counts[this.at[0] * this.n + this.at[1]]);
    });
    for (const kind of ["focus", "blur"]) {
      canvas.addEventListener(kind, () => {
        this.focused = kind === "focus" && canvas.matches(":focus-visible");
        this.render();
      });
    }
  }

  open(row, column) {
    this.at = [row, column];
    this.onOpen(row, column);
  }

  show(counts) {
    this.counts = counts;
    this.n = counts ? Math.sqrt(counts.length) : 0;
    this.at = this.at.map((value) => Math.min(value, Math.max(0, this.n - 1)));
    this.render();
  }

  get margin() {
    return this.n > 20 ? 0 : 14;
  }

  render() {
    const { context, width, height } = sharp(this.canvas);
    const { counts, n, margin } = this;
    if (!counts) {
      context.strokeStyle = css("line", 0.5);
      context.strokeRect(14.5, 14.5, width - 15, height - 15);
      return;
    }
    const across = (width - margin) / n,
      down = (height - margin) / n;
    const most = counts.reduce((a, b) => Math.max(a, b), 0);
    const size = Math.min(LARGEST_FONT, 0.8 * down, (0.95 * across) / (FIGURE_WIDTH * String(most).length));
    context.textAlign = "center";
    context.textBaseline = "middle";
    const sums = Array.from(
      { length: n },
      (_, row) => counts.subarray(row * n, row * n + n).reduce((a, b) => a + b, 0) || 1,
    );
    let worst = 0;
    counts.forEach((count, k) =>
      Math.floor(k / n) !== k % n ? (worst = Math.max(worst, count / sums[Math.floor(k / n)])) : 0,
    );
    for (let row = 0; row < n; row++) {
      if (margin) {
        context.fillStyle = css("muted");
        context.font = "10px system-ui, sans-serif";
        context.fillText(row, margin / 2, margin + down * (row + 0.5));
        context.fillText(row, margin + across * (row + 0.5), margin / 2);
      }
      for (let column = 0; column < n; column++) {
        const count = counts[row * n + column],
          share = row === column ? count / sums[row] : count / sums[row] / (worst || 1);
        const [x, y] = [margin + across * column, margin + down * row];
        context.fillStyle = css("paper");
        context.fillRect(x, y, across, down);
        const colour = [row === column ? "positive" : "negative", 0.9 * share];
        context.fillStyle = css(...colour);
        context.fillRect(x, y, across - 0.5, down - 0.5);
        if (count && size >= SMALLEST_FONT) {
          context.fillStyle = wordsOn(...colour);
          context.font = `${size}px system-ui, sans-serif`;
          context.fillText(count, x + across / 2, y + down / 2 + 0.5);
        }
      }
    }
    if (this.focused) {
      context.strokeStyle = css("ring");
      context.lineWidth = 2;
      context.strokeRect(margin + across * this.at[1], margin + down * this.at[0], across, down);
    }
  }
}

/** Fill the dialog with the images of a cell; choosing one puts it on the pad. */
export function showImages(dialog, message, inputs, onChoose) {
  const { row, column, count, size, values, indices } = message;
  const shown = indices.length < count ? `, ${indices.length} of ${count} shown` : "";
  dialog.querySelector("h2").textContent =
    count === 0
      ? `No ${row} is taken for ${column}`
      : row === column
        ? `${count} × ${row}, right${shown}`
        : `${count} × ${row} taken for ${column}${shown}`;
  const list = dialog.querySelector("#image-list");
  list.replaceChildren();
  indices.forEach((index, k) => {
    const sample = values.slice(k * size, (k + 1) * size),
      button = document.createElement("button");
    button.type = "button";
    button.setAttribute("aria-label", `held-out sample ${index}: put it in`);
    if (inputs.kind === "pad") {
      button.append(imageOf(sample, inputs.side));
    } else button.textContent = index;
    button.onclick = () => {
      dialog.close();
      onChoose(sample, row);
    };
    list.append(button);
  });
  dialog.showModal();
}

/** An image from the data as a canvas: bytes, or numbers from 0 to 1. */
export function imageOf(sample, side) {
  if (!(sample instanceof Uint8Array)) return greyPicture(sample, side, side, 1);
  return picture(sample, side, side, (bytes, offset, value) => {
    bytes[offset] = bytes[offset + 1] = bytes[offset + 2] = value;
    bytes[offset + 3] = 255;
  });
}
