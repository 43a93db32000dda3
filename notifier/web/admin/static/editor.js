// The template editor: a CodeMirror state for each file, and the mail that they make beside them.
import { completions, menu } from "./insert.js"
import { pictures } from "./pictures.js"
import { trial } from "./trial.js"
import { merged, ofSchema, ofValue } from "./variables.js"

const { EditorView, setDiagnostics, state: codeState } = window.CodeMirrorKit
const page = JSON.parse(document.getElementById("state").textContent)
const $ = (id) => document.getElementById(id)
const PARTS = ["subject.txt", "preheader.txt", "body.md", "body.html", "body.txt"]
const SETTLED = 250 // ms without a key before the preview is made

const states = new Map()
let marks = []
let current = null
let mail = null
let onto = page.onto
let unsaved = page.shown === null
let asked = 0
let contract = page.contract
const seen = !page.shared || page.users.length > 0 // a shared text is seen in the mail of a template that uses it
const here = `/admin/templates/${page.name}`

// ---- files, by locale

const localeOf = (path) => /^locales\/([^/]+)\//.exec(path)?.[1] ?? (isData(path) ? "" : page.root)
const isData = (path) => path.endsWith(".json") && !page.shared
const nameOf = (path) => path.replace(/^locales\/[^/]+\//, "")
const text = (path) => (path === current ? view.state : states.get(path)).doc.toString()
const files = () => Object.fromEntries([...states.keys()].map((path) => [path, text(path)]))
const rank = (path) => [PARTS.indexOf(nameOf(path)) >>> 0, path]
const inOrder = (a, b) => (rank(a)[0] - rank(b)[0]) || a.localeCompare(b)

/** What may be named: what the contract and the samples know, and what is always there. */
function known() {
  let data = ofSchema(contract)
  for (const path of states.keys()) {
    if (!path.startsWith("samples/")) continue
    try {
      data = merged(data, ofValue(JSON.parse(text(path))))
    } catch {
      // half written: the contract knows the most of it
    }
  }
  return { keys: data.keys, names: Object.fromEntries(page.names), filters: Object.fromEntries(page.filters) }
}
const say = (words) => ($("saying").textContent = words)
const gallery = pictures($("pictures"), $("to-pictures"), {
  view: () => view, path: () => current, changed: () => preview(), writable: page.writable, here, area: $("code"),
})
const complete = completions(known, gallery.load)
if (page.writable) menu($("inserting"), $("insert"), { view: () => view, known, say })

function newState(path, content) {
  return codeState({
    path, text: content, complete, readOnly: !page.writable, label: path,
    nonce: document.querySelector("meta[name=style-nonce]").content, changed,
  })
}

for (const [path, content] of Object.entries(page.files)) states.set(path, newState(path, content))
// With a state from the start: the nonce of the styles is in it.
const view = new EditorView({ state: [...states.values()][0], parent: $("code") })

// "{%" brings its "%}". Who types that end anyway goes over it: CodeMirror does so for the brace alone.
$("code").addEventListener("beforeinput", (event) => {
  const { head, empty } = view.state.selection.main
  if (event.data !== "%" || !empty || view.state.sliceDoc(head, head + 2) !== "%}") return
  event.preventDefault()
  event.stopPropagation()
  view.dispatch({ selection: { anchor: head + 1 } })
}, true)

function open(path) {
  if (current !== null) states.set(current, view.state)
  current = path
  view.setState(states.get(path))
  mark()
  tabs()
}

function tabs() {
  const here = localeOf(current)
  const locales = [...new Set([...states.keys()].map(localeOf))].sort((a, b) => (a === "") - (b === "") || (b === page.root) - (a === page.root) || a.localeCompare(b))
  const paths = [...states.keys()].filter((path) => localeOf(path) === here).sort(inOrder)
  const firstOf = (locale) => [...states.keys()].filter((path) => localeOf(path) === locale).sort(inOrder)
  fill($("locales"), locales.map((locale) => ({
    label: page.shared ? "Text" : locale || "Data", selected: locale === here, go: () => open(firstOf(locale)[0]),
    marked: marks.some((one) => one.path && states.has(one.path) && localeOf(one.path) === locale),
  })))
  fill($("files"), paths.map((path) => ({
    label: nameOf(path), selected: path === current, go: () => open(path), marked: marks.some((one) => one.path === path),
  })))
  additions()
}

/** A tab list as ARIA has it: arrows move, one tab is in the order of focus. */
function fill(list, entries) {
  const focused = list.contains(document.activeElement)
  list.replaceChildren(...entries.map(({ label, selected, go, marked }) => {
    const tab = document.createElement("button")
    tab.type = "button"
    tab.role = "tab"
    tab.textContent = label
    tab.setAttribute("aria-selected", String(selected))
    tab.tabIndex = selected ? 0 : -1
    tab.classList.toggle("marked", marked)
    tab.addEventListener("click", go)
    return tab
  }))
  if (focused) list.querySelector("[aria-selected=true]")?.focus()
}
for (const list of [$("locales"), $("files")]) {
  list.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key]
    if (!step) return
    const all = [...list.children]
    all[(all.indexOf(document.activeElement) + step + all.length) % all.length].click()
  })
}

