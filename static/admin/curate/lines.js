// The list itself: rows that are picked, moved and removed, by mouse or by keyboard. Nothing here calls the service.

import { $, h, say } from "../../listen/dom.js";
import { hear } from "./clips.js";

const rows = new Map(); // item id → its row, also of what was removed, for undoing
const body = () => $("#tracks tbody");
let markets = [];
let changed = () => {};
let substitutes = () => {};
let writable = true;
let anchor = null;

/** A line in the order in which the service tells it. */
export function told([item, track, title, version, artist, isrc, seconds, explicit, release, gone, open]) {
  return { item, track, title, version, artist, isrc, seconds, explicit, release, gone, open };
}

export const minutes = (seconds) => `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;

/** ● where it can be heard, ○ where not; in words for those who do not see it. */
export function openIn(line, where) {
  const closed = where.filter((market) => !line.open.includes(market));
  const words = line.gone ? "taken down" : closed.length ? `not in ${closed.join(", ")}` : "in all of them";
  const mark = (market, [kind, sign]) => h("span", { title: market, class: kind }, sign);
  const marks = where.map((market) => mark(market, closed.includes(market) ? ["closed", "○"] : ["open", "●"]));
  const unseen = h("span", { class: "unseen" }, words);
  return h("span", { class: "marks" }, h("span", { "aria-hidden": "true" }, ...marks), unseen);
}

/** Whether somebody in one of the markets cannot hear it. */
const isClosed = (line) => markets.some((market) => !line.open.includes(market));

export const titled = (line) => line.title + (line.version ? ` (${line.version})` : "");

/** Hears the clip of a line; by keyboard P does, so that Tab leads through the list but once. */
function clipButton(line) {
  const button = h("button", {
    type: "button", class: "clip", tabindex: "-1", "aria-pressed": "false", "aria-label": `Hear ${titled(line)}`,
    title: "Hear (P)", click: () => hear(line, markets, button),
  });
  return button;
}

function substitutesOf(line) {
  if (!writable || !isClosed(line)) return null;
  const name = `Substitutes for ${titled(line)}`;
  return h("button", { type: "button", class: "substitutes", tabindex: "-1", "aria-label": name }, "Substitutes…");
}

function rowOf(line) {
  const row = h("tr", { tabindex: "-1", draggable: writable ? "true" : null, "data-item": line.item },
    h("td", {}, h("input", { type: "checkbox", tabindex: "-1", "aria-label": `Pick ${titled(line)}` })),
    h("td", { class: "number" }),
    h("td", {}, clipButton(line), h("span", { class: "title" }, titled(line)),
      line.explicit ? h("abbr", { title: "explicit" }, "E") : null, line.gone ? h("em", {}, "taken down") : null,
      substitutesOf(line)),
    h("td", {}, line.artist),
    h("td", {}, minutes(line.seconds)),
    h("td", {}, openIn(line, markets)));
  row.line = line;
  return row;
}

export function show(lines, where) {
  markets = where;
  $("#markets-head").replaceChildren(h("span", { class: "marks" }, ...markets.map((market) => h("span", {}, market))));
  $("#markets-head").style.width = `${Math.max(4.5, 1.7 * markets.length + 1)}rem`; // long tables need fixed columns
  const fresh = lines.map((line) => rowOf(line));
  for (const row of fresh) rows.set(row.line.item, row);
  body().replaceChildren(...fresh);
  renumber();
  if (fresh[0]) fresh[0].tabIndex = 0;
  count();
}

export const all = () => [...body().children];
export const items = () => all().map((row) => row.line);
export const picked = () => all().filter((row) => row.querySelector("input").checked);
const current = () => body().querySelector("tr[tabindex='0']") ?? body().firstElementChild;
const chosen = () => (picked().length ? picked() : [current()].filter(Boolean));
export const chosenItems = () => chosen().map((row) => row.line.item);

/** Lines to the end. */
export function add(lines) {
  const fresh = lines.map((line) => rowOf(line));
  for (const row of fresh) rows.set(row.line.item, row);
  body().append(...fresh);
  renumber();
  if (!body().querySelector("tr[tabindex='0']") && fresh[0]) fresh[0].tabIndex = 0;
  count();
}

/** The row of a line: another one where another track stands in that place by now. */
function rowFor(line) {
  if (rows.get(line.item)?.line.track !== line.track) rows.set(line.item, rowOf(line));
  return rows.get(line.item);
}

/** The whole order anew, as it was: rows that were removed come back, and tracks that were swapped. */
export function arrange(lines) {
  body().replaceChildren(...lines.map(rowFor));
  renumber();
  count();
}

/** Another track in the place of one. */
export function swap(line, other) {
  const was = items();
  const row = rowOf(other);
  rows.get(line.item).replaceWith(row);
  rows.set(line.item, row);
  renumber();
  row.focus();
  count();
  say(`${titled(other)} in the place of ${titled(line)}`);
  changed({ do: "swap", item_id: line.item, track_id: line.track, becomes: other.track }, was);
}

export function pick(ids) {
  const wanted = new Set(ids);
  for (const row of all()) row.querySelector("input").checked = wanted.has(row.line.item);
  count();
  picked()[0]?.scrollIntoView({ block: "center" });
}

/** The places, written out: counters of the style sheet take seconds for thousands of rows. */
function renumber() {
  all().forEach((row, place) => {
    const cell = row.children[1];
    if (cell.textContent !== String(place + 1)) cell.textContent = place + 1;
  });
}

export function count() {
  const lines = items();
  const seconds = lines.reduce((sum, line) => sum + line.seconds, 0);
  const hours = Math.floor(seconds / 3600);
  const length = hours ? `${hours} h ${Math.floor((seconds % 3600) / 60)} min` : `${minutes(seconds)} min`;
  const word = lines.length === 1 ? "track" : "tracks";
  $("#length").textContent = `${lines.length.toLocaleString("en")} ${word}, ${length}`;
  const many = picked().length;
  $("#picked").textContent = many ? `${many.toLocaleString("en")} picked` : "";
  for (const id of ["#move", "#remove"]) if ($(id)) $(id).disabled = !lines.length || !writable;
}

/** Rows to a place among those that stay; the change is for `changed` to tell. */
export function move(moving, before) {
  const going = new Set(moving);
  while (before && going.has(before)) before = before.nextElementSibling;
  const was = items();
  const focused = moving.includes(document.activeElement) && document.activeElement;
  const fragment = document.createDocumentFragment();
  fragment.append(...moving);
  body().insertBefore(fragment, before);
  renumber();
  if (focused) focused.focus();
  const what = moving.length === 1 ? titled(moving[0].line) : `${moving.length} tracks`;
  say(`${what}, now ${all().indexOf(moving[0]) + 1} of ${was.length}`);
  const itemIds = moving.map((row) => row.line.item);
  changed({ do: "move", item_ids: itemIds, before: before ? before.line.item : null }, was);
}

export function moveTo(place) {
  const moving = chosen();
  const going = new Set(moving);
  const staying = all().filter((row) => !going.has(row));
  if (moving.length) move(moving, staying[Math.max(0, place - 1)] ?? null);
}

export function remove() {
  const going = chosen();
  if (!going.length) return;
  const was = items();
  const next = going.at(-1).nextElementSibling;
  for (const row of going) {
    row.querySelector("input").checked = false;
    row.remove();
  }
  renumber();
  const last = next ?? body().lastElementChild;
  if (last) focus(last);
  count();
  say(`${going.length} removed`);
  changed({ do: "remove", item_ids: going.map((row) => row.line.item) }, was);
}

const focus = (row) => row.focus();

/** Tab leads to the list once, and back to the row that had the focus last. */
function remember(event) {
  const row = event.target.closest("tr");
  for (const other of body().querySelectorAll("tr[tabindex='0']")) other.tabIndex = -1;
  row.tabIndex = 0;
}

function toggle(row, on) {
  const box = row.querySelector("input");
  box.checked = on ?? !box.checked;
  count();
}

function step(row, down, extend) {
  const next = down ? row.nextElementSibling : row.previousElementSibling;
  if (!next) return;
  if (extend) for (const each of [row, next]) toggle(each, true);
  focus(next);
}

/** Alt+↑ and Alt+↓: what is picked, or the row itself, by one place. */
function shift(down) {
  const moving = chosen();
  const edge = down ? moving.at(-1).nextElementSibling : moving[0].previousElementSibling;
  if (edge) move(moving, down ? edge.nextElementSibling : edge);
}

function key(event, moving) {
  const row = event.target.closest("tr");
  if (!row || event.ctrlKey || event.metaKey || event.target.matches("button")) return;
  const down = event.key === "ArrowDown";
  if (down || event.key === "ArrowUp") {
    if (!event.altKey) step(row, down, event.shiftKey);
    else if (writable) shift(down);
  } else if (event.key === "Home" || event.key === "End") focus(event.key === "Home" ? all()[0] : all().at(-1));
  else if (event.key === " ") toggle(row);
  else if ((event.key === "Delete" || event.key === "Backspace") && writable) remove();
  else if (event.key.toLowerCase() === "m" && writable) moving();
  else if (event.key.toLowerCase() === "p") row.querySelector(".clip").click();
  else if (event.key.toLowerCase() === "s" && row.querySelector(".substitutes")) substitutes(row.line);
  else return;
  event.preventDefault();
}

function click(event) {
  const row = event.target.closest("tr");
  if (!row) return;
  if (event.target.type === "checkbox") {
    if (event.shiftKey && anchor) {
      const [from, to] = [all().indexOf(anchor), all().indexOf(row)].sort((one, other) => one - other);
      for (const between of all().slice(from, to + 1)) between.querySelector("input").checked = event.target.checked;
    }
    anchor = row;
    count();
  }
  focus(row);
  if (event.target.matches(".substitutes")) substitutes(row.line);
}

function dragging() {
  const place = (event) => {
    const over = event.target.closest("tr");
    const half = over && event.clientY > over.getBoundingClientRect().top + over.offsetHeight / 2;
    return half ? over.nextElementSibling : over;
  };
  let moving = [];
  const clear = () => body().querySelectorAll(".over, .under").forEach((row) => row.classList.remove("over", "under"));
  body().addEventListener("dragstart", (event) => {
    const row = event.target.closest("tr");
    moving = row.querySelector("input").checked ? picked() : [row];
    event.dataTransfer.effectAllowed = "move";
    event.dataTransfer.setData("text/plain", "");
  });
  body().addEventListener("dragover", (event) => {
    if (!moving.length) return;
    event.preventDefault();
    clear();
    const before = place(event);
    (before ?? body().lastElementChild).classList.add(before ? "over" : "under");
  });
  body().addEventListener("drop", (event) => {
    event.preventDefault();
    if (moving.length) move(moving, place(event));
  });
  body().addEventListener("dragend", () => { moving = []; clear(); });
}

/**
 * Let the list be worked with: `tell(change, was)` hears of every change, `moving` asks where to, `substituting`
 * offers what may stand in for a line.
 */
export function listen({ tell, moving, substituting, may }) {
  changed = tell;
  substitutes = substituting;
  writable = may;
  body().addEventListener("keydown", (event) => key(event, moving));
  body().addEventListener("focusin", remember);
  body().addEventListener("click", click);
  if (may) dragging();
}
