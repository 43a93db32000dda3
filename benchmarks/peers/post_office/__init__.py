"""django-post_office: `python -m benchmarks.peers.post_office fill COUNT`, then `... send`."""
