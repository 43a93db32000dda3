// BullMQ with pooled nodemailer and nunjucks: `node mail.js api PORT`, `node mail.js worker`, `node mail.js fill FILE`.
import { readFileSync } from "node:fs";
import { Queue, Worker } from "bullmq";
import Fastify from "fastify";
import nodemailer from "nodemailer";
import nunjucks from "nunjucks";

const [role, argument] = process.argv.slice(2);
const connection = { port: Number(process.env.REDIS_PORT) };
const queue = () =>
  new Queue("mail", { connection, defaultJobOptions: { attempts: 3, removeOnComplete: true, backoff: { type: "exponential", delay: 1000 } } });

if (role === "api") {
  const mails = queue();
  const app = Fastify();
  app.post("/send", async (request, reply) => {
    await mails.add("mail", request.body);
    return reply.code(202).send({ status: "queued" });
  });
  await app.listen({ port: Number(argument) });
}

if (role === "fill") {
  const mails = queue();
  const bodies = readFileSync(argument, "utf8").trim().split("\n").map((line) => JSON.parse(line));
  for (let n = 0; n < bodies.length; n += 500) {
    await mails.addBulk(bodies.slice(n, n + 500).map((data) => ({ name: "mail", data })));
  }
  await mails.close();
}

if (role === "worker") {
  const amounts = new Intl.NumberFormat("en", { style: "currency", currency: "EUR" });
  const folder = process.env.TEMPLATES;
  const html = new nunjucks.Environment(new nunjucks.FileSystemLoader(folder), { autoescape: true });
  const text = new nunjucks.Environment(new nunjucks.FileSystemLoader(folder), { autoescape: false });
  for (const one of [html, text]) one.addFilter("money", (value) => amounts.format(value));
  const transport = nodemailer.createTransport({
    host: "127.0.0.1", port: Number(process.env.MAIL_PORT), secure: false, ignoreTLS: true, pool: true, maxConnections: 20,
  });
  const worker = new Worker(
    "mail",
    async (job) => {
      const { to, data } = job.data;
      await transport.sendMail({
        from: process.env.SENDER, to,
        subject: text.render("subject.txt", data).trim(), text: text.render("body.txt", data), html: html.render("body.html", data),
      });
    },
    { connection, concurrency: 50 },
  );
  process.on("SIGTERM", () => worker.close().then(() => process.exit(0)));
}
