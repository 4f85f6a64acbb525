// What the wire speaks through: the server's WebSocket. In notebooks port.js stands in its place.

export const openSocket = () => new WebSocket(`ws://${location.host}/socket`);
