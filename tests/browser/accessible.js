// Returns what a page does wrong towards who sees or hears it badly: too little contrast, controls without a name.
() => {
  const found = [];
  const rgba = (text) => {
    const [r, g, b, a = 1] = text.match(/[\d.]+/g).map(Number);
    return { r, g, b, a };
  };
  const over = (top, below) => ({
    r: top.r * top.a + below.r * (1 - top.a),
    g: top.g * top.a + below.g * (1 - top.a),
    b: top.b * top.a + below.b * (1 - top.a),
    a: 1,
  });
  // WCAG 2.2, relative luminance and contrast ratio.
  const light = ({ r, g, b }) =>
    [r, g, b]
      .map((each) => each / 255)
      .map((each) => (each <= 0.04045 ? each / 12.92 : ((each + 0.055) / 1.055) ** 2.4))
      .reduce((sum, each, at) => sum + each * [0.2126, 0.7152, 0.0722][at], 0);
  const ratio = (one, other) => {
    const [low, high] = [light(one), light(other)].sort((a, b) => a - b);
    return (high + 0.05) / (low + 0.05);
  };
  // What is behind a page that has no ground of its own.
  const canvas = document.createElement("i");
  canvas.style.background = "Canvas";
  document.documentElement.append(canvas);
  const bare = rgba(getComputedStyle(canvas).backgroundColor);
  canvas.remove();
  const ground = (element) => {
    const layers = [];
    for (let each = element; each; each = each.parentElement) layers.push(rgba(getComputedStyle(each).backgroundColor));
    return layers.reduceRight((below, top) => over(top, below), bare);
  };

  for (const element of document.body.querySelectorAll("*")) {
    const text = [...element.childNodes].filter((node) => node.nodeType === 3 && node.data.trim());
    if (!text.length || !element.checkVisibility() || element.closest("svg, .visually-hidden, .skip")) continue;
    const style = getComputedStyle(element);
    const behind = ground(element);
    const size = parseFloat(style.fontSize);
    const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    const contrast = ratio(over(rgba(style.color), behind), behind);
    if (contrast < (large ? 3 : 4.5)) found.push(`${contrast.toFixed(2)}: ${text[0].data.trim().slice(0, 60)}`);
  }
  for (const control of document.querySelectorAll("input:not([type=hidden]), select, textarea")) {
    if (!control.labels?.length && !control.ariaLabel) found.push(`no label: ${control.name}`);
  }
  for (const control of document.querySelectorAll("a, button")) {
    if (!(control.ariaLabel || control.textContent).trim()) found.push(`no name: ${control.outerHTML.slice(0, 80)}`);
  }
  for (const control of document.querySelectorAll("a.button, button, summary, input:not([type=hidden])")) {
    const { width, height } = control.getBoundingClientRect();
    // WCAG 2.2, target size (minimum).
    if (width && Math.min(width, height) < (control.type === "checkbox" ? 18 : 24)) found.push(`too small: ${control.outerHTML.slice(0, 80)}`);
  }
  // WCAG 2.2, target size (enhanced): 44 px where a finger points. Links within a sentence are exempt.
  if (matchMedia("(pointer: coarse)").matches) {
    for (const control of document.querySelectorAll("a.button, .brand, nav a, .links a, button, summary, select, input:not([type=hidden])")) {
      const target = control.type === "checkbox" ? control.closest("label") : control;
      const { width, height } = target.getBoundingClientRect();
      if (width && (height < 44 || width < 44)) found.push(`${width.toFixed()}x${height.toFixed()}: ${control.outerHTML.slice(0, 80)}`);
    }
  }
  for (const image of document.querySelectorAll("img:not([alt]), svg:not([role=img] svg)")) found.push(`no text: ${image.outerHTML.slice(0, 80)}`);
  const ids = [...document.querySelectorAll("[id]")].map((each) => each.id);
  for (const id of new Set(ids)) if (ids.filter((each) => each === id).length > 1) found.push(`twice: #${id}`);
  if (document.querySelectorAll("h1").length !== 1) found.push("not one h1");
  if (document.documentElement.scrollWidth > innerWidth) found.push("wider than the screen");
  return found;
}
