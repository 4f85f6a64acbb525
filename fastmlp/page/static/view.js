// The notebook's side: the page in a frame of its own, which reaches nothing but this view, which hands its messages on. The page
// is light or dark as the notebook is, whose words are light where it is dark.

const theme = () => {
  const [red, green, blue] = getComputedStyle(document.body).color.match(/[\d.]+/g).map(Number);
  return 0.3 * red + 0.6 * green + 0.1 * blue > 127 ? "dark" : "light";
};

export default {
  render({ model, el }) {
    const frame = document.createElement("iframe");
    frame.sandbox = "allow-scripts allow-downloads";
    frame.title = "fastmlp";
    frame.style = `width: 100%; height: ${model.get("height")}px; border: 0`;
    frame.srcdoc = model.get("document").replace("<html ", `<html data-theme="${theme()}" `);
    let view, port, ended;
    const send = (content, buffers) => ended || model.send({ view, ...content }, undefined, buffers);
    const leave = () => {
      port?.close();
      if (port) send({ gone: true });
    };
    frame.onload = () => {
      // A frame loads again when its user reloads it, and when it is taken out and put back: it is another view then.
      leave();
      const channel = new MessageChannel();
      [view, port] = [String(Math.random()), channel.port1];
      port.onmessage = ({ data }) => (typeof data === "string" ? send({ text: data }) : send({}, [data]));
      frame.contentWindow.postMessage("fastmlp", "*", [channel.port2]);
      if (ended) end();
    };
    const receive = (content, buffers) => {
      if (ended || content.view !== view) return;
      const [bytes] = buffers ?? [];
      port.postMessage(bytes ? bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength) : content.message);
    };
    const end = () => {
      ended = true; // the kernel has restarted, or has died
      port?.postMessage({ closed: { code: 1001 } });
    };
    // A notebook that is reloaded or closed takes its views along, unless its browser keeps it for going back to it.
    const hide = ({ persisted }) => persisted || leave();
    addEventListener("pagehide", hide);
    model.on("msg:custom", receive);
    model.on("comm_live_update", end);
    el.append(frame);
    return () => {
      removeEventListener("pagehide", hide);
      model.off("msg:custom", receive);
      model.off("comm_live_update", end);
      leave();
    };
  },
};
