"use strict";
/* The map of embeddings: dots on a canvas, a legend that filters, a search, and the player.
 * On the canvas arrow keys go from dot to dot, Enter pins, Escape frees, + and - zoom, 0 shows all. */

const NO_LABEL = "#8a919c";
const ARROWS = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const REACH = 14; // pixels from the pointer within which a dot is pointed at

class EmbeddingMap {
  constructor(canvas, data, pointed, pinned) {
    this.canvas = canvas;
    this.data = data;
    this.onPoint = pointed; // called with the index of the dot to play
    this.onPin = pinned; // called with the index of the pinned dot, or null
    this.radius = Math.min(Math.max(13 - 2.5 * Math.log10(data.points.length), 4.5), 9);
    this.lit = null; // the class whose entry in the legend is pointed at
    this.hidden = { classes: new Set(), parts: new Set() };
    this.query = "";
    this.hovered = this.pinned = null;
    this.reset();
    new ResizeObserver(() => this.draw()).observe(canvas);
    darkness.addEventListener("change", () => this.draw());
    this._listen();
  }

  reset() {
    this.zoom = 1;
    this.shift = [0, 0];
  }

  visible(i) {
    const { labels, parts } = this.data;
    return !this.hidden.classes.has(labels[i]) && !this.hidden.parts.has(parts[i]);
  }

  matches(i) {
    const isLit = this.lit === null || this.data.labels[i] === this.lit;
    return isLit && this.data.clips[i].name.toLowerCase().includes(this.query);
  }

  /** Show one class's dots before all others; null shows all alike. */
  light(label) {
    this.lit = label;
    this.draw();
  }

  /** Zoom by a factor about a place, from the middle of the canvas. */
  zoomBy(factor, at = [0, 0]) {
    const by = Math.min(Math.max(this.zoom * factor, 0.5), 60) / this.zoom;
    this.shift = this.shift.map((value, c) => at[c] - by * (at[c] - value));
    this.zoom *= by;
    this.draw();
  }

  all() {
    this.reset();
    this.draw();
  }

  /** Indices of the visible dots whose name has the query in it. */
  search(text) {
    this.query = text.trim().toLowerCase();
    this.draw();
    return this.data.clips.map((_, i) => i).filter((i) => this.visible(i) && this.matches(i));
  }

  pin(i) {
    this.pinned = i;
    if (i !== null) this.onPoint(i);
    this.onPin(i);
    this.draw();
  }

  place(i) {
    const { clientWidth: width, clientHeight: height } = this.canvas;
    const size = Math.min(width, height) * 0.94 * this.zoom;
    const [x, y] = this.data.points[i];
    return [width / 2 + this.shift[0] + size * x, height / 2 + this.shift[1] - size * y];
  }

  draw() {
    const { canvas, data } = this;
    const ratio = window.devicePixelRatio || 1;
    canvas.width = Math.round(canvas.clientWidth * ratio);
    canvas.height = Math.round(canvas.clientHeight * ratio);
    const context = canvas.getContext("2d");
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    const size = Math.min(canvas.clientWidth, canvas.clientHeight);
    const radius = this.radius * Math.min(Math.max(size / 640, 0.6), 1) * Math.min(this.zoom, 4) ** 0.4;
    this.rim = getComputedStyle(canvas).getPropertyValue("--card");
    const dots = data.points.map((_, i) => i).filter((i) => this.visible(i));
    dots.sort((a, b) => this.matches(a) - this.matches(b));
    for (const i of dots) {
      context.globalAlpha = this.matches(i) ? 0.9 : 0.1;
      this._dot(context, i, radius);
    }
    context.globalAlpha = 1;
    for (const i of [this.pinned, this.hovered]) if (i !== null) this._mark(context, i, radius);
  }

  colour(label) {
    return label < 0 ? NO_LABEL : this.data.colours[label];
  }

  _dot(context, i, radius) {
    const [x, y] = this.place(i);
    const colour = this.colour(this.data.labels[i]);
    const ring = this.data.parts[i] === "test";
    context.beginPath();
    context.arc(x, y, ring ? radius - 0.8 : radius, 0, 2 * Math.PI);
    if (ring) {
      context.lineWidth = 2;
      context.strokeStyle = colour;
      context.stroke();
    } else {
      context.fillStyle = colour;
      context.fill();
      context.lineWidth = 0.8;
      context.strokeStyle = this.rim;
      context.stroke();
    }
  }

