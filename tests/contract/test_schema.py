"""The schema: what the migrations make is what the code expects, and upgrading is safe at any time."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text

from notifier.domain.errors import Unavailable
from notifier.store import schema
from notifier.store.engine import Tx, open_database
from notifier.store.store import Store
from notifier.store.tables import metadata

if TYPE_CHECKING:
    from tests.contract.conftest import Commits, Desk


async def test_the_migrations_make_what_the_tables_say(desk: "Desk") -> None:
    def differences(tx: Tx) -> Any:
        options = {"compare_type": True, "compare_server_default": not desk.is_postgres}
        return compare_metadata(MigrationContext.configure(tx.connection, opts=options), metadata)

    assert await desk.run(differences) == []


async def test_the_indexes_of_the_hot_table_are_the_partial_ones_of_the_metadata(desk: "Desk") -> None:
    if desk.is_postgres:
        rows = await desk.rows("SELECT indexname, indexdef FROM pg_indexes WHERE tablename = 'delivery'")
    else:
        rows = await desk.rows("SELECT name, sql FROM sqlite_master WHERE tbl_name = 'delivery' AND sql IS NOT NULL")
    made = {name: " ".join(sql.replace("(", "").replace(")", "").replace("::text", "").split()) for name, sql in rows}
    for index in metadata.tables["delivery"].indexes:
        where = str(index.dialect_options["sqlite"]["where"])
        assert where.split(" = ")[-1] in made[str(index.name)], index.name


async def test_a_migrated_database_is_ready_and_an_empty_one_is_not(database_url: str, commits: "Commits") -> None:
    store = Store(open_database(database_url), commits)
    try:
        assert not await store.is_ready()
        with pytest.raises(Unavailable) as refused:
            await store.claim("worker", 60.0, 1, 1, True)
        assert refused.value.code == "schema_outdated"
        await store.migrate()
        assert await store.is_ready()
        assert not (await store.claim("worker", 60.0, 1, 1, True)).claimed
    finally:
        await store.close()


async def test_upgrading_again_does_nothing(desk: "Desk") -> None:
    id_ = await desk.accept()
    await desk.store.migrate()
    assert await desk.status(id_) == "queued"


async def test_processes_that_upgrade_at_once_do_it_once(postgres_url: str, commits: "Commits") -> None:
    stores = [Store(open_database(postgres_url), commits) for _ in range(4)]
    try:
        await asyncio.gather(*(store.migrate() for store in stores))
        assert all([await store.is_ready() for store in stores])
    finally:
        for store in stores:
            await store.close()


async def test_a_running_program_is_content_with_a_newer_schema_and_leaves_it_alone(desk: "Desk") -> None:
    await desk.run(lambda tx: tx.connection.execute(text("UPDATE alembic_version SET version_num = '9999'")))
    assert await desk.store.is_ready()
    await desk.store.migrate()
    assert [row[0] for row in await desk.rows("SELECT version_num FROM alembic_version")] == ["9999"]


async def test_a_program_waits_for_the_schema_it_was_written_for(desk: "Desk") -> None:
    await desk.run(lambda tx: tx.connection.execute(text("UPDATE alembic_version SET version_num = '0000'")))
    assert not await desk.store.is_ready()


def test_the_newest_revision_is_the_one_that_alembic_upgrades_to() -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(schema.__file__).parent / "migrations"))
    assert ScriptDirectory.from_config(config).get_current_head() == schema.newest()


async def test_the_hot_table_is_vacuumed_early_and_often(postgres_desk: "Desk") -> None:
    ((options,),) = await postgres_desk.rows("SELECT reloptions FROM pg_class WHERE relname = 'delivery'")
    assert {"fillfactor=70", "autovacuum_vacuum_scale_factor=0.01", "autovacuum_vacuum_cost_delay=0"} <= set(options)
