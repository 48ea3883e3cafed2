// `node web_push_testing_peer.js CERTIFICATE KEY`: the package web-push-testing (browsers that subscribe and decrypt with
// npm's http_ece, VAPID verified by jsonwebtoken), on the loopback, with TLS and HTTP/2 in front as push services have.
// Prints {"inside": port, "front": port}; ends with its standard input. GET /protocols tells the versions it was spoken to.
"use strict";

const fs = require("node:fs");
const http = require("node:http");
const http2 = require("node:http2");
const { PushApiModel } = require("web-push-testing/src/PushApiModel.js");
const Server = require("web-push-testing/src/server.js");

const [cert, key] = process.argv.slice(2).map((file) => fs.readFileSync(file));
const protocols = {};
const reader = new Server(new PushApiModel(), 0);
reader.setRequestHandlers();
reader._app.get("/protocols", (request, response) => response.send(protocols));
const inside = http.createServer(reader._app);

function pass(request, response) {
  protocols[request.httpVersion] = (protocols[request.httpVersion] || 0) + 1;
  const headers = Object.fromEntries(Object.entries(request.headers).filter(([name]) => !name.startsWith(":")));
  const where = { host: "127.0.0.1", port: inside.address().port, method: request.method, path: request.url, headers };
  const onward = http.request(where, (answer) => {
    response.writeHead(answer.statusCode);
    answer.pipe(response);
  });
  onward.on("error", () => response.writeHead(502).end());
  request.pipe(onward);
}

inside.listen(0, "127.0.0.1", () => {
  const front = http2.createSecureServer({ cert, key, allowHTTP1: true }, pass);
  front.listen(0, "127.0.0.1", () => {
    console.log(JSON.stringify({ inside: inside.address().port, front: front.address().port }));
  });
});
process.stdin.resume().on("end", () => process.exit(0));
