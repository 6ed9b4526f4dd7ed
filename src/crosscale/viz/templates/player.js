"use strict";
/*
Plays skeletons in 3D on a canvas. No library, no network.

    const player = new SkeletonPlayer(canvasOrDiv, clip);   // draws the first frame
    player.stage.play();
    new SkeletonControls(div, player.stage);                // buttons, scrubber, keys

Players that are given one `Stage` share clock, camera and scale:
`new SkeletonPlayer(div, clip, stage)`. `player.show(otherClip)` changes the clip.

A clip is plain JSON:
    name         text
    label, note  text or null; all texts are shown as text, never as HTML
    dimensions   C: 3 (metres, y up, right-handed), or 2 (in the plane, y up)
    frames       T, evenly spread over the frames that were recorded
    recorded     how many frames were recorded
    bodies       M
    rate         recorded frames a second, null when not known
    type         "float32" or "float16"
    origin, unit C numbers and one: a coordinate is origin + unit * value
    coordinates  base64 of the little-endian values (T, M, J, C); NaN where a body is absent
    bars         joints with a line between them though the graph has no edge there: [[joint, joint], ...]
    cut          edges cut in this view: {scale: [[node, node], ...]}
    skeleton     {name, joints: [J names], scales: [...]}, each scale
                 {name, nodes: [V names], sides: one letter a node, l(eft), r(ight) or c(entre),
                  edges: [[node, node], ...], members: [[[joint, weight], ...], ...] a node}
*/

const ASSUMED_RATE = 30; // frames a second, where the rate is not known
const FRONT = { 2: { yaw: 0, pitch: 0 }, 3: { yaw: Math.PI - 0.45, pitch: 0.2 } };
const FAR = 4; // distance of the camera, in radii of what it sees
const FOLLOWED = 2; // the camera goes along with who takes up so many times their own room
const LONG_NAME = 40; // letters; of a longer name the middle may be left out
const TAIL = 16; // letters at its end that are always shown
const THEMES = {
  light: { left: [214, 74, 45], right: [20, 86, 48], centre: [220, 10, 36], step: 17,
    cut: "#d3143c", grid: "rgba(40, 50, 70, .17)", floor: "rgba(40, 50, 70, .035)",
    shadow: "rgba(30, 40, 60, .10)", rim: "#fff", ink: "#1d2127" },
  dark: { left: [212, 92, 68], right: [27, 95, 61], centre: [220, 12, 76], step: -17,
    cut: "#ff5470", grid: "rgba(190, 205, 235, .17)", floor: "rgba(190, 205, 235, .045)",
    shadow: "rgba(0, 0, 0, .38)", rim: "#14171c", ink: "#e8ebf0" },
};
const CIRCLE = Array.from({ length: 64 }, (_, i) => [Math.cos((i * Math.PI) / 32), Math.sin((i * Math.PI) / 32)]);
const BARRED = ["joints", "fine"]; // scales whose first nodes are the joints
const SIDES = { l: "left", r: "right", c: "centre" };
const darkness = window.matchMedia("(prefers-color-scheme: dark)");

/** Clock, camera and scale of one or more players. */
class Stage {
  constructor() {
    this.players = [];
    this.time = 0; // seconds
    this.speed = 1;
    this.playing = false;
    this.scale = "joints";
    this.zoom = 1;
    this.listeners = [];
    this._last = null;
    this._tick = this._tick.bind(this);
    darkness.addEventListener("change", () => this.changed());
  }

  /** Seconds of the longest clip. */
  get duration() {
    return Math.max(1e-3, ...this.players.map((player) => player.duration));
  }

  /** Names of the scales that every clip has. */
  get scales() {
    const sets = this.players.map((player) => player.clip.skeleton.scales.map((s) => s.name));
    return (sets[0] || []).filter((name) => sets.every((names) => names.includes(name)));
  }

  add(player) {
    this.players.push(player);
    if (this.yaw === undefined) this.face(player.clip.dimensions);
    this.changed();
  }

  /** Look from the front. */
  face(dimensions) {
    Object.assign(this, FRONT[dimensions], { zoom: 1 });
    this.changed();
  }

  play() {
    if (this.playing) return;
    this.playing = true;
    this._last = null;
    requestAnimationFrame(this._tick);
    this.changed();
  }

  pause() {
    this.playing = false;
    this.changed();
  }

  toggle() {
    if (this.playing) this.pause();
    else this.play();
  }

