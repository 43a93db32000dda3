"""What both halves of the service work with: the one that answers HTTP, and the one that sends."""

import time
from collections.abc import Callable
from datetime import datetime

from notifier.app.relay import dkim_of
from notifier.delivery.composer import Composer
from notifier.settings import Settings
from notifier.store.admin import AdminStore
from notifier.store.engine import open_database, utc_now
from notifier.store.group import GroupObserver
from notifier.store.store import Store
from notifier.telemetry import Telemetry
from notifier.templating.child import Workshop
from notifier.templating.editing import Editor
from notifier.templating.library import Library
from notifier.web.watch import Watch
from notifier.webhooks.desk import Desk
from notifier.webhooks.networks import Networks
from notifier.webhooks.transport import Http


class Parts:
    """Made from settings; connected to nothing yet. Raises ConfigurationError. `committed` hears of the store's
    commits; `clock` tells the time where the database (PostgreSQL) does not."""

    def __init__(self, settings: Settings, committed: GroupObserver, clock: Callable[[], datetime]) -> None:
        dkim = dkim_of(settings)
        networks = Networks(settings.webhooks_allow_networks)
        database = open_database(settings.database_url, clock=clock)
        self.settings = settings
        self.clock = clock
        self.telemetry = Telemetry()
        self.store = Store(database, committed)
        self.admin_store = AdminStore(database)
        self.library = Library(self.store, time.monotonic, public_url=settings.public_url)
        self.workshop = Workshop(public_url=settings.public_url)
        self.folder = str(settings.templates_dir) if settings.templates_source == "folder" else None
        """The folder that alone templates come from, where that is set."""
        self.editor = Editor(
            self.store, self.library, self.workshop, utc_now, folder=self.folder, public_url=settings.public_url
        )
        self.composer = Composer(
            self.library,
            self.store,
            metadata_header="X-PM-Metadata-notifier-id" if settings.postmark_password else None,
            sign=dkim.signed if dkim else None,
        )
        self.http = Http(networks)
        self.hooks = Desk(self.http, networks, allow_http=settings.webhooks_allow_http)
        self.watch = Watch(self.store.statuses)
