// The pad: strokes kept as points, so that they can be moved and scaled; or an image from the data; undone and redone.

import { ink } from "./ink.js";
import { greyPicture, sharp, signedPicture, css } from "./colours.js";
import { corners, middle, scaled, shifted, taken } from "./moving.js";

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
    this.isMoving = false; // the pointer moves and scales the drawing, and does not draw
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
    if (this.state.strokes.length) this.change({ ...this.state, strokes: shifted(this.state.strokes, dx, dy) });
  }

  scale(factor) {
    const { strokes } = this.state;
    if (strokes.length) this.change({ ...this.state, strokes: scaled(strokes, middle(strokes), factor) });
  }

  /** Whether the pointer moves the drawing from now on. */
  setMoving(on) {
    this.isMoving = on;
    this.canvas.classList.toggle("moving", on);
    this.render();
  }

  /** One drag by pointer is one change; isFirst: of its moves. */
  drag(strokes, isFirst) {
    if (isFirst) return this.change({ ...this.state, strokes });
    this.state = { ...this.state, strokes };
    this.changed();
  }

  listen() {
    const { canvas } = this;
    let drawing = null, // the pointer that does
      drag = null; // or moves the drawing
    const place = (event) => {
      const box = canvas.getBoundingClientRect();
      return [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
    };
    canvas.addEventListener("pointerdown", (event) => {
      if (this.disabled || event.button || drawing !== null) return;
      drawing = event.pointerId;
      canvas.setPointerCapture(drawing);
      this.pen.shown = this.pen.down = false;
      if (!this.isMoving) return this.begin(place(event));
      drag = { to: taken(this.state.strokes, place(event), canvas.clientWidth), isFirst: true };
    });
    const moved = (event) => {
      if (event.pointerId !== drawing) return;
      if (drag) {
        this.drag(drag.to(place(event)), drag.isFirst);
        drag.isFirst = false;
        return;
      }
      const events = event.getCoalescedEvents?.() ?? [];
      this.extend((events.length ? events : [event]).map(place));
    };
    canvas.addEventListener("onpointerrawupdate" in window ? "pointerrawupdate" : "pointermove", moved);
    for (const end of ["pointerup", "pointercancel"]) {
      canvas.addEventListener(end, (event) => {
        if (event.pointerId === drawing) drawing = drag = null;
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
    if (this.isMoving) this.renderBox(context, width, height);
    if (this.pen.shown) {
      context.strokeStyle = css("positive");
      context.lineWidth = 2;
      context.beginPath();
      context.arc(this.pen.x * width, this.pen.y * height, this.pen.down ? 5 : 9, 0, 2 * Math.PI);
      context.stroke();
    }
    const small = sharp(this.seen).context;
    small.imageSmoothingEnabled = false;
    small.drawImage(
      greyPicture(this.values(), this.side, this.side, this.bytes ? 255 : 1),
      0,
      0,
      this.seen.clientWidth,
      this.seen.clientHeight,
    );
  }

  renderBox(context, width, height) {
    const around = corners(this.state.strokes).map(([x, y]) => [x * width, y * height]);
    context.strokeStyle = context.fillStyle = "#4aa3ff";
    context.lineWidth = 1.5;
    context.setLineDash([5, 4]);
    context.beginPath();
    around.forEach(([x, y]) => context.lineTo(x, y));
    context.closePath();
    context.stroke();
    context.setLineDash([]);
    for (const [x, y] of around) context.fillRect(x - 5, y - 5, 10, 10);
  }
}