function additions() {
  const select = $("add")
  if (!select) return
  const folder = localeOf(current) && localeOf(current) !== page.root ? `locales/${localeOf(current)}/` : ""
  const missing = PARTS.map((part) => folder + part).filter((path) => !states.has(path))
  if (!states.has("schema.json")) missing.push("schema.json")
  const option = (value, label) => Object.assign(document.createElement("option"), { value, textContent: label })
  select.replaceChildren(option("", "Add…"), ...missing.map((path) => option(path, path)), option("*locale", "a locale…"), option("*sample", "a sample…"))
}

$("add")?.addEventListener("change", (event) => {
  let path = event.target.value
  event.target.value = ""
  if (path === "*locale") {
    const locale = window.prompt("Which locale? Such as fr or pt-BR")?.trim()
    path = locale && /^[A-Za-z]{2,3}([-_][A-Za-z0-9]{2,8})*$/.test(locale) ? `locales/${locale}/subject.txt` : ""
  } else if (path === "*sample") {
    const name = window.prompt("What is the sample called?")?.trim()
    path = name && /^[A-Za-z0-9._-]{1,64}$/.test(name) ? `samples/${name}.json` : ""
  }
  if (!path) return
  if (!states.has(path)) states.set(path, newState(path, starter(path)))
  open(path)
  changed()
  view.focus()
})

function starter(path) {
  if (path.startsWith("samples/") && states.has("samples/default.json")) return text("samples/default.json")
  if (path === "schema.json") return '{\n  "type": "object",\n  "properties": {},\n  "required": []\n}\n'
  return path.startsWith("locales/") && states.has(nameOf(path)) ? text(nameOf(path)) : "\n"
}

// ---- what is wrong

const place = (doc, one) => Math.min(doc.line(Math.min(Math.max(1, one.line), doc.lines)).from + one.column - 1, doc.length)

function mark() {
  const doc = view.state.doc
  const found = marks.filter((one) => one.path === current).map((one) => {
    const from = place(doc, one)
    return { from, to: Math.min(from + 1, doc.lineAt(from).to), severity: one.severity, message: one.message }
  })
  view.dispatch(setDiagnostics(view.state, found.sort((a, b) => a.from - b.from)))
}

function showProblems() {
  const list = document.createElement("ul")
  list.append(...marks.map((one) => {
    const item = document.createElement("li")
    item.className = one.severity
    if (states.has(one.path)) {
      const link = document.createElement("button")
      link.type = "button"
      link.className = "quiet"
      link.textContent = `${one.path}:${one.line}`
      link.addEventListener("click", () => {
        open(one.path)
        view.dispatch({ selection: { anchor: place(view.state.doc, one) }, scrollIntoView: true })
        view.focus()
      })
      item.append(link, " ")
    } else if (one.path) item.append(`${one.path}:${one.line} `)
    item.append(one.message)
    return item
  }))
  $("problems").replaceChildren(...(marks.length ? [list] : []))
}

function tell(found) {
  marks = found
  mark()
  tabs()
  showProblems()
}

// ---- the preview

async function post(path, body) {
  return fetch(path, { method: "POST", headers: { "content-type": "application/json", accept: "application/json" }, body: JSON.stringify(body) })
}
const draft = () => ({ files: files() })

let timer = 0
function changed() {
  unsaved = true
  $("saying").textContent = "Not saved"
  clearTimeout(timer)
  timer = setTimeout(preview, SETTLED)
}

function samples() {
  const select = $("sample")
  const names = page.shared ? page.users : [...states.keys()].filter((path) => path.startsWith("samples/")).map((path) => path.slice(8, -5)).sort()
  const kept = names.includes(select.value) ? select.value : names.includes("default") ? "default" : names[0] ?? ""
  select.replaceChildren(...names.map((name) => Object.assign(document.createElement("option"), { value: name, textContent: `${page.shared ? "Seen in" : "Sample"}: ${name}` })))
  select.value = kept
  return kept || null
}

