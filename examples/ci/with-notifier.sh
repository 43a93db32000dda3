#!/bin/sh
# Runs a command beside a notifier of its own, and ends that afterwards; nothing it sends leaves it. No Docker, no ports
# that may be busy:
#
#   with-notifier.sh TEMPLATES COMMAND [ARGUMENT...]
#
# The command finds NOTIFIER_URL, NOTIFIER_API_KEY and NOTIFIER_INBOX (…/api/messages and …/api/faults are below it).
set -eu
templates=$1
shift

export NOTIFIER_API_KEY=ntf_live_for-ci-and-nothing-else
log=$(mktemp)
notifier demo --no-sample --no-open --port 0 --smtp-port 0 --templates "$templates" >"$log" 2>&1 &
notifier=$!
trap 'kill "$notifier" 2>/dev/null || true; wait "$notifier" 2>/dev/null || true; rm -f "$log"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

until grep -q '^ *API docs ' "$log"; do
  if ! kill -0 "$notifier" 2>/dev/null; then
    cat "$log" >&2
    exit 1
  fi
  sleep 0.1
done
NOTIFIER_INBOX=$(sed -n 's|^ *inbox  *\(http[^ ]*\)$|\1|p' "$log")
NOTIFIER_URL=${NOTIFIER_INBOX%/inbox}
export NOTIFIER_URL NOTIFIER_INBOX
notifier ready >/dev/null
echo "notifier's inbox: $NOTIFIER_INBOX" >&2

"$@"