  /** Go to a time in seconds, held within the longest clip. */
  seek(time) {
    this.time = Math.min(Math.max(time, 0), this.duration * (1 - 1e-9));
    this.changed();
  }

  /** Go forward or back by frames of the clip with the most frames a second. */
  step(frames) {
    this.pause();
    const seconds = Math.min(...this.players.map((player) => player.duration / player.clip.frames));
    this.seek((Math.floor(this.time / seconds + 1e-6) + frames + 0.5) * seconds);
  }

  show(scale) {
    this.scale = scale;
    this.changed();
  }

  /** Draw again, and tell whoever listens. */
  changed() {
    for (const player of this.players) player.request();
    for (const listener of this.listeners) listener();
  }

  _tick(now) {
    if (!this.playing) return;
    if (this._last !== null) this.time += (this.speed * (now - this._last)) / 1000;
    this._last = now;
    if (this.time >= this.duration) this.time %= this.duration;
    for (const player of this.players) player.request(true);
    for (const listener of this.listeners) listener();
    requestAnimationFrame(this._tick);
  }
}

/** Draws one clip into a canvas, or into a div together with a caption. */
class SkeletonPlayer {
  constructor(target, clip, stage = new Stage()) {
    this.stage = stage;
    if (target instanceof HTMLCanvasElement) {
      this.canvas = target;
    } else {
      this.canvas = target.appendChild(document.createElement("canvas"));
      this.caption = target.appendChild(element("div", "skeleton-caption"));
      target.classList.add("skeleton-player");
    }
    this.canvas.setAttribute("role", "img");
    this._context = this.canvas.getContext("2d");
    this._load(clip);
    stage.add(this);
    new ResizeObserver(() => this.request()).observe(this.canvas);
    this._listen();
  }

  /** Show another clip, from its beginning. */
  show(clip) {
    const turned = clip.dimensions !== this.clip.dimensions;
    this._load(clip);
    this.stage.time = 0;
    if (turned) this.stage.face(clip.dimensions);
    this.stage.changed();
  }

  /** Seconds that the clip takes. */
  get duration() {
    return this.clip.recorded / (this.clip.rate || ASSUMED_RATE);
  }

  /** Index of the frame that is shown; a clip shorter than others waits at its end. */
  get frame() {
    const at = Math.floor((this.stage.time / this.duration) * this.clip.frames + 1e-9);
    return Math.min(at, this.clip.frames - 1);
  }

  /** Draw at the next opportunity; `onlyNew` leaves it out while the same frame is shown. */
  request(onlyNew = false) {
    if (this._asked || (onlyNew && this.frame === this._drawn)) return;
    this._asked = true;
    requestAnimationFrame(() => {
      this._asked = false;
      this.draw();
    });
  }

  draw() {
    const { width, height } = this._fit();
    if (!width || !height) return;
    const theme = THEMES[darkness.matches ? "dark" : "light"];
    const view = this._view(width, height);
    const tags = [];
    const context = this._context;
    context.clearRect(0, 0, width, height);
    context.lineCap = "round";
    this._drawGrid(view, theme);
    const graph = this._graph();
    const cut = new Set((this.clip.cut[graph.name] || []).flatMap(([a, b]) => [`${a} ${b}`, `${b} ${a}`]));
    const shapes = [];
    for (let body = 0; body < this.clip.bodies; body++) {
      const nodes = this._nodes(graph, this.frame, body);
      if (!nodes) continue;
      this._collect(shapes, graph, nodes, body, cut, view, theme);
      if (this.clip.bodies > 1) tags.push(this._tag(nodes, body, view, theme));
    }
    shapes.sort((a, b) => (a.depth < b.depth ? 1 : a.depth > b.depth ? -1 : 0));
    for (const shape of shapes) shape.draw(context);
    for (const tag of tags) tag(context);
    this._drawn = this.frame;
    this._tell();
  }

  _load(clip) {
    this.clip = clip;
    this._values = decode(clip);
    this._bounds = bounds(this._values, clip);
    this._drawn = null;
    this.canvas.setAttribute("aria-label", `Skeleton of clip ${clip.name}`);
    if (!this.caption) return;
    const name = element("span", "skeleton-name");
    name.title = clip.name;
    const parts = clip.name.length > LONG_NAME ? [clip.name.slice(0, -TAIL), clip.name.slice(-TAIL)] : [clip.name];
    name.append(...parts.map((part) => element("span", "", part)));
    const label = element("span", "skeleton-label", [clip.label, clip.note].filter(Boolean).join(" · "));
    this.caption.replaceChildren(name, label, element("span", "skeleton-cut"), element("span", "skeleton-frame"));
  }

