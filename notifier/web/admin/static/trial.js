// A test of the template to oneself: a real mail on the real way, and what becomes of it.

const OPEN = 20 // seconds that one question waits for the end

export function trial(dialog, button, editor) {
  const form = dialog.querySelector("form")
  const said = dialog.querySelector("[data-said]")
  const ask = (path, body) => fetch(path, { method: body ? "POST" : "GET", headers: { accept: "application/json", "content-type": "application/json" }, body: body && JSON.stringify(body) })

  function show(told) {
    const link = document.createElement("a")
    link.href = told.url
    link.textContent = "See it"
    const status = document.createElement("span")
    status.className = `status ${told.status}`
    status.textContent = told.status
    said.replaceChildren(status, ` ${told.error ?? ""} `, link)
  }

  async function follow(told) {
    while (!told.final && dialog.open) {
      const answer = await ask(`${told.follow}?wait=${OPEN}`)
      if (!answer.ok) return
      told = await answer.json()
      show(told)
    }
  }

  button.addEventListener("click", () => {
    const about = [`sample ${editor.sample() || "none"}`, editor.locale()].join(", ")
    dialog.querySelector("[data-what]").textContent = `With ${about}.${editor.isUnsaved() ? " What you changed is saved as a draft first." : ""}`
    said.replaceChildren()
    dialog.showModal()
    form.elements.to.focus()
  })
  dialog.querySelector("[data-close]").addEventListener("click", () => dialog.close())
  form.addEventListener("submit", async (event) => {
    event.preventDefault()
    const send = form.querySelector("button")
    send.disabled = true
    said.textContent = "Sending…"
    try {
      const version = await editor.version()
      if (!version) {
        dialog.close() // what keeps it from being saved is told beside the text
        return
      }
      const answer = await ask(`${editor.here}/test`, { to: form.elements.to.value, version, sample: editor.sample() || null, locale: editor.locale() })
      const told = await answer.json()
      if (!answer.ok) said.textContent = told.message
      else {
        show(told)
        follow(told)
      }
    } finally {
      send.disabled = false
    }
  })
}
