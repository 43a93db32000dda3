"""Words for tests that edit templates over HTTP."""

import json
from collections.abc import Mapping
from typing import Any

import httpx2 as httpx
import pytest
from sqlalchemy import text

from tests.acceptance.conftest import House

LEAST: Mapping[str, str] = {"subject.txt": "Hello {{ name }}", "body.html": "<p>Dear {{ name }}</p>\n"}


class Desk:
    """Templates of a running service."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.http = house.http

    async def put(self, name: str, parts: Mapping[str, str] = LEAST, *, query: str = "", **more: Any) -> httpx.Response:
        headers = more.pop("headers", {})
        return await self.http.put(f"/v1/templates/{name}{query}", json={"parts": dict(parts), **more}, headers=headers)

    async def saved(self, name: str, parts: Mapping[str, str] = LEAST, **more: Any) -> dict[str, Any]:
        """Published at once."""
        answer = await self.put(name, parts, query=more.pop("query", "?publish=true"), **more)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def get(self, path: str) -> dict[str, Any]:
        answer = await self.http.get(f"/v1/templates/{path}")
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def post(self, path: str, body: Mapping[str, Any]) -> httpx.Response:
        return await self.http.post(f"/v1/templates/{path}", json=dict(body))

    async def publish(self, name: str, version: int, **more: Any) -> httpx.Response:
        return await self.post(f"{name}/publish", {"version": version, **more})

    async def audit(self, action: str) -> list[tuple[str, str, dict[str, Any]]]:
        """Who did it to what, oldest first."""
        statement = text("SELECT actor, subject, detail FROM audit WHERE action = :action ORDER BY at, id")
        database = self.house.service.store._database
        rows = await database.read(lambda tx: list(tx.connection.execute(statement, {"action": action})))
        return [
            (row.actor, row.subject, json.loads(row.detail) if isinstance(row.detail, str) else row.detail)
            for row in rows
        ]


def faults(answer: httpx.Response) -> dict[str, str]:
    """The faults of a refusal: codes by field."""
    return {fault["field"]: fault["code"] for fault in answer.json()["errors"]}


@pytest.fixture
def desk(house: House) -> Desk:
    return Desk(house)
