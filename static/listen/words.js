// Codes and numbers in plain words.

const UNPLAYABLE = {
  TERRITORY: "Not in your country",
  NOT_YET: "Not released yet",
  ENDED: "No longer available",
  USE: "Not for streaming",
  TAKEN_DOWN: "Taken down",
  EXPLICIT_FILTER: "Explicit, and you hide those",
};

export const unplayable = (reason) => UNPLAYABLE[reason] ?? "Not playable";

/** 200 → "3:20". */
export function clock(seconds) {
  const whole = Math.max(0, Math.floor(seconds || 0));
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}

export const count = (number, one, many = `${one}s`) => `${number} ${number === 1 ? one : many}`;

/** A track's or release's title with its version. */
export const titled = ({ title, version }) => (version ? `${title} (${version})` : title);
