"use strict";
// Shows what is pushed: title, body, link. A message with a known tag replaces the earlier one of that tag.

self.addEventListener("install", () => self.skipWaiting());
self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));
self.addEventListener("push", (event) => event.waitUntil(show(read(event.data))));
self.addEventListener("notificationclick", (event) => {
  event.notification.close();
  event.waitUntil(self.clients.openWindow(event.notification.data.url));
});

function read(data) {
  try {
    return (data && data.json()) || {};
  } catch {
    return {};
  }
}

async function show(message) {
  const tag = typeof message.tag === "string" ? message.tag : "";
  const shown = tag ? (await self.registration.getNotifications({ tag }))[0] : undefined;
  // A push service may bring an older message after a newer one: the newer stays.
  const late = Boolean(shown && shown.data && sentAt(message) < shown.data.sent);
  const [title, options] = late ? [shown.title, again(shown)] : [titleOf(message), optionsOf(message, tag)];
  if (shown && shown.data && message.id && shown.data.id === message.id) {
    options.renotify = false;
  }
  await self.registration.showNotification(title, options);
}

function titleOf(message) {
  return message.title || self.location.hostname;
}

function optionsOf(message, tag) {
  return {
    body: message.body || "",
    lang: message.lang || "",
    tag,
    renotify: Boolean(tag && message.renotify),
    requireInteraction: message.purpose === "emergency" && !message.drill,
    icon: "/icon.svg",
    data: { url: message.url || "/", id: message.id || "", sent: sentAt(message) },
  };
}

function again(shown) {
  const { body, lang, tag, requireInteraction, icon, data } = shown;
  return { body, lang, tag, requireInteraction, icon, data, renotify: false };
}

function sentAt(message) {
  return Date.parse(message.sent || "") || 0;
}
