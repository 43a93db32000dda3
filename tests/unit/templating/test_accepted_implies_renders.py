"""What the verdict accepts renders later, the same; what a schema and a template agree on is accepted."""

import json
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from notifier.templating import Bundle, compile_bundle, read_folder

FOLDERS = (Path(__file__).parent / "fixtures", Path(__file__).parents[3] / "templates")
BUNDLES = {bundle.name: bundle for folder in FOLDERS for bundle in read_folder(folder).bundles.values()}
TEMPLATES = {name: compile_bundle(bundle) for name, bundle in BUNDLES.items()}

AGAIN = {
    name: compile_bundle(Bundle.from_wire(json.loads(json.dumps(bundle.to_wire())))) for name, bundle in BUNDLES.items()
}
"""The same versions as another machine would have them."""

text = st.text(max_size=20)
leaves = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), text, st.sampled_from(["1.5", "2026-01-31", "EUR"])
)
values = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(["name", "price", "label"]), inner)
    ),
    max_leaves=6,
)


@st.composite
def cases(draw: st.DrawFn) -> tuple[str, dict[str, object]]:
    """A template, and its sample with some of its values changed or gone."""
    name = draw(st.sampled_from(sorted(TEMPLATES)))
    data: dict[str, object] = json.loads(json.dumps(TEMPLATES[name].samples["default"]))
    for key in draw(st.lists(st.sampled_from(sorted(data)), max_size=3)):
        if draw(st.booleans()):
            data.pop(key, None)
        else:
            data[key] = draw(values)
    return name, data


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    case=cases(),
    locale=st.sampled_from([None, "fr", "de", "fr-CA", "ja", "pt_BR"]),
    zone=st.sampled_from([None, "Europe/Paris", "Asia/Kolkata"]),
    at=st.datetimes(datetime(2020, 1, 1), datetime(2035, 1, 1)),
)
def test_what_is_accepted_renders_the_same_anywhere(
    case: tuple[str, dict[str, object]], locale: str | None, zone: str | None, at: datetime
) -> None:
    name, data = case
    moment = at.replace(tzinfo=UTC)

    verdict = TEMPLATES[name].verdict(data, locale=locale, timezone=zone, at=moment)

    assert (verdict.rendered is None) == bool(verdict.faults)
    if verdict.rendered is not None:
        copy = json.loads(json.dumps(data))
        elsewhere = moment.astimezone(timezone(timedelta(hours=5)))
        assert AGAIN[name].render(copy, locale=locale, timezone=zone, at=elsewhere) == verdict.rendered
