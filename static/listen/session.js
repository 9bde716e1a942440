// Signing in and out. The refresh token lives as long as the tab; it is shown once, and one at a time.

import { call, json, onExpiry, Problem, send, setAccess, Unreachable } from "./api.js";

const AUTH = "/_allauth/app/v1";
const REFRESH = "tonearm.refresh";

let renewing = null;
let signedOut = () => {};

onExpiry(renew);

/** What to do when the session is over, whoever ended it. */
export function onSignedOut(then) {
  signedOut = then;
}

/** Sign in; throws a Problem that says why not. */
export async function signIn(email, password) {
  const response = await send("POST", `${AUTH}/auth/login`, { body: { email, password }, anonymous: true });
  const body = (await json(response)) ?? {};
  const pending = body.data?.flows?.find((flow) => flow.is_pending);
  if (pending) throw new Problem(response, { detail: "Confirm your e-mail address first: a link is on its way." });
  if (!response.ok) throw new Problem(response, body);
  keep(body.meta);
}

/** The demo listener's login, where the service has one. */
export const demoLogin = () => call("POST", "/listen/demo");

/** Go on where the tab was before it was loaded again; whether that worked. */
export const resume = async () => sessionStorage.getItem(REFRESH) !== null && renew();

/** A new pair of tokens for the old one; whether there is one. Callers at the same time share it. */
export function renew() {
  renewing ??= exchange().finally(() => (renewing = null));
  return renewing;
}

async function exchange() {
  const token = sessionStorage.getItem(REFRESH);
  if (!token) return false;
  let response;
  try {
    response = await send("POST", `${AUTH}/tokens/refresh`, { body: { refresh_token: token }, anonymous: true });
  } catch (error) {
    if (error instanceof Unreachable) return false;
    throw error;
  }
  if (response.ok) keep((await json(response)).data);
  else if (response.status < 429) leave();
  return response.ok;
}

/** End the session here and at the service, which wants a token for that which has not run out. */
export async function signOut() {
  try {
    if (await renew()) await send("DELETE", `${AUTH}/auth/session`);
  } catch (error) {
    if (!(error instanceof Unreachable)) throw error;
  }
  leave();
}

/** A tab that was copied holds the other tab's token, which must not be shown twice. */
export function forget() {
  sessionStorage.removeItem(REFRESH);
}

function keep({ access_token, refresh_token }) {
  setAccess(access_token);
  if (refresh_token) sessionStorage.setItem(REFRESH, refresh_token);
}

function leave() {
  setAccess(null);
  forget();
  signedOut();
}
