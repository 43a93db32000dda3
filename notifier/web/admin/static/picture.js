// The page of one picture: another one in its place, as a draft.
import { upload } from "./pictures.js"

const form = document.getElementById("replace")
form?.addEventListener("submit", async (event) => {
  event.preventDefault()
  const saying = document.getElementById("saying")
  saying.textContent = "Uploading…"
  const told = await upload(form.elements.file.files[0], form.dataset.name, "?replace=yes")
  if (told.ok && told.publish) location.assign(told.publish)
  else saying.textContent = told.ok ? "It is the same picture" : `Not taken: ${told.message}`
})
