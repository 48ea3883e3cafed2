"""The store is every port of `ports.stores`: to the type checker, and by its signatures."""

import inspect

import pytest

from alertd.ports.stores.access import TokenStore
from alertd.ports.stores.intake import IntakeStore
from alertd.ports.stores.kept import KeptStore
from alertd.ports.stores.pages import PagerStore
from alertd.ports.stores.peers import PeerStore
from alertd.ports.stores.plan import PlanStore
from alertd.ports.stores.reports import FeedStore, ReportStore
from alertd.ports.stores.subscribers import SubscriberStore
from alertd.ports.stores.sweep import SweepStore
from alertd.ports.stores.work import WorkStore
from alertd.storage import Store

PORTS = [
    IntakeStore,
    PagerStore,
    PeerStore,
    PlanStore,
    WorkStore,
    SweepStore,
    FeedStore,
    ReportStore,
    SubscriberStore,
    KeptStore,
    TokenStore,
]


def _is_each(store: Store) -> None:
    """Never called: mypy reads it."""
    _intake: IntakeStore = store
    _pager: PagerStore = store
    _peers: PeerStore = store
    _plan: PlanStore = store
    _work: WorkStore = store
    _sweep: SweepStore = store
    _feeds: FeedStore = store
    _report: ReportStore = store
    _subscribers: SubscriberStore = store
    _kept: KeptStore = store
    _tokens: TokenStore = store


def _asked(port: type) -> dict[str, object]:
    return {name: member for name, member in vars(port).items() if inspect.isfunction(member) and name[0] != "_"}


@pytest.mark.parametrize("port", PORTS, ids=lambda port: port.__name__)
def test_every_method_is_there_with_the_same_parameters(port: type) -> None:
    for name, asked in _asked(port).items():
        given = inspect.signature(getattr(Store, name)).parameters.values()
        wanted = inspect.signature(asked).parameters.values()
        assert [(p.name, p.kind, p.default) for p in given] == [(p.name, p.kind, p.default) for p in wanted], name
