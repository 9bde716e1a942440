// What the service says of itself, and what follows for this browser.

import { call } from "./api.js";

const LIKED_BITRATE = 128; // plays at once, and shows no less

const facts = { plays_per_request: 500, formats: [] };
let ahead = 0; // milliseconds, of the service's clock

/** Ask the service. Everything below is good from then on. */
export async function learn() {
  Object.assign(facts, await call("GET", "/api/v1/config"));
  ahead = Date.parse(facts.server_time) - Date.now();
}

/** Milliseconds since 1970 by the service's clock, which decides about turns. */
export const serverNow = () => Date.now() + ahead;

export const playsPerRequest = () => facts.plays_per_request;

/** The id of a format that this browser plays: MP3 before all else, near LIKED_BITRATE. */
export function formatFor(audio) {
  const odd = ({ codec, bitrate }) => (/mp3/i.test(codec) ? 0 : 1e6) + Math.abs((bitrate ?? 1e5) - LIKED_BITRATE);
  const able = facts.formats.filter((known) => known.streamable && audio.canPlayType(known.mime_type));
  return able.sort((one, other) => odd(one) - odd(other))[0]?.id;
}
