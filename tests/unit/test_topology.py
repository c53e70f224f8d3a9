"""Which retry queue a delay is published to, and how retry queues are named."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.support.wake_ups import RETRY_DELAYS
from waybill.infra.broker.rabbitmq.topology import EARLIER, INSTALLATIONS, Names, Topology


@pytest.mark.parametrize(
    ("seconds", "exchange"),
    [
        (-1, "exp.v1.task"),
        (0, "exp.v1.task"),
        (0.001, "exp.v1.retry.2s"),
        (2, "exp.v1.retry.2s"),
        (2.001, "exp.v1.retry.8s"),
        (8, "exp.v1.retry.8s"),
        (29, "exp.v1.retry.30s"),
        (120, "exp.v1.retry.2m"),
        (86_400, "exp.v1.retry.2m"),
    ],
)
def test_a_delay_takes_the_shortest_delay_that_is_long_enough_or_the_longest(seconds, exchange):
    assert Topology(("orders",), RETRY_DELAYS).exchange_for(timedelta(seconds=seconds)) == exchange


def test_the_order_in_which_delays_are_given_does_not_matter():
    topology = Topology(("orders",), (timedelta(seconds=30), timedelta(seconds=2)))
    assert topology.exchange_for(timedelta(seconds=1)) == "exp.v1.retry.2s"


def test_without_delays_everything_is_published_at_once():
    assert Topology(("orders",), ()).exchange_for(timedelta(minutes=1)) == "exp.v1.task"


@pytest.mark.parametrize(
    ("delay", "name"),
    [
        (timedelta(milliseconds=500), "exp.v1.retry.500ms"),
        (timedelta(seconds=90), "exp.v1.retry.90s"),
        (timedelta(minutes=2), "exp.v1.retry.2m"),
        (timedelta(hours=1), "exp.v1.retry.60m"),
    ],
)
def test_a_retry_queue_is_named_by_its_delay(delay, name):
    assert EARLIER.retry(delay) == name


def test_every_queue_is_bound_to_an_exchange_that_is_declared():
    topology = Topology(("orders", "users"), RETRY_DELAYS)
    exchanges = {exchange.name for exchange in topology.exchanges()}
    for queue in topology.all_queues():
        assert queue.exchange in exchanges
        assert queue.arguments.get("x-dead-letter-exchange", queue.exchange) in exchanges


def test_f108_two_installations_share_no_name_but_that_of_their_list():
    one, other = (
        Topology(("orders",), RETRY_DELAYS, Names(name))
        for name in ("aaaaaaaaaaaa", "bbbbbbbbbbbb")
    )
    for names in (Topology.exchanges, Topology.all_queues):
        ours, theirs = ({spec.name for spec in names(topology)} for topology in (one, other))
        assert ours & theirs == {INSTALLATIONS}
