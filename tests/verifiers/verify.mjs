// Mail by mailauth, webhooks by svix: reads what to judge as JSON, prints a line for each and fails where it is wrong.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const require = createRequire(process.argv[2]);
const { dkimVerify } = require("mailauth/lib/dkim/verify");
const { Webhook } = require("svix");

const { records, mails, webhooks } = JSON.parse(readFileSync(0, "utf8"));
let wrong = 0;

function judge(name, wanted, found) {
  wrong += wanted !== found;
  console.log(`${wanted === found ? "✓" : "✗"} ${name}: ${found}`);
}

async function resolver(name, type) {
  if (type === "TXT" && records[name]) return [records[name].match(/.{1,255}/g)];
  throw Object.assign(new Error(name), { code: "ENOTFOUND" });
}

for (const { name, raw, wanted } of mails) {
  const { results } = await dkimVerify(Buffer.from(raw, "base64"), { resolver });
  const found = results.map((one) => `${one.algo} ${one.status.result === "pass" ? "pass" : "refused"}`);
  judge(`mailauth: ${name}`, wanted, found.join(", "));
}
for (const { name, secret, headers, body, wanted } of webhooks) {
  let found = "pass";
  try {
    new Webhook(secret).verify(body, headers);
  } catch {
    found = "refused";
  }
  judge(`svix: ${name}`, wanted, found);
}
process.exit(wrong ? 1 : 0);
