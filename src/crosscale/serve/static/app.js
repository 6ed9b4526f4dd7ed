"use strict";
/* The page: sends recordings, shows what comes back. All texts are shown as text, never as HTML. */

const NEAREST = 6;
const GOLDEN = 137.5; // degrees between the hues of classes, so that neighbours differ
const UNKNOWN = 10; // points that probabilities are off, where nobody knows
const find = (id) => document.getElementById(id);
const app = { status: null, files: [], stage: null, player: null, shown: null, nearStages: [] };

async function ask(path, options = {}) {
  const response = await fetch(path, options);
  const reply = await response.json().catch(() => ({ error: `no answer (${response.status})` }));
  if (!response.ok) throw new Error(reply.error);
  return reply;
}

function tell(text, wrong = false) {
  const message = find("message");
  message.textContent = text;
  message.hidden = !text;
  message.classList.toggle("wrong", wrong);
}

function hueOf(label) {
  const place = (app.status.classes || []).indexOf(label);
  return (Math.max(place, 0) * GOLDEN + 205) % 360;
}

function show(section) {
  for (const id of ["welcome", "result", "live"]) find(id).hidden = id !== section;
}

/** Send files and show the first clip that comes back. */
async function open(files) {
  if (!files.length) return;
  app.files = files;
  const form = new FormData();
  for (const file of files) form.append("files", file);
  form.append("k", NEAREST);
  form.append("format", find("format").value);
  if (find("layout").value) form.append("layout", find("layout").value);
  tell(`Reading ${nameOf(files)} …`);
  document.body.classList.add("busy");
  try {
    showReply(await ask("/api/analyse", { method: "POST", body: form }));
  } catch (error) {
    tell(`${nameOf(files)}: ${error.message}`, true);
  } finally {
    document.body.classList.remove("busy");
  }
}

function nameOf(files) {
  return files.length === 1 ? files[0].name : `${files.length} files`;
}

async function openExample() {
  try {
    const response = await fetch("/api/example");
    const [, name] = response.headers.get("content-disposition").match(/filename="(.*)"/);
    for (const id of ["format", "layout"]) find(id).selectedIndex = 0;
    await open([new File([await response.blob()], name)]);
  } catch (error) {
    tell(error.message, true);
  }
}

function showReply(reply) {
  webcam.stop();
  const aside = reply.skipped.map((one) => `${one.name} skipped: ${one.reason}`);
  const notes = [...reply.notes, ...aside];
  tell(notes.join(" · "), notes.length > 0);
  show("result");
  const tabs = find("clips");
  tabs.replaceChildren();
  reply.clips.forEach((clip, i) => {
    if (reply.clips.length === 1) return;
    const tab = tabs.appendChild(element("button", "", clip.name));
    Object.assign(tab, { type: "button", role: "tab" });
    tab.addEventListener("click", () => showClip(reply, i));
  });
  showClip(reply, 0);
}

function showClip(reply, place) {
  const clip = reply.clips[place];
  app.shown = clip;
  [...find("clips").children].forEach((tab, i) => tab.setAttribute("aria-selected", i === place));
  showPlayer(clip.player);
  showTimeline(clip.timeline);
  showAnswer(clip.answer);
  showNearest(clip.nearest);
  find("itself").hidden = !clip.itself;
  find("itself").textContent = `This recording is itself among the known clips, as ${clip.itself}.`;
  const repaired = Object.entries(reply.repaired).map(([what, count]) => `${what} in ${count}`);
  const rate = clip.player.rate ? "" : "the file does not say how fast it is: 30 frames a second assumed";
  const format = app.status.formats[reply.format];
  const how = find("format").value === "auto" ? `${format}: ${reply.how}` : format;
  find("facts").textContent = [nameOf(app.files), how, `joints of ${reply.layout}`, rate, ...repaired]
    .filter(Boolean).join(" · ");
}

