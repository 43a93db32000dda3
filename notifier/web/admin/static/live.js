// What a page shows is asked for again when the server says that it changed. [data-live] is the part that follows, and
// where to listen for it; data-often: its numbers age, so it is asked for now and then, too.
"use strict"
{
  let source = null
  let late = false // something changed while nobody looked, or while somebody was marking text

  const part = () => document.querySelector("[data-live]")

  function marking(shown) {
    const marked = window.getSelection()
    return !marked.isCollapsed && shown.contains(marked.anchorNode)
  }

  function refresh() {
    const shown = part()
    if (!shown) return
    late = document.hidden || marking(shown)
    if (!late) htmx.trigger(shown, "live")
  }

  // A tab that nobody sees holds no connection: browsers open six to a server at the most.
  function listen() {
    const shown = part()
    if (source || document.hidden || !shown) return
    source = new EventSource(shown.dataset.live)
    source.onmessage = refresh
    source.onerror = () => {
      if (source?.readyState === EventSource.CLOSED) source = null // refused: asked for anew by and by
    }
  }

  function leave() {
    source?.close()
    source = null
  }

  document.addEventListener("visibilitychange", () => {
    if (document.hidden) return leave()
    listen()
    refresh()
  })
  window.addEventListener("pagehide", leave)
  window.addEventListener("pageshow", listen)
  setInterval(() => {
    listen()
    if (late || source?.readyState !== EventSource.OPEN || part()?.dataset.often !== undefined) refresh()
  }, 5000)
}
