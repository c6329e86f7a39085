"""Frames through a graph of threads with bounded queues of one, or through several lanes; out as they went in.

Every frame passes every node, also where there is nothing to do for it, so each queue holds frames in their order and
no node waits for a frame that another one has dropped.
"""

from __future__ import annotations

import collections
import itertools
import threading
from dataclasses import dataclass
from queue import Queue
from typing import Any, Callable, Deque, Dict, Iterable, Iterator, List, Optional, Sequence, Tuple, Union

from harness.cascade.graph import leaves
from harness.cascade.records import Flight

Work = Callable[[Flight], None]
Edge = Tuple[str, str]
AnyLine = Union["Line", "GatedLine"]
SOURCE, SINK = "", "\0"
END = None


class Line:
    """A queue of one frame: who puts a second one waits until the first is taken."""

    def __init__(self) -> None:
        queue: Any = Queue(1)
        self.put, self.get = queue.put, queue.get


class Gate:
    """An entrance: it is open while somebody behind it waits for a frame and none lies there already."""

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.waiting = self.lying = 0

    def wait(self) -> None:
        """Come back when it is open."""
        with self.changed:
            self.changed.wait_for(lambda: self.waiting and not self.lying)


class GatedLine:
    """A line behind a gate: who puts a frame waited there before."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self._held: Deque[Any] = collections.deque()

    def put(self, flight: Any) -> None:
        with self._gate.changed:
            self._held.append(flight)
            self._gate.lying += 1
            self._gate.changed.notify_all()

    def get(self) -> Any:
        gate = self._gate
        with gate.changed:
            gate.waiting += 1
            gate.changed.notify_all()
            gate.changed.wait_for(lambda: self._held)
            gate.waiting -= 1
            gate.lying -= 1
            gate.changed.notify_all()
            return self._held.popleft()


@dataclass(frozen=True)
class Node:
    """A thread of its own for `work`, behind the nodes `after`."""

    name: str
    after: Tuple[str, ...]
    work: Work


class Failure:
    """The first error of any thread; from then on frames are only passed on."""

    def __init__(self, stop: Callable[[], None]) -> None:
        self.error: Optional[BaseException] = None
        self.ended = False
        self._stop = stop
        self._lock = threading.Lock()

    def guarded(self, work: Work, flight: Flight) -> None:
        """Do `work`, unless something failed already."""
        if self.ended:
            return
        try:
            work(flight)
        except BaseException as error:
            self.keep(error)

    def keep(self, error: Optional[BaseException]) -> None:
        """Remember the first one, and let nobody wait for what will not come."""
        with self._lock:
            self.error = self.error or (None if self.ended else error)
            self.ended = True
        self._stop()


def edges_of(nodes: Sequence[Node]) -> Tuple[Edge, ...]:
    """From where to where frames go, the source and the sink included, in the order in which each node serves them."""
    inner = [(one, node.name) for node in nodes for one in node.after or (SOURCE,)]
    return (*inner, *((name, SINK) for name in leaves({node.name: node.after for node in nodes})))


def flow(
    nodes: Sequence[Node], flights: Iterable[Flight], stop: Callable[[], None], gates: Sequence[Gate] = ()
) -> Iterator[Flight]:
    """Each of `flights` after all nodes are through with it; raises what a node raises. stop: called on failure.

    gates: the one before the first nodes, where `flights` waits at it; none where it may run ahead.
    """
    queues: Dict[Edge, AnyLine] = {
        edge: GatedLine(gates[0]) if gates and edge[0] == SOURCE else Line() for edge in edges_of(nodes)
    }
    failure = Failure(stop)

    def ends(place: str, side: int) -> List[AnyLine]:
        return [queue for edge, queue in queues.items() if edge[side] == place]

    threads = [_started(_feed, ends(SOURCE, 0), flights, failure)]
    threads += [_started(_serve, ends(one.name, 1), ends(one.name, 0), one.work, failure) for one in nodes]
    return _drained(lambda: _taken(ends(SINK, 1)), failure, threads)


def lanes(
    works: Sequence[Work], flights: Iterable[Flight], stop: Callable[[], None], gates: Sequence[Gate] = ()
) -> Iterator[Flight]:
    """Each of `flights` after the one of `works` whose turn it is; in order. Raises what one of them raises.

    gates: one before each, as for `flow`.
    """
    before: List[AnyLine] = [GatedLine(one) for one in gates] or [Line() for _ in works]
    behind: List[Line] = [Line() for _ in works]
    failure, turns = Failure(stop), itertools.cycle(behind)
    threads = [_started(_deal, before, flights, failure)]
    threads += [_started(_serve, [a], [b], work, failure) for a, b, work in zip(before, behind, works)]
    return _drained(lambda: next(turns).get(), failure, threads, len(works))


def _started(target: Callable[..., None], *arguments: Any) -> threading.Thread:
    thread = threading.Thread(target=target, args=arguments, daemon=True)
    thread.start()
    return thread


def _feed(outs: Sequence[AnyLine], flights: Iterable[Flight], failure: Failure) -> None:
    for flight in _while_sound(flights, failure):
        for queue in outs:
            queue.put(flight)
    for queue in outs:
        queue.put(END)


def _deal(outs: Sequence[AnyLine], flights: Iterable[Flight], failure: Failure) -> None:
    """To one lane after the other; the ends too, so that they are taken in turn."""
    turns = itertools.cycle(outs)
    for flight in _while_sound(flights, failure):
        next(turns).put(flight)
    for _ in outs:
        next(turns).put(END)


def _while_sound(flights: Iterable[Flight], failure: Failure) -> Iterator[Flight]:
    try:
        for flight in flights:
            if failure.ended:
                return
            yield flight
    except BaseException as error:
        failure.keep(error)


def _taken(queues: Sequence[AnyLine]) -> Any:
    """The next frame, which every one of them gives."""
    flights = [queue.get() for queue in queues]
    return flights[0]


def _serve(ins: Sequence[AnyLine], outs: Sequence[AnyLine], work: Work, failure: Failure) -> None:
    while True:
        flight = _taken(ins)
        if flight is not END:
            failure.guarded(work, flight)
        for queue in outs:
            queue.put(flight)
        if flight is END:
            return


def _drained(
    take: Callable[[], Any], failure: Failure, threads: Sequence[threading.Thread], ends: int = 1
) -> Iterator[Flight]:
    """What comes out, until all ends did; what is under way is let out even where nobody wants it any more."""
    left = ends
    try:
        while left:
            flight = take()
            if flight is END:
                left -= 1
            elif not failure.ended:
                yield flight
    finally:
        if left:
            failure.keep(None)
        while left:
            left -= take() is END
        for thread in threads:
            thread.join()
    if failure.error is not None:
        raise failure.error
