"""Somebody who is no programmer edits a template, in a browser."""

import re
from pathlib import Path

from playwright.async_api import Page, expect

from tests.acceptance.conftest import House
from tests.browser.conftest import Open
from tests.browser.templates.conftest import MAIL, Made, edit, source, write

AXE = (Path(__file__).parent.parent / "vendor" / "axe.js").read_text("utf-8")

HOSTILE = """<p id="mail">Hello {{ name }}</p>
<script>parent.document.title = "taken"; fetch("/admin/keys")</script>
<img src="x" onerror="parent.document.title = 'taken'">
<img src="https://tracker.invalid/pixel.png">
<form action="/admin/keys" method="post"><button id="go">Go</button></form>
<a id="out" href="/admin/keys" target="_top">Out</a>
<meta http-equiv="refresh" content="0; url=https://elsewhere.invalid/">
"""


async def test_the_preview_follows_the_text_and_what_is_wrong_is_marked(made: Made, sign_in: Open) -> None:
    page = await sign_in()
    await edit(page, await made())
    await write(page, "<h1>Good day {{ name }}, {{ code }}</h1>\n")
    frame = page.frame_locator(MAIL)
    await expect(frame.get_by_role("heading", name="Good day")).to_be_visible()
    await expect(page.locator("#size")).to_contain_text("of the 102 KB")
    await write(page, "<h1>Good day</h1>\n{% if name %}\n")
    await expect(page.locator("#problems li.error")).to_contain_text("body.html:")
    await expect(page.locator(".cm-lint-marker-error")).to_be_visible()
    await expect(frame.get_by_role("heading", name="Good day")).to_be_visible()
    await write(page, "<h1>Good day {{ name }}</h1>\n" + "<p>" + "0123456789 " * 11_000 + "</p>\n")
    await expect(page.locator("#problems li.error")).to_have_count(0)
    await expect(page.locator("#size")).to_have_class(re.compile("over"))


async def test_the_preview_shows_a_phone_the_dark_scheme_no_images_text_and_source(made: Made, sign_in: Open) -> None:
    page = await sign_in("null")  # emulated, it would hold for the frame, too
    await edit(page, await made())
    await write(
        page,
        "<style>p { color: rgb(1, 2, 3) } @media (prefers-color-scheme: dark) { p { color: rgb(250, 250, 250) } }"
        '</style><p>Dear {{ name }}, {{ code }}</p><img src="{{ asset("logo.png") }}" width="48" alt="The shop">\n',
    )
    frame = page.frame_locator(MAIL)
    await expect(frame.locator("p")).to_have_css("color", "rgb(1, 2, 3)")
    await expect(frame.get_by_alt_text("The shop")).to_have_js_property("naturalWidth", 96)
    await page.get_by_role("button", name="Dark").click()
    await expect(frame.locator("p")).to_have_css("color", "rgb(250, 250, 250)")
    await page.get_by_role("button", name="Phone").click()
    await expect(page.locator("#frame")).to_have_css("width", "375px")
    await page.get_by_role("button", name="No images").click()
    await expect(frame.get_by_alt_text("The shop")).to_have_js_property("naturalWidth", 0)
    await page.get_by_role("button", name="Text", exact=True).click()
    await expect(page.locator("#plain")).to_contain_text("Dear Zoë, 42")
    await page.get_by_role("button", name="Source", exact=True).click()
    await expect(page.locator("#plain")).to_contain_text("<p>Dear Zoë, 42</p>")


async def test_names_are_completed_as_deep_as_the_data_goes_and_inside_loops(made: Made, sign_in: Open) -> None:
    page = await sign_in()
    await edit(page, await made())
    await page.get_by_role("tab", name="Data").click()
    data = '{"name": "Zoë", "code": "42", "order": {"total": "9.50", "id": 7}, "items": [{"price": "2.50", "n": 1}]}'
    await write(page, data, "samples/default.json")
    await page.get_by_role("tab", name="en", exact=True).click()
    await write(page, "")
    offered = page.locator(".cm-tooltip-autocomplete li")
    await page.keyboard.type("{{ order.")
    await expect(offered).to_have_text([re.compile("^id"), re.compile("^total")])
    await page.keyboard.type("tot")
    await expect(offered).to_have_count(1)
    await offered.click()  # the keyboard's Enter counts only once the list has been there for 75 ms
    await page.keyboard.type("|mon")
    await expect(offered).to_have_text([re.compile("^money")])
    await offered.click()
    await page.keyboard.press("End")
    await page.keyboard.type("{% for item in items %}")  # whose end is there already, and typed over
    await page.keyboard.type("{{ item.")
    await expect(offered).to_have_text([re.compile("^n"), re.compile("^price")])
    await page.keyboard.press("Escape")
    assert await source(page) == '{{ order.total|money("EUR")}}{% for item in items %}{{ item.}}'


