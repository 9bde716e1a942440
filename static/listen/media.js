// The keys of keyboards, headsets and lock screens.

import { coverUrl } from "./cover.js";
import { player } from "./player.js";
import { titled } from "./words.js";

const LEAP_SECONDS = 10;

export function begin() {
  const keys = navigator.mediaSession;
  if (!keys) return;
  const handlers = {
    play: () => player.toggle(),
    pause: () => player.toggle(),
    previoustrack: () => player.skip(-1),
    nexttrack: () => player.skip(1),
    seekto: ({ seekTime }) => player.seek(seekTime),
    seekbackward: ({ seekOffset }) => player.seek(player.position - (seekOffset ?? LEAP_SECONDS)),
    seekforward: ({ seekOffset }) => player.seek(player.position + (seekOffset ?? LEAP_SECONDS)),
  };
  for (const [action, handler] of Object.entries(handlers)) keys.setActionHandler(action, handler);
  player.addEventListener("change", () => show(keys));
  player.addEventListener("time", () => place(keys));
}

function show(keys) {
  const { track, state } = player;
  keys.playbackState = state === "playing" ? "playing" : track ? "paused" : "none";
  if (!track || keys.metadata?.title === titled(track)) return;
  keys.metadata = new MediaMetadata({
    title: titled(track),
    artist: track.artist.name,
    album: track.release.title,
    artwork: [{ src: coverUrl(track.image_url, 500), sizes: "500x500", type: "image/jpeg" }],
  });
}

function place(keys) {
  const { position, duration } = player;
  if (duration > 0) keys.setPositionState({ duration, position: Math.min(position, duration) });
}
