// The page of a curated playlist. Every change is saved by itself, upon the version that was last read.

import { $, h, say } from "../../listen/dom.js";
import { finding, pasting } from "./add.js";
import { ask, begin, busy, change, known, onSaving, send, upload } from "./calls.js";
import * as list from "./lines.js";
import * as review from "./review.js";
import { substituting } from "./substitutes.js";

const LISTS = ["countries", "plans", "locales", "tags"];
const PATIENCE = 600; // milliseconds after the last key in a field
const SEEN_EVERY = 15_000;
const LOOK_AGAIN = 1_000;
const LOOKS = 10;
const UNDOS = 50;
const COVER_BYTES = 10 * 1024 * 1024;

const may = JSON.parse($("#may").textContent);
const plans = JSON.parse($("#plans").textContent);
const facts = $("#facts").elements;
const undos = [];
let markets = [];
let saved = {}; // the facts as the service has them
let stale = false; // somebody else has changed the list: nothing is sent any more

const query = () => ({ markets: markets.join(",") });

/** The list and what is worth knowing of it, in the markets that are looked at: the list's own, unless others are. */
async function look() {
  const state = await ask("state", { markets: new URLSearchParams(location.search).get("markets") ?? "" });
  markets = state.markets;
  $("#markets").value = markets.join(", ");
  list.show(state.lines.map(list.told), markets);
  review.notices(state.notices);
  return state;
}

async function load() {
  const state = await look();
  begin(state.version);
  stale = false;
  declined = "";
  $("#notice").hidden = true;
  $("#saved").textContent = "";
  saved = Object.fromEntries(["name", "description", ...LISTS].map((name) => [name, state[name]]));
  for (const [name, now] of Object.entries(saved)) facts[name].value = [now].flat().join(", ");
  cover(state.cover);
  ruled(state.rule);
  review.standing(state);
  undos.length = 0;
  undoable();
}

// --- Saving ------------------------------------------------------------------------------------

function heard(what, answer) {
  if (what instanceof Error) return refused(what);
  $("#saved").textContent = what === "saving" ? "Saving …" : "Saved";
  if (answer) {
    review.standing(answer);
    cover(answer.cover);
  }
  if (what === "saved") worthKnowing();
  return undefined;
}

function refused(error) {
  $("#saved").textContent = "Not saved";
  if (error.status === 412) overtaken(error.body.changed_by);
  else if (!document.querySelector("dialog[open]")) notice(error.message, "Load it again", load);
}

function overtaken(who) {
  stale = true;
  const text = `${who} has changed this list. What you see is older, and nothing of it is saved any more.`;
  notice(text, "Load what there is now", load);
}

function notice(text, action, act) {
  $("#notice").replaceChildren(text, " ", h("button", { type: "button", click: () => attempt(act) }, action));
  $("#notice").hidden = false;
}

/** What a notice offers; where that fails too, it is told, and offered again. */
async function attempt(act) {
  try {
    await act();
  } catch (error) {
    notice(error.message, "Try again", act);
  }
}

/** One change of the list; `was` is what undoing brings back. */
function tell(what, was) {
  if (stale) return Promise.resolve();
  undos.push(was);
  if (undos.length > UNDOS) undos.shift();
  undoable();
  return change(what, query()).catch(() => {});
}

/** Whether there is something to undo. */
function undoable() {
  if ($("#undo")) $("#undo").disabled = !undos.length;
}

function undo() {
  const was = undos.pop();
  undoable();
  if (!was || stale) return;
  list.arrange(was);
  say("Undone");
  const [itemIds, trackIds] = ["item", "track"].map((name) => was.map((line) => line[name]));
  change({ do: "arrange", item_ids: itemIds, track_ids: trackIds }).catch(() => {});
}

/** What comes to the end of the list; the error where it was refused. */
async function bring(what) {
  if (stale) return new Error("This list has been changed in the meantime.");
  const was = list.items();
  try {
    const { lines = [] } = await change(what, query());
    list.add(lines.map(list.told));
    if (lines.length) undos.push(was);
    undoable();
    say(`${lines.length} added`);
    return null;
  } catch (error) {
    return error;
  }
}

const add = (trackIds) => bring({ do: "add", track_ids: trackIds });

async function refresh() {
  const before = list.all().length;
  if (await bring({ do: "refresh" })) return; // the page has said why
  const many = list.all().length - before;
  $("#picked").textContent = many ? `${many} added by the rule` : "The rule has nothing new";
}

let knowing;
function worthKnowing() {
  clearTimeout(knowing);
  knowing = setTimeout(async () => {
    if (!busy() && !stale) review.notices((await ask("notices", query())).notices);
  }, PATIENCE);
}

// --- What it is, and for whom --------------------------------------------------------------------

const value = (name) =>
  LISTS.includes(name) ? facts[name].value.split(",").map((text) => text.trim()).filter(Boolean) : facts[name].value;

let typing;
let declined = "";
async function describe() {
  clearTimeout(typing);
  if (stale || !$("#facts").reportValidity()) return;
  const changed = Object.keys(saved).filter((name) => String(value(name)) !== String(saved[name]));
  if (!changed.length) {
    if (!busy()) $("#saved").textContent = "Saved";
    return;
  }
  const given = Object.fromEntries(changed.map((name) => [name, value(name)]));
  if (JSON.stringify(given) === declined) return; // leaving a field says once more what was refused
  const before = saved;
  saved = { ...saved, ...given };
  try {
    await change({ do: "describe", ...given });
    $("#notice").hidden = true;
    if (given.countries && !busy()) await look();
  } catch (error) {
    saved = before;
    declined = JSON.stringify(given);
    if (error.status !== 412) notice(error.message, "Put it back", load);
  }
}

