"""Orders to end: the first stands, and a later one can only make it more urgent."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from runctl.agent.orders import Order, Orders
from runctl.model.events import Cause

STOP = Order(Cause.STOP, "asked for")
LIMIT = Order(Cause.LIMIT, "the time is used up")
NOW = Order(Cause.SUPERSEDED, "a later attempt", is_now=True)


def test_there_is_none_at_first() -> None:
    orders = Orders()
    assert orders.current is None
    assert not orders.is_given()


def test_the_first_order_stands() -> None:
    orders = Orders()
    for order in (STOP, LIMIT, STOP):
        orders.give(order)
    assert orders.current == STOP
    assert orders.is_given()


def test_a_later_order_makes_it_urgent_and_keeps_its_cause() -> None:
    orders = Orders()
    for order in (LIMIT, NOW, STOP):
        orders.give(order)
    assert orders.current == Order(Cause.LIMIT, "the time is used up", is_now=True)


def test_an_urgent_order_is_never_made_less_so() -> None:
    orders = Orders()
    for order in (NOW, STOP, LIMIT):
        orders.give(order)
    assert orders.current == NOW


def test_of_many_threads_one_is_first_and_all_see_it() -> None:
    orders = Orders()
    given = [Order(Cause.STOP, str(number)) for number in range(50)]

    def give(order: Order) -> Order | None:
        orders.give(order)
        return orders.current

    with ThreadPoolExecutor(8) as pool:
        seen = set(pool.map(give, given))
    assert seen == {orders.current}


def test_the_nearest_deadline_holds_whoever_gave_it() -> None:
    orders = Orders()
    for deadline in (None, 20.0, 10.0, 30.0):
        orders.give(Order(Cause.STOP, "asked for", deadline=deadline))
    assert orders.current == Order(Cause.STOP, "asked for", deadline=10.0)
