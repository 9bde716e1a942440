// Covers, and what stands in for one that is missing.

import { h } from "./dom.js";

const SIZES = [100, 200, 350, 500, 800];

/** The address of a cover at least `pixels` wide. */
export const coverUrl = (template, pixels) =>
  template.replace("{size}", SIZES.find((size) => size >= pixels) ?? SIZES.at(-1));

/** A square with the release's cover; its title's first letters on its own colour until that comes, or for good. */
export function cover({ id, title, image_url }, pixels) {
  const frame = h("span", { class: "cover" }, h("span", { class: "letters", "aria-hidden": "true" }, letters(title)));
  frame.style.setProperty("--hue", String((id * 137) % 360));
  const dense = pixels * Math.min(2, devicePixelRatio);
  const image = h("img", { alt: "", loading: "lazy", decoding: "async", width: pixels, height: pixels });
  image.addEventListener("load", () => frame.classList.add("drawn"));
  image.addEventListener("error", () => image.remove());
  image.src = coverUrl(image_url, dense);
  frame.append(image);
  return frame;
}

const letters = (title) => [...title.matchAll(/(^|\s)(\p{L}|\p{N})/gu)].slice(0, 2).map((found) => found[2]).join("");
