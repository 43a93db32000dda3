// A service that lets people sign up and welcomes them.
import { createServer } from "node:http";
import { json } from "node:stream/consumers";

import { notify, Refused } from "./notifier.js";

export function createService() {
  return createServer(async (request, response) => {
    const { email, name } = await json(request);
    try {
      const mail = await notify(
        {
          template: "welcome",
          to: { email, name },
          data: { name, confirm_url: `https://app.example.com/confirm?email=${encodeURIComponent(email)}` },
        },
        { idempotencyKey: `welcome/${email}` },
      );
      response.writeHead(201, { "content-type": "application/json" }).end(JSON.stringify({ email, mail: mail.id }));
    } catch (error) {
      const status = error instanceof Refused && error.status === 422 ? 422 : 503;
      response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify({ errors: error.errors }));
    }
  });
}