SCOPES = """async (script) => {
  const { inScope, listed, merged, ofSchema, ofValue, written } = await import(script)
  const keys = merged(
    ofSchema({
      type: "object", $defs: { one: { properties: { price: { type: "number" } } } },
      properties: {
        orders: { type: "array", items: { properties: { rows: { type: "array", items: { $ref: "#/$defs/one" } } } } },
      },
    }),
    ofValue({ by_day: { mon: { sum: 1 }, tue: { sum: 2 } }, tags: ["a"] }),
  ).keys
  const names = (before) => Object.entries(inScope(before, keys))
    .filter(([name]) => !(name in keys)).map(([name, tree]) => `${name}: ${Object.keys(tree.keys)}`)
  return {
    listed: listed(keys).map((one) => one.path),
    inner: names("{% for order in orders %}{% for row in order.rows %}").filter((one) => !one.startsWith("loop")),
    over: names("{% for order in orders %}{% for row in order.rows %}{% endfor %}{% endfor %}"),
    pairs: names("{%- for day, of in by_day.items() -%}").filter((one) => !one.startsWith("loop")),
    set: names("{% set monday = by_day.mon %}"),
    nested: written("orders[].rows[].price", "", keys),
    known: written("orders[].rows[].price", "{% for o in orders %}", keys),
    plain: written("tags", "", keys),
  }
}"""


async def test_what_can_be_named_follows_loops_pairs_and_names_given(house: House, sign_in: Open) -> None:
    page = await sign_in()
    await page.goto("/admin/templates/hello")
    script = await page.locator("script[type=module]").get_attribute("src")
    assert script is not None
    found = await page.evaluate(SCOPES, script.replace("editor.js", "variables.js"))
    assert found == {
        "listed": ["by_day.mon.sum", "by_day.tue.sum", "tags", "orders", "orders[].rows", "orders[].rows[].price"],
        "inner": ["order: rows", "row: price"],
        "over": [],
        "pairs": ["day: ", "of: sum"],
        "set": ["monday: sum"],
        "nested": "{% for order in orders %}\n{% for row in order.rows %}\n{{ row.price }}|\n"
        "{% endfor %}\n{% endfor %}\n",
        "known": "{% for row in o.rows %}\n{{ row.price }}|\n{% endfor %}\n",
        "plain": "{% for tag in tags %}\n{{ tag }}|\n{% endfor %}\n",
    }


async def test_variables_and_filters_are_inserted_from_a_menu_without_a_mouse(made: Made, sign_in: Open) -> None:
    page = await sign_in()
    await edit(page, await made())
    await page.get_by_role("tab", name="Data").click()
    data = '{"name": "Zoë", "code": "42", "items": [{"price": "2.50"}]}'
    await write(page, data, "samples/default.json")
    await page.get_by_role("tab", name="en", exact=True).click()
    await write(page, "")

    async def insert(words: str) -> None:
        await page.locator("#insert").focus()
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("dialog")).to_be_visible()
        await page.keyboard.type(words)
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("dialog")).to_have_count(0)

    await insert("items[].price")
    await insert("money")
    assert await source(page) == '{% for item in items %}\n{{ item.price|money("EUR") }}\n{% endfor %}\n'
    await page.keyboard.press("Control+End")
    await insert("code")
    assert (await source(page)).endswith("{{ code }}")
    await expect(page.frame_locator(MAIL).locator("body")).to_contain_text("€2.50")


async def test_a_shared_text_is_seen_in_the_mail_of_a_template_that_uses_it(made: Made, sign_in: Open) -> None:
    laid_out = '{% extends "_layouts/base.html" %}{% block content %}<p>{{ name }}, {{ code }}</p>{% endblock %}'
    name = await made(**{"subject.txt": "Hello", "body.html": laid_out})
    page = await sign_in()
    await edit(page, "_layouts/base.html")
    await page.get_by_label("Seen in").select_option(name)
    frame = page.frame_locator(MAIL)
    await expect(frame.locator("p").filter(has_text="Zoë, 42")).to_be_visible()
    await write(page, "<h1>The new look</h1>{% block content %}{% endblock %}", "base.html")
    await expect(frame.get_by_role("heading")).to_have_text("The new look")
    await expect(frame.locator("p")).to_have_text("Zoë, 42")
    await write(page, "<h1>The new look</h1>\n{% block %}", "base.html")
    await expect(page.locator("#problems li.error button")).to_have_text("base.html:2")


