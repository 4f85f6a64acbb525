// The pad: strokes kept as points, so that they can be moved and scaled; or an image from the data; undone and redone.

import { bounds, ink } from "./ink.js";
import { greyPicture, picture, sharp, signedPicture, css } from "./colours.js";

const PEN = 1.2 * 2; // pixels of 28: what a stroke looks like before it becomes pixels

export class Pad {
  constructor(canvas, seen, { onInput, onChange }) {
    Object.assign(this, { canvas, seen, onInput, onChange });
    this.side = 28;
    this.disabled = false; // while the canvas shows something else
    this.bytes = true; // pixels are bytes, and not numbers from 0 to 1
    this.centred = true;
    this.state = { strokes: [], image: null };
    this.past = [];
    this.future = [];
    this.pen = { x: 0.5, y: 0.5, down: false, shown: false };
    this.overlay = null; // weights times pixels of a neuron, shown instead of the drawing
    this.listen();
  }

  /** For a network with other inputs: the strokes stay, an image of another size goes. */
  resize(side, bytes) {
    if (this.state.image && (this.state.image.length !== side * side || this.bytes !== bytes))
      this.state = { ...this.state, image: null };
    Object.assign(this, { side, bytes });
    this.render();
  }

  /** What the network gets. */
  values() {
    const { image, strokes } = this.state;
    if (image && !strokes.length) return image;
    const pixels = ink(strokes, this.side, { centred: this.centred && !image });
    if (!image) return this.bytes ? pixels : Float64Array.from(pixels, (value) => value / 255);
    return image.map((value, i) => Math.max(value, this.bytes ? pixels[i] : pixels[i] / 255));
  }

  get isEmpty() {
    return !this.state.image && !this.state.strokes.length;
  }

  change(state) {
    this.past.push(this.state);
    if (this.past.length > 100) this.past.shift();
    this.future = [];
    this.state = state;
    this.changed();
  }

  changed() {
    this.onInput();
    this.render();
    this.onChange();
  }

  clear() {
    this.pen.down = false;
    if (!this.isEmpty) this.change({ strokes: [], image: null });
  }

  undo() {
    this.travel(this.past, this.future);
  }

  redo() {
    this.travel(this.future, this.past);
  }

  travel(from, to) {
    if (!from.length) return;
    this.pen.down = false;
    to.push(this.state);
    this.state = from.pop();
    this.changed();
  }

  show(image) {
    this.change({ strokes: [], image });
  }

  begin(point) {
    this.change({ ...this.state, strokes: [...this.state.strokes, [point]] });
  }

  extend(points) {
    const strokes = this.state.strokes.slice();
    strokes[strokes.length - 1] = [...strokes.at(-1), ...points];
    this.state = { ...this.state, strokes };
    this.changed();
  }

  move(dx, dy) {
    if (this.state.strokes.length)
      this.change({ ...this.state, strokes: this.state.strokes.map((s) => s.map(([x, y]) => [x + dx, y + dy])) });
  }

  scale(factor) {
    if (!this.state.strokes.length) return;
    const [left, top, right, bottom] = bounds(this.state.strokes);
    const x0 = (left + right) / 2,
      y0 = (top + bottom) / 2;
    const strokes = this.state.strokes.map((s) => s.map(([x, y]) => [x0 + (x - x0) * factor, y0 + (y - y0) * factor]));
    this.change({ ...this.state, strokes });
  }

  listen() {
    const { canvas } = this;
    let drawing = null;
    const place = (event) => {
      const box = canvas.getBoundingClientRect();
      return [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
    };
    canvas.addEventListener("pointerdown", (event) => {
      if (this.disabled || event.button || drawing !== null) return;
      drawing = event.pointerId;
      canvas.setPointerCapture(drawing);
      this.pen.shown = this.pen.down = false;
      this.begin(place(event));
    });
    const moved = (event) => {
      if (event.pointerId !== drawing) return;
      const events = event.getCoalescedEvents?.() ?? [];
      this.extend((events.length ? events : [event]).map(place));
    };
    canvas.addEventListener("onpointerrawupdate" in window ? "pointerrawupdate" : "pointermove", moved);
    for (const end of ["pointerup", "pointercancel"]) {
      canvas.addEventListener(end, (event) => {
        if (event.pointerId === drawing) drawing = null;
      });
    }
    canvas.addEventListener("keydown", (event) => this.key(event));
    canvas.addEventListener("blur", () => {
      this.pen.shown = false;
      this.render();
    });
  }

  key(event) {
    if (this.disabled) return;
    const step = 1 / this.side;
    const arrows = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] };
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "z") event.shiftKey ? this.redo() : this.undo();
    else if (event.ctrlKey || event.metaKey || event.altKey) return;
    else if (arrows[event.key] && event.shiftKey) this.move(...arrows[event.key]);
    else if (arrows[event.key]) {
      const [dx, dy] = arrows[event.key];
      this.pen.x = Math.min(1, Math.max(0, this.pen.x + dx));
      this.pen.y = Math.min(1, Math.max(0, this.pen.y + dy));
      this.pen.shown = true;
      if (this.pen.down) this.extend([[this.pen.x, this.pen.y]]);
      else this.render();
    } else if (event.key === " ") {
      this.pen.down = !this.pen.down;
      this.pen.shown = true;
      if (this.pen.down) this.begin([this.pen.x, this.pen.y]);
      else this.render();
    } else if (event.key === "+" || event.key === "=") this.scale(1.1);
    else if (event.key === "-") this.scale(1 / 1.1);
    else if (event.key === "Delete" || event.key === "Backspace") this.clear();
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  render() {
    if (this.disabled) return;
    const { context, width, height } = sharp(this.canvas);
    context.imageSmoothingEnabled = false;
    if (this.overlay) {
      context.drawImage(signedPicture(this.overlay, this.side, this.side), 0, 0, width, height);
    } else {
      context.fillStyle = "#000";
      context.fillRect(0, 0, width, height);
      if (this.state.image)
        context.drawImage(
          greyPicture(this.state.image, this.side, this.side, this.bytes ? 255 : 1),
          0,
          0,
          width,
          height,
        );
      context.strokeStyle = "#fff";
      context.lineWidth = (PEN / 28) * width;
      context.lineCap = context.lineJoin = "round";
      for (const stroke of this.state.strokes) {
        context.beginPath();
        context.moveTo(stroke[0][0] * width, stroke[0][1] * height);
        for (const [x, y] of stroke) context.lineTo(x * width, y * height);
        context.stroke();
      }
    }
    if (this.pen.shown) {
      context.strokeStyle = css("positive");
      context.lineWidth = 2;
      context.beginPath();
      context.arc(this.pen.x * width, this.pen.y * height, this.pen.down ? 5 : 9, 0, 2 * Math.PI);
      context.stroke();
    }
    const small = sharp(this.seen).context;
    small.imageSmoothingEnabled = false;
    const grey = (bytes, offset, value) => {
      bytes[offset] = bytes[offset + 1] = bytes[offset + 2] = this.bytes ? value : 255 * value;
      bytes[offset + 3] = 255;
    };
    small.drawImage(
      picture(this.values(), this.side, this.side, grey),
      0,
      0,
      this.seen.clientWidth,
      this.seen.clientHeight,
    );
  }
}
