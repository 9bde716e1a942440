// The page of a rule: what it would choose, while it is filled in.

import { $, h } from "../../listen/dom.js";

const PATIENCE = 400; // milliseconds after the last key
const form = $("#rule_form");
const list = $("#preview");
const told = $("#preview-count");
let asked = 0;
let timer;

function query() {
  const given = new FormData(form);
  given.delete("csrfmiddlewaretoken"); // which is no business of an address
  return new URLSearchParams(given);
}

const named = ({ title, version, artist }) => `${version ? `${title} (${version})` : title} – ${artist}`;

function show({ refused, count, wanted, tracks }) {
  list.replaceChildren(...(tracks ?? []).map((track) => h("li", {}, named(track))));
  if (refused) told.textContent = refused.join(" ");
  else if (!count) told.textContent = "No track.";
  else {
    const word = count === 1 ? "track" : "tracks";
    const all = count < wanted ? ", all there are" : "";
    const first = count > tracks.length ? `; the first ${tracks.length}:` : ":";
    told.textContent = `${count} ${word}${all}${first}`;
  }
}

async function look() {
  const number = ++asked;
  told.textContent = "Looking …";
  try {
    const response = await fetch(`${list.dataset.url}?${query()}`);
    if (!response.ok) throw new Error(`status ${response.status}`);
    const answer = await response.json();
    if (number === asked) show(answer); // an older answer may come later
  } catch (error) {
    if (number === asked) show({ refused: [`It cannot be looked at now (${error.message}).`] });
  }
}

if (form) {
  form.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(look, PATIENCE);
  });
  form.addEventListener("change", look);
  look();
}