function showPlayer(clip) {
  if (!app.player) {
    app.stage = new Stage();
    app.player = new SkeletonPlayer(find("player"), clip, app.stage);
    app.controls = new SkeletonControls(find("controls"), app.stage);
    app.stage.listeners.push(moveCursor);
  } else {
    app.player.show(clip);
  }
  if (!app.stage.scales.includes(app.stage.scale)) app.stage.show("joints");
  app.controls.scale.replaceChildren(...app.stage.scales.map((name) => new Option(name, name)));
  app.controls.update();
  if (!window.matchMedia("(prefers-reduced-motion: reduce)").matches) app.stage.play();
}

function showTimeline(timeline) {
  find("timeline").hidden = !timeline;
  if (!timeline) return;
  const lane = find("lane");
  const parts = timeline.segments.map((segment) => {
    const part = element("button", "", segment.label);
    part.type = "button";
    part.title = `${segment.label}, ${segment.start.toFixed(1)} to ${segment.end.toFixed(1)} s, ` +
      `${percent(segment.probability)}`;
    part.style.left = `${(100 * segment.start) / timeline.seconds}%`;
    part.style.width = `${(100 * (segment.end - segment.start)) / timeline.seconds}%`;
    part.style.setProperty("--hue", hueOf(segment.label));
    return part;
  });
  if (!parts.length) parts.push(element("span", "", "none of the known actions"));
  lane.replaceChildren(...parts, element("i", ""));
  const step = tickStep(timeline.seconds);
  const ticks = [];
  const end = timeline.seconds;
  const times = [];
  for (let i = 0; i * step < end - 0.6 * step; i++) times.push(i * step);
  for (const time of [...times, end]) {
    const tick = element("span", "", `${Number(time.toFixed(2))} s`);
    tick.style.left = `${(100 * time) / end}%`;
    ticks.push(tick);
  }
  find("ticks").replaceChildren(...ticks);
  moveCursor();
}

/** 1, 2 or 5 times a power of ten, so that there are at most ten ticks. */
function tickStep(seconds) {
  const power = 10 ** Math.floor(Math.log10(seconds / 10));
  return [1, 2, 5, 10].map((factor) => factor * power).find((step) => seconds / step <= 10);
}

function moveCursor() {
  const timeline = app.shown && app.shown.timeline;
  const cursor = find("lane").querySelector("i");
  if (!timeline || !cursor) return;
  cursor.style.left = `${(100 * app.stage.time) / app.stage.duration}%`;
  find("lane").querySelectorAll("button").forEach((part, i) => {
    const { start, end } = timeline.segments[i];
    part.classList.toggle("on", app.stage.time >= start && app.stage.time < end);
  });
}

/** Nothing is said to be surer than probabilities are right in the mean. */
function percent(share) {
  const rough = app.status.rough || UNKNOWN;
  if (100 * share > 100 - rough) return `> ${100 - rough} %`;
  return 100 * share < rough ? `< ${rough} %` : `${Math.round(100 * share)} %`;
}

/** A verdict and the two most probable classes, as bars. */
function verdict(answer) {
  const known = answer.probability !== null;
  const head = element("div", known ? "verdict" : "verdict none", answer.label);
  const bars = element("div", "bars");
  const rows = known ? [[answer.label, answer.probability]] : [];
  for (const [label, share] of [...rows, [answer.runner_up, answer.runner_up_probability]]) {
    bars.append(element("b", "", known ? label : `if any: ${label}`));
    const bar = bars.appendChild(document.createElement("div"));
    const filled = bar.appendChild(document.createElement("i"));
    filled.style.width = `${100 * share}%`;
    filled.style.setProperty("--hue", hueOf(label));
    bars.append(element("span", "number", percent(share)));
  }
  return [head, bars];
}

function showAnswer(answer) {
  const panel = find("answer");
  panel.hidden = !answer;
  if (!answer) return;
  const rough = element("p", "soft facts", app.status.trust);
  panel.replaceChildren(element("h2", "", "The whole clip"), ...verdict(answer), rough);
}

