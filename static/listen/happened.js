// The panel of what went over the wire: method, path and status. Never a token, a body or a signed URL.

import { $, h } from "./dom.js";

const MOST = 60;
const list = $("#happened ol");

let last = { words: "", times: 0 };

/** Note a request to the service; a status of 0 means that it could not be reached. */
export function note(method, path, status, milliseconds) {
  const kind = status === 0 ? "away" : status < 400 ? "good" : "refused";
  add(kind, method, shortened(path), status || "—", taken(milliseconds));
}

/** Note what the platform did, of which only the player knows the address. */
export function noteAudio(what) {
  add("audio", "♪", what, "", "platform");
}

/** Note what the service told by itself. */
export function noteEvent(what) {
  add("event", "event", what, "", "");
}

/** A row on top; the same once more only counts the one that is there. */
function add(kind, method, what, status, aside) {
  const words = [method, what, status].join(" ");
  const times = words === last.words ? last.times + 1 : 1;
  last = { words, times };
  if (times > 1) list.firstChild.remove();
  const row = h("li", { class: kind },
    h("b", {}, method), h("span", {}, what),
    h("small", {}, times > 1 ? `× ${times}` : aside), h("i", {}, String(status)));
  list.prepend(row);
  while (list.children.length > MOST) list.lastChild.remove();
}

const taken = (ms) => (ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`);
const shortened = (path) =>
  decodeURIComponent(path).replace("/api/v1", "").replace(/([0-9a-f]{8})-[0-9a-f]{4}-[0-9a-f-]{22}/g, "$1…");
