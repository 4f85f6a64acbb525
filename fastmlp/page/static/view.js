// The notebook's side: the page in a frame of its own, which reaches nothing but this view, which hands its messages on.

export default {
  render({ model, el }) {
    const view = String(Math.random()),
      frame = document.createElement("iframe"),
      { port1: port, port2: inside } = new MessageChannel();
    frame.sandbox = "allow-scripts allow-downloads";
    frame.title = "fastmlp";
    frame.style = `width: 100%; height: ${model.get("height")}px; border: 0`;
    frame.srcdoc = model.get("document");
    frame.onload = () => frame.contentWindow.postMessage("fastmlp", "*", [inside]);
    port.onmessage = ({ data }) =>
      typeof data === "string" ? model.send({ view, text: data }) : model.send({ view }, undefined, [data]);
    const receive = (content, buffers) => {
      if (content.view !== view) return;
      const [bytes] = buffers ?? [];
      port.postMessage(bytes ? bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength) : content.message);
    };
    model.on("msg:custom", receive);
    el.append(frame);
    return () => {
      model.off("msg:custom", receive);
      model.send({ view, gone: true });
    };
  },
};
