// Small things that every page has: asking before what cannot be undone, and "/" for the search.
"use strict"
document.addEventListener("submit", (event) => {
  const question = event.target.dataset.confirm
  if (question && !window.confirm(question)) event.preventDefault()
})
document.addEventListener("keydown", (event) => {
  const typing = event.target.closest("input, textarea, select, [contenteditable]")
  const target = document.querySelector(`[data-focus="${event.key === "/" ? "/" : ""}"]`)
  if (!typing && target && !event.ctrlKey && !event.metaKey) {
    event.preventDefault()
    target.focus()
    target.select()
  }
})
// A button that says something with the next step of a long piece of work (a hidden field), and a step that failed.
document.addEventListener("click", (event) => {
  const field = document.getElementById(event.target.closest("[data-sets]")?.dataset.sets)
  if (field) field.value = "yes"
})
document.addEventListener("htmx:afterRequest", (event) => {
  event.detail.elt.classList.toggle("is-halted", !event.detail.successful)
})
// A file goes into a text field, where it can be looked at before it is sent.
document.addEventListener("change", async (event) => {
  const into = document.getElementById(event.target.dataset.into)
  if (into && event.target.files[0]) into.value = await event.target.files[0].text()
})
