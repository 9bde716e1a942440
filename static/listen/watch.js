// Who holds the listener's stream.

import { call, Problem, Unreachable } from "./api.js";
import { blockSeconds } from "./facts.js";

const POLL_MS = 3000;

/**
 * Call `onChange({client_id, holder, stream_id, since, plays_until, blocked_until})` with the device that holds the
 * stream, and until when others are refused for it, as long as nobody calls what this returns.
 */
export function watchStream(onChange) {
  const watching = new AbortController();
  const look = async () => {
    const state = await current(watching.signal);
    if (watching.signal.aborted) return;
    if (state) onChange(state);
    timer = setTimeout(look, POLL_MS);
  };
  let timer = setTimeout(look, POLL_MS);
  return () => {
    watching.abort();
    clearTimeout(timer);
  };
}

async function current(signal) {
  try {
    const { expires_at, ...held } = await call("GET", "/api/v1/streams/current", { signal });
    const blockedUntil = new Date(Date.parse(held.since) + blockSeconds() * 1000).toISOString();
    return { ...held, holder: held.client_id, plays_until: expires_at, blocked_until: blockedUntil };
  } catch (error) {
    if (error instanceof Problem || error instanceof Unreachable || error.name === "AbortError") return null;
    throw error;
  }
}
