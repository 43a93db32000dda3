"""The two clients. What they do is in `calls`; here is who carries it out."""

import asyncio
import builtins
import time
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, Self, TypeVar, Unpack

import httpx2 as httpx

from notifier.client import calls
from notifier.client.answers import Batch, BatchItem, Event, Key, Notification, Preview
from notifier.client.calls import Addresses, Fields, Filters, Progress
from notifier.client.exchange import Request, Sleep, Steps

T = TypeVar("T")

TIMEOUT: Final = 30.0
"""Seconds for an answer."""


def http_options(url: str, key: str, timeout: float) -> dict[str, Any]:
    """What every connection to a service is made with. `timeout` is in seconds."""
    headers = {"authorization": f"Bearer {key}", "accept": "application/json", "user-agent": "notifier-client"}
    base = httpx.URL(url.rstrip("/"))
    # A proxy of the environment's is for the world outside, not for what runs on this machine.
    local = base.host in ("localhost", "127.0.0.1", "::1")
    # Reading all trusted certificates takes 20 ms, and without TLS nobody asks for them (redirects are not followed).
    verify = base.scheme != "http"
    return {"base_url": base, "headers": headers, "timeout": timeout, "trust_env": not local, "verify": verify}


def _arguments(request: Request) -> dict[str, Any]:
    headers = dict(request.headers)
    if request.body is not None:
        headers["content-type"] = "application/json"
    given: dict[str, Any] = {"params": request.params, "headers": headers, "content": request.body}
    return given if request.timeout is None else given | {"timeout": request.timeout}


class Notifier:
    """A client that blocks. Safe to share between threads; close it, or use it in a ``with``.

    `url` is where the service is, `key` an API key. Calls are retried (429, 503, a lost connection) where that is safe:
    each send carries an idempotency key of its own, or the one that it is given.
    """

    def __init__(self, url: str, key: str, *, timeout: float = TIMEOUT) -> None:
        self._http = httpx.Client(**http_options(url, key, timeout))

    def send(
        self, template: str | None = None, *, idempotency_key: str | None = None, **fields: Unpack[Fields]
    ) -> Notification:
        """Sends one notification; it is safe on the service's disk when this returns. Raises `NotifierError`."""
        return self._run(calls.send(template, idempotency_key, fields))

    def send_batch(
        self,
        notifications: Iterable[Mapping[str, Any]],
        *,
        defaults: Mapping[str, Any] | None = None,
        idempotency_key: str | None = None,
        progress: Progress | None = None,
    ) -> builtins.list[BatchItem]:
        """Sends any number of notifications, one message each, in requests of up to a thousand. `defaults` is merged
        under each. What is wrong with one is told in its place and keeps no other back. With an `idempotency_key` of
        your own the same call again, after an interruption, sends nothing twice."""
        return self._run(calls.send_batch(notifications, defaults, idempotency_key, progress))

    def get(self, id: str, *, wait: float | None = None) -> Notification:
        """Where it stands; with `wait`, once it is final or after so many seconds (60 at most)."""
        return self._run(calls.get(id, wait))

    def wait_until_final(self, id: str, *, timeout: float = 60.0) -> Notification:
        """Where it stands once nothing more will happen by itself. Raises `NotFinal` after `timeout` seconds."""
        return self._run(calls.wait_until_final(id, timeout))

    def cancel(self, id: str) -> Notification:
        """Never sends it to those who have not got it. Raises `Conflict` where it is too late."""
        return self._run(calls.cancel(id))

    def retry(self, id: str) -> Notification:
        """Sends again what failed, was held or expired. Raises `Conflict` where nothing did."""
        return self._run(calls.retry(id))

    def resend(self, id: str, to: Addresses, *, idempotency_key: str | None = None) -> Notification:
        """The same mail as a new notification to another address."""
        return self._run(calls.resend(id, to, idempotency_key))

    def list(self, **filters: Unpack[Filters]) -> Iterator[Notification]:
        """Every notification that fits, newest first, page by page."""
        after: str | None = None
        while True:
            found, after = self._run(calls.page(filters, after))
            yield from found
            if after is None:
                return

    def events(self, id: str) -> builtins.list[Event]:
        """The timeline of one notification, oldest first."""
        return self._run(calls.timeline(id))

    def feed(self, *, after: str | None = None, types: Sequence[str] = ()) -> Iterator[Event]:
        """What happened in the project behind the event with the id `after`, up to now. Nothing is skipped."""
        cursor = after
        while True:
            found, cursor = self._run(calls.feed(types, cursor))
            yield from found
            if cursor is None:
                return

    def batch(self, id: str) -> Batch:
        """How many notifications of a batch stand where."""
        return self._run(calls.batch(id))

    def preview(
        self,
        template: str,
        data: Mapping[str, Any] | None = None,
        *,
        sample: str | None = None,
        locale: str | None = None,
        version: int | None = None,
    ) -> Preview:
        """A template rendered with `data` or with one of its samples."""
        asked = {"data": data, "sample": sample, "locale": locale, "version": version}
        return self._run(calls.preview(template, asked))

    def keys(self) -> builtins.list[Key]:
        """The project's API keys (admin scope)."""
        return self._run(calls.keys())

    def create_key(self, name: str, *, mode: str = "live", scopes: Sequence[str] | None = None, **more: Any) -> Key:
        """A new API key (admin scope); its `secret` is told this once."""
        return self._run(calls.create_key({"name": name, "mode": mode, "scopes": scopes, **more}))

    def revoke_key(self, id: str) -> None:
        """Ends a key (admin scope)."""
        self._run(calls.revoke_key(id))

    def close(self) -> None:
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _run(self, steps: Steps[T]) -> T:
        try:
            step = next(steps)
            while True:
                if isinstance(step, Sleep):
                    time.sleep(step.seconds)
                    step = steps.send(None)
                    continue
                try:
                    response = self._http.request(step.method, step.path, **_arguments(step))
                except httpx.TransportError as error:
                    step = steps.throw(error)
                else:
                    step = steps.send(response)
        except StopIteration as end:
            result: T = end.value
            return result