  _graph() {
    const scales = this.clip.skeleton.scales;
    return scales.find((scale) => scale.name === this.stage.scale) || scales[0];
  }

  /** Places [x, y, z] of a body's nodes; null where the body is absent. */
  _nodes(graph, frame, body) {
    const { dimensions: size, bodies, skeleton } = this.clip;
    const first = (frame * bodies + body) * skeleton.joints.length * size;
    if (Number.isNaN(this._values[first])) return null;
    return graph.members.map((members) => {
      const place = [0, 0, 0];
      for (const [joint, weight] of members) {
        for (let c = 0; c < size; c++) place[c] += weight * this._values[first + joint * size + c];
      }
      return place;
    });
  }

  /** Sets the canvas's resolution to that of the screen. */
  _fit() {
    const { clientWidth: width, clientHeight: height } = this.canvas;
    const ratio = window.devicePixelRatio || 1;
    const [w, h] = [Math.round(width * ratio), Math.round(height * ratio)];
    if (this.canvas.width !== w || this.canvas.height !== h) Object.assign(this.canvas, { width: w, height: h });
    this._context.setTransform(ratio, 0, 0, ratio, 0, 0);
    return { width, height };
  }

  /** The camera: turns places into pixels, with how far away they are. */
  _view(width, height) {
    const { radius } = this._bounds;
    const centre = this._centre();
    const flat = this.clip.dimensions === 2;
    const { yaw, pitch } = flat ? FRONT[2] : this.stage;
    const [sy, cy, sp, cp] = [Math.sin(yaw), Math.cos(yaw), Math.sin(pitch), Math.cos(pitch)];
    const seen = (place) => {
      const [x, y, z] = place.map((value, c) => value - centre[c]);
      const depth = flat ? FAR * radius : Math.max(FAR * radius - (sy * cp * x + sp * y + cy * cp * z), 0.05 * radius);
      const scale = (FAR * radius) / depth;
      return [scale * (cy * x - sy * z), scale * (cp * y - sp * (sy * x + cy * z)), depth, scale];
    };
    // As large as leaves all of it within the picture, however it is turned.
    const outline = this._outline(centre).map(seen);
    const [xs, ys] = [0, 1].map((c) => outline.map((place) => place[c]));
    const [low, high] = [Math.min(...ys), Math.max(...ys)];
    const size = this.stage.zoom * Math.min((0.48 * width) / Math.max(...xs), (0.95 * height) / (high - low));
    const view = (place) => {
      const [x, y, depth, scale] = seen(place);
      return { x: width / 2 + size * x, y: height / 2 - size * (y - (low + high) / 2), depth, scale: size * scale };
    };
    return Object.assign(view, { reach: [width / 2 / size, height / 2 / size] });
  }

  /** Where the camera looks in the frame that is shown. */
  _centre() {
    const { centres } = this._bounds;
    return centres[Math.min(this.frame, centres.length - 1)];
  }

  /** Places around all that is to be seen: floor and tops of a clip in space, corners of the sheet in the plane. */
  _outline([x, y, z]) {
    const { across, half, margin, floor } = this._bounds;
    if (this.clip.dimensions === 2) {
      return [-1, 1].map((side) => [x + side * (across + margin), y + side * (half + margin), 0]);
    }
    return CIRCLE.flatMap(([cos, sin]) => [
      [x + (across + margin) * cos, floor, z + (across + margin) * sin],
      [x + across * cos, y + half + margin / 2, z + across * sin],
    ]);
  }

