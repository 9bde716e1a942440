// Calls of the service, each noted in the panel. The access token is kept here, in memory, and nowhere else.

import { note } from "./happened.js";

/** A refusal: `status`, the stable `code`, and the whole problem document in `body`. */
export class Problem extends Error {
  constructor(response, body) {
    super(body.detail ?? body.errors?.[0]?.message ?? `status ${response.status}`);
    this.status = response.status;
    this.code = body.code ?? "";
    this.body = body;
    this.retryAfter = Number(response.headers.get("Retry-After")) || 0;
  }
}

/** The service cannot be reached. */
export class Unreachable extends Error {}

let access = null;
let renew = async () => false;

export function setAccess(token) {
  access = token;
}

/** Who gets a new access token when one has run out; it answers whether there is one. */
export function onExpiry(renewing) {
  renew = renewing;
}

/** The answer's JSON, null where it has no body. Throws Problem, Unreachable, or AbortError where `signal` says so. */
export async function call(method, path, options = {}) {
  return json(await open(method, path, options));
}

/** The answer itself, once it is a good one. Throws as `call` does. */
export async function open(method, path, options = {}) {
  const used = access;
  let response = await send(method, path, options);
  if (response.status === 401 && used && (access !== used || (await renew()))) {
    response = await send(method, path, options); // by another's new token, or by our own
  }
  if (!response.ok) throw new Problem(response, (await json(response)) ?? {});
  return response;
}

/** One request as it is, for those who read statuses themselves. Throws Unreachable and AbortError. */
export async function send(method, path, { body, signal, keepalive, anonymous } = {}) {
  const headers = { Accept: "application/json" };
  if (access && !anonymous) headers.Authorization = `Bearer ${access}`;
  if (body !== undefined) headers["Content-Type"] = "application/json";
  const began = performance.now();
  try {
    const response = await fetch(path, {
      method, headers, signal, keepalive, credentials: "omit", cache: "no-cache",
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    note(method, path, response.status, performance.now() - began);
    return response;
  } catch (error) {
    if (error.name === "AbortError") throw error;
    note(method, path, 0, performance.now() - began);
    throw new Unreachable("The service cannot be reached");
  }
}

/** A body as JSON, null where it is none. */
export async function json(response) {
  try {
    return await response.json();
  } catch (error) {
    if (error.name === "AbortError") throw error;
    return null;
  }
}