  /** A dot that is pointed at or pinned: larger, with its name. */
  _mark(context, i, radius) {
    const style = getComputedStyle(this.canvas);
    const [x, y] = this.place(i);
    const clip = this.data.clips[i];
    this._dot(context, i, radius * 1.5);
    context.strokeStyle = style.color;
    context.lineWidth = i === this.pinned ? 2.5 : 1.5;
    context.beginPath();
    context.arc(x, y, radius * 1.5 + 3.5, 0, 2 * Math.PI);
    context.stroke();
    const text = clip.label ? `${clip.name} · ${clip.label}` : clip.name;
    context.font = `600 13px ${style.fontFamily}`;
    const width = context.measureText(text).width;
    const left = Math.min(Math.max(x - width / 2, 8), this.canvas.clientWidth - width - 8);
    const top = y < 44 ? y + 28 : y - 18;
    context.lineWidth = 5;
    context.lineJoin = "round";
    context.strokeStyle = this.rim;
    context.strokeText(text, left, top);
    context.fillStyle = style.color;
    context.fillText(text, left, top);
  }

  /** The nearest visible dot within reach of a place on the canvas, or null. */
  _nearest(x, y) {
    let [found, least] = [null, REACH];
    for (let i = 0; i < this.data.points.length; i++) {
      const [px, py] = this.place(i);
      const away = Math.hypot(px - x, py - y);
      if (away < least && this.visible(i) && this.matches(i)) [found, least] = [i, away];
    }
    return found;
  }

  _listen() {
    const { canvas } = this;
    let [from, moved] = [null, false];
    canvas.style.touchAction = "none";
    canvas.addEventListener("pointerdown", (event) => {
      [from, moved] = [[event.offsetX, event.offsetY], false];
      canvas.setPointerCapture(event.pointerId);
    });
    canvas.addEventListener("pointermove", (event) => {
      if (from) {
        const by = [event.offsetX - from[0], event.offsetY - from[1]];
        if (!moved && Math.hypot(...by) < 4) return;
        moved = true;
        this.shift = this.shift.map((value, c) => value + by[c]);
        from = [event.offsetX, event.offsetY];
        this.draw();
        return;
      }
      const before = this.hovered;
      this.hovered = this._nearest(event.offsetX, event.offsetY);
      if (this.hovered === before) return;
      if (this.hovered !== null && this.pinned === null) this.onPoint(this.hovered);
      this.draw();
    });
    canvas.addEventListener("pointerup", (event) => {
      if (from && !moved) this.pin(this._nearest(event.offsetX, event.offsetY));
      from = null;
    });
    canvas.addEventListener("pointerleave", () => {
      this.hovered = null;
      this.draw();
    });
    canvas.addEventListener("wheel", (event) => {
      event.preventDefault();
      const at = [event.offsetX - canvas.clientWidth / 2, event.offsetY - canvas.clientHeight / 2];
      this.zoomBy(Math.exp(-event.deltaY / 500), at);
    }, { passive: false });
    canvas.addEventListener("dblclick", () => this.all());
    canvas.addEventListener("keydown", (event) => this._key(event));
  }

  _key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const actions = {
      Enter: () => this.pin(this.pinned === this.hovered ? null : this.hovered),
      Escape: () => this.pin(null),
      "+": () => this.zoomBy(1.4),
      "-": () => this.zoomBy(1 / 1.4),
      0: () => this.all(),
    };
    const act = ARROWS[event.key] ? () => this._go(ARROWS[event.key]) : actions[event.key];
    if (!act) return;
    event.preventDefault();
    event.stopPropagation(); // arrows step frames elsewhere
    act();
  }

  /** Go to the nearest dot that lies that way; from nowhere to the one nearest to the middle. */
  _go([right, down]) {
    const { clientWidth: width, clientHeight: height } = this.canvas;
    const [x, y] = this.hovered === null ? [width / 2, height / 2] : this.place(this.hovered);
    let [found, least] = [this.hovered, Infinity];
    this.data.points.forEach((_, i) => {
      if (i === this.hovered || !this.visible(i) || !this.matches(i)) return;
      const [dx, dy] = this.place(i).map((value, c) => value - [x, y][c]);
      const along = dx * right + dy * down;
      const aside = Math.abs(dx * down) + Math.abs(dy * right);
      const away = this.hovered === null ? Math.hypot(dx, dy) : along > 0 ? along + 2 * aside : Infinity;
      if (away < least) [found, least] = [i, away];
    });
    if (found === null) return;
    this.hovered = found;
    if (this.pinned !== null) this.pin(null);
    this.onPoint(found);
    this.draw();
  }
}