class AsyncNotifier:
    """`Notifier` for asyncio: the same calls, to be awaited."""

    def __init__(self, url: str, key: str, *, timeout: float = TIMEOUT) -> None:
        self._http = httpx.AsyncClient(**http_options(url, key, timeout))

    async def send(
        self, template: str | None = None, *, idempotency_key: str | None = None, **fields: Unpack[Fields]
    ) -> Notification:
        """See `Notifier.send`."""
        return await self._run(calls.send(template, idempotency_key, fields))

    async def send_batch(
        self,
        notifications: Iterable[Mapping[str, Any]],
        *,
        defaults: Mapping[str, Any] | None = None,
        idempotency_key: str | None = None,
        progress: Progress | None = None,
    ) -> builtins.list[BatchItem]:
        """See `Notifier.send_batch`."""
        return await self._run(calls.send_batch(notifications, defaults, idempotency_key, progress))

    async def get(self, id: str, *, wait: float | None = None) -> Notification:
        """See `Notifier.get`."""
        return await self._run(calls.get(id, wait))

    async def wait_until_final(self, id: str, *, timeout: float = 60.0) -> Notification:  # noqa: ASYNC109 -- asks on
        """See `Notifier.wait_until_final`."""
        return await self._run(calls.wait_until_final(id, timeout))

    async def cancel(self, id: str) -> Notification:
        """See `Notifier.cancel`."""
        return await self._run(calls.cancel(id))

    async def retry(self, id: str) -> Notification:
        """See `Notifier.retry`."""
        return await self._run(calls.retry(id))

    async def resend(self, id: str, to: Addresses, *, idempotency_key: str | None = None) -> Notification:
        """See `Notifier.resend`."""
        return await self._run(calls.resend(id, to, idempotency_key))

    async def list(self, **filters: Unpack[Filters]) -> AsyncIterator[Notification]:
        """See `Notifier.list`: ``async for one in client.list(...)``."""
        after: str | None = None
        while True:
            found, after = await self._run(calls.page(filters, after))
            for one in found:
                yield one
            if after is None:
                return

    async def events(self, id: str) -> builtins.list[Event]:
        """See `Notifier.events`."""
        return await self._run(calls.timeline(id))

    async def feed(self, *, after: str | None = None, types: Sequence[str] = ()) -> AsyncIterator[Event]:
        """See `Notifier.feed`: ``async for event in client.feed(...)``."""
        cursor = after
        while True:
            found, cursor = await self._run(calls.feed(types, cursor))
            for one in found:
                yield one
            if cursor is None:
                return

    async def batch(self, id: str) -> Batch:
        """See `Notifier.batch`."""
        return await self._run(calls.batch(id))

    async def preview(
        self,
        template: str,
        data: Mapping[str, Any] | None = None,
        *,
        sample: str | None = None,
        locale: str | None = None,
        version: int | None = None,
    ) -> Preview:
        """See `Notifier.preview`."""
        asked = {"data": data, "sample": sample, "locale": locale, "version": version}
        return await self._run(calls.preview(template, asked))

    async def keys(self) -> builtins.list[Key]:
        """See `Notifier.keys`."""
        return await self._run(calls.keys())

    async def create_key(
        self, name: str, *, mode: str = "live", scopes: Sequence[str] | None = None, **more: Any
    ) -> Key:
        """See `Notifier.create_key`."""
        return await self._run(calls.create_key({"name": name, "mode": mode, "scopes": scopes, **more}))

    async def revoke_key(self, id: str) -> None:
        """See `Notifier.revoke_key`."""
        await self._run(calls.revoke_key(id))

    async def aclose(self) -> None:
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def _run(self, steps: Steps[T]) -> T:
        try:
            step = next(steps)
            while True:
                if isinstance(step, Sleep):
                    await asyncio.sleep(step.seconds)
                    step = steps.send(None)
                    continue
                try:
                    response = await self._http.request(step.method, step.path, **_arguments(step))
                except httpx.TransportError as error:
                    step = steps.throw(error)
                else:
                    step = steps.send(response)
        except StopIteration as end:
            result: T = end.value
            return result
