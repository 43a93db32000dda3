// Puts the newest list in place whenever the server says that it changed; asks every few seconds where streams do not get through.
"use strict"
const list = document.getElementById("list")
let wanted = 0
let events = null

async function refresh() {
  const mine = ++wanted
  const answer = await fetch(list.dataset.list)
  if (!answer.ok) return
  const html = await answer.text()
  if (mine !== wanted || html === list.innerHTML) return
  const focused = list.contains(document.activeElement) ? document.activeElement.id : ""
  list.innerHTML = html
  document.getElementById(focused)?.focus({ preventScroll: true })
}

// A tab that nobody sees holds no connection: browsers open six to a server at the most.
function follow() {
  events?.close()
  events = document.hidden ? null : new EventSource(list.dataset.events)
  if (events) events.onmessage = () => refresh().catch(() => {})
}

follow()
document.addEventListener("visibilitychange", follow)
setInterval(() => {
  if (events && events.readyState !== EventSource.OPEN) refresh().catch(() => {})
}, 3000)
document.addEventListener("submit", (event) => {
  const question = event.target.dataset.confirm
  if (question && !window.confirm(question)) event.preventDefault()
})
