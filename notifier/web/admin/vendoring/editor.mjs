// What the template editor needs of CodeMirror, as one script that makes `window.CodeMirrorKit`.
import { autocompletion, closeBrackets, completionKeymap } from "@codemirror/autocomplete"
import { defaultKeymap, history, historyKeymap } from "@codemirror/commands"
import { html } from "@codemirror/lang-html"
import { closePercentBrace, jinja } from "@codemirror/lang-jinja"
import { json } from "@codemirror/lang-json"
import { markdown } from "@codemirror/lang-markdown"
import { HighlightStyle, LanguageSupport, bracketMatching, syntaxHighlighting } from "@codemirror/language"
import { lintGutter, lintKeymap, setDiagnostics } from "@codemirror/lint"
import { highlightSelectionMatches, searchKeymap } from "@codemirror/search"
import { EditorState } from "@codemirror/state"
import { EditorView, drawSelection, highlightActiveLine, keymap, lineNumbers } from "@codemirror/view"
import { tags } from "@lezer/highlight"

// Colours are the page's custom properties, so that light and dark are one style.
const colours = HighlightStyle.define([
  { tag: [tags.tagName, tags.keyword, tags.heading], color: "var(--code-keyword)" },
  { tag: [tags.attributeName, tags.propertyName], color: "var(--code-name)" },
  { tag: [tags.string, tags.attributeValue, tags.url], color: "var(--code-string)" },
  { tag: [tags.variableName, tags.definition(tags.variableName)], color: "var(--code-variable)" },
  { tag: [tags.number, tags.bool, tags.null], color: "var(--code-number)" },
  { tag: [tags.comment, tags.meta], color: "var(--code-comment)" },
  { tag: [tags.brace, tags.punctuation, tags.operator], color: "var(--code-punctuation)" },
  { tag: tags.strong, fontWeight: "700" },
  { tag: tags.emphasis, fontStyle: "italic" },
])

function language(path) {
  if (path.endsWith(".json")) return json()
  const base = path.endsWith(".md") ? markdown() : path.endsWith(".html") ? html() : undefined
  const support = jinja({ base })
  // Without lang-jinja's own completions: it knows filters that templates may not use, and none of the data.
  return new LanguageSupport(support.language, [base?.support ?? [], closePercentBrace])
}

/** A state for one file. `changed` is called after each edit, `complete` is a source of completions. */
function state({ path, text, complete, readOnly, nonce, label, changed }) {
  return EditorState.create({
    doc: text,
    extensions: [
      lineNumbers(), history(), drawSelection(), bracketMatching(), closeBrackets(), autocompletion(),
      highlightActiveLine(), highlightSelectionMatches(), lintGutter(), EditorView.lineWrapping,
      syntaxHighlighting(colours), language(path),
      EditorState.languageData.of(() => (path.endsWith(".json") ? [] : [{ autocomplete: complete }])),
      keymap.of([...completionKeymap, ...defaultKeymap, ...searchKeymap, ...historyKeymap, ...lintKeymap]),
      EditorState.readOnly.of(readOnly), EditorView.cspNonce.of(nonce),
      EditorView.contentAttributes.of({ "aria-label": label, spellcheck: "false" }),
      EditorView.updateListener.of((update) => update.docChanged && changed()),
    ],
  })
}

window.CodeMirrorKit = { EditorView, setDiagnostics, state }
