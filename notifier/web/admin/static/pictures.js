// Pictures beside the editor: what there is, an upload by choosing or dropping a file, and putting one into the text.

/** Uploads one file. Answers { ok, message } or { ok, name, url, publish }. */
export async function upload(file, name = file.name, query = "") {
  const answer = await fetch(`/admin/pictures/${encodeURIComponent(name)}${query}`, { method: "POST", headers: { accept: "application/json", "content-type": "application/octet-stream" }, body: file })
  const told = answer.headers.get("content-type")?.includes("json") ? await answer.json() : {}
  const message = answer.status === 413 ? "this picture is too large, and 1 MB is the most" : "it could not be uploaded"
  return { ok: answer.ok, message, ...told }
}

/** The dialog. `editor` is { view(), path(), say(), changed(), writable, here }. */
export function pictures(dialog, button, editor) {
  const list = dialog.querySelector("[data-list]")
  const wrong = dialog.querySelector("[data-wrong]")
  const chooser = dialog.querySelector("input[type=file]")
  let known = null

  const load = async () => (known ??= fetch(`${editor.here}/pictures`).then((answer) => answer.json()).then((told) => told.pictures))

  function put(picture, width) {
    const view = editor.view()
    const { from, to } = view.state.selection.main
    const before = view.state.sliceDoc(Math.max(0, from - 1), from)
    const call = `{{ asset("${picture.name}") }}`
    const words = picture.name.replace(/\.\w+$/, "").replace(/[-_.]+/g, " ")
    const whole = editor.path().endsWith(".md") ? `![${words}](${call})` : editor.path().endsWith(".html") ? `<img src="${call}" width="${width}" alt="${words}">` : call
    const insert = /["'(=]/.test(before) ? call : whole
    view.dispatch({ changes: { from, to, insert }, selection: { anchor: from + insert.length }, userEvent: "input" })
    dialog.close()
    view.focus()
  }

  async function show() {
    const found = await load()
    list.replaceChildren(...found.map((picture) => {
      const choice = document.createElement("button")
      choice.type = "button"
      choice.className = "thumb"
      choice.disabled = !editor.writable
      const image = new Image()
      image.src = picture.url
      image.alt = ""
      const name = document.createElement("span")
      name.textContent = picture.name
      const size = document.createElement("span")
      size.className = "soft"
      size.textContent = `${(picture.size / 1024).toFixed(1)} KB`
      choice.append(image, name, size)
      choice.addEventListener("click", () => put(picture, Math.min(image.naturalWidth || 560, 560)))
      return choice
    }))
    if (!found.length) list.textContent = "No pictures yet."
  }

  function refuse(name, message) {
    wrong.textContent = `${name}: ${message}.`
    wrong.hidden = false
  }

  async function take(files) {
    wrong.hidden = true
    for (const file of files) {
      const told = await upload(file)
      if (!told.ok) {
        refuse(file.name, told.message)
        continue
      }
      known = null
      await show()
      editor.changed() // a text that asked for it already can be shown now
      ;[...list.children].find((one) => one.children[1]?.textContent === told.name)?.focus()
    }
  }

  async function open() {
    wrong.hidden = true
    if (!dialog.open) dialog.showModal()
    await show()
  }
  button.addEventListener("click", open)
  chooser?.addEventListener("change", async () => {
    await take([...chooser.files])
    chooser.value = ""
  })
  if (editor.writable) {
    for (const area of [dialog, editor.area]) {
      area.addEventListener("dragover", (event) => {
        if (!event.dataTransfer?.types.includes("Files")) return
        event.preventDefault()
        area.classList.add("dropping")
      })
      area.addEventListener("dragleave", () => area.classList.remove("dropping"))
      area.addEventListener("drop", async (event) => {
        area.classList.remove("dropping")
        if (!event.dataTransfer?.files.length) return
        event.preventDefault()
        event.stopPropagation()
        const files = [...event.dataTransfer.files]
        await open()
        await take(files)
      }, { capture: true }) // CodeMirror would put the file's text into the source
    }
  }
  dialog.querySelector("[data-close]").addEventListener("click", () => dialog.close())
  return { load }
}
