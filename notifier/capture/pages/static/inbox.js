// Puts the newest list in place whenever the server says that it changed; asks every few seconds where streams do not get through.
const list = document.getElementById("list");
let wanted = 0;

async function refresh() {
  const mine = ++wanted;
  const answer = await fetch(list.dataset.list);
  if (!answer.ok) return;
  const html = await answer.text();
  if (mine === wanted && html !== list.innerHTML) list.innerHTML = html;
}

const events = new EventSource(list.dataset.events);
events.onmessage = () => refresh().catch(() => {});
setInterval(() => {
  if (events.readyState !== EventSource.OPEN) refresh().catch(() => {});
}, 3000);
