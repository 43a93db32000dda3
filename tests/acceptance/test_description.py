"""The API describes itself: OpenAPI, and pages that work without the network."""

import re
from typing import Any

from notifier.web.calls import CALLS
from tests.acceptance.conftest import House


async def description(house: House) -> dict[str, Any]:
    answer = await house.http.get("/openapi.json")
    assert answer.status_code == 200
    found: dict[str, Any] = answer.json()
    return found


async def test_every_call_is_described_with_an_example_and_its_refusals(house: House) -> None:
    found = await description(house)
    assert found["openapi"].startswith("3.1")
    calls = {
        operation["operationId"]: operation for methods in found["paths"].values() for operation in methods.values()
    }
    assert calls.keys() >= CALLS.keys()
    for name in CALLS:
        operation, call = calls[name], CALLS[name]
        answer = operation["responses"][str(call.status)]
        assert call.status == 204 or name == "metrics" or "example" in answer["content"]["application/json"], name
        assert "500" in operation["responses"]
        assert call.open or {"401", "403", "422", "429", "503"} <= operation["responses"].keys(), name
        if call.body:
            assert "example" in operation["requestBody"]["content"]["application/json"]


async def test_every_reference_leads_somewhere(house: House) -> None:
    found = await description(house)

    def references(node: Any) -> list[str]:
        if isinstance(node, dict):
            own = [node["$ref"]] if isinstance(node.get("$ref"), str) else []
            return own + [ref for entry in node.values() for ref in references(entry)]
        return [ref for entry in node for ref in references(entry)] if isinstance(node, list) else []

    for reference in set(references(found)):
        target: Any = found
        for step in reference.removeprefix("#/").split("/"):
            target = target[step]


async def test_the_examples_of_requests_are_taken(house: House) -> None:
    found = await description(house)
    await house.stop()
    for path in ("/v1/notifications", "/v1/notifications/batch", "/v1/keys"):
        body = found["paths"][path]["post"]["requestBody"]["content"]["application/json"]["example"]
        answer = await house.http.post(path, json=body)
        assert answer.status_code in (201, 202), answer.text


async def test_the_pages_ask_nobody_else(house: House) -> None:
    page = await house.http.get("/docs")
    assert page.status_code == 200
    assert "https:" not in page.text
    assert "default-src 'none'" in page.headers["content-security-policy"]
    for asset in re.findall(r'(?:src|href)="(/[^"]+)"', page.text):
        answer = await house.http.get(asset)
        assert (answer.status_code, len(answer.content) > 100) == (200, True), asset
