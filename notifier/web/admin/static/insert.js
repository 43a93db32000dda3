// What can be written at the cursor: completions while typing, and the menu of variables and filters.
import { at, inScope, listed, written } from "./variables.js"

const TAGS = ["for", "endfor", "if", "elif", "else", "endif", "set", "endset", "block", "endblock", "extends", "include", "import", "from", "macro", "endmacro", "with", "endwith", "trans", "endtrans", "pluralize", "filter", "endfilter", "raw", "endraw", "call", "endcall"]

/** What is open at the end of a text: `{{` or `{%`, and what is written in it; null outside of both. */
function inside(before) {
  const found = [["{{", "}}"], ["{%", "%}"]].map(([open, close]) => {
    const from = before.lastIndexOf(open)
    return from > before.lastIndexOf(close) ? { open, from: from + 2 } : null
  }).filter(Boolean).sort((a, b) => b.from - a.from)[0]
  if (!found || before.lastIndexOf("{#") > before.lastIndexOf("#}")) return null
  return { open: found.open, text: before.slice(found.from) }
}

const named = (names, boost) => Object.entries(names).map(([label, tree]) => ({ label, type: tree.item ? "enum" : "variable", detail: told(tree), boost }))
const told = (tree) => (tree.example === undefined ? tree.kind : String(tree.example).slice(0, 40))

/** A source of completions. `known()` is { keys, names, filters }, `pictures()` the pictures by promise. */
export function completions(known, pictures) {
  return async (context) => {
    const before = context.state.sliceDoc(0, context.pos)
    const open = inside(before)
    if (!open) return null
    const { keys, names, filters } = known()
    const word = /\w*$/.exec(open.text)[0]
    const from = context.pos - word.length
    const head = open.text.slice(0, open.text.length - word.length)
    const answer = (options) => (options.length ? { from, options, validFor: /^\w*$/ } : null)
    const picture = /\basset\(\s*["']([^"']*)$/.exec(open.text)
    if (picture) return { from: context.pos - picture[1].length, options: (await pictures()).map((one) => ({ label: one.name, type: "constant" })), validFor: /^[^"']*$/ }
    if ((open.text.match(/"/g) ?? []).length % 2 || (open.text.match(/'/g) ?? []).length % 2) return null
    if (/\|\s*$/.test(head)) return answer(Object.entries(filters).map(([call, gives], n) => ({ label: call.replace(/\(.*/, ""), apply: call, info: gives, type: "function", boost: -n })))
    const path = /(\w+(?:\.\w+)*)\.$/.exec(head)
    if (path) return answer(named(at(path[1], inScope(before, keys))?.keys ?? {}))
    if (/\.$/.test(head) || (!word && !context.explicit)) return null
    if (open.open === "{%" && /^-?\s*$/.test(head)) return answer(TAGS.map((label) => ({ label, type: "keyword" })))
    const always = Object.entries(names).map(([label, info]) => ({ label, info, type: "constant" }))
    return answer([...named(inScope(before, keys), 2), ...always, { label: "asset", apply: 'asset("', info: "a picture", type: "function" }])
  }
}

/** Where a filter goes: before the end of the expression at the cursor, or right before it. */
function filterPlace(doc, pos) {
  const back = /\s*-?\}\}$/.exec(doc.slice(0, pos))
  if (back) return pos - back[0].length
  if (inside(doc.slice(0, pos))?.open !== "{{") return null
  const rest = /\s*-?\}\}/.exec(doc.slice(pos))
  return rest ? pos + rest.index : null
}

/** Fills the menu's dialog each time that it opens. `editor` is { view(), known(), say() }. */
export function menu(dialog, button, editor) {
  const search = dialog.querySelector("input")
  const list = dialog.querySelector("[data-list]")

  function put(text) {
    const view = editor.view()
    const { from, to } = view.state.selection.main
    const cursor = text.indexOf("|")
    const clean = cursor < 0 ? text : text.slice(0, cursor) + text.slice(cursor + 1)
    const open = inside(view.state.sliceDoc(0, from))
    const bare = open && /^\{\{ (.*?) \}\}$/.exec(clean)
    const insert = bare ? bare[1] : clean
    view.dispatch({ changes: { from, to, insert }, selection: { anchor: from + (bare || cursor < 0 ? insert.length : cursor) }, userEvent: "input" })
  }
  function filter(call) {
    const view = editor.view()
    const place = filterPlace(view.state.doc.toString(), view.state.selection.main.head)
    if (place === null) return editor.say("A filter changes a variable: put the cursor into one, as {{ name }}, and choose again")
    view.dispatch({ changes: { from: place, insert: `|${call}` }, userEvent: "input" })
  }
  function entry(label, detail, go) {
    const item = document.createElement("li")
    const choice = document.createElement("button")
    choice.type = "button"
    const code = document.createElement("code")
    code.textContent = label
    const more = document.createElement("span")
    more.className = "soft"
    more.textContent = detail
    choice.append(code, more)
    choice.addEventListener("click", () => {
      dialog.close()
      go()
      editor.view().focus()
    })
    item.append(choice)
    return item
  }
  function group(title, entries) {
    const head = document.createElement("h3")
    head.textContent = title
    const items = document.createElement("ul")
    items.append(...entries)
    return entries.length ? [head, items] : []
  }
  function show() {
    const { keys, names, filters } = editor.known()
    const before = editor.view().state.sliceDoc(0, editor.view().state.selection.main.from)
    const wanted = search.value.trim().toLowerCase()
    const fits = (...words) => words.some((word) => String(word).toLowerCase().includes(wanted))
    const outer = Object.keys(keys)
    const near = Object.fromEntries(Object.entries(inScope(before, keys)).filter(([name]) => !outer.includes(name)))
    const variables = [...listed(near), ...listed(keys)].filter((one) => fits(one.path, told(one.tree)))
    list.replaceChildren(
      ...group("Variables", variables.map(({ path, tree }) => entry(path, told(tree), () => put(written(path, before, keys))))),
      ...group("Always there", Object.entries(names).filter((pair) => fits(...pair)).map(([name, info]) => entry(name, info, () => put(`{{ ${name} }}|`)))),
      ...group("Filters, for the variable at the cursor", Object.entries(filters).filter((pair) => fits(...pair)).map(([call, gives]) => entry(`|${call}`, gives, () => filter(call)))),
    )
    if (!list.children.length) list.textContent = "Nothing is called that."
  }
  button.addEventListener("click", () => {
    search.value = ""
    show()
    dialog.showModal()
    search.focus()
  })
  search.addEventListener("input", show)
  dialog.addEventListener("keydown", (event) => {
    const choices = [...list.querySelectorAll("button")]
    const here = choices.indexOf(document.activeElement)
    if (event.key === "Enter" && document.activeElement === search) choices[0]?.click()
    else if (event.key === "ArrowDown") (choices[here + 1] ?? choices[0])?.focus()
    else if (event.key === "ArrowUp") (here > 0 ? choices[here - 1] : search).focus()
    else return
    event.preventDefault()
  })
  dialog.querySelector("[data-close]").addEventListener("click", () => dialog.close())
}