  /** The floor under the lowest joint of the clip, a disc; of a clip in the plane the sheet behind all. */
  _drawGrid(view, theme) {
    const { across, margin, radius, floor } = this._bounds;
    const flat = this.clip.dimensions === 2;
    const centre = this._centre();
    const [u, v] = flat ? [centre[0], centre[1]] : [centre[0], centre[2]];
    const [wide, high] = flat ? view.reach : [across + margin, across + margin];
    const at = (a, b) => view(flat ? [a, b, 0] : [a, floor, b]);
    const rim = flat ? [[-1, -1], [1, -1], [1, 1], [-1, 1]] : CIRCLE;
    const context = this._context;
    context.lineWidth = 1;
    context.strokeStyle = theme.grid;
    context.fillStyle = theme.floor;
    context.beginPath();
    for (const [a, b] of rim) {
      const { x, y } = at(u + wide * a, v + high * b);
      context.lineTo(x, y);
    }
    context.closePath();
    context.fill();
    const step = roundStep(radius / 2.2);
    const lines = (middle, reach, draw) => {
      for (let a = Math.ceil((middle - reach) / step) * step; a < middle + reach; a += step) draw(a, a - middle);
    };
    const line = (from, to) => {
      context.moveTo(from.x, from.y);
      context.lineTo(to.x, to.y);
    };
    const chord = (away, end) => (flat ? end : Math.sqrt(Math.max(wide * wide - away * away, 0)));
    lines(u, wide, (a, away) => line(at(a, v - chord(away, high)), at(a, v + chord(away, high))));
    lines(v, high, (b, away) => line(at(u - chord(away, wide), b), at(u + chord(away, wide), b)));
    context.stroke();
  }

  /** Bones, nodes and shadows of one body, to be drawn from the farthest to the nearest. */
  _collect(shapes, graph, nodes, body, cut, view, theme) {
    const places = nodes.map(view);
    const { stature, floor } = this._bounds;
    const thick = (scale) => Math.min(Math.max(0.026 * stature * scale, 1.4), 14);
    const bars = (BARRED.includes(graph.name) ? this.clip.bars : []).map((ends) => [...ends, "c"]);
    const edges = graph.edges.map(([a, b]) => [a, b, graph.sides[a] === "c" ? graph.sides[b] : graph.sides[a]]);
    if (this.clip.dimensions === 3) {
      const below = nodes.map(([x, , z]) => view([x, floor, z]));
      const lines = [...bars, ...edges].map(([a, b]) => [below[a], below[b]]);
      shapes.push({ depth: Infinity, draw: stroke(lines, theme.shadow, thick(below[0].scale)) });
    }
    for (const [a, b, side] of [...bars, ...edges]) {
      const [from, to] = [places[a], places[b]];
      const scale = (from.scale + to.scale) / 2;
      const isCut = cut.has(`${a} ${b}`);
      const colour = isCut ? theme.cut : shade(theme, side, body);
      const width = isCut ? Math.max(2, 0.6 * thick(scale)) : thick(scale);
      const depth = isCut ? -Infinity : (from.depth + to.depth) / 2; // a cut is never hidden
      shapes.push({ depth, draw: stroke([[from, to]], colour, width, isCut) });
    }
    places.forEach((place, node) => {
      const radius = Math.min(Math.max(0.024 * stature * place.scale, 1.6), 13);
      const colour = shade(theme, graph.sides[node], body);
      const [fill, rim] = body ? [theme.rim, colour] : [colour, theme.rim];
      shapes.push({ depth: place.depth - 0.05 * stature, draw: dot(place, radius, fill, rim, body > 0) });
    });
  }

  /** A body's number above its highest node. */
  _tag(nodes, body, view, theme) {
    const top = nodes.reduce((highest, node) => (node[1] > highest[1] ? node : highest));
    const { x, y, scale } = view(top);
    return (context) => {
      context.font = `600 13px ${getComputedStyle(this.canvas).fontFamily}`;
      context.textAlign = "center";
      context.fillStyle = theme.ink;
      context.fillText(String(body + 1), x, Math.max(y - 0.03 * this._bounds.stature * scale - 5, 13));
    };
  }

  _tell() {
    if (!this.caption) return;
    const { clip } = this;
    const spread = clip.frames > 1 ? (clip.recorded - 1) / (clip.frames - 1) : 0;
    const number = Math.round(this.frame * spread) + 1;
    const seconds = clip.rate ? ` · ${((number - 1) / clip.rate).toFixed(2)} s` : "";
    const cut = (clip.cut[this._graph().name] || []).length;
    const [, , edges, frame] = this.caption.children;
    edges.textContent = cut ? `${cut} ${cut === 1 ? "edge" : "edges"} cut` : "";
    frame.textContent = `frame ${number} of ${clip.recorded}${seconds}`;
  }

