"""The composition root: settings in, a running service out. The only place that names concrete classes.

`service` is the whole, in the order in which it starts. Commands that want a part of it (the store, the relay) take
that module alone: this one imports nothing, so that they start quickly.
"""
