"""The relay: the SMTP client half of the product.

client      Relay: send, ready, free, state, aclose
pool        the connections and whose turn it is           breaker  how many of them there may be
session     connect, TLS, EHLO, AUTH (aiosmtplib)          wire     bytes out, replies in, in order
dialogue    MAIL to the final dot                          replies  what replies mean
envelope    addresses as octets                            pace     messages per second
"""

from notifier.domain.delivery import Envelope
from notifier.mail.relay.client import Relay, RelayState
from notifier.mail.relay.observer import RelayObserver
from notifier.mail.relay.settings import RelaySettings

__all__ = ["Envelope", "Relay", "RelayObserver", "RelaySettings", "RelayState"]