async def test_a_template_is_written_saved_and_published_with_the_keyboard_alone(house: House, sign_in: Open) -> None:
    page = await sign_in()
    await page.goto("/admin/templates")
    await page.get_by_label("A new template").focus()
    await page.keyboard.type("order-shipped")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("tab", name="body.md")).to_have_attribute("aria-selected", "true")
    await expect(page.locator("#subject")).to_have_text("Hello Zoë")
    await _tab_to(page, ".cm-content")
    await page.keyboard.press("Control+End")
    await page.keyboard.type("\nIt is on its **way**.\n")
    await expect(page.frame_locator(MAIL).locator("strong")).to_have_text("way")
    await page.keyboard.press("Control+s")
    await page.wait_for_url("**/admin/templates/order-shipped")
    await expect(page.get_by_role("heading", level=1)).to_contain_text("version 1, draft")
    await _tab_to(page, "#to-publish")
    await page.keyboard.press("Enter")
    await page.wait_for_url("**/publish/1")
    await _tab_to(page, 'main form[action$="/publish/1"] button')
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("status")).to_contain_text("Published")
    assert (await house.service.store.published())["order-shipped"].number == 1


async def _tab_to(page: Page, selector: str) -> None:
    """Presses Tab until it is there: whoever has no mouse gets there, too."""
    for _ in range(40):
        await page.keyboard.press("Tab")
        if await page.evaluate("s => document.activeElement?.matches(s) ?? false", selector):
            return
    raise AssertionError(f"Tab does not lead to {selector}")


async def test_the_second_of_two_editors_sees_the_others_change_and_nothing_is_overwritten(
    house: House, made: Made, sign_in: Open
) -> None:
    name = await made()
    first, second = await sign_in(), await sign_in(quiet=False)  # a 409 is told on the console
    await edit(first, name)
    await edit(second, name)
    await write(first, "<p>First {{ name }} {{ code }}</p>\n")
    await first.get_by_role("button", name="Save draft").click()
    await expect(first.locator("#saying")).to_contain_text("Saved as draft 2")
    await write(second, "<p>Second {{ name }} {{ code }}</p>\n")
    await second.get_by_role("button", name="Save draft").click()
    dialog = second.get_by_role("dialog")
    await expect(dialog).to_contain_text("admin@example.com saved version 2")
    await expect(dialog.locator(".old").filter(has_text="First")).to_be_visible()
    await expect(dialog.locator(".new").filter(has_text="Second")).to_be_visible()
    assert [one.number for one in await house.service.store.versions(name)] == [2, 1]
    await second.get_by_role("button", name="Save mine after theirs").click()
    await expect(second.locator("#saying")).to_contain_text("Saved as draft 3")


async def test_a_hostile_template_cannot_touch_the_page_around_its_preview(
    house: House, made: Made, sign_in: Open
) -> None:
    page = await sign_in(quiet=False)  # the browser says what it blocks
    name = await made()
    await edit(page, name)
    await write(page, HOSTILE)
    frame = page.frame_locator(MAIL)
    await expect(frame.locator("#mail")).to_contain_text("Hello")
    await frame.locator("#go").click()
    await frame.locator("#out").click()
    await expect(frame.locator("#mail")).to_contain_text("Hello")
    assert await page.title() == f"{name} · notifier"
    assert page.url.endswith(f"/admin/templates/{name}")
    inside = page.frames[-1]
    assert await inside.evaluate("self.origin") == "null"
    assert [key.name for key in await house.service.store.keys()] == ["acceptance"]


async def test_axe_finds_no_serious_fault_around_templates_in_light_and_dark(
    house: House, made: Made, sign_in: Open
) -> None:
    name = await made()
    parts = {"subject.txt": "Hello", "body.html": "<p>{{ name }} {{ other }} {{ code }}</p>"}
    more = {"parts": parts, "samples": {"default": {"name": "Zoë", "other": "Mei", "code": "42"}}}
    assert (await house.http.put(f"/v1/templates/{name}", json=more)).status_code == 200
    page = await sign_in()
    await page.add_init_script(AXE)
    for path in (f"{name}/history", f"{name}/publish/2", "_assets/logo.png"):
        await page.goto(f"/admin/templates/{path}")
        await _check(page)
    await edit(page, name)
    await _check(page)
    for button in ("Insert…", "Pictures…", "Send a test…"):
        await page.get_by_role("button", name=button).click()
        await expect(page.get_by_role("dialog")).to_be_visible()
        if button == "Pictures…":
            await expect(page.get_by_role("dialog").get_by_role("button", name="logo.png")).to_be_visible()
        await _check(page, "dialog[open]")
        await page.get_by_role("dialog").get_by_role("button", name="Close").click()


async def _check(page: Page, where: str = "html") -> None:
    for scheme in ("light", "dark"):
        await page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        found = await page.evaluate("w => axe.run(w, {iframes: false, resultTypes: ['violations']})", where)
        serious = [one for one in found["violations"] if one["impact"] in ("serious", "critical")]
        told = [(one["id"], [node["html"][:200] for node in one["nodes"]]) for one in serious]
        assert not told, f"{page.url}, {scheme}: {told}"
