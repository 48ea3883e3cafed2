// `node nodemailer_peer.js JOB`; JOB is JSON: port, warm_up, count, connections, from, subject, text, html.
// Sends `warm_up` and then `count` mails through nodemailer's pool, one recipient each; prints {"seconds"} for `count`.
// As its documentation does it: one pooled transport, one sendMail per recipient; the connections are open and the
// code is warm before the clock starts.
"use strict";

const nodemailer = require("nodemailer");

async function main() {
  const job = JSON.parse(process.argv[2]);
  const transport = nodemailer.createTransport({
    pool: true,
    host: "127.0.0.1",
    port: job.port,
    secure: false,
    ignoreTLS: true,
    maxConnections: job.connections,
    maxMessages: Infinity,
  });

  const sendAll = async (from, to) => {
    let next = from;
    const sendOneByOne = async () => {
      while (next < to) {
        const number = next++;
        const unsubscribe = `https://allerta.comune.example.it/u/${number}`;
        await transport.sendMail({
          from: job.from,
          to: `citizen${number}@example.org`,
          subject: job.subject,
          text: job.text,
          html: job.html,
          headers: { "Auto-Submitted": "auto-generated", "Content-Language": "it" },
          list: { unsubscribe: { url: unsubscribe, comment: "" } },
        });
      }
    };
    await Promise.all(Array.from({ length: job.connections * 2 }, sendOneByOne)); // the pool never waits for us
  };

  await sendAll(0, job.warm_up);
  const began = process.hrtime.bigint();
  await sendAll(job.warm_up, job.warm_up + job.count);
  const seconds = Number(process.hrtime.bigint() - began) / 1e9;
  transport.close();
  console.log(JSON.stringify({ seconds }));
}

main().catch((fault) => {
  console.error(fault);
  process.exit(1);
});
