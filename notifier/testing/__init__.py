"""Tests of what sends mail, with a real mail server and the real service: a pytest plugin.

`plugin` has the fixtures, which come with ``pip install notifier-service[testing]``. What they hand out is a
`mailbox.Mailbox` with its `mailbox.Mail`, a `server.NotifierServer`, and an `outbox.Outbox` that needs neither. Nothing
is imported here: pytest loads the plugin wherever notifier is installed.
"""
