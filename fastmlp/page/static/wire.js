// The socket: frames in and out, and its states: connecting, connected, lost (tries again), ended, refused.

import { openSocket } from "./socket.js";

const RETRY_AFTER = [200, 500, 1000, 2000, 5000]; // milliseconds
const ARRAYS = { u1: Uint8Array, i4: Int32Array, f4: Float32Array, f8: Float64Array };

export function encodeFrame(header, content = new Uint8Array()) {
  let text = JSON.stringify(header);
  const encoder = new TextEncoder();
  text += " ".repeat((8 - ((4 + encoder.encode(text).length) % 8)) % 8);
  const encoded = encoder.encode(text);
  const frame = new Uint8Array(4 + encoded.length + content.byteLength);
  new DataView(frame.buffer).setUint32(0, encoded.length, true);
  frame.set(encoded, 4);
  frame.set(new Uint8Array(content.buffer, content.byteOffset, content.byteLength), 4 + encoded.length);
  return frame;
}

export function decodeFrame(buffer) {
  const length = new DataView(buffer).getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)));
  let offset = 4 + length;
  for (const [name, dtype, count] of header.arrays) {
    header[name] = new ARRAYS[dtype](buffer, offset, count);
    offset += Math.ceil(header[name].byteLength / 8) * 8;
  }
  return header;
}

export class Wire {
  constructor(token, { onMessage, onState }) {
    Object.assign(this, { token, onMessage, onState, failures: 0, state: "connecting" });
    this.connect();
  }

  connect() {
    const socket = openSocket();
    this.socket = socket;
    socket.binaryType = "arraybuffer";
    socket.onopen = () => this.order("hello", { token: this.token });
    socket.onmessage = ({ data }) => {
      if (this.state !== "connected") this.become("connected");
      this.failures = 0;
      this.onMessage(typeof data === "string" ? JSON.parse(data) : decodeFrame(data));
    };
    socket.onclose = ({ code, reason }) => {
      if (code === 1008) return this.become(reason === "token" ? "refused" : "broken", reason);
      if (code === 1013) return this.become("full");
      if (code === 1001) this.become("ended");
      else if (this.state !== "ended") this.become("lost");
      setTimeout(() => this.connect(), RETRY_AFTER[Math.min(this.failures++, RETRY_AFTER.length - 1)]);
    };
  }

  become(state, reason = "") {
    this.state = state;
    this.onState(state, reason);
  }

  get isOpen() {
    return this.socket.readyState === WebSocket.OPEN;
  }

  order(type, fields = {}) {
    if (this.isOpen) this.socket.send(JSON.stringify({ type, ...fields }));
  }

  frame(header, content) {
    if (this.isOpen) this.socket.send(encodeFrame(header, content));
  }
}
