// A notification by nothing but fetch. NOTIFIER_URL and NOTIFIER_API_KEY say where and as whom.
import { setTimeout as sleep } from "node:timers/promises";

const WORTH_ANOTHER = new Set([429, 502, 503, 504]);

/** notifier will not take the request; `errors` names every field at fault: [{field, code, message}]. */
export class Refused extends Error {
  constructor(status, problem) {
    super(problem.detail ?? `notifier answered ${status}`);
    this.status = status;
    this.code = problem.code;
    this.errors = problem.errors ?? [];
  }
}

/**
 * Sends one notification; once this resolves it is safe on notifier's disk. A lost connection and a busy service are
 * tried again: the idempotency key makes that safe, whether or not the lost request had arrived.
 */
export async function notify(notification, { idempotencyKey, attempts = 5, timeout = 10_000 }) {
  for (let attempt = 1; ; attempt++) {
    let after = 0;
    try {
      const response = await fetch(`${process.env.NOTIFIER_URL}/v1/notifications`, {
        method: "POST",
        headers: {
          authorization: `Bearer ${process.env.NOTIFIER_API_KEY}`,
          "content-type": "application/json",
          "idempotency-key": idempotencyKey,
        },
        body: JSON.stringify(notification),
        signal: AbortSignal.timeout(timeout),
      });
      const answer = await response.json().catch(() => ({}));
      if (response.ok) return answer;
      const refused = new Refused(response.status, answer);
      if (!WORTH_ANOTHER.has(response.status) || attempt === attempts) throw refused;
      after = Number(response.headers.get("retry-after")) || 0;
    } catch (error) {
      if (error instanceof Refused || attempt === attempts) throw error;
    }
    await sleep(Math.max(1000 * after, 200 * 2 ** (attempt - 1) * (0.5 + Math.random() / 2)));
  }
}