/** The nearest clips, each playing by itself; those of an earlier recording stop. */
function showNearest(nearest) {
  for (const stage of app.nearStages) stage.pause();
  app.nearStages = [];
  find("near").hidden = !nearest;
  const grid = find("nearest");
  grid.replaceChildren();
  for (const near of nearest || []) {
    const note = near.similarity.toFixed(3);
    const card = grid.appendChild(document.createElement("div"));
    if (near.playable) playNear(card, near, note);
    else card.append(...[near.name, near.label || "", note].map((text) => element("div", "absent", text)));
  }
}

async function playNear(card, near, note) {
  const path = near.name.split("/").map(encodeURIComponent).join("/");
  try {
    const clip = await ask(`/api/clip/${path}`);
    if (!card.isConnected) return;
    const stage = new Stage();
    new SkeletonPlayer(card, { ...clip, note }, stage);
    app.nearStages.push(stage);
    if (!window.matchMedia("(prefers-reduced-motion: reduce)").matches) stage.play();
  } catch (error) {
    card.append(element("div", "absent", `${near.name}: ${error.message}`));
  }
}

function introduce(status) {
  app.status = status;
  const has = [
    `encoder ${status.run}`,
    status.index === null ? "no known clips to search" : `${status.index.toLocaleString("en")} clips to search`,
    status.classes ? `${status.classes.length} actions` : "no actions to name",
  ];
  find("about").textContent = has.join(" · ");
  find("formats").textContent =
    `${Object.values(status.formats).join(", ")}; up to ${status.limits.upload / 2 ** 20} MB`;
  find("format").append(...Object.entries(status.formats).map(([name, what]) => new Option(what, name)));
  find("layout").append(...status.layouts.map((name) => new Option(name, name)));
  const { live } = status;
  find("camera").disabled = !live.ready || !live.assets;
  find("camera").title = live.problem || "";
  if (live.problem) {
    const told = element("p", "soft", "Webcam: ");
    const parts = `${live.problem}.`.split("`"); // every other one is a command
    told.append(...parts.map((part, i) => (i % 2 ? element("code", "", part) : part)));
    find("welcome").append(told);
  }
}

function listenForFiles() {
  find("example").addEventListener("click", openExample);
  for (const id of ["format", "layout"]) {
    find(id).addEventListener("change", () => open(app.files));
  }
  find("files").addEventListener("change", (event) => {
    open([...event.target.files]);
    event.target.value = ""; // so that the same file can be opened again
  });
  document.addEventListener("dragover", (event) => {
    event.preventDefault();
    document.body.classList.add("dropping");
  });
  document.addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) document.body.classList.remove("dropping");
  });
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    document.body.classList.remove("dropping");
    open([...event.dataTransfer.files]);
  });
  find("lane").addEventListener("click", (event) => {
    const box = find("lane").getBoundingClientRect();
    app.stage.seek(((event.clientX - box.left) / box.width) * app.stage.duration);
  });
}

const webcam = new Webcam({
  video: find("video"),
  overlay: find("overlay"),
  tell,
  answered: (answer, delay) => {
    find("now").replaceChildren(...verdict(answer));
    const { window: back } = app.status.live;
    find("delay").textContent = `from the last ${back} s; ${Math.round(1000 * delay)} ms after the picture`;
    const last = find("before").firstElementChild;
    if (last && last.dataset.label === answer.label) return;
    const item = element("li", "");
    item.dataset.label = answer.label;
    item.append(element("span", "", answer.label), element("time", "", new Date().toLocaleTimeString()));
    find("before").prepend(item);
    while (find("before").children.length > 12) find("before").lastElementChild.remove();
  },
});

find("camera").addEventListener("click", async () => {
  if (webcam.running) {
    webcam.stop();
    show(app.shown ? "result" : "welcome");
  } else {
    if (app.stage) app.stage.pause();
    for (const stage of app.nearStages) stage.pause();
    show("live");
    if (!(await webcam.start(app.status.live))) show(app.shown ? "result" : "welcome");
  }
  find("camera").textContent = webcam.running ? "Turn the webcam off" : "Turn the webcam on";
});

listenForFiles();
ask("/api/status").then(introduce, (error) => tell(error.message, true));