  _listen() {
    const { canvas, stage } = this;
    canvas.style.touchAction = "pan-y"; // a finger turns it sideways, and scrolls the page up and down
    let from = null;
    canvas.addEventListener("pointerdown", (event) => {
      from = [event.clientX, event.clientY];
      canvas.setPointerCapture(event.pointerId);
    });
    canvas.addEventListener("pointermove", (event) => {
      if (!from || this.clip.dimensions === 2) return;
      stage.yaw -= (event.clientX - from[0]) / 130;
      stage.pitch = Math.min(Math.max(stage.pitch + (event.clientY - from[1]) / 130, -1.5), 1.5);
      from = [event.clientX, event.clientY];
      stage.changed();
    });
    for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, () => (from = null));
    canvas.addEventListener("wheel", (event) => {
      event.preventDefault();
      stage.zoom = Math.min(Math.max(stage.zoom * Math.exp(-event.deltaY / 600), 0.2), 12);
      stage.changed();
    }, { passive: false });
    canvas.addEventListener("dblclick", () => stage.face(this.clip.dimensions));
  }
}

/** Buttons, scrubber, speed and scale of a stage; the space bar plays, arrows step. */
class SkeletonControls {
  constructor(container, stage) {
    this.stage = stage;
    container.classList.add("skeleton-controls");
    this.button = container.appendChild(element("button", "skeleton-play"));
    this.button.type = "button";
    this.button.addEventListener("click", () => stage.toggle());
    this.scrubber = container.appendChild(element("input", "skeleton-scrubber"));
    Object.assign(this.scrubber, { type: "range", min: 0, max: 1, step: "any", ariaLabel: "time" });
    this.scrubber.addEventListener("input", () => {
      stage.pause();
      stage.seek(this.scrubber.value * stage.duration);
    });
    const speeds = [0.1, 0.25, 0.5, 1, 2, 4].map((speed) => [speed, `${speed}×`]);
    const scales = stage.scales.map((name) => [name, name]);
    this.speed = this._addChoice(container, "speed", speeds, (speed) => (stage.speed = Number(speed)));
    this.scale = this._addChoice(container, "scale", scales, (name) => stage.show(name));
    document.addEventListener("keydown", (event) => this._key(event));
    stage.listeners.push(() => this.update());
    this.update();
  }

  update() {
    const { stage } = this;
    this.button.textContent = stage.playing ? "❚❚" : "▶";
    this.button.ariaLabel = stage.playing ? "pause" : "play";
    this.scrubber.value = stage.time / stage.duration;
    this.speed.value = stage.speed;
    this.scale.value = stage.scale;
  }

  _addChoice(container, name, values, change) {
    const label = container.appendChild(element("label", `skeleton-${name}`, name));
    const select = label.appendChild(element("select", ""));
    for (const [value, text] of values) select.add(new Option(text, value));
    select.addEventListener("change", () => {
      change(select.value);
      select.blur(); // so that the space bar plays again
    });
    return select;
  }

