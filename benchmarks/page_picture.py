"""The README's picture of the page, as SVG: `python -m benchmarks.page_picture FILE`, with Chromium and playwright.

What canvases were told to draw is written down as it is told, and the page's boxes and words as the browser has laid them out.
"""

import argparse
from pathlib import Path

from playwright.sync_api import sync_playwright

from fastmlp.page import Page

from .browser import ARGUMENTS, CHROMIUM, THREE

WIDTH, HEIGHT = 1366, 768

# Each canvas keeps the SVG elements of what was drawn since it was last cleared.
RECORD = """
(() => {
  const round = (number) => +number.toFixed(1), of = CanvasRenderingContext2D.prototype;
  const steps = (path) => (path.steps ??= []);
  for (const kind of [Path2D.prototype, of]) {
    const watch = (name, write) => {
      const plain = kind[name];
      kind[name] = function (...args) { write(steps(this), ...args.map(round)); return plain.apply(this, args); };
    };
    watch("moveTo", (path, x, y) => path.push(`M${x} ${y}`));
    watch("lineTo", (path, x, y) => path.push(`${path.length ? "L" : "M"}${x} ${y}`));
    watch("bezierCurveTo", (path, ...places) => path.push(`C${places.join(" ")}`));
    watch("arc", (path, x, y, r) => path.push(`M${x + r} ${y}A${r} ${r} 0 1 1 ${round(x - r)} ${y}A${r} ${r} 0 1 1 ${x + r} ${y}`));
    watch("closePath", (path) => path.push("Z"));
  }
  const say = (context, text) => (context.canvas.svg ??= []).push(text);
  const paint = (name, colour) => {
    const [, rgb, , alpha] = /^rgba\\((.*?)(, ([^,]*))\\)$/.exec(colour) ?? [];
    return alpha ? `${name}="rgb(${rgb})" ${name}-opacity="${+(+alpha).toFixed(2)}"` : `${name}="${colour}"`;
  };
  const line = (context) => `${paint("stroke", context.strokeStyle)} stroke-width="${round(context.lineWidth)}"` +
    (context.getLineDash().length ? ` stroke-dasharray="${context.getLineDash()}"` : "") +
    (context.lineCap === "round" ? ' stroke-linecap="round" stroke-linejoin="round"' : "");
  const box = (x, y, w, h) => `x="${round(x)}" y="${round(y)}" width="${round(w)}" height="${round(h)}"`;
  const watch = (name, write) => {
    const plain = of[name];
    of[name] = function (...args) { write(this, ...args); return plain.apply(this, args); };
  };
  watch("beginPath", (context) => (context.steps = []));
  watch("clearRect", (context) => (context.canvas.svg = []));
  watch("stroke", (context, path) => say(context, `<path d="${steps(path ?? context).join("")}" fill="none" ${line(context)}/>`));
  watch("fill", (context) => say(context, `<path d="${steps(context).join("")}" ${paint("fill", context.fillStyle)}/>`));
  watch("fillRect", (context, ...place) => say(context, `<rect ${box(...place)} ${paint("fill", context.fillStyle)}/>`));
  watch("strokeRect", (context, ...place) => say(context, `<rect ${box(...place)} fill="none" ${line(context)}/>`));
  watch("fillText", (context, text, x, y) => {
    const [, weight, size] = /(\\d00)? ?([\\d.]+)px/.exec(context.font);
    const anchor = { left: "start", center: "middle", right: "end" }[context.textAlign];
    say(context, `<text x="${round(x)}" y="${round(y + size * 0.36)}" font-size="${size}" font-weight="${weight ?? 400}"
      text-anchor="${anchor}" ${paint("fill", context.fillStyle)}>${text}</text>`);
  });
  watch("drawImage", (context, image, ...places) => {
    const [x0, y0, w0, h0, ...place] = places.length > 4 ? places : [0, 0, image.width, image.height, ...places];
    const part = document.createElement("canvas");
    Object.assign(part, { width: w0, height: h0 });
    const pixels = image.getContext("2d").getImageData(x0, y0, w0, h0);
    pixels.data.forEach((value, i) => (pixels.data[i] = i % 4 < 3 ? Math.round(value / 36) * 36 : value)); // a third of the size
    part.getContext("2d").putImageData(pixels, 0, 0);
    say(context, `<image ${box(...place)} style="image-rendering: pixelated" href="${part.toDataURL()}"/>`);
  });
})();
"""

