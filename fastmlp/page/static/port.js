// In notebooks, in the place of socket.js: a port to view.js outside this frame, which hands messages on to the kernel.

const port = new Promise((found) => addEventListener("message", ({ ports }) => found(ports[0]), { once: true }));

/** As much of a WebSocket as the wire needs. */
export function openSocket() {
  const socket = { readyState: WebSocket.CONNECTING };
  port.then((port) => {
    socket.send = (message) => port.postMessage(message);
    port.onmessage = ({ data }) => {
      if (!data.closed) return socket.onmessage({ data });
      socket.readyState = WebSocket.CLOSED;
      socket.onclose(data.closed);
    };
    socket.readyState = WebSocket.OPEN;
    socket.onopen();
  });
  return socket;
}
