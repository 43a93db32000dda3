"""Pictures of templates, in a browser: choosing, dropping, inserting, and another one in the place of one."""

import base64
import struct
import zlib

from playwright.async_api import FilePayload, Page, expect

from tests.acceptance.conftest import House
from tests.browser.conftest import Open
from tests.browser.templates.conftest import MAIL, Made, edit, source, write


def png(width: int, seed: int = 0) -> bytes:
    """A picture of one colour, four lines high."""
    row = b"\0" + bytes((seed, 90, 160)) * width
    chunks = (
        (b"IHDR", struct.pack(">IIBBBBB", width, 4, 8, 2, 0, 0, 0)),
        (b"IDAT", zlib.compress(row * 4)),
        (b"IEND", b""),
    )
    told = b"".join(struct.pack(">I", len(d)) + k + d + struct.pack(">I", zlib.crc32(k + d)) for k, d in chunks)
    return b"\x89PNG\r\n\x1a\n" + told


def a_file(name: str, content: bytes) -> FilePayload:
    return {"name": name, "mimeType": "application/octet-stream", "buffer": content}


async def test_a_picture_is_uploaded_inserted_and_shown_and_travels_in_the_mail(
    house: House, made: Made, sign_in: Open
) -> None:
    name = await made()
    page = await sign_in()
    await edit(page, name)
    await write(page, "<p>{{ name }} {{ code }}</p>")
    await page.get_by_role("button", name="Pictures…").click()
    await page.get_by_label("Upload a picture").set_input_files(a_file("Our Map (new).PNG", png(20)))
    await page.get_by_role("button", name="Our-Map-new.png").click()
    assert await source(page) == (
        '<p>{{ name }} {{ code }}</p><img src="{{ asset("Our-Map-new.png") }}" width="20" alt="Our Map new">'
    )
    shown = page.frame_locator(MAIL).get_by_alt_text("Our Map new")
    await expect(shown).to_have_js_property("naturalWidth", 20)
    await page.keyboard.press("Control+s")
    await expect(page.locator("#saying")).to_contain_text("Saved as draft 2")
    sent = await house.send(template=name, version=2)
    await house.final(sent["id"])
    assert base64.b64encode(png(20)) in house.capture.messages[-1].raw.replace(b"\r\n", b"")


async def test_what_is_no_picture_too_large_or_another_one_by_that_name_is_refused_in_words(
    house: House, made: Made, sign_in: Open
) -> None:
    page = await sign_in(quiet=False)  # a 422 is told on the console
    await edit(page, await made())
    await page.get_by_role("button", name="Pictures…").click()
    wrong, chooser = page.get_by_role("alert"), page.get_by_label("Upload a picture")
    await chooser.set_input_files(a_file("notes.png", b"only words"))
    await expect(wrong).to_contain_text("notes.png: mail programs show PNG, JPEG and GIF")
    await chooser.set_input_files(a_file("drawing.svg", b"<svg xmlns='http://www.w3.org/2000/svg'/>"))
    await expect(wrong).to_contain_text("this file is SVG")
    await chooser.set_input_files(a_file("large.png", png(9) + bytes(1024 * 1024)))
    await expect(wrong).to_contain_text("1 MB is the most")
    await chooser.set_input_files(a_file("logo.png", png(9)))
    await expect(wrong).to_contain_text("there is another picture called logo.png")
    assert [name for name in await house.service.store.published() if name.startswith("_assets/")].count(
        "_assets/logo.png"
    ) == 1


async def _drop(page: Page, selector: str, name: str, content: bytes) -> None:
    """A file, dragged from outside of the browser: nothing less than its event can be made here."""
    transfer = await page.evaluate_handle(
        """([name, content]) => {
            const bytes = Uint8Array.from(atob(content), c => c.charCodeAt(0))
            const transfer = new DataTransfer()
            transfer.items.add(new File([bytes], name))
            return transfer
        }""",
        [name, base64.b64encode(content).decode()],
    )
    await page.dispatch_event(selector, "dragover", {"dataTransfer": transfer})
    await page.dispatch_event(selector, "drop", {"dataTransfer": transfer})


async def test_a_picture_is_dropped_on_the_text_and_its_name_completed(made: Made, sign_in: Open) -> None:
    page = await sign_in()
    await edit(page, await made())
    await write(page, "")
    await _drop(page, ".cm-content", "dropped.png", png(11))
    await page.get_by_role("dialog").get_by_role("button", name="dropped.png").click()
    assert (await source(page)).startswith('<img src="{{ asset("dropped.png") }}" width="11"')
    await page.keyboard.type('{{ asset("dr')
    await expect(page.locator(".cm-tooltip-autocomplete li")).to_have_text(["dropped.png"])


async def test_another_picture_in_the_place_of_one_is_a_draft_until_it_is_published_for_all_who_show_it(
    house: House, made: Made, sign_in: Open
) -> None:
    page = await sign_in()
    await edit(page, await made())
    await _drop(page, ".cm-content", "stamp.png", png(12))
    await expect(page.get_by_role("dialog").get_by_role("button", name="stamp.png")).to_be_visible()
    name = await made(**{"subject.txt": "Hello", "body.html": '<p>Hi</p><img src="{{ asset("stamp.png") }}">'})
    await page.goto("/admin/templates/_assets/stamp.png")
    await expect(page.get_by_role("link", name=name)).to_be_visible()
    await page.get_by_label("Another picture in its place").set_input_files(a_file("any.png", png(13, 1)))
    await page.get_by_role("button", name="Upload as a draft").click()
    await page.wait_for_url("**/_assets/stamp.png/publish/2")
    await expect(page.get_by_text(f"new version with it, published at once: {name}")).to_be_visible()
    await expect(page.get_by_alt_text("Old: stamp.png")).to_have_js_property("naturalWidth", 12)
    await expect(page.get_by_alt_text("New: stamp.png")).to_have_js_property("naturalWidth", 13)
    assert (await house.service.store.published())[name].number == 1
    await page.get_by_role("button", name="Publish version 2").click()
    await expect(page.get_by_role("status")).to_contain_text("Published")
    assert (await house.service.store.published())[name].number == 2
