// Calls of the service. Changes go one after the other, each upon the version that the last one made.

const base = () => document.querySelector("#curate").dataset.base;
const token = () => document.querySelector("[name=csrfmiddlewaretoken]").value;

/** A refusal: `status`, and the problem document in `body`. */
export class Problem extends Error {
  constructor(status, body) {
    const fault = body.errors?.[0];
    super(fault ? `${fault.pointer.slice(1)}: ${fault.detail}` : (body.detail ?? `status ${status}`));
    this.status = status;
    this.body = body;
  }
}

let version = 0;
let line = Promise.resolve();
let waiting = 0;
let noted = () => {};

export const known = () => version;
export const busy = () => waiting > 0;

export function begin(from) {
  version = from;
}

/** Who hears "saving", "saved", or a Problem, whenever a change is made. */
export function onSaving(hear) {
  noted = hear;
}

export async function ask(path, query = {}, options = {}) {
  const given = new URLSearchParams(Object.entries(query).filter(([, value]) => value !== "" && value != null));
  const response = await fetch(`${base()}${path}?${given}`, {
    ...options,
    headers: { Accept: "application/json", "X-CSRFToken": token(), ...options.headers },
  });
  const body = await response.json().catch(() => ({}));
  if (!response.ok) throw new Problem(response.status, body);
  return body;
}

export const send = (path, body, query) =>
  ask(path, query, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });

/** One change, once those before it are through; its answer. Throws Problem: 412 where somebody else was quicker. */
export function change(what, query) {
  return queue(() => send("change", { ...what, version }, query));
}

export const upload = (file) => queue(() => ask("cover", { version }, { method: "PUT", body: file }));

function queue(call) {
  waiting += 1;
  noted("saving");
  const turn = line.then(call);
  line = turn.then(
    (answer) => { version = answer.version; },
    () => {},
  );
  const done = () => { waiting -= 1; };
  return turn.then(
    (answer) => { done(); noted(waiting ? "saving" : "saved", answer); return answer; },
    (error) => { done(); noted(error); throw error; },
  );
}