WRITE = """
() => {
  const parts = [], escape = (text) => text.replace(/&/g, "&amp;").replace(/</g, "&lt;"), round = (number) => +number.toFixed(1);
  const words = (text, style, x, baseline) => parts.push(`<text x="${round(x)}" y="${round(baseline)}" fill="${style.color}"
    font-size="${parseFloat(style.fontSize)}" font-weight="${style.fontWeight}" xml:space="preserve">${escape(text)}</text>`);
  const seen = (element) => element.checkVisibility({ opacityProperty: true }) && !element.closest(".sr, dialog");
  const visit = (element) => {
    if (!seen(element)) return;
    const style = getComputedStyle(element), box = element.getBoundingClientRect();
    const border = parseFloat(style.borderTopWidth) && style.borderTopColor !== "rgba(0, 0, 0, 0)",
      filled = style.backgroundColor !== "rgba(0, 0, 0, 0)", field = element.matches("input, select");
    if ((border || filled) && box.width && !element.matches("html, [type=checkbox], [type=radio], [type=range]"))
      parts.push(`<rect x="${round(box.x)}" y="${round(box.y)}" width="${round(box.width)}" height="${round(box.height)}"
        rx="${parseFloat(style.borderTopLeftRadius) || 0}" fill="${filled ? style.backgroundColor : "none"}"
        ${border ? `stroke="${style.borderTopColor}"` : ""} ${element.disabled ? 'opacity="0.65"' : ""}/>`);
    const middle = box.y + box.height / 2, accent = style.accentColor;
    if (element.type === "checkbox" || element.type === "radio") {
      const round_ = element.type === "radio" ? 8 : 3;
      parts.push(`<rect x="${box.x}" y="${box.y}" width="16" height="16" rx="${round_}" fill="${element.checked ? accent : "none"}"
        stroke="${style.color}" stroke-opacity="0.5"/>`);
    } else if (element.type === "range") {
      const share = (element.valueAsNumber - element.min) / (element.max - element.min);
      parts.push(`<path d="M${box.x} ${middle}H${box.right}" stroke="${accent}" stroke-opacity="0.4" stroke-width="4"/>
        <circle cx="${round(box.x + 8 + share * (box.width - 16))}" cy="${middle}" r="7" fill="${accent}"/>`);
    } else if (field) {
      const text = element.matches("select") ? `${element.selectedOptions[0].text}  ▾` : element.value;
      words(text, style, box.x + parseFloat(style.paddingLeft) + 1, middle + parseFloat(style.fontSize) * 0.36);
    }
    if (element.matches(".ramp")) parts.push(`<rect x="${box.x}" y="${box.y}" width="20" height="10" fill="url(#ramp)"/>`);
    if (element.matches(".dashed"))
      parts.push(`<path d="M${box.x} ${middle}h20" stroke="#ff8a3d" stroke-width="4" stroke-dasharray="4 3"/>`);
    if (element.matches("canvas")) {
      parts.push(`<svg x="${round(box.x + element.clientLeft)}" y="${round(box.y + element.clientTop)}"
        width="${element.clientWidth}" height="${element.clientHeight}">${(element.svg ?? []).join("")}</svg>`);
    }
    for (const child of field ? [] : element.childNodes) {
      if (child.nodeType === 1) visit(child);
      if (child.nodeType !== 3 || !child.data.trim()) continue;
      let line = null; // words that the browser has put on one line
      const range = document.createRange();
      for (const { 0: word, index } of child.data.matchAll(/\\S+\\s*/g)) {
        range.setStart(child, index);
        range.setEnd(child, index + word.trimEnd().length);
        const place = range.getBoundingClientRect();
        if (line && Math.abs(line.y - place.y) < 2) line.text += word;
        else {
          if (line) words(line.text, style, line.x, line.baseline);
          line = { text: word, x: place.x, y: place.y, baseline: place.y + place.height / 2 + parseFloat(style.fontSize) * 0.36 };
        }
      }
      if (line) words(line.text, style, line.x, line.baseline);
    }
  };
  visit(document.body);
  return parts.join("\\n").replace(/\\n +/g, " ");
}
"""


def until(tab, condition):
    while not tab.evaluate(condition):
        tab.wait_for_timeout(20)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", type=Path)
    arguments = parser.parse_args()
    page = Page(port=0)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        tab = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT}, color_scheme="dark")
        tab.add_init_script(RECORD)
        tab.goto(page.url)
        until(tab, "document.body.dataset.version && !document.getElementById('start').disabled")
        tab.locator("#start").click()
        until(tab, "document.getElementById('epoch').textContent.startsWith('30 of')")
        tab.wait_for_timeout(1500)  # the last examination
        box = tab.locator("#pad").bounding_box()
        for k, (x, y) in enumerate(THREE):
            tab.mouse.move(box["x"] + box["width"] * x, box["y"] + box["height"] * y)
            if not k:
                tab.mouse.down()
        tab.mouse.up()
        box = tab.locator("#diagram").bounding_box()
        first = tab.evaluate("document.getElementById('neurons').drawn.find(one => one.layer === 1 && one.neuron === 3)")
        for _ in range(2):  # picks a neuron for its weights, and lets it go: all lines are drawn
            tab.mouse.click(box["x"] + first["x"], box["y"] + first["y"])
            tab.wait_for_timeout(300)
        tab.mouse.move(5, 5)
        tab.wait_for_timeout(300)
        drawn = tab.evaluate(WRITE)
        browser.close()
    page.close()
    arguments.file.write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="system-ui, sans-serif">\n'
        '<linearGradient id="ramp"><stop stop-color="#000"/><stop offset="1" stop-color="#fff"/></linearGradient>'
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#05070b"/>\n{drawn}\n</svg>\n'
    )


if __name__ == "__main__":
    main()
