// The room for music: the newest releases, what a search found, one release with its tracks.

import { Problem, Unreachable } from "./api.js";
import * as catalogue from "./catalogue.js";
import { cover } from "./cover.js";
import { $, h, icon, say } from "./dom.js";
import { player } from "./player.js";
import { trackList } from "./tracks.js";
import { clock, count, titled } from "./words.js";

const PAUSE_MS = 180; // between keystrokes, before they become a question

const room = $("#shelf");
const box = $("#search");

let asking = new AbortController();
let typing = 0;

export function begin() {
  box.addEventListener("input", () => {
    clearTimeout(typing);
    typing = setTimeout(leaveRelease, PAUSE_MS);
  });
  box.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    box.value = "";
    box.blur();
    leaveRelease();
  });
  addEventListener("hashchange", () => room.closest("[hidden]") || open());
}

/** Show what the search box asks for, whatever was open. */
function leaveRelease() {
  if (location.hash.startsWith("#release/")) location.hash = ""; // and hashchange opens
  else open();
}

/** Show what the address and the search box ask for. */
export function open() {
  const id = /^#release\/(\d+)$/.exec(location.hash)?.[1];
  const words = box.value.trim();
  if (id) return show((signal) => onRelease(id, signal));
  return show(words ? (signal) => onSearch(words, signal) : onNewest);
}

/** Make the room anew by what `make` brings, unless something else is asked for in the meantime. */
async function show(make) {
  asking.abort();
  const { signal } = (asking = new AbortController());
  room.setAttribute("aria-busy", "true");
  try {
    const content = await make(signal);
    if (signal.aborted) return;
    room.replaceChildren(...content);
    $("h1[tabindex]", room)?.focus({ preventScroll: true });
  } catch (error) {
    if (error.name === "AbortError") return;
    if (!(error instanceof Problem || error instanceof Unreachable)) throw error;
    room.replaceChildren(empty(error.message, h("button", { click: () => open() }, "Try again")));
  }
  if (!signal.aborted) room.setAttribute("aria-busy", "false");
}

async function onNewest(signal) {
  const { results } = await catalogue.newest(signal);
  if (!results.length) return [empty("The shelves are empty", "Music comes as catalogue events; make run sends some.")];
  return [h("h1", {}, "Newest releases"), grid(results)];
}

async function onSearch(words, signal) {
  const { releases, tracks } = await catalogue.search(words, signal);
  say(`${count(releases.length, "release")} and ${count(tracks.length, "track")} found`);
  if (!releases.length && !tracks.length) return [empty(`Nothing found for “${words}”`, "Try other words.")];
  const from = { source: "search", source_id: words.slice(0, 128) };
  return [
    ...(releases.length ? [h("h1", {}, "Releases"), grid(releases)] : []),
    ...(tracks.length ? [h(releases.length ? "h2" : "h1", {}, "Tracks"), trackList(tracks, { from })] : []),
  ];
}

async function onRelease(id, signal) {
  const release = await catalogue.release(id, signal);
  const { tracks } = release;
  const from = { source: "release", source_id: String(release.id) };
  const first = tracks.findIndex((track) => track.playable);
  const seconds = tracks.reduce((sum, track) => sum + track.duration_seconds, 0);
  const heading = h("h1", { tabindex: "-1" }, titled(release));
  const year = release.release_date?.slice(0, 4);
  const facts = [release.type, year, release.label, count(tracks.length, "track"), clock(seconds)].filter(Boolean);
  return [
    h("a", { class: "back", href: "#" }, icon("back"), box.value.trim() ? "Back to the search" : "All releases"),
    h("article", { class: "release" },
      cover(release, 240),
      h("div", { class: "about" }, heading, h("p", { class: "artist" }, release.artist.name),
        h("p", { class: "facts" }, facts.join(" · ")),
        h("button", { class: "loud", disabled: first < 0, click: () => player.start(tracks, first, from) },
          icon("play"), first < 0 ? "Nothing here plays for you" : "Play"))),
    trackList(tracks, { from, release }),
  ];
}

function grid(releases) {
  return h("ul", { class: "grid" }, releases.map((release) =>
    h("li", {}, h("a", { class: "card", href: `#release/${release.id}` },
      cover(release, 180), h("strong", {}, titled(release)), h("span", {}, release.artist.name)))));
}

const empty = (title, more) => h("div", { class: "empty" }, h("h1", {}, title), h("p", {}, more));
