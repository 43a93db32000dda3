// Run by ../ci/with-notifier.sh, which starts a notifier with an inbox for them.
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import { buffer } from "node:stream/consumers";
import { test } from "node:test";

import { createService } from "./service.js";

const { NOTIFIER_URL, NOTIFIER_INBOX } = process.env;
const HEADERS = ["authorization", "content-type", "idempotency-key"];

async function listening(t, server) {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${server.address().port}`;
}

async function signUp(t, email, name = "Zoë") {
  const service = await listening(t, createService());
  const response = await fetch(service, { method: "POST", body: JSON.stringify({ email, name }) });
  return { status: response.status, body: await response.json() };
}

/** The mail to this address, once it is there; an error that names what came instead after 20 s. */
async function mailTo(email) {
  const response = await fetch(`${NOTIFIER_INBOX}/api/messages/wait?${new URLSearchParams({ to: email, timeout: 20 })}`);
  const answer = await response.json();
  assert.equal(response.status, 200, answer.detail);
  return answer;
}

async function mailsTo(email) {
  const response = await fetch(`${NOTIFIER_INBOX}/api/messages?${new URLSearchParams({ to: email })}`);
  return (await response.json()).data;
}

test("who signs up is welcomed", async (t) => {
  const { status } = await signUp(t, "zoe@example.com");
  assert.equal(status, 201);
  const mail = await mailTo("zoe@example.com");
  assert.equal(mail.subject, "Welcome, Zoë");
  assert.deepEqual(
    mail.links.map((link) => link.url),
    ["https://app.example.com/confirm?email=zoe%40example.com"],
  );
});

test("an answer that is lost on its way is asked for again, and one mail goes out", async (t) => {
  let requests = 0;
  const lossy = createServer(async (request, response) => {
    const answer = await fetch(NOTIFIER_URL + request.url, {
      method: request.method,
      headers: HEADERS.map((name) => [name, request.headers[name]]),
      body: await buffer(request),
    });
    const body = await answer.text();
    if (++requests === 1) request.socket.destroy();
    else response.writeHead(answer.status, { "content-type": "application/json" }).end(body);
  });
  process.env.NOTIFIER_URL = await listening(t, lossy);
  t.after(() => (process.env.NOTIFIER_URL = NOTIFIER_URL));
  const { status, body } = await signUp(t, "tom@example.com");
  assert.equal(status, 201);
  assert.equal(requests, 2);
  const final = await fetch(`${NOTIFIER_URL}/v1/notifications/${body.mail}?wait=20`, {
    headers: { authorization: `Bearer ${process.env.NOTIFIER_API_KEY}` },
  });
  assert.equal((await final.json()).status, "sent");
  assert.equal((await mailsTo("tom@example.com")).length, 1);
});

test("a relay that is busy delays the mail and loses nothing", async (t) => {
  const fault = { kind: "fail", rcpt: "cleo@example.com", code: 451 };
  const scripted = await fetch(`${NOTIFIER_INBOX}/api/faults`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(fault),
  });
  assert.equal(scripted.status, 201);
  assert.equal((await signUp(t, "cleo@example.com")).status, 201);
  assert.equal((await mailTo("cleo@example.com")).subject, "Welcome, Zoë");
});

test("a wrong address is told to whoever signs up", async (t) => {
  const { status, body } = await signUp(t, "zoe@@example.com");
  assert.equal(status, 422);
  assert.deepEqual(
    body.errors.map((error) => error.field),
    ["to.email"],
  );
});
