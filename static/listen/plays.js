// Plays on their way to the service. Each has a place of its own in localStorage from the moment it starts, so that
// neither a lost line nor a closed tab loses it, and tabs do not write over each other.

import { call, Problem, Unreachable } from "./api.js";
import { device, present } from "./device.js";
import { playsPerRequest, serverNow } from "./facts.js";

const PREFIX = "tonearm.play.";
const RETRY_MS = 15_000;

let account = "";
let sending = null;
let timer = 0;
let changed = () => {};

const tally = { reported: 0, rejected: [] };

/** Plays belong to one account; what another has left here waits for that one. */
export async function belongTo(accountId) {
  account = accountId;
  Object.assign(tally, { reported: 0, rejected: [] });
  if (!account) return;
  await closeForsaken();
  flush();
}

/** `told({waiting, reported, rejected})` is called whenever one of them changes. */
export function onPlays(told) {
  changed = told;
}

/** A track starts: store its play. The play's id. */
export function openPlay({ track, formatId, from }) {
  const play = {
    play_id: crypto.randomUUID(),
    track_id: track.id,
    release_id: track.release.id,
    format_id: formatId,
    played_at: new Date(serverNow()).toISOString(),
    seconds_played: 0,
    mode: "online",
    user_agent: `Tonearm web player 1.0; ${navigator.userAgent}`,
    ...from,
  };
  write(play, { open: true });
  return play.play_id;
}

/** Plays that were open when their tab, or this one before it was loaded again, came to an end. */
async function closeForsaken() {
  const others = (await present()).filter((id) => id !== device.id);
  for (const kept of all().filter((each) => each.open && !others.includes(each.by))) write(kept.play, { open: false });
}

/** So much of it has been heard by now. */
export function notePlay(playId, seconds) {
  const kept = read(key(playId));
  if (kept) write({ ...kept.play, seconds_played: Math.round(seconds) }, { open: true });
}

/** It is over: report it. */
export function closePlay(playId, seconds) {
  const kept = read(key(playId));
  if (kept) write({ ...kept.play, seconds_played: Math.round(seconds) }, { open: false });
  tell();
  flush();
}

/** Report what waits, unless that is under way. */
export function flush() {
  if (!account) return null;
  sending ??= sendAll().finally(() => (sending = null));
  return sending;
}

async function sendAll() {
  clearTimeout(timer);
  try {
    for (let batch = nextBatch(); batch.length && account; batch = nextBatch()) settle(batch, await report(batch));
  } catch (error) {
    if (!(error instanceof Problem || error instanceof Unreachable)) throw error;
    timer = setTimeout(flush, (error.retryAfter ?? 0) * 1000 || RETRY_MS);
  }
  tell();
}

const report = (plays) => call("POST", "/api/v1/plays", { body: { plays } });

/** Every play of the batch has its verdict: taken, known, or refused for ever. */
function settle(batch, { accepted, duplicates, rejected }) {
  for (const play of batch) localStorage.removeItem(key(play.play_id));
  tally.reported += accepted + duplicates;
  tally.rejected.push(...rejected);
  tell();
}

function nextBatch() {
  return waiting().sort((one, other) => (one.played_at < other.played_at ? -1 : 1)).slice(0, playsPerRequest());
}

const all = () => Object.keys(localStorage).filter((name) => name.startsWith(`${PREFIX}${account}.`)).map(read);
const waiting = () => all().filter((kept) => kept && !kept.open).map((kept) => kept.play);
const tell = () => changed({ waiting: account ? waiting().length : 0, ...tally });
const key = (playId) => `${PREFIX}${account}.${playId}`;
const read = (name) => JSON.parse(localStorage.getItem(name));
const write = (play, { open }) =>
  localStorage.setItem(key(play.play_id), JSON.stringify({ play, open, by: device.id }));

addEventListener("online", flush);
