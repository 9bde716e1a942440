// Tracks that come: found by words as they are typed, or pasted by the thousand.

import { $, h } from "../../listen/dom.js";
import { ask, send } from "./calls.js";
import { hear } from "./clips.js";
import { minutes, openIn, titled, told } from "./lines.js";

const PATIENCE = 180; // milliseconds after the last key
const REPORTED = 500; // lines of each kind that the report shows

const many = (number) => number.toLocaleString("en");

/** The field in which tracks are looked for; `choose` gets the line that was chosen. */
export function finding({ markets, choose }) {
  const field = $("#find");
  const list = $("#hits");
  let lines = [];
  let marked = -1;
  let asked = 0;
  let timer;

  function hide() {
    list.hidden = true;
    field.setAttribute("aria-expanded", "false");
    field.removeAttribute("aria-activedescendant");
  }

  function mark(number) {
    const options = [...list.querySelectorAll("[role=option]")];
    if (!lines.length) return;
    marked = (number + options.length) % options.length;
    options.forEach((option, each) => option.setAttribute("aria-selected", String(each === marked)));
    field.setAttribute("aria-activedescendant", options[marked].id);
    options[marked].scrollIntoView({ block: "nearest" });
  }

  function option(line, number) {
    const mousedown = (event) => {
      event.preventDefault(); // the field keeps the focus, for the next one
      if (event.target.closest(".clip")) hear(line, markets());
      else choose(line);
    };
    return h("li", { role: "option", id: `hit-${number}`, "aria-selected": "false", mousedown },
      h("span", { class: "clip", "aria-hidden": "true", title: "Hear (Alt+P)" }),
      h("span", { class: "title" }, titled(line)), h("span", {}, line.artist),
      h("span", {}, minutes(line.seconds)), openIn(line, markets()));
  }

  function show(found) {
    lines = found;
    marked = -1;
    field.removeAttribute("aria-activedescendant");
    list.replaceChildren(...lines.map(option));
    const nothing = { role: "option", "aria-disabled": "true", "aria-selected": "false" }; // a listbox holds options alone
    if (!lines.length) list.append(h("li", nothing, "Nothing on the shelves has these words."));
    list.hidden = false;
    field.setAttribute("aria-expanded", "true");
  }

  async function look() {
    const text = field.value.trim();
    const number = ++asked;
    if (!text) return hide();
    const found = await ask("find", { q: text, markets: markets().join(",") });
    return number === asked ? show(found.lines.map(told)) : null; // an older answer may come later
  }

  function key(event) {
    if (event.key === "ArrowDown") mark(marked + 1);
    else if (event.key === "ArrowUp") mark(Math.max(marked, 0) - 1);
    else if (event.key === "Escape") hide();
    else if (event.altKey && event.code === "KeyP" && lines.length) hear(lines[Math.max(0, marked)], markets());
    else if (event.key === "Enter") {
      if (!list.hidden && lines.length) choose(lines[Math.max(0, marked)]);
    } else return;
    event.preventDefault();
  }

  field.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(() => look().catch(hide), PATIENCE);
  });
  field.addEventListener("blur", hide);
  field.addEventListener("keydown", key);
}

/** The dialog for pasting; `choose` gets the ids of what was found, in order. */
export function pasting({ markets, choose }) {
  let matches = [];
  let tracks = new Map();
  let choices = new Map(); // an ambiguous match → where one is chosen

  const named = (id) => `${titled(tracks.get(id))} – ${tracks.get(id).artist}`;

  function wanted(match) {
    if (match.found !== "AMBIGUOUS") return match.track_ids;
    const chosen = choices.get(match)?.value;
    return chosen ? [Number(chosen)] : [];
  }

  function offer() {
    const number = matches.flatMap(wanted).length;
    $("#add-pasted").disabled = !number;
    $("#add-pasted").textContent = `Add ${many(number)} ${number === 1 ? "track" : "tracks"}`;
  }

  function choice(match) {
    const options = match.track_ids.map((id) => h("option", { value: id }, `${named(id)} (${id})`));
    return h("select", { "aria-label": `Which one for line ${match.number}`, change: offer },
      h("option", { value: "" }, `${match.detail}: which one?`), ...options);
  }

  function became(match) {
    if (match.found === "AMBIGUOUS") return choices.get(match);
    if (match.found === "UNKNOWN") return match.detail;
    return match.track_ids.length === 1 ? named(match.track_ids[0]) : `${match.track_ids.length} tracks of a release`;
  }

  function takeFirst() {
    for (const select of choices.values()) if (!select.value) select.selectedIndex = 1;
    offer();
  }

  function chapter(found) {
    const some = matches.filter((match) => match.found === found);
    if (!some.length) return null;
    const rows = some.slice(0, REPORTED).map((match) => h("tr", { class: found.toLowerCase() },
      h("td", {}, String(match.number)), h("td", {}, match.text), h("td", {}, became(match))));
    return h("section", {}, h("h3", {}, `${many(some.length)} ${found.toLowerCase()}`),
      found === "AMBIGUOUS" ? h("button", { type: "button", click: takeFirst }, "Take the most popular of each") : null,
      h("table", {}, h("tbody", {}, ...rows)),
      some.length > REPORTED ? h("p", {}, `and ${many(some.length - REPORTED)} more`) : null);
  }

  function report(answer) {
    matches = answer.matches;
    tracks = new Map(answer.lines.map(told).map((line) => [line.track, line]));
    const ambiguous = matches.filter((match) => match.found === "AMBIGUOUS");
    choices = new Map(ambiguous.map((match) => [match, choice(match)]));
    const chapters = ["AMBIGUOUS", "UNKNOWN", "FOUND"].map(chapter).filter(Boolean);
    $("#report").replaceChildren(...chapters);
    $("#matched").textContent = chapters.map((each) => $("h3", each).textContent).join(", ") || "nothing";
    offer();
  }

  async function look() {
    $("#matched").textContent = "looking …";
    try {
      report(await send("match", { text: $("#pasted").value }, { markets: markets().join(",") }));
    } catch (error) {
      $("#matched").textContent = error.message;
    }
  }

  async function add() {
    const refused = await choose(matches.flatMap(wanted));
    if (refused) {
      $("#matched").textContent = refused.message;
      return;
    }
    $("#pasted").value = "";
    report({ matches: [], lines: [] });
    $("#matched").textContent = "";
    $("#paste").close();
  }

  $("#match").addEventListener("click", look);
  $("#add-pasted").addEventListener("click", add);
}
