// Each tab is a device: an id for the life of the tab, and a name that may be changed.

import { call, Problem, Unreachable } from "./api.js";

const ID = "tonearm.device";
const NAME = "tonearm.device.name";
const PREFIX = "listen-";

export const device = { id: "", name: "" };

let register = true; // until the service says that it keeps no devices

/** Find out which device this tab is; false where it was copied from another tab and became a new one. */
export async function settle() {
  const known = sessionStorage.getItem(ID);
  const own = known !== null && (await hold(known));
  if (own) {
    device.id = known;
    device.name = sessionStorage.getItem(NAME);
  } else {
    device.id = PREFIX + crypto.randomUUID();
    device.name = firstName(device.id);
    await hold(device.id);
  }
  sessionStorage.setItem(ID, device.id);
  sessionStorage.setItem(NAME, device.name);
  return own || known === null;
}

/** Hold the id for as long as the tab lives; false when another tab holds it. */
function hold(id) {
  return new Promise((resolve) => {
    navigator.locks.request(id, { ifAvailable: true }, (lock) => {
      resolve(lock !== null);
      return lock && new Promise(() => {});
    });
  });
}

/** The ids of the devices that are tabs of this browser now. */
export async function present() {
  return (await navigator.locks.query()).held.map((lock) => lock.name);
}

/** Let the device be called `name`, here and at the service. */
export async function rename(name) {
  device.name = name.trim() || device.name;
  sessionStorage.setItem(NAME, device.name);
  await makeKnown();
}

/** Tell the service what this device is called. It plays without that, too. */
export async function makeKnown() {
  if (!register) return;
  try {
    await call("PUT", path(), { body: { name: device.name, model: "Web player", app_version: "1.0" } });
  } catch (error) {
    if (!(error instanceof Problem || error instanceof Unreachable)) throw error;
    register = error.status !== 404;
  }
}

/** What a device is called that is known by its id, or by its name already. */
export async function nameOf(holder) {
  if (!register) return firstName(holder);
  try {
    const { results } = await call("GET", "/api/v1/devices");
    return results.find((each) => each.client_id === holder)?.name || firstName(holder);
  } catch (error) {
    if (error instanceof Problem || error instanceof Unreachable) return firstName(holder);
    throw error;
  }
}

/** What a tab is called until somebody gives it a name; other apps' devices go by their own ids. */
const firstName = (id) => (id.startsWith(PREFIX) ? `Tab ${id.slice(-4).toUpperCase()}` : id || "another device");

const path = () => `/api/v1/devices/${encodeURIComponent(device.id)}`;
