// One audio element, outside of the page: it plays a list of tracks, each by a URL that is fetched when it is needed,
// given to the element and kept nowhere else.

import { call, Problem, Unreachable } from "./api.js";
import { device } from "./device.js";
import { formatFor } from "./facts.js";
import { noteAudio } from "./happened.js";
import { Meter } from "./meter.js";
import { closePlay, notePlay, openPlay } from "./plays.js";

const TRIES = 3; // to get a track's audio again: its URL ran out, the line was lost, the platform's clock is behind
const TRY_AGAIN_MS = 1500; // after the first time, and so much longer after each
const NOTE_SECONDS = 2;

performance.setResourceTimingBufferSize(0); // the browser's own list of what was fetched would keep the URLs

class Player extends EventTarget {
  tracks = [];
  index = -1;
  state = "still"; // or loading, playing, paused
  mayFollow = () => true; // asked when a track has ended, before the next one starts

  #audio = new Audio();
  #meter = new Meter(this.#audio);
  #from = {};
  #formatId = 0;
  #playId = null;
  #noted = 0;
  #wish = new AbortController();
  #tries = 0;

  constructor() {
    super();
    const on = (type, then) => this.#audio.addEventListener(type, then);
    on("playing", () => this.#playing());
    on("pause", () => this.state === "playing" && !this.#audio.ended && this.#become("paused"));
    on("waiting", () => this.state === "playing" && this.#become("loading"));
    on("timeupdate", () => this.#moved());
    on("durationchange", () => this.#emit("time"));
    on("ended", () => this.#ended());
    on("error", () => this.#failed());
  }

  get track() {
    return this.tracks[this.index] ?? null;
  }

  get position() {
    return this.#audio.currentTime;
  }

  get duration() {
    return Number.isFinite(this.#audio.duration) ? this.#audio.duration : (this.track?.duration_seconds ?? 0);
  }

  set volume(share) {
    this.#audio.volume = share;
  }

  /** Play these tracks, beginning with one; `from` says where they were found: source and source_id. */
  start(tracks, index, from = {}) {
    this.#settle();
    [this.tracks, this.index, this.#from] = [tracks, index, from];
    return this.#load();
  }

  /** The playable track so many steps away; null where the list ends. */
  neighbour(step) {
    for (let index = this.index + step; this.tracks[index]; index += step) {
      if (this.tracks[index].playable) return index;
    }
    return null;
  }

  /** Go on to the next track (1), or back to the one before or this one's beginning (-1). */
  skip(step) {
    const index = this.neighbour(step);
    if (step < 0 && (this.position > 3 || index === null)) return this.seek(0);
    return index === null ? undefined : this.start(this.tracks, index, this.#from);
  }

  async toggle() {
    if (!this.track) return;
    if (this.state === "playing") this.#audio.pause();
    else if (this.state === "paused") await this.#run();
    else if (this.state === "still") await this.#load();
    else this.#halt();
  }

  seek(seconds) {
    if (!this.#audio.src) return;
    this.#meter.leap();
    this.#audio.currentTime = Math.min(Math.max(0, seconds), this.duration);
    this.#emit("time");
  }

  /** Ask for the current track anew: from where it stands, or from its beginning where it has not begun. */
  again() {
    return this.#load(this.#playId ? this.position : 0);
  }

  /** Stop, report what was heard, and let another device have the stream. */
  async stop({ leaving = false } = {}) {
    this.#silence();
    this.#become("still");
    try {
      await call("DELETE", `/api/v1/streams/current?${new URLSearchParams({ client_id: device.id })}`, {
        keepalive: leaving,
      });
    } catch (error) {
      if (!(error instanceof Problem || error instanceof Unreachable)) throw error;
    }
  }

  /** Do not wait for the audio any longer. */
  #halt() {
    this.#wish.abort();
    this.#wish = new AbortController();
    this.#audio.pause();
    this.#become(this.#playId ? "paused" : "still");
  }

  async #load(position = 0) {
    this.#wish.abort();
    const { signal } = (this.#wish = new AbortController());
    this.#audio.pause();
    this.#become("loading");
    this.#formatId = formatFor(this.#audio);
    const wish = { track_id: this.track.id, format_id: this.#formatId, client_id: device.id, delivery: "progressive" };
    try {
      const { url } = await call("POST", "/api/v1/streams", { body: wish, signal });
      signal.throwIfAborted();
      this.#meter.leap();
      this.#audio.src = url;
    } catch (error) {
      if (error.name !== "AbortError") this.#refuse(error);
      return;
    }
    if (position) this.#audio.currentTime = position;
    await this.#run();
  }

  async #run() {
    try {
      await this.#audio.play();
    } catch (error) {
      if (error.name === "NotAllowedError") this.#become("paused"); // the browser wants a click first
    }
  }

  #playing() {
    if (this.state === "loading") noteAudio("audio plays");
    this.#playId ??= openPlay({ track: this.track, formatId: this.#formatId, from: this.#from });
    this.#become("playing");
  }

  #moved() {
    const heard = this.#meter.seconds;
    if (this.#playId && heard - this.#noted >= NOTE_SECONDS) notePlay(this.#playId, (this.#noted = heard));
    if (heard > 1) this.#tries = 0;
    this.#emit("time");
  }

  #ended() {
    this.#settle();
    const index = this.neighbour(1);
    if (index === null) {
      this.stop();
      return;
    }
    this.index = index;
    this.#become("still");
    if (this.mayFollow()) this.#load();
  }

  /** The element cannot say why: the URL may have run out, the line be lost, the platform have refused. */
  #failed() {
    if (!this.#audio.getAttribute("src")) return;
    const { signal } = this.#wish;
    const position = this.position;
    noteAudio("no audio came");
    if (++this.#tries > TRIES) {
      this.#refuse(new Unreachable("The platform gives no audio. It may count another device for a minute yet."));
      return;
    }
    this.#become("loading");
    setTimeout(() => signal.aborted || this.#load(position), this.#tries * TRY_AGAIN_MS);
  }

  #refuse(error) {
    if (!(error instanceof Problem || error instanceof Unreachable)) throw error;
    this.#silence();
    this.#become("still");
    this.dispatchEvent(new CustomEvent("refused", { detail: error }));
  }

  #silence() {
    this.#settle();
    this.#wish.abort();
    this.#audio.pause();
    this.#audio.removeAttribute("src");
    this.#audio.load();
    this.#tries = 0;
  }

  /** What was heard of this track is what will be reported. */
  #settle() {
    if (this.#playId) closePlay(this.#playId, this.#meter.seconds);
    this.#playId = null;
    this.#noted = 0;
    this.#meter.reset();
  }

  #become(state) {
    this.state = state;
    this.#emit("change");
  }

  #emit(type) {
    this.dispatchEvent(new Event(type));
  }
}

export const player = new Player();
