// Who holds the listener's stream, told by the service as it changes: server-sent events, read from a fetch because an
// EventSource cannot show a token.

import { open, Problem, Unreachable } from "./api.js";
import { device, nameOf } from "./device.js";
import { noteEvent } from "./happened.js";

const AGAIN_MS = 3000;

/**
 * Call `onChange({client_id, holder, blocked_until, …})` at once and whenever another device holds the stream, or none
 * does (`client_id` null), as long as nobody calls what this returns. `blocked_until` is when this device is let in
 * again, null where it is not refused.
 */
export function watchStream(onChange) {
  const watching = new AbortController();
  watch(onChange, watching.signal);
  return () => watching.abort();
}

async function watch(onChange, signal) {
  while (!signal.aborted) {
    try {
      const query = new URLSearchParams({ client_id: device.id });
      const response = await open("GET", `/api/v1/streams/events?${query}`, { signal });
      for await (const state of events(response.body.getReader())) {
        noteEvent(state.client_id ? `${nameOf(state.holder)} plays` : "nobody plays");
        onChange(state);
      }
    } catch (error) {
      // A line that breaks in the middle of an answer is a TypeError.
      const lost = error instanceof Problem || error instanceof Unreachable || error instanceof TypeError;
      if (!lost && error.name !== "AbortError") throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
  }
}

/** The data of each event; lines that are comments, or say when to come back, have none. */
async function* events(reader) {
  const decoder = new TextDecoder();
  let text = "";
  for (let read = await reader.read(); !read.done; read = await reader.read()) {
    const whole = (text + decoder.decode(read.value, { stream: true })).split("\n\n");
    text = whole.pop();
    for (const event of whole) {
      const data = /^data: (.*)$/m.exec(event)?.[1];
      if (data) yield JSON.parse(data);
    }
  }
}