  _key(event) {
    if (event.target.closest("input:not([type=range]), select, textarea")) return;
    const actions = {
      " ": () => this.stage.toggle(),
      ArrowRight: () => this.stage.step(1),
      ArrowLeft: () => this.stage.step(-1),
    };
    if (!actions[event.key] || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    actions[event.key]();
  }
}

function element(tag, kind, text = "") {
  const made = document.createElement(tag);
  made.className = kind;
  made.textContent = text;
  return made;
}

/** A clip's coordinates (T, M, J, C), in one row. */
function decode(clip) {
  const text = atob(clip.coordinates);
  const bytes = Uint8Array.from(text, (letter) => letter.charCodeAt(0));
  const read = new DataView(bytes.buffer);
  const half = clip.type === "float16";
  const count = bytes.length / (half ? 2 : 4);
  const values = new Float32Array(count);
  for (let i = 0; i < count; i++) {
    const value = half ? fromHalf(read.getUint16(2 * i, true)) : read.getFloat32(4 * i, true);
    values[i] = clip.origin[i % clip.dimensions] + clip.unit * value;
  }
  return values;
}

function fromHalf(bits) {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return sign * (exponent ? 2 ** (exponent - 15) * (1 + fraction / 1024) : (2 ** -14 * fraction) / 1024);
}

/**
 * What a clip takes up: how far it reaches from where the camera looks, `across` and up and down by
 * `half`; the floor, with a margin; how tall its bodies are; and where the camera looks, one place,
 * or one a frame where it follows a body that goes far.
 */
function bounds(values, clip) {
  const boxes = frameBoxes(values, clip);
  const there = boxes.filter(Boolean);
  const around = boxOf(there.flatMap(({ low, high }) => [low, high]));
  const still = reach(there, () => around.middle, clip.dimensions);
  const path = smoothed(boxes, Math.round((clip.frames / clip.recorded) * (clip.rate || ASSUMED_RATE)) || 1);
  if (clip.dimensions === 3) for (const place of path) place[1] = around.middle[1]; // the floor stays where it is
  const along = reach(there, ({ frame }) => path[frame], clip.dimensions);
  const follows = still.radius > FOLLOWED * along.radius;
  const statures = there.flatMap((box) => box.statures).sort((a, b) => a - b);
  const stature = statures[statures.length >> 1] || 1e-6;
  const found = follows ? along : still;
  const margin = Math.max(0.12 * stature, clip.dimensions === 3 ? 0.3 * stature - found.across : 0);
  return { ...found, margin, stature, floor: around.low[1], centres: follows ? path : [around.middle] };
}

/** For each frame the box around its bodies, and how tall each is; null where nobody is there. */
function frameBoxes(values, clip) {
  const size = clip.dimensions;
  const length = clip.skeleton.joints.length * size;
  return Array.from({ length: clip.frames }, (_, frame) => {
    const [corners, statures] = [[], []];
    for (let body = 0; body < clip.bodies; body++) {
      const first = (frame * clip.bodies + body) * length;
      if (Number.isNaN(values[first])) continue;
      const places = [];
      for (let i = first; i < first + length; i += size) places.push([values[i], values[i + 1], size === 3 ? values[i + 2] : 0]);
      const { low, high } = boxOf(places);
      corners.push(low, high);
      statures.push(Math.hypot(...high.map((value, c) => value - low[c])));
    }
    return corners.length ? { ...boxOf(corners), statures, frame } : null;
  });
}

function boxOf(places) {
  const [low, high] = [Math.min, Math.max].map((end) =>
    [0, 1, 2].map((c) => places.reduce((found, place) => end(found, place[c]), end(...[]))),
  );
  return { low, high, middle: low.map((value, c) => (value + high[c]) / 2) };
}

/** The middles of boxes, each the mean of `count` about it; where there is none the nearest before, or the first. */
function smoothed(boxes, count) {
  const middles = [];
  let last = boxes.find(Boolean).middle;
  for (const box of boxes) middles.push((last = box ? box.middle : last));
  return middles.map((_, t) => {
    const near = middles.slice(Math.max(0, t - (count >> 1)), t + (count >> 1) + 1);
    return [0, 1, 2].map((c) => near.reduce((sum, middle) => sum + middle[c], 0) / near.length);
  });
}

/** How far boxes reach from the middle that `middleOf` tells for each. */
function reach(boxes, middleOf, dimensions) {
  let [across, half] = [1e-6, 1e-6];
  for (const box of boxes) {
    const middle = middleOf(box);
    const [x, y, z] = [0, 1, 2].map((c) => Math.max(box.high[c] - middle[c], middle[c] - box.low[c]));
    across = Math.max(across, dimensions === 2 ? x : Math.hypot(x, z));
    half = Math.max(half, y);
  }
  return { across, half, radius: Math.hypot(across, half) };
}

/** 1, 2 or 5 times a power of ten, near a length. */
function roundStep(length) {
  const power = 10 ** Math.floor(Math.log10(length));
  return power * [5, 2, 1].find((factor) => factor * power <= length * 1.0001);
}

/** A side's colour; further bodies are paler (or darker, on dark). */
function shade(theme, side, body) {
  const [hue, saturation, light] = theme[SIDES[side]];
  return `hsl(${hue} ${saturation - 12 * (body % 3)}% ${light + theme.step * (body % 3)}%)`;
}

/** Draws lines at once, so that where they meet they are no darker. */
function stroke(lines, colour, width, dashed = false) {
  return (context) => {
    context.strokeStyle = colour;
    context.lineWidth = width;
    context.setLineDash(dashed ? [0.9 * width, 1.9 * width] : []);
    context.beginPath();
    for (const [from, to] of lines) {
      context.moveTo(from.x, from.y);
      context.lineTo(to.x, to.y);
    }
    context.stroke();
    context.setLineDash([]);
  };
}

function dot(place, radius, colour, rim, hollow) {
  return (context) => {
    context.fillStyle = colour;
    context.strokeStyle = rim;
    context.lineWidth = hollow ? 0.5 * radius : Math.min(1, radius / 3);
    context.beginPath();
    context.arc(place.x, place.y, hollow ? 0.8 * radius : radius, 0, 2 * Math.PI);
    context.fill();
    context.stroke();
  };
}
