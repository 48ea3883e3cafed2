// npm web-push at its best: node web_push_peer.js SUBSCRIPTIONS PLAINTEXT_BYTES AT_ONCE CA_FILE
//
// One https.Agent with keep-alive, the VAPID keys made once, AT_ONCE messages at a time. Prints one line of JSON: how
// many, in how many seconds, from the first message to the last answer.

'use strict';

const fs = require('node:fs');
const https = require('node:https');
const webPush = require('web-push');

const [subscriptionsFile, size, atOnce, caFile] = process.argv.slice(2);

const subscriptions = fs
  .readFileSync(subscriptionsFile, 'utf8')
  .trim()
  .split('\n')
  .map((line) => JSON.parse(line));
const text = 'x'.repeat(Number(size));
const keys = webPush.generateVAPIDKeys();
const options = {
  TTL: 86400,
  urgency: 'high',
  topic: '0123456789abcdef0123456789abcdef',
  vapidDetails: { subject: 'mailto:bench@comune.example.it', ...keys },
  agent: new https.Agent({ keepAlive: true, maxSockets: Number(atOnce), ca: fs.readFileSync(caFile) }),
};

let next = 0;

async function sender() {
  while (next < subscriptions.length) {
    const answer = await webPush.sendNotification(subscriptions[next++], text, options);
    if (answer.statusCode !== 201) throw new Error(`status ${answer.statusCode}`);
  }
}

async function main() {
  const began = process.hrtime.bigint();
  const before = process.cpuUsage();
  await Promise.all(Array.from({ length: Number(atOnce) }, sender));
  const seconds = Number(process.hrtime.bigint() - began) / 1e9;
  const used = process.cpuUsage(before);
  const cpu = (used.user + used.system) / 1e6;
  console.log(JSON.stringify({ count: subscriptions.length, seconds, cpu }));
  options.agent.destroy();
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
