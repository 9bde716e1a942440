// The one-device rule as a listener meets it: another device took over, this one waits, and may take over in turn.

import { device, nameOf } from "./device.js";
import { $, say } from "./dom.js";
import { serverNow } from "./facts.js";
import { player } from "./player.js";
import { watchStream } from "./watch.js";

const TICK_MS = 200;

const card = $("#turn");
const title = $("#turn-title");
const detail = $(".detail", card);
const button = $("button", card);

let unwatch = null;
let block = null; // {holder, until, from, finishing}: who took over, until when this device waits, what it still plays
let ticking = 0;

export function begin() {
  player.mayFollow = () => !block || (waitFor(block), false);
  player.addEventListener("change", () => {
    if (player.state === "playing") watch();
    if (player.state === "still") rest();
  });
  player.addEventListener("refused", ({ detail: problem }) => {
    if (problem.code !== "playing_elsewhere") return;
    const until = Date.parse(problem.body.blocked_until);
    noteBlock({ holder: problem.body.holder, until, finishing: false });
  });
  button.addEventListener("click", () => {
    end();
    player.again();
  });
}

/** Nothing blocks this device any more, as far as it knows. */
export function end() {
  block = null;
  clearInterval(ticking);
  card.hidden = true;
}

function watch() {
  if (block && !block.finishing) end();
  unwatch ??= watchStream(({ client_id, holder, blocked_until }) => {
    if (client_id === device.id) end();
    else if (blocked_until) noteBlock({ holder, until: Date.parse(blocked_until), finishing: true });
  });
}

function rest() {
  unwatch?.();
  unwatch = null;
}

function noteBlock({ holder, until, finishing }) {
  block = { holder: nameOf(holder), until, finishing, from: block?.until === until ? block.from : serverNow() };
  if (!finishing) waitFor(block);
  else {
    say(`${block.holder} has taken over. This track may finish here.`);
    show();
  }
}

/** The track is over: from here on this device really waits. */
function waitFor(blocked) {
  blocked.finishing = false;
  say(`${blocked.holder} is playing. This device may play again in ${left()} seconds.`);
  show();
}

const left = () => Math.max(0, Math.ceil((block.until - serverNow()) / 1000));

function show() {
  card.hidden = false;
  clearInterval(ticking);
  ticking = setInterval(tick, TICK_MS);
  tick();
}

function tick() {
  const seconds = left();
  const whole = Math.max(1, block.until - block.from);
  card.classList.toggle("over", seconds === 0);
  card.style.setProperty("--rest", String(Math.min(1, Math.max(0, block.until - serverNow()) / whole)));
  $(".seconds", card).textContent = seconds || "";
  title.textContent = seconds || block.finishing ? `Playing on ${block.holder}` : "You may play here again";
  detail.textContent = words(seconds);
  if (button.hidden && !seconds && !block.finishing) say("This device may play again. Play here?");
  button.hidden = seconds > 0;
  if (!seconds) clearInterval(ticking);
}

function words(seconds) {
  if (block.finishing) return "One device streams at a time. This track may finish here; then this one waits.";
  if (seconds) return `One device streams at a time. This one may take over again in ${seconds} s.`;
  return `${block.holder} will finish its track, and then wait in its turn.`;
}
