// Questions to the catalogue.

import { call } from "./api.js";

const at = (path, query) => `/api/v1/catalogue/${path}?${new URLSearchParams(query)}`;

export const newest = (signal) => call("GET", at("releases", { order: "-release_date", limit: 48 }), { signal });

export const release = (id, signal) => call("GET", `/api/v1/catalogue/releases/${id}`, { signal });

/** Every rule that was asked about a track. */
export const rules = (id) => call("GET", `/api/v1/catalogue/tracks/${id}/availability`);

/** Releases and tracks that match. */
export async function search(q, signal) {
  const [releases, tracks] = await Promise.all([
    call("GET", at("search", { q, type: "release", limit: 12 }), { signal }),
    call("GET", at("search", { q, type: "track", limit: 30 }), { signal }),
  ]);
  return { releases: releases.results, tracks: tracks.results };
}
