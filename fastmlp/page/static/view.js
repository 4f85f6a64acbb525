// The notebook's side: the page in a frame of its own, which reaches nothing but this view, which hands its messages on. The page
// is light or dark as the notebook is, whose words are light where it is dark.

const theme = () => {
  const [red, green, blue] = getComputedStyle(document.body).color.match(/[\d.]+/g).map(Number);
  return 0.3 * red + 0.6 * green + 0.1 * blue > 127 ? "dark" : "light";
};

export default {
  render({ model, el }) {
    const view = String(Math.random()),
      frame = document.createElement("iframe"),
      { port1: port, port2: inside } = new MessageChannel();
    frame.sandbox = "allow-scripts allow-downloads";
    frame.title = "fastmlp";
    frame.style = `width: 100%; height: ${model.get("height")}px; border: 0`;
    frame.srcdoc = model.get("document").replace("<html ", `<html data-theme="${theme()}" `);
    frame.onload = () => frame.contentWindow.postMessage("fastmlp", "*", [inside]);
    port.onmessage = ({ data }) =>
      typeof data === "string" ? model.send({ view, text: data }) : model.send({ view }, undefined, [data]);
    const receive = (content, buffers) => {
      if (content.view !== view) return;
      const [bytes] = buffers ?? [];
      port.postMessage(bytes ? bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength) : content.message);
    };
    const end = () => port.postMessage({ closed: { code: 1001 } }); // the kernel has restarted, or has died
    model.on("msg:custom", receive);
    model.on("comm_live_update", end);
    el.append(frame);
    return () => {
      model.off("msg:custom", receive);
      model.off("comm_live_update", end);
      model.send({ view, gone: true });
    };
  },
};