function ruled(rule) {
  if (!$("#refresh")) return;
  $("#refresh").hidden = !rule;
  $("#refresh").title = rule ? `Made by the rule ${rule}` : "";
}

/** What stands for the list: a picture that an editor gave it, or one made of its tracks' covers, or neither. */
function cover({ url, own }) {
  const address = url?.replace("{size}", "200");
  $("#cover").hidden = !url;
  $("#cover").alt = own ? "Cover" : "Cover, made of the tracks’";
  $("#no-cover").hidden = !!url;
  if ($("#uncover")) $("#uncover").hidden = !own;
  if (url && $("#cover").getAttribute("src") !== address) $("#cover").src = address;
}

/** Heard on its way down: the admin's own script takes every file field for one of its forms. */
async function uploaded(event) {
  if (event.target.type !== "file") return;
  event.stopPropagation();
  const [file] = event.target.files;
  event.target.value = "";
  if (!file || stale) return;
  if (file.size > COVER_BYTES) {
    notice("A cover may have 10 MiB.", "All right", () => { $("#notice").hidden = true; });
    return;
  }
  await upload(file).catch(() => {});
}

const uncover = () => change({ do: "describe", cover: "" }).catch(() => {});

/** Have a cover made; a worker does it, so the page looks now and then whether it is there. */
async function mosaic() {
  if (stale) return;
  const made = await change({ do: "mosaic" }).catch(() => null);
  for (let look = 0; made && look < LOOKS; look += 1) {
    await new Promise((over) => { setTimeout(over, LOOK_AGAIN); });
    await seen().catch(() => {});
  }
}

// --- Who else is here ------------------------------------------------------------------------------

async function seen() {
  const { others, version, changed_by: who, cover: picture } = await send("seen", {});
  if (!busy() && !stale) cover(picture);
  const have = others.length === 1 ? "has" : "have";
  $("#others").textContent = others.length ? `${others.join(", ")} ${have} this page open too` : "";
  if (version !== known() && !busy() && !stale) overtaken(who);
}

// --- The page ----------------------------------------------------------------------------------------

const show = {
  history: review.history({ restored: load, may: may.change }),
  preview: review.previewing({ markets: () => markets }),
};

function open(name) {
  $(`#${name}`).showModal();
  show[name]?.();
}

/** Other markets than the list's own, kept in the address for the next time. */
async function lookAt(text) {
  const asked = text.split(/[\s,]+/).filter(Boolean).join(",");
  window.history.replaceState(null, "", asked ? `?${new URLSearchParams({ markets: asked })}` : location.pathname);
  try {
    await look();
    $("#notice").hidden = !stale;
  } catch (error) {
    notice(error.message, "Go back", () => lookAt(""));
  }
}

function undoKey(event) {
  const writing = event.target.matches("input:not([type=checkbox]), textarea"); // whose own undoing it is
  if (!(event.ctrlKey || event.metaKey) || event.key !== "z" || writing) return;
  event.preventDefault();
  undo();
}

function moving() {
  $("#place-number").max = list.all().length;
  $("#place-number").value = "";
  $("#place").showModal();
}

function wire() {
  const offer = substituting({ markets: () => markets, choose: list.swap });
  list.listen({ tell, moving, substituting: offer, may: may.change });
  for (const button of document.querySelectorAll("[data-opens]")) {
    button.addEventListener("click", () => open(button.dataset.opens));
  }
  for (const button of document.querySelectorAll("[data-closes]")) {
    button.addEventListener("click", () => button.closest("dialog").close());
  }
  $("#markets").addEventListener("change", () => lookAt($("#markets").value.toUpperCase()));
  $("#plan-codes").append(...plans.map((code) => h("option", { value: code })));
  $("#preview-form").elements.plan.append(...plans.map((code) => h("option", { value: code }, code)));
  review.publishing({ markets: () => markets });
  if (may.change) wireChanges();
  else for (const field of facts) field.disabled = true;
}

function wireChanges() {
  $("#undo").addEventListener("click", undo);
  document.addEventListener("keydown", undoKey);
  $("#facts").addEventListener("submit", (event) => event.preventDefault());
  $("#facts").addEventListener("input", (event) => {
    if (event.target.type === "file") return;
    clearTimeout(typing);
    typing = setTimeout(describe, PATIENCE);
    $("#saved").textContent = "Not saved yet";
  });
  $("#facts").addEventListener("change", describe);
  $("#facts").addEventListener("change", uploaded, { capture: true });
  $("#uncover").addEventListener("click", uncover);
  $("#mosaic").addEventListener("click", mosaic);
  $("#move").addEventListener("click", moving);
  $("#remove").addEventListener("click", list.remove);
  $("#place form").addEventListener("submit", () => list.moveTo(Number($("#place-number").value)));
  $("#refresh").addEventListener("click", refresh);
  finding({ markets: () => markets, choose: (line) => add([line.track]) });
  pasting({ markets: () => markets, choose: add });
}

addEventListener("beforeunload", (event) => { if (busy()) event.preventDefault(); });
onSaving(heard);
wire();
await load();
await seen();
setInterval(() => seen().catch(() => {}), SEEN_EVERY);
