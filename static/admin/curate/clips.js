// Half a minute of a track, one at a time. What was heard of it is told when it ends.

import { $, say } from "../../listen/dom.js";

const audio = new Audio();
let playing = null; // { track, country, button, id, at }

const path = ({ track, country }) => `${$("#curate").dataset.clips.replace(/0$/, track)}?country=${country}`;

/** Hear a line's clip as in one of the markets in which it plays, or stop it where it is what is heard. */
export async function hear(line, markets, button = null) {
  const same = playing?.track === line.track;
  stop();
  if (same) return;
  const country = line.open[0] ?? markets[0] ?? "GB";
  const mine = { track: line.track, country, button, id: crypto.randomUUID(), at: new Date() };
  playing = mine;
  button?.setAttribute("aria-pressed", "true");
  try {
    const response = await fetch(path(mine), { headers: { Accept: "application/json" } });
    const body = await response.json();
    if (!response.ok) throw new Error(body.detail);
    if (playing !== mine) return;
    audio.src = body.url;
    await audio.play();
    say(`Playing ${line.title}`);
  } catch (error) {
    if (playing !== mine) return;
    stop();
    say(`Nothing to hear: ${error.message}`);
  }
}

/** End what is heard, and tell of it. A clip that never began to sound was not heard. */
export function stop() {
  if (!playing) return;
  const { button, id, at } = playing;
  const seconds = Math.round(audio.currentTime);
  if (audio.currentTime > 0) {
    fetch(path(playing), {
      method: "POST",
      keepalive: true,
      headers: { "Content-Type": "application/json", "X-CSRFToken": $("[name=csrfmiddlewaretoken]").value },
      body: JSON.stringify({ play_id: id, played_at: at.toISOString(), seconds_played: seconds }),
    }).catch(() => {});
  }
  playing = null;
  audio.pause();
  audio.removeAttribute("src");
  audio.load();
  button?.setAttribute("aria-pressed", "false");
}

audio.addEventListener("ended", stop);
addEventListener("pagehide", stop);