/** Buttons that hide and show classes and parts; a double click shows one class alone. */
function makeLegend(container, map) {
  const { labels, parts, classes } = map.data;
  const count = (values, value) => values.reduce((sum, other) => sum + (other === value), 0);
  const toggles = [];
  const redraw = () => {
    for (const [button, hidden, value] of toggles) button.ariaPressed = String(!hidden.has(value));
    map.draw();
  };
  const toggle = (parent, kind, text, number, hidden, value) => {
    const button = parent.appendChild(element("button", kind));
    button.type = "button";
    const sample = button.appendChild(document.createElement("i"));
    button.append(text, element("small", "", String(number)));
    button.addEventListener("click", () => {
      if (!hidden.delete(value)) hidden.add(value);
      redraw();
    });
    toggles.push([button, hidden, value]);
    return [button, sample];
  };
  const marked = ["train", "test"].filter((name) => parts.includes(name));
  const marks = marked.length ? container.appendChild(element("div", "marks")) : null;
  for (const part of marked) {
    toggle(marks, part, part, count(parts, part), map.hidden.parts, part);
  }
  const shown = [...new Set(labels)].sort((a, b) => (a < 0) - (b < 0) || a - b);
  for (const label of shown) {
    const text = label < 0 ? "no label" : classes[label];
    const [button, sample] = toggle(container, "", text, count(labels, label), map.hidden.classes, label);
    sample.style.background = map.colour(label);
    for (const begin of ["pointerenter", "focus"]) button.addEventListener(begin, () => map.light(label));
    for (const end of ["pointerleave", "blur"]) button.addEventListener(end, () => map.light(null));
    button.title = "double click: this one alone, again: all";
    button.addEventListener("dblclick", () => {
      const { classes: hidden } = map.hidden;
      const alone = hidden.size === shown.length - 1 && !hidden.has(label);
      hidden.clear();
      if (!alone) for (const other of shown) if (other !== label) hidden.add(other);
      redraw();
    });
  }
  redraw();
}

const data = JSON.parse(document.getElementById("data").textContent);
const whole = (i) => ({ ...data.clips[i], skeleton: data.skeleton });
const player = new SkeletonPlayer(document.getElementById("player"), whole(0));
const pointed = (i) => {
  const { name, label } = data.clips[i];
  document.getElementById("told").textContent = label ? `${name}, ${label}` : name;
  player.show(whole(i));
  player.stage.play();
};
const pinned = (i) => document.getElementById("side").classList.toggle("pinned", i !== null);
const map = new EmbeddingMap(document.getElementById("map"), data, pointed, pinned);
new SkeletonControls(document.getElementById("controls"), player.stage);
makeLegend(document.getElementById("legend"), map);
document.getElementById("closer").addEventListener("click", () => map.zoomBy(1.4));
document.getElementById("farther").addEventListener("click", () => map.zoomBy(1 / 1.4));
document.getElementById("all").addEventListener("click", () => map.all());
const search = document.getElementById("search");
const found = document.getElementById("found");
search.addEventListener("input", () => {
  const hits = map.search(search.value);
  found.textContent = search.value.trim() ? `${hits.length} found` : "";
});
search.addEventListener("keydown", (event) => {
  if (event.key !== "Enter") return;
  const hits = map.search(search.value);
  if (hits.length) map.pin(hits[0]);
});
if (!window.matchMedia("(prefers-reduced-motion: reduce)").matches) player.stage.play();
