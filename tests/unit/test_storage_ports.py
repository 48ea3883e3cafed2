"""The store is every port of `ports.stores`: to the type checker, and by its signatures."""

import inspect

import pytest

from alertd.ports import stores
from alertd.storage import Store

PORTS = [
    stores.IntakeStore,
    stores.PagerStore,
    stores.PeerStore,
    stores.PlanStore,
    stores.WorkStore,
    stores.SweepStore,
    stores.FeedStore,
    stores.ReportStore,
    stores.SubscriberStore,
    stores.TokenStore,
]


def _is_each(store: Store) -> None:
    """Never called: mypy reads it."""
    _intake: stores.IntakeStore = store
    _pager: stores.PagerStore = store
    _peers: stores.PeerStore = store
    _plan: stores.PlanStore = store
    _work: stores.WorkStore = store
    _sweep: stores.SweepStore = store
    _feeds: stores.FeedStore = store
    _report: stores.ReportStore = store
    _subscribers: stores.SubscriberStore = store
    _tokens: stores.TokenStore = store


def _asked(port: type) -> dict[str, object]:
    return {name: member for name, member in vars(port).items() if inspect.isfunction(member) and name[0] != "_"}


@pytest.mark.parametrize("port", PORTS, ids=lambda port: port.__name__)
def test_every_method_is_there_with_the_same_parameters(port: type) -> None:
    for name, asked in _asked(port).items():
        given = inspect.signature(getattr(Store, name)).parameters.values()
        wanted = inspect.signature(asked).parameters.values()
        assert [(p.name, p.kind, p.default) for p in given] == [(p.name, p.kind, p.default) for p in wanted], name
