// Lists of tracks: what can be played is a button, what cannot says why.

import { rules } from "./catalogue.js";
import { cover } from "./cover.js";
import { h, icon } from "./dom.js";
import { player } from "./player.js";
import { clock, titled, unplayable } from "./words.js";

/** The tracks as a list that plays itself. `from` is their source and source_id; `release`, where all are on one. */
export function trackList(tracks, { from, release = null }) {
  const rows = tracks.map((track, index) => row(track, { tracks, index, from, release }));
  return h("ol", { class: release ? "tracks numbered" : "tracks" }, rows);
}

function row(track, { tracks, index, from, release }) {
  const open = track.playable ? h("button", { class: "open", click: () => player.start(tracks, index, from) }) : null;
  const name = h("span", { class: "name" },
    h("strong", {}, titled(track)),
    track.explicit ? h("abbr", { class: "explicit", title: "Explicit" }, "E") : null,
    h("span", { class: "by" }, release?.artist.name === track.artist.name ? "" : track.artist.name));
  const sign = release
    ? h("span", { class: "number" }, String(track.track_number))
    : cover({ ...track.release, image_url: track.image_url }, 44);
  const item = h("li", { "data-track": track.id, class: track.playable ? null : "unplayable" },
    h("span", { class: "sign" }, sign, icon("play"), icon("bars")),
    open ? (open.append(name), open) : name,
    track.playable ? null : why(track),
    h("span", { class: "time" }, clock(track.duration_seconds)));
  mark(item);
  return item;
}

/** The reason, and on request every rule that was asked. */
function why(track) {
  const asked = h("ul", { class: "rules", hidden: true });
  const button = h("button", {
    class: "why", "aria-expanded": "false", title: "Every rule that was asked",
    click: async () => {
      if (!asked.children.length) {
        const { reasons } = await rules(track.id);
        asked.append(...reasons.map(({ holds, detail }) =>
          h("li", { class: holds ? "holds" : "fails" }, `${holds ? "✓" : "✗"} ${detail}`)));
      }
      asked.hidden = !asked.hidden;
      button.setAttribute("aria-expanded", String(!asked.hidden));
    },
  }, unplayable(track.unplayable_reason));
  return h("span", { class: "reason" }, button, asked);
}

function mark(item) {
  const current = player.track && player.state !== "still" && item.dataset.track === String(player.track.id);
  item.classList.toggle("current", Boolean(current));
  item.classList.toggle("moving", Boolean(current) && player.state === "playing");
  if (current) item.setAttribute("aria-current", "true");
  else item.removeAttribute("aria-current");
}

player.addEventListener("change", () => document.querySelectorAll("[data-track]").forEach(mark));
