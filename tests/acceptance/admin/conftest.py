"""Somebody with a browser's manners, but without one: cookies, and the headers that tell where a request comes from."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack

import httpx2 as httpx
import pytest

from tests.acceptance.conftest import House, MakeHouse

PASSWORD = "correct-horse-battery"

Visit = Callable[..., Awaitable[httpx.AsyncClient]]


@pytest.fixture
async def house(make_house: MakeHouse) -> House:
    return await make_house(NOTIFIER_ADMIN_PASSWORD=PASSWORD)


@pytest.fixture
async def visit(house: House) -> AsyncIterator[Visit]:
    """A client of its own; signed in as `name`, if one is given."""
    async with AsyncExitStack() as stack:

        async def make(name: str | None = None, password: str = PASSWORD) -> httpx.AsyncClient:
            client = house.browser()
            await stack.enter_async_context(client)
            if name is not None:
                answer = await client.post("/admin/sign-in", data={"name": name, "password": password})
                assert answer.status_code == 303, answer.text
            return client

        yield make
