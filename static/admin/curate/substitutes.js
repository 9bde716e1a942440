// What may stand in for a track that cannot be heard in all of the markets, and putting it in its place.

import { $, h } from "../../listen/dom.js";
import { ask } from "./calls.js";
import { minutes, openIn, titled, told } from "./lines.js";

/** What opens the dialog for a line; `choose` gets that line, and the one that is to come in its place. */
export function substituting({ markets, choose }) {
  const dialog = $("#substitutes");
  const found = $("#substitutes-found");

  function row(line, { line: facts, release, reasons }) {
    const other = { ...told(facts), item: line.item };
    const click = () => {
      dialog.close();
      choose(line, other);
    };
    const name = `Swap in ${titled(other)} of ${release}`;
    return h("tr", {}, h("td", {}, h("span", { class: "title" }, titled(other)), h("small", {}, ` ${other.artist}`)),
      h("td", {}, release), h("td", {}, minutes(other.seconds)), h("td", {}, reasons.join(", ")),
      h("td", {}, openIn(other, markets())),
      h("td", {}, h("button", { type: "button", class: "main", "aria-label": name, click }, "Swap")));
  }

  function show(line, substitutes) {
    const where = h("span", { class: "marks" }, ...markets().map((market) => h("span", {}, market)));
    const unseen = h("span", { class: "unseen" }, "Swap");
    const heads = ["Instead", "Release", "Length", "Why", where, unseen].map((head) => h("th", {}, head));
    const rows = substitutes.map((each) => row(line, each));
    const nothing = "Nothing on the shelves is the same recording, or has the same title and artist.";
    found.replaceChildren(rows.length
      ? h("table", {}, h("thead", {}, h("tr", {}, ...heads)), h("tbody", {}, ...rows))
      : h("p", {}, nothing));
    $("button.main", found)?.focus();
  }

  return async (line) => {
    $("#substitutes-title").textContent = `Instead of ${titled(line)}`;
    found.replaceChildren(h("p", {}, "Looking …"));
    dialog.showModal();
    try {
      show(line, (await ask("substitutes", { track: line.track, markets: markets().join(",") })).substitutes);
    } catch (error) {
      found.replaceChildren(h("p", { class: "refused", role: "alert" }, error.message));
    }
  };
}
