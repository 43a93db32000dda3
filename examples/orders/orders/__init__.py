"""A shop that takes orders and writes to its buyers through notifier."""
