// What callers send, as a tree, and what of it can be named at a place in a template.
// A tree is { kind, example, keys: { name: tree }, item: tree }.

const leaf = (kind = "") => ({ kind, example: undefined, keys: {}, item: null })
const DEEPEST = 8
const LOOP = Object.fromEntries(["index", "index0", "first", "last", "length", "revindex"].map((name) => [name, leaf("number")]))
const KINDS = { string: "text", number: "number", integer: "number", boolean: "yes or no", array: "list", object: "group" }

/** Of a contract. */
export function ofSchema(schema, root = schema, depth = 0) {
  const tree = leaf()
  if (!schema || typeof schema !== "object" || depth > DEEPEST) return tree
  if (typeof schema.$ref === "string") {
    const target = schema.$ref.replace(/^#\/?/, "").split("/").reduce((at, step) => (step && at ? at[step] : at), root)
    return ofSchema(target, root, depth + 1)
  }
  tree.kind = KINDS[[schema.type].flat().find((type) => type !== "null")] ?? ""
  for (const [name, below] of Object.entries(schema.properties ?? {})) tree.keys[name] = ofSchema(below, root, depth + 1)
  if (schema.items && !Array.isArray(schema.items)) tree.item = ofSchema(schema.items, root, depth + 1)
  for (const word of ["allOf", "anyOf", "oneOf"]) {
    for (const below of schema[word] ?? []) Object.assign(tree, merged(tree, ofSchema(below, root, depth + 1)))
  }
  return tree
}

/** Of a sample. */
export function ofValue(value, depth = 0) {
  const tree = leaf(Array.isArray(value) ? "list" : value === null ? "" : KINDS[typeof value] ?? "")
  if (depth > DEEPEST) return tree
  if (Array.isArray(value)) {
    for (const one of value.slice(0, 20)) tree.item = merged(tree.item ?? leaf(), ofValue(one, depth + 1))
  } else if (value && typeof value === "object") {
    for (const [name, below] of Object.entries(value)) tree.keys[name] = ofValue(below, depth + 1)
  } else tree.example = value
  return tree
}

/** Both; of what both know, what `a` says. */
export function merged(a, b) {
  const keys = { ...b.keys }
  for (const [name, tree] of Object.entries(a.keys)) keys[name] = b.keys[name] ? merged(tree, b.keys[name]) : tree
  const item = a.item && b.item ? merged(a.item, b.item) : a.item ?? b.item
  return { kind: a.kind || b.kind, example: a.example ?? b.example, keys, item }
}

/** What a dotted path leads to, or null. */
export const at = (path, names) => path.split(".").reduce((tree, step) => tree?.keys?.[step] ?? null, { keys: names })

const TAG = /\{%-?\s*(for|endfor|set|with|endwith)\b((?:[^%]|%(?!\}))*?)-?%\}/g
const EACH = /^\s*(\w+)(?:\s*,\s*(\w+))?\s+in\s+(\w+(?:\.\w+)*?)(\.items\(\))?\s*(?:\||\s|$)/
const NAMED = /^\s*(\w+)\s*=\s*(\w+(?:\.\w+)*)\s*$/

/** The names at the end of a text: the data's, and what loops, `set` and `with` around that place name. */
export function inScope(before, keys) {
  const frames = [{ ...keys }]
  for (const [, tag, rest] of before.matchAll(TAG)) {
    const names = frames[frames.length - 1]
    if (tag === "for" || tag === "with") frames.push({ ...names })
    else if (tag !== "set" && frames.length > 1) frames.pop()
    const inner = frames[frames.length - 1]
    const each = tag === "for" && EACH.exec(rest)
    if (each) {
      const [, first, second, path, pairs] = each
      const list = at(path, names)
      const values = list && Object.values(list.keys)
      if (second) {
        inner[first] = leaf("text")
        inner[second] = (pairs && values?.length && values.reduce(merged)) || leaf()
      } else inner[first] = list?.item ?? leaf()
    }
    if (tag === "for") inner.loop = { ...leaf("group"), keys: LOOP }
    const named = (tag === "set" || tag === "with") && NAMED.exec(rest)
    if (named) inner[named[1]] = at(named[2], names) ?? leaf()
  }
  return frames[frames.length - 1]
}

/** Every name, in the words of a menu: `order.total`, `items[].price`. */
export function listed(keys, prefix = "") {
  return Object.entries(keys).flatMap(([name, tree]) => below(prefix + name, tree))
}
function below(path, tree) {
  const inner = tree.item ? [...listed(tree.item.keys, `${path}[].`)] : listed(tree.keys, `${path}.`)
  const isGroup = Object.keys(tree.keys).length > 0
  return [...(isGroup ? [] : [{ path, tree }]), ...inner]
}

/** What to write for a path of the menu, at the end of `before`: `|` is where the cursor goes on. */
export function written(path, before, keys) {
  const names = inScope(before, keys)
  const [list, ...rest] = path.split("[].")
  const tree = at(list, names)
  if (!rest.length && tree?.item) {
    const one = singular(list.split(".").pop())
    return loop(list, one, Object.keys(tree.item.keys).length ? "|" : `{{ ${one} }}|`)
  }
  if (!rest.length) return `{{ ${list} }}|`
  const item = Object.entries(names).find(([, one]) => tree?.item && one === tree.item)?.[0]
  const name = item ?? singular(list.split(".").pop())
  const inside = written([`${name}.${rest[0]}`, ...rest.slice(1)].join("[]."), before, { ...names, [name]: tree?.item ?? leaf() })
  return item ? inside : loop(list, name, inside)
}
const loop = (list, name, inside) => `{% for ${name} in ${list} %}\n${inside.trimEnd()}\n{% endfor %}\n`
const singular = (word) => (/ies$/.test(word) ? word.replace(/ies$/, "y") : /[^s]s$/.test(word) ? word.slice(0, -1) : `one_${word}`)
