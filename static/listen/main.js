// The page as a whole: who is signed in, and what that opens.

import { call, Problem, Unreachable } from "./api.js";
import * as controls from "./controls.js";
import { device, rename, settle } from "./device.js";
import { $, h, say } from "./dom.js";
import { learn } from "./facts.js";
import * as media from "./media.js";
import { player } from "./player.js";
import { belongTo, flush, onPlays } from "./plays.js";
import { demoLogin, forget, onSignedOut, resume, signIn, signOut } from "./session.js";
import * as shelf from "./shelf.js";
import * as turn from "./turn.js";
import { count, titled, unplayable } from "./words.js";

const TOLD_MS = 400;
const TOLD_TIMES = 25;

const door = $("#door");
const form = $("#sign-in");
const name = $("#device-name");

async function begin() {
  for (const room of [controls, media, shelf, turn]) room.begin();
  onSignedOut(close);
  onPlays(showPlays);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    enter(() => signIn(form.email.value, form.password.value));
  });
  $("#demo")?.addEventListener("click", () => enter(enterAsDemo));
  $("#sign-out").addEventListener("click", leave);
  name.addEventListener("change", baptise);
  player.addEventListener("refused", ({ detail }) => explain(detail));
  for (const type of ["online", "offline"]) addEventListener(type, showLine);
  addEventListener("pagehide", () => player.track && player.state !== "still" && player.stop({ leaving: true }));
  showLine();
  if (!(await settle())) forget();
  name.value = device.name;
  if (await resume()) await enter();
  else close();
}

async function enterAsDemo() {
  const login = await demoLogin();
  form.email.value = login.email;
  form.password.value = login.password;
  await signIn(login.email, login.password);
}

/** Come in, by signing in first where need be; what is wrong stands in the form. */
async function enter(signingIn = async () => {}) {
  const fault = $(".fault", form);
  fault.textContent = "";
  form.inert = true;
  try {
    await signingIn();
    await open();
  } catch (error) {
    if (!(error instanceof Problem || error instanceof Unreachable)) throw error;
    close();
    fault.textContent = error.message;
  } finally {
    form.inert = false;
  }
}

async function open() {
  const [me] = await Promise.all([call("GET", "/api/v1/me"), learn()]);
  show({ signedIn: true });
  form.reset();
  belongTo(me.id);
  await Promise.all([shelf.open(), subscribed()]);
}

/** Say so where nothing can be played, and wait a moment for the platform to hear of a new subscription. */
async function subscribed() {
  for (let time = 0; time < TOLD_TIMES; time++) {
    try {
      const { platform } = await call("GET", "/api/v1/subscription");
      if (platform.state !== "PENDING") return;
    } catch (error) {
      if (error.code === "no_subscription") return announce("You have no subscription, so nothing will play.");
      if (!(error instanceof Unreachable || error instanceof Problem)) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, TOLD_MS));
  }
}

async function baptise() {
  try {
    await rename(name.value);
  } catch (error) {
    if (!(error instanceof Problem || error instanceof Unreachable)) throw error;
    announce(`The name is not known to your other devices: ${error.message}`);
  }
  name.value = device.name;
}

async function leave() {
  await player.stop();
  await flush();
  await signOut();
}

function close() {
  player.tracks = [];
  turn.end();
  belongTo("");
  show({ signedIn: false });
  $("input", form).focus();
}

function show({ signedIn }) {
  door.hidden = signedIn;
  document.querySelectorAll(".signed-in").forEach((part) => (part.hidden = !signedIn));
}

/** Why a track did not start. Turns have a room of their own. */
function explain(error) {
  if (error.code === "playing_elsewhere") return;
  const reason = error.code === "track_unavailable" ? unplayable(error.body.reason) : error.message;
  announce(player.track ? `${titled(player.track)}: ${reason}` : reason);
}

let hush = 0;

function announce(text) {
  $(".notice")?.remove();
  clearTimeout(hush);
  const notice = h("p", { class: "notice" }, text);
  document.body.append(notice);
  hush = setTimeout(() => notice.remove(), 8000);
  say(text);
}

function showPlays({ waiting, reported, rejected }) {
  const parts = [`${waiting ? count(waiting, "play waits", "plays wait") : "None waits"} to be reported.`];
  if (reported) parts.push(`${count(reported, "play")} reported.`);
  const refused = rejected.map(({ code, detail }) => h("li", {}, `Refused (${code}): ${detail}`));
  $("#plays").replaceChildren(parts.join(" "), ...(refused.length ? [h("ul", {}, refused)] : []));
}

function showLine() {
  $("#line").textContent = navigator.onLine ? "online" : "offline";
  $("#line").classList.toggle("away", !navigator.onLine);
}

await begin();
