// Each tab is a device: an id for the life of the tab, and a name that may be changed.

import { call } from "./api.js";

const ID = "tonearm.device";
const NAME = "tonearm.device.name";
const PREFIX = "listen-";

export const device = { id: "", name: "" };

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

/** Let the device be called `name`, here and at the service, where it counts as one of the listener's new devices. */
export async function rename(name) {
  const body = { name: name.trim() || firstName(device.id), model: "Web player", app_version: "1.0" };
  await call("PUT", `/api/v1/devices/${encodeURIComponent(device.id)}`, { body });
  device.name = body.name;
  sessionStorage.setItem(NAME, device.name);
}

/** What a device is called of which we know the name or, where it has none, the id. */
export const nameOf = (holder) => (holder?.startsWith(PREFIX) ? firstName(holder) : holder || "another device");

const firstName = (id) => `Tab ${id.slice(-4).toUpperCase()}`;
