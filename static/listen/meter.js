// Counts the seconds that were really heard.

export class Meter {
  #audio;
  #since = null;
  #seconds = 0;

  constructor(audio) {
    this.#audio = audio;
    for (const type of ["timeupdate", "pause", "waiting", "ended"]) audio.addEventListener(type, () => this.#note());
    for (const type of ["playing", "seeked"]) audio.addEventListener(type, () => this.#begin());
    for (const type of ["seeking", "emptied"]) audio.addEventListener(type, () => (this.#since = null));
  }

  /** Seconds of audio heard since the last reset, parts heard twice counted twice. */
  get seconds() {
    this.#note();
    return this.#seconds;
  }

  /** The position is about to leap: count up to here, and go on from where it lands. */
  leap() {
    this.#note();
    this.#since = null;
  }

  reset() {
    this.#seconds = 0;
    this.#since = null;
  }

  #begin() {
    if (!this.#audio.paused && !this.#audio.seeking) this.#since = this.#audio.currentTime;
  }

  #note() {
    if (this.#since === null || this.#audio.seeking) return;
    const here = this.#audio.currentTime;
    this.#seconds += Math.max(0, here - this.#since);
    this.#since = this.#audio.paused ? null : here;
  }
}