async function preview() {
  if (!seen) return
  const turn = ++asked
  const locale = page.shared ? "" : localeOf(current)
  const chosen = samples()
  const answer = await post(`${here}/preview`, { ...draft(), ...(page.shared ? { through: chosen } : { sample: chosen }), locale: locale && locale !== page.root ? locale : null })
  if (answer.status === 401) location.reload()
  if (turn !== asked) return // a later one is under way
  if (!answer.ok) {
    $("saying").textContent = "The preview cannot be made now"
    return
  }
  const told = await answer.json()
  if (turn !== asked) return
  tell(told.marks)
  contract = told.contract ?? contract
  $("frame").classList.toggle("stale", told.mail === null)
  if (told.mail) {
    mail = told.mail
    show()
  }
}

const pressed = (button) => button.getAttribute("aria-pressed") === "true"
const viewed = () => document.querySelector("#views [aria-pressed=true]").dataset.view

function show() {
  $("subject").textContent = mail.subject
  const kb = mail.size / 1024
  $("size").textContent = `HTML ${kb.toFixed(1)} KB of the ${page.clipped / 1024} KB that Gmail shows`
  $("size").classList.toggle("over", mail.size > page.clipped)
  const html = viewed() === "html"
  $("frame").hidden = !html
  $("plain").hidden = html
  if (html) showFrame()
  else $("plain").textContent = (viewed() === "text" ? mail.text : mail.html) ?? "This mail has none."
}

let frames = 0
/** A new frame each time: posting into one that is there would add to the browser's history. */
function showFrame() {
  const old = [...$("frame").children]
  const frame = document.createElement("iframe")
  frame.name = `mail-${++frames}`
  frame.title = "The mail as it would be sent"
  frame.setAttribute("sandbox", "allow-popups allow-popups-to-escape-sandbox")
  frame.addEventListener("load", () => old.forEach((each) => each.remove()), { once: true })
  $("frame").prepend(frame)
  const form = $("to-frame")
  form.target = frame.name
  form.elements.html.value = mail.html ?? ""
  form.elements.images.value = pressed($("no-images")) ? "off" : "on"
  form.submit()
}

if (seen) {
  $("views").addEventListener("click", (event) => {
    if (!event.target.dataset.view) return
    for (const button of $("views").children) button.setAttribute("aria-pressed", String(button === event.target))
    if (mail) show()
  })
  for (const id of ["phone", "dark", "no-images"]) {
    $(id).addEventListener("click", () => {
      $(id).setAttribute("aria-pressed", String(!pressed($(id))))
      $("frame").classList.toggle(id, pressed($(id)))
      if (id !== "phone" && mail && viewed() === "html") showFrame()
    })
  }
  $("sample").addEventListener("change", preview)
}

// ---- saving

/** Answers whether what stands in the editor is a version now. */
async function save(after) {
  $("saying").textContent = "Saving…"
  const answer = await post(`${here}/save`, { ...draft(), onto: after })
  const told = answer.headers.get("content-type")?.includes("json") ? await answer.json() : null
  if (answer.ok) {
    unsaved = false
    onto = told.version
    if (page.shown === null) return location.assign(here)
    page.shown = told.version
    const state = told.published ? "published" : "draft"
    $("version").textContent = `version ${told.version}, ${state}`
    $("version").className = `status ${state}`
    $("saying").textContent = told.published ? `Version ${told.version} says the same and is published` : `Saved as draft ${told.version}`
    $("to-publish").href = `${here}/publish/${told.version}`
    return true
  }
  if (answer.status === 409 && told) {
    $("saying").textContent = `Not saved: ${told.by} saved version ${told.version} meanwhile`
    $("meanwhile-shown").innerHTML = told.shown // made by our own page, escaped there
    $("over").onclick = () => {
      $("meanwhile").close()
      save(told.version)
    }
    $("meanwhile").showModal()
  } else {
    $("saying").textContent = "Not saved"
    tell(told?.marks ?? [{ path: "", line: 0, column: 0, severity: "error", message: "it could not be saved; try again" }])
  }
  return false
}

if ($("trial")) {
  trial($("trial"), $("to-trial"), {
    here, sample: () => $("sample").value, locale: () => mail?.locale ?? page.root,
    version: async () => (unsaved && page.writable ? (await save(onto)) && page.shown : page.shown), isUnsaved: () => unsaved && page.writable,
  })
}

if (page.writable) {
  $("save").addEventListener("click", () => save(onto))
  $("stay").addEventListener("click", () => $("meanwhile").close())
  document.addEventListener("keydown", (event) => {
    if (event.key === "s" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault()
      save(onto)
    }
  })
  window.addEventListener("beforeunload", (event) => unsaved && page.shown !== null && event.preventDefault())
}

open([...states.keys()].filter((path) => !isData(path)).sort((a, b) => (nameOf(b).startsWith("body") - nameOf(a).startsWith("body")) || (localeOf(b) === page.root) - (localeOf(a) === page.root) || inOrder(a, b))[0])
preview()
