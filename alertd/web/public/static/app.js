"use strict";
// Subscribes this device to notifications with the choices of the form, and stops them again.

const form = document.getElementById("form");
const start = document.getElementById("push");
const stop = document.getElementById("push-stop");
const says = document.getElementById("push-says");
const LEAVE = "unsubscribe";

if ("serviceWorker" in navigator && "PushManager" in window && "Notification" in window) {
  document.getElementById("push-none").hidden = true;
  document.getElementById("push-buttons").hidden = false;
  start.addEventListener("click", () => guarded(subscribe));
  stop.addEventListener("click", () => guarded(unsubscribe));
  navigator.serviceWorker.register("/sw.js").then(showStop, () => say("failed"));
}

function say(what) {
  says.textContent = says.dataset[what];
}

async function guarded(act) {
  start.disabled = stop.disabled = true;
  try {
    await act();
  } catch (error) {
    say(Notification.permission === "denied" ? "denied" : "failed");
  }
  start.disabled = stop.disabled = false;
}

async function showStop() {
  const registration = await navigator.serviceWorker.ready;
  const subscription = await registration.pushManager.getSubscription();
  stop.hidden = !(subscription && localStorage.getItem(LEAVE));
}

function choices() {
  const data = new FormData(form);
  return {
    language: data.get("language"),
    min_severity: data.get("min_severity"),
    zones: data.getAll("zones").includes("*") ? ["*"] : data.getAll("zones"),
    purposes: data.getAll("purposes"),
  };
}

async function subscribe() {
  const wanted = choices();
  if (!wanted.zones.length || !wanted.purposes.length) {
    say("choose");
    return;
  }
  const registration = await navigator.serviceWorker.ready;
  const subscription = await subscribed(registration.pushManager);
  const answer = await post("/subscribe", "application/json", JSON.stringify({ ...wanted, subscription: subscription.toJSON() }));
  localStorage.setItem(LEAVE, (await answer.json()).unsubscribe);
  stop.hidden = false;
  say("done");
}

async function subscribed(manager) {
  const options = { userVisibleOnly: true, applicationServerKey: start.dataset.key };
  try {
    return await manager.subscribe(options);
  } catch (error) {
    if (error.name !== "InvalidStateError") throw error;
    await (await manager.getSubscription()).unsubscribe(); // made with an older key of the server
    return manager.subscribe(options);
  }
}

async function unsubscribe() {
  const leave = localStorage.getItem(LEAVE);
  if (leave) await post(leave, "application/x-www-form-urlencoded", "");
  const registration = await navigator.serviceWorker.ready;
  const subscription = await registration.pushManager.getSubscription();
  if (subscription) await subscription.unsubscribe();
  localStorage.removeItem(LEAVE);
  stop.hidden = true;
  say("stopped");
}

async function post(url, type, body) {
  const answer = await fetch(url, { method: "POST", headers: { "Content-Type": type }, body });
  if (!answer.ok) throw new Error(String(answer.status));
  return answer;
}
