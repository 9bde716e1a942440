// From draft to listeners: what is worth knowing, proposing, publishing, and what was published before.

import { $, h } from "../../listen/dom.js";
import { ask, change } from "./calls.js";
import { pick } from "./lines.js";
import { everywhere, instant, own } from "./times.js";

const STATES = { DRAFT: "Draft", SCHEDULED: "Scheduled", LIVE: "Live", EXPIRED: "Expired" };
const NAMED = 200; // tracks that a comparison names

const badge = (text, kind) => h("b", { class: `state ${kind}` }, text);
const refusal = (error) => h("p", { class: "refused", role: "alert" }, error.message);

// --- What is worth knowing ----------------------------------------------------------------------

function notice({ kind, detail, item_ids: ids }) {
  const click = () => {
    document.querySelector("dialog[open]")?.close();
    pick(ids);
  };
  const leading = h("button", { type: "button", click }, "Pick them");
  return h("li", { class: kind === "GONE" ? "grave" : null }, detail, " ", leading);
}

/** The notices, on the page and in the dialogs, each leading to its tracks. */
export function notices(worth) {
  const list = () => h("ul", {}, ...worth.map(notice));
  const nothing = h("p", {}, "Nothing: every track can be played in all of these markets.");
  $("#notices").replaceChildren(h("h2", {}, "Worth knowing"), worth.length ? list() : nothing);
  for (const box of document.querySelectorAll(".worth")) box.replaceChildren(list());
}

/** What listeners have of it, and what is to become of the draft. */
export function standing({ state, live, waiting, proposed, changed }) {
  const parts = [badge(STATES[state], state.toLowerCase())];
  if (live) parts.push(`revision ${live.number} since ${own(live.live_from)}`);
  if (live?.live_until) parts.push(`until ${own(live.live_until)}`);
  if (waiting) parts.push(badge("Next", "scheduled"), `revision ${waiting.number} from ${own(waiting.live_from)}`);
  const asked = proposed && [proposed.by, proposed.note].filter(Boolean).join(": ");
  if (proposed) parts.push(badge("Proposed", "proposed"), `by ${asked}`);
  else if (changed && (live || waiting)) parts.push("the draft has changes that are not published");
  $("#standing").replaceChildren(...parts.flatMap((part) => [part, " "]));
  $("#end").disabled = !live && !waiting;
}

// --- Publishing ---------------------------------------------------------------------------------

/** Do something that may be refused: then the dialog stays open and says why, else it closes. */
async function attempt(dialog, act) {
  $(".refused", dialog)?.remove();
  try {
    await act();
    dialog.close();
  } catch (error) {
    dialog.append(refusal(error));
  }
}

function acting(dialog, act) {
  const form = $("form", dialog);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    attempt(dialog, async () => {
      await act(form.elements);
      form.reset();
    });
  });
}

function clocks(word, field, countries) {
  if (!field.value) return null;
  const lines = everywhere(instant(field), countries).map((clock) => h("li", {}, clock));
  return h("section", {}, h("h3", {}, word), h("ul", {}, ...lines));
}

export function publishing({ markets }) {
  const dialog = $("#publish");
  const { from, until } = $("form", dialog).elements;
  acting($("#propose"), ({ note }) => change({ do: "propose", note: note.value }));
  acting(dialog, ({ note }) =>
    change({ do: "publish", publish_at: instant(from), expires_at: instant(until), note: note.value }));
  dialog.addEventListener("input", () => {
    const told = [clocks("From", from, markets()), clocks("Until", until, markets())];
    $("#zones").replaceChildren(...told.filter(Boolean));
  });
  $("#end").addEventListener("click", () => {
    if (confirm("Take this playlist from listeners now?")) attempt(dialog, () => change({ do: "end" }));
  });
}

// --- What was published -------------------------------------------------------------------------

function chapter(title, names) {
  if (!names.length) return null;
  return h("section", {}, h("h3", {}, `${title}: ${names.length}`),
    h("ul", {}, ...names.slice(0, NAMED).map((name) => h("li", {}, name))),
    names.length > NAMED ? h("p", {}, `and ${names.length - NAMED} more`) : null);
}

async function compare(number) {
  const { added, removed, moved, swapped, facts } = await ask("history", { number });
  const written = (value) => [value].flat().join(", ") || "–";
  const parts = [
    chapter("Added since", added), chapter("Removed since", removed), chapter("Moved since", moved),
    chapter("Swapped since", swapped),
    ...facts.map(({ name, was, is }) => h("p", {}, `${name}: ${written(was)} → ${written(is)}`)),
  ].filter(Boolean);
  if (!parts.length) parts.push(h("p", {}, "Nothing is different."));
  $("#comparison").replaceChildren(h("h3", {}, `The draft against revision ${number}`), ...parts);
}

function button(word, number, click) {
  return h("button", { type: "button", "aria-label": `${word} revision ${number}`, click }, word.split(" ")[0]);
}

/** What the history does when it is opened; `restored` is called when a revision has become the draft. */
export function history({ restored, may }) {
  const restore = (number) =>
    attempt($("#history"), () => change({ do: "restore", number }).then(restored));

  function row({ number, live_from: from, ...each }) {
    const live = from ? `${own(from)} – ${own(each.live_until)}` : "withdrawn";
    const published = `${own(each.published_at)} by ${each.published_by}`;
    const cells = [String(number), each.name, String(each.track_count), published, live, each.note];
    const buttons = [button("Compare with", number, () => compare(number))];
    if (may) buttons.push(button("Restore", number, () => restore(number)));
    return h("tr", {}, ...cells.map((text) => h("td", {}, text)), h("td", {}, ...buttons));
  }

  return async () => {
    $("#comparison").replaceChildren();
    const { revisions } = await ask("history");
    const heads = ["No.", "Name", "Tracks", "Published", "Live", "Note", ""].map((text) => h("th", {}, text));
    const table = h("table", {}, h("thead", {}, h("tr", {}, ...heads)), h("tbody", {}, ...revisions.map(row)));
    $("#revisions").replaceChildren(revisions.length ? table : h("p", {}, "Nothing yet."));
  };
}

// --- What they would get --------------------------------------------------------------------------

function seen({ name, number, description, tracks }) {
  const lines = tracks.map(({ title, artist, reason }) =>
    h("li", { class: reason ? "closed" : null }, `${title} – ${artist}`, reason ? h("em", {}, ` ${reason}`) : null));
  return [h("h3", {}, number ? `${name} (revision ${number})` : name), h("p", {}, description), h("ol", {}, ...lines)];
}

function unseen({ against }) {
  return [h("h3", {}, "They do not get it"), h("ul", {}, ...against.map((text) => h("li", {}, text)))];
}

/** What the preview does when it is opened. */
export function previewing({ markets }) {
  const form = $("#preview-form");
  const { of, country, plan, locale, at } = form.elements;

  async function look() {
    const query = { of: of.value, country: country.value, plan: plan.value, locale: locale.value, at: instant(at) };
    try {
      const got = await ask("preview", query);
      $("#previewed").replaceChildren(...(got.seen ? seen(got) : unseen(got)));
    } catch (error) {
      $("#previewed").replaceChildren(refusal(error));
    }
  }

  $("#look").addEventListener("click", look);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    look();
  });
  return () => {
    country.value ||= markets()[0];
    look();
  };
}
