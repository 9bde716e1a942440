// The bar at the bottom: what plays, how far it is, and the keys to steer it.

import { cover } from "./cover.js";
import { $, say } from "./dom.js";
import { player } from "./player.js";
import { clock, titled } from "./words.js";

const LEAP_SECONDS = 5;
const VOLUME = "tonearm.volume";

const bar = $("#player");
const seek = $("#seek");
const volume = $("#volume");
const toggle = $("#toggle");

let shown = null;
let dragging = false;

export function begin() {
  toggle.addEventListener("click", () => player.toggle());
  $("#previous").addEventListener("click", () => player.skip(-1));
  $("#next").addEventListener("click", () => player.skip(1));
  seek.addEventListener("input", () => {
    dragging = true;
    $("#position").textContent = clock(seek.value);
  });
  seek.addEventListener("change", () => {
    dragging = false;
    player.seek(Number(seek.value));
  });
  volume.value = localStorage.getItem(VOLUME) ?? volume.value;
  volume.addEventListener("input", setVolume);
  player.addEventListener("change", showState);
  player.addEventListener("time", showTime);
  addEventListener("keydown", steer);
  addEventListener("click", letGo);
  setVolume();
}

function setVolume() {
  player.volume = Number(volume.value);
  localStorage.setItem(VOLUME, volume.value);
  volume.style.setProperty("--share", volume.value);
}

function showState() {
  const { track, state } = player;
  bar.dataset.state = state;
  toggle.setAttribute("aria-label", state === "playing" || state === "loading" ? "Pause" : "Play");
  $("#loading").hidden = state !== "loading";
  $("#previous").disabled = !track;
  $("#next").disabled = !track || player.neighbour(1) === null;
  seek.disabled = !track;
  if (track && track !== shown) showTrack((shown = track));
  showTime();
}

function showTrack(track) {
  $("#now-title").textContent = titled(track);
  $("#now-artist").textContent = track.artist.name;
  $("#now-cover").replaceChildren(cover({ ...track.release, image_url: track.image_url }, 56));
  document.title = `${track.title} · ${track.artist.name} · Tonearm`;
  say(`${titled(track)} by ${track.artist.name}`);
}

function showTime() {
  const { position, duration } = player;
  seek.max = String(Math.max(1, Math.floor(duration)));
  if (!dragging) {
    seek.value = String(Math.floor(position));
    $("#position").textContent = clock(position);
  }
  $("#duration").textContent = clock(duration);
  seek.setAttribute("aria-valuetext", `${clock(seek.value)} of ${clock(duration)}`);
  seek.style.setProperty("--share", String(Number(seek.value) / Number(seek.max)));
}

/** A button that was clicked with the mouse does not keep the keys, so that space pauses what it started. */
function letGo(event) {
  if (event.detail > 0) event.target.closest("button")?.blur();
}

/** Space plays and pauses, arrows leap, with Shift to the next track; / goes to the search, where keys are letters. */
function steer(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || bar.hidden) return;
  const sliding = event.target.matches?.("input[type=range]");
  if (event.target.matches?.("input, textarea, select") && !sliding) return;
  const pressing = event.target.closest?.("button, a, summary");
  const act = {
    "/": () => $("#search").select(),
    " ": pressing ? null : () => player.toggle(),
    ArrowRight: sliding ? null : () => (event.shiftKey ? player.skip(1) : player.seek(player.position + LEAP_SECONDS)),
    ArrowLeft: sliding ? null : () => (event.shiftKey ? player.skip(-1) : player.seek(player.position - LEAP_SECONDS)),
  }[event.key];
  if (!act) return;
  event.preventDefault();
  act();
}
