// Instants in the editor's own time, in UTC, and in the time of a market.

/** What a datetime-local field holds, as an instant with its offset; null where it is empty. */
export const instant = (field) => (field.value ? new Date(field.value).toISOString() : null);

const written = (at, timeZone) =>
  new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "short", timeZone }).format(at);

export const own = (text) => (text ? written(new Date(text)) : "");

/** The time zones of a country, as far as the browser knows them. */
function zonesOf(country) {
  try {
    const place = new Intl.Locale("und", { region: country });
    return place.getTimeZones?.() ?? place.timeZones ?? [];
  } catch {
    return [];
  }
}

/** What clocks show there, the westernmost and the easternmost. */
function clocks(at, zones) {
  const sortable = (timeZone) =>
    new Intl.DateTimeFormat("sv", { dateStyle: "short", timeStyle: "short", timeZone }).format(at);
  const times = new Map(zones.map((zone) => [sortable(zone), written(at, zone)]));
  const [first, ...more] = [...times.keys()].sort().map((key) => times.get(key));
  return more.length ? `${first} to ${more.at(-1)}` : first;
}

/** `24 Dec 2026, 18:00 UTC`, `24 Dec 2026, 19:00 in DE`, and so on. */
export function everywhere(text, countries) {
  const at = new Date(text);
  const there = countries.map((country) => [country, zonesOf(country)]).filter(([, zones]) => zones.length);
  return [`${written(at, "UTC")} UTC`, ...there.map(([country, zones]) => `${clocks(at, zones)} in ${country}`)];
}
