# SPDX-License-Identifier: Apache-2.0
"""A stage of a weir pipeline in Python: exec with mode: frame (weir-frame(7), docs/frame.md).

    import weir

    def price(item):
        return lookup(item.data)            # one output; None: none; a generator: as many as it yields

    weir.serve(price, threads=64)

and in the spec:

    - name: price
      exec: [python3, price.py]
      mode: frame
      in_flight: 64

The handler is called in `threads` threads at a time. An async handler is called in one thread, as often at a time as in_flight says.
What it returns leaves the stage, and only then has the item ended: if this program, or the worker, is killed before, the item is given
again, to the next one. So a handler may be called more than once for one item, and must not mind.

    raise weir.Refuse("no such customer")   the item is unfit: a dead letter with this reason
    raise anything else                     this attempt has failed: the item is tried again, up to dead_letter: attempts
    raise weir.Cancelled                    item.cancelled is set, and the handler has stopped

A sink stores items and has no outputs; an item counts as delivered when the handler has returned:

    def store(item):
        table.put(item.identity, item.data)     # the same identity as often as the item is given: a repeat is known by it

    weir.sink(store, threads=8)                 # or, many at a time: weir.sink(store_all, batch=500), which is called with a list

    - {name: keep, sink: exec, command: [python3, keep.py], mode: frame, in_flight: 1000}

A source is a generator of items. Each may say the position behind it; a program that is started again, whatever was killed, is told the last one
that was committed with its item, so that nothing is missing and nothing comes twice:

    def read(feed):
        for number, line in lines_behind(feed.position or 0):
            yield weir.New(line, position=number)

    weir.source(read)

    - {name: lines, source: exec, command: [python3, lines.py], mode: frame}

item.data is bytes; where items are structured (decode: at the source), it is what the record was: a dict, a list, a string, a number ...
print() goes to weir's log. One file, standard library only, Python 3.9 or later: copy it beside your program, if it is not installed.
"""

from __future__ import annotations

import asyncio
import collections
import inspect
import itertools
import os
import queue
import struct
import sys
import threading
import time
import traceback
import types
from typing import Any, Awaitable, Callable, Dict, Iterable, List, NamedTuple, NoReturn, Optional, Tuple, Union

__all__ = ["Cancelled", "Ext", "Feed", "Hello", "Item", "New", "Refuse", "pack", "serve", "sink", "source", "unpack"]

VERSION = 1
DEPTH_MAX = 128  # of arrays and maps within each other
THREADS_MAX = 256  # unless more are asked for
READ_BYTES = 1 << 16
REASON_MAX = 1000  # characters of a reason: weir keeps no more of it, and a frame has its limit


class Refuse(Exception):
    """The item is unfit. It becomes a dead letter, with this text as the reason, and is not tried again."""


class Cancelled(Exception):
    """The handler has seen item.cancelled and has left the item undone."""


# ---- msgpack ----


class Ext(NamedTuple):
    """A msgpack extension: a type from -128 to 127, and its bytes. Goes through as it came."""

    type: int
    data: bytes


def _pack_count(out: List[bytes], n: int, small: int, small_max: int, tags: Tuple[int, int, int]) -> None:
    """The head of what has a count: the tag holds it, or one, two or four bytes behind it do (a tag of 0: there is no such)."""
    if n <= small_max:
        out.append(bytes((small | n,)))
    elif n < 1 << 8 and tags[0]:
        out.append(bytes((tags[0], n)))
    elif n < 1 << 16:
        out.append(struct.pack(">BH", tags[1], n))
    elif n < 1 << 32:
        out.append(struct.pack(">BI", tags[2], n))
    else:
        raise ValueError("too long for msgpack: %d" % n)


def _pack_int(out: List[bytes], value: int) -> None:
    if -32 <= value < 128:
        out.append(struct.pack(">B", value & 0xFF))
    elif 0 <= value:
        for limit, form, tag in ((8, ">BB", 0xCC), (16, ">BH", 0xCD), (32, ">BI", 0xCE), (64, ">BQ", 0xCF)):
            if value < 1 << limit:
                out.append(struct.pack(form, tag, value))
                return
        raise OverflowError("%d does not fit msgpack's 64 bits" % value)
    else:
        for limit, form, tag in ((7, ">Bb", 0xD0), (15, ">Bh", 0xD1), (31, ">Bi", 0xD2), (63, ">Bq", 0xD3)):
            if value >= -(1 << limit):
                out.append(struct.pack(form, tag, value))
                return
        raise OverflowError("%d does not fit msgpack's 64 bits" % value)


def _pack(out: List[bytes], value: Any, depth: int) -> None:
    if depth > DEPTH_MAX:
        raise ValueError("deeper than %d levels" % DEPTH_MAX)
    if value is None:
        out.append(b"\xc0")
    elif value is True or value is False:
        out.append(b"\xc3" if value else b"\xc2")
    elif isinstance(value, (bytes, bytearray, memoryview)):
        data = bytes(value)
        _pack_count(out, len(data), 0, -1, (0xC4, 0xC5, 0xC6))
        out.append(data)
    elif isinstance(value, str):
        data = value.encode()
        _pack_count(out, len(data), 0xA0, 31, (0xD9, 0xDA, 0xDB))
        out.append(data)
    elif isinstance(value, int):
        _pack_int(out, value)
    elif isinstance(value, float):
        out.append(struct.pack(">Bd", 0xCB, value))
    elif isinstance(value, Ext):
        fixed = {1: 0xD4, 2: 0xD5, 4: 0xD6, 8: 0xD7, 16: 0xD8}.get(len(value.data))
        if fixed:
            out.append(bytes((fixed,)))
        else:
            _pack_count(out, len(value.data), 0, -1, (0xC7, 0xC8, 0xC9))
        out.append(struct.pack(">b", value.type))
        out.append(value.data)
    elif isinstance(value, (list, tuple)):
        _pack_count(out, len(value), 0x90, 15, (0, 0xDC, 0xDD))
        for element in value:
            _pack(out, element, depth + 1)
    elif isinstance(value, dict):
        _pack_count(out, len(value), 0x80, 15, (0, 0xDE, 0xDF))
        for key, element in value.items():
            _pack(out, key, depth + 1)
            _pack(out, element, depth + 1)
    else:
        raise TypeError("msgpack has nothing for %s" % type(value).__name__)


def pack(value: Any) -> bytes:
    """None, bool, int of 64 bits, float, str, bytes, list, tuple, dict and Ext as msgpack. TypeError, ValueError, OverflowError for others."""
    out: List[bytes] = []
    _pack(out, value, 1)
    return b"".join(out)


_NUMBERS = {
    0xCA: struct.Struct(">f"), 0xCB: struct.Struct(">d"),
    0xCC: struct.Struct(">B"), 0xCD: struct.Struct(">H"), 0xCE: struct.Struct(">I"), 0xCF: struct.Struct(">Q"),
    0xD0: struct.Struct(">b"), 0xD1: struct.Struct(">h"), 0xD2: struct.Struct(">i"), 0xD3: struct.Struct(">q"),
}  # fmt: skip
_COUNTS = {
    0xC4: (">B", "bin"), 0xC5: (">H", "bin"), 0xC6: (">I", "bin"),
    0xC7: (">B", "ext"), 0xC8: (">H", "ext"), 0xC9: (">I", "ext"),
    0xD9: (">B", "str"), 0xDA: (">H", "str"), 0xDB: (">I", "str"),
    0xDC: (">H", "array"), 0xDD: (">I", "array"), 0xDE: (">H", "map"), 0xDF: (">I", "map"),
}  # fmt: skip
_FIXED_EXT = {0xD4: 1, 0xD5: 2, 0xD6: 4, 0xD7: 8, 0xD8: 16}


class _Reader:
    """Takes values off bytes. Believes no count: what is not there is a ValueError."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def take(self, n: int) -> bytes:
        end = self.at + n
        if end > len(self.data):
            raise ValueError("msgpack is cut off at byte %d" % len(self.data))
        taken = self.data[self.at : end]
        self.at = end
        return taken

    def value(self, depth: int = 1) -> Any:
        if depth > DEPTH_MAX:
            raise ValueError("deeper than %d levels" % DEPTH_MAX)
        tag = self.take(1)[0]
        if tag < 0x80:
            return tag
        if tag >= 0xE0:
            return tag - 0x100
        if tag < 0x90:
            return self.of("map", tag & 0x0F, depth)
        if tag < 0xA0:
            return self.of("array", tag & 0x0F, depth)
        if tag < 0xC0:
            return self.of("str", tag & 0x1F, depth)
        if tag in _NUMBERS:
            number = _NUMBERS[tag]
            return number.unpack(self.take(number.size))[0]
        if tag in _COUNTS:
            form, kind = _COUNTS[tag]
            return self.of(kind, struct.unpack(form, self.take(struct.calcsize(form)))[0], depth)
        if tag in _FIXED_EXT:
            return self.of("ext", _FIXED_EXT[tag], depth)
        if tag == 0xC1:
            raise ValueError("byte 0xc1, which msgpack never uses, at %d" % (self.at - 1))
        return {0xC0: None, 0xC2: False, 0xC3: True}[tag]

    def of(self, kind: str, n: int, depth: int) -> Any:
        if kind == "str":
            return self.take(n).decode()
        if kind == "bin":
            return self.take(n)
        if kind == "ext":
            return Ext(struct.unpack(">b", self.take(1))[0], self.take(n))
        if n > len(self.data) - self.at:
            raise ValueError("msgpack claims %d elements and is cut off" % n)
        if kind == "array":
            return [self.value(depth + 1) for _ in range(n)]
        pairs = {}
        for _ in range(n):
            key = self.value(depth + 1)
            if isinstance(key, (list, dict)):
                raise ValueError("an array or a map as a key, which Python can't have")
            pairs[key] = self.value(depth + 1)
        return pairs


def unpack(data: bytes) -> Any:
    """One whole msgpack value. ValueError if it is none, or something lies behind it."""
    reader = _Reader(bytes(data))
    value = reader.value()
    if reader.at != len(reader.data):
        raise ValueError("bytes behind the value, from %d on" % reader.at)
    return value


# ---- items ----


class Hello(NamedTuple):
    """What weir said when it started this program."""

    stage: str
    worker: int
    at_once: int  # in_flight: so many items it is ready to give at a time
    values: bool  # items are values; else bytes
    frame_max: int
    output_max: int  # bytes of one output, packed
    role: str = "operator"  # operator, sink, source
    position: Any = None  # of a source: behind the last item that was committed; None: there is none


class Item:
    """One item. Belongs to the handler until that returns."""

    __slots__ = ("id", "data", "attempt", "identity", "baggage", "scope", "deadline", "cause", "_event", "_task", "_begun")

    def __init__(self, id: int, data: Any, more: Dict[str, Any], now: float) -> None:
        self.id = id
        self.data = data
        self.attempt: int = more.get("attempt", 0)  # 0 the first time
        self.identity: str = more.get("identity", "")  # the same as often as the item is given to this stage, and no other item's
        self.baggage: Dict[str, bytes] = more.get("baggage", {})  # of the keys that the spec's baggage: names
        self.scope: int = more.get("scope", 0)  # 0: none
        left = more.get("left_ns")
        self.deadline: Optional[float] = None if left is None else now + left / 1e9  # time.monotonic(); None: it has none
        self.cause: Optional[str] = None  # why it was cancelled
        self._event: Optional[threading.Event] = None
        self._task: Optional[asyncio.Task[None]] = None
        self._begun = False  # a task that is cancelled before its first step never runs, and would answer nothing

    @property
    def cancelled(self) -> bool:
        """True once nobody wants the answer any more, or its deadline has passed: item.cause says which. Stop, and raise Cancelled."""
        return self.cause is not None

    def left(self) -> float:
        """Seconds until the deadline, 0 when it has passed; infinite if there is none."""
        return float("inf") if self.deadline is None else max(0.0, self.deadline - time.monotonic())

    def wait(self, seconds: float) -> bool:
        """Sleeps in a thread, but not longer than until a cancel. Returns item.cancelled."""
        with _events:
            if self._event is None:
                self._event = threading.Event()
            if self.cancelled:
                self._event.set()
        return self._event.wait(seconds)

    def _cancel(self, cause: str) -> None:
        with _events:
            self.cause = cause
            if self._event is not None:
                self._event.set()
        if self._task is not None and self._begun:
            self._task.cancel()


_events = threading.Lock()
Handler = Callable[[Item], Any]
BatchHandler = Callable[[List[Item]], Any]
Conclude = Callable[[Item, Any], None]
AsyncHandler = Callable[[Item], Awaitable[Any]]


def _outputs(result: Any) -> Iterable[Any]:
    if result is None:
        return []
    if isinstance(result, (types.GeneratorType, itertools.chain, map, filter, zip)):
        return result
    return [result]


def _reason(error: BaseException) -> str:
    """What it says, as text that can be sent: names of files, say, may hold what is no UTF-8."""
    try:
        text = str(error)
    except Exception:
        text = "it does not say why"
    return text[:REASON_MAX].encode("utf-8", "backslashreplace").decode()


class _Channel:
    """Frames in and out of the two descriptors."""

    def __init__(self, in_fd: int, out_fd: int) -> None:
        self.in_fd = in_fd
        self.out_fd = out_fd
        self.received = bytearray()
        self.unsent: collections.deque[bytes] = collections.deque()
        self.writing = threading.Lock()
        self.hello: Hello

    def receive(self) -> List[List[Any]]:
        """What has come, as whole messages: often several, and none if there is but a part. Waits for bytes. EOFError: weir is gone."""
        messages: List[List[Any]] = []
        more = os.read(self.in_fd, READ_BYTES)
        if not more:
            raise EOFError
        self.received += more
        at = 0
        while len(self.received) - at >= 4:
            end = at + 4 + int.from_bytes(self.received[at : at + 4], "big")
            if end > len(self.received):
                break
            messages.append(unpack(bytes(self.received[at + 4 : end])))
            at = end
        del self.received[:at]
        return messages

    def send(self, *message: Any) -> None:
        """From any thread. Who finds nobody writing writes for all. ValueError: weir would not take it, and end this program for it."""
        body = pack(message)
        if len(body) > self.hello.frame_max:
            raise ValueError("a frame of %d bytes, where weir takes %d at most" % (len(body), self.hello.frame_max))
        self.unsent.append(struct.pack(">I", len(body)) + body)
        while self.unsent and self.writing.acquire(blocking=False):
            try:
                frames = []
                while self.unsent:
                    frames.append(self.unsent.popleft())
                left = memoryview(b"".join(frames))
                while left:
                    left = left[os.write(self.out_fd, left) :]
            finally:
                self.writing.release()

    def take_hello(self, call: str, roles: Tuple[str, ...]) -> List[List[Any]]:
        """Returns what came behind it. SystemExit: this program is no such stage."""
        messages: List[List[Any]] = []
        while not messages:
            messages = self.receive()
        first, *others = messages
        name, version, about = first[:3]
        if name != "hello" or version != VERSION:
            raise SystemExit("weir speaks version %s of the frame protocol, and this weir.py speaks %d" % (version, VERSION))
        self.hello = Hello(
            about["stage"],
            about["worker"],
            about["at_once"],
            about["items"] == "values",
            about["frame_max"],
            about["output_max"],
            about.get("role", "operator"),
            about.get("position"),
        )
        if self.hello.role not in roles:
            raise SystemExit("weir.%s() is for stages of the role %s, and '%s' is of the role %s" % (call, " or ".join(roles), self.hello.stage, self.hello.role))
        return others

    def answer(self, item: Item, result: Any) -> None:
        outputs = list(_outputs(result))
        if not self.hello.values:
            for output in outputs:
                if not isinstance(output, (bytes, bytearray, memoryview, str)):
                    raise TypeError("the stage has items: bytes, and the handler returned %s" % type(output).__name__)
        self.send("answer", item.id, outputs)

    def done(self, item: Item, result: Any) -> None:
        """Of a sink: what its handler returns says nothing."""
        self.send("done", item.id)

    def fail(self, item: Item, error: BaseException) -> None:
        """What the handler, or the packing of its result, raised."""
        if isinstance(error, Refuse):
            self.send("refuse", item.id, _reason(error) or "refused")
        elif isinstance(error, (Cancelled, asyncio.CancelledError)) and item.cancelled:
            self.send("cancelled", item.id)
        else:
            traceback.print_exception(type(error), error, error.__traceback__)
            self.send("error", item.id, "%s: %s" % (type(error).__name__, _reason(error)))


def _open() -> _Channel:
    try:
        in_fd, out_fd = (int(os.environ.pop("WEIR_FRAME_" + way)) for way in ("IN", "OUT"))
    except (KeyError, ValueError):
        raise SystemExit("this program is a stage of weir: name it in a spec, with exec: and mode: frame") from None
    for fd in (in_fd, out_fd):
        os.set_inheritable(fd, False)  # a program that this one starts must not hold them open
    try:
        sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]  # so that the log has it when it was said
    except AttributeError:
        pass
    return _Channel(in_fd, out_fd)


def _gone() -> NoReturn:
    """The worker has died: nobody wants an answer."""
    os._exit(1)


# ---- threads ----


class _Threads:
    def __init__(self, channel: _Channel, handler: Handler, conclude: Conclude, n: int, max_items: int, at_once: int = 0) -> None:
        self.channel = channel
        self.handler = handler
        self.conclude = conclude
        self.n = n
        self.at_once = at_once or n
        self.left = max_items
        self.work: queue.SimpleQueue[Optional[Item]] = queue.SimpleQueue()
        self.live: Dict[int, Item] = {}
        self.threads = [threading.Thread(target=self.run, daemon=True) for _ in range(n)]

    def run_one(self, item: Item) -> None:
        try:
            if item.cancelled:
                raise Cancelled
            self.conclude(item, self.handler(item))
        except BaseException as error:  # sys.exit() in a thread would end that alone, in silence
            self.channel.fail(item, error)
        finally:
            self.live.pop(item.id, None)

    def run(self) -> None:
        while True:
            item = self.work.get()
            if item is None:
                return
            self.run_one(item)

    def take(self, messages: List[List[Any]]) -> bool:
        """False once nothing more is to come."""
        now = time.monotonic()
        for message in messages:
            name = message[0]
            if name == "item":
                item = Item(message[1], message[2], message[3], now)
                self.live[item.id] = item
                self.work.put(item)
                self.left -= 1
                if self.left == 0:
                    return False
            elif name == "cancel":
                found = self.live.get(message[1])
                if found is not None:
                    found._cancel(message[2])
            elif name == "end":
                return False
        return True

    def serve(self, messages: List[List[Any]]) -> None:
        for thread in self.threads:
            thread.start()
        self.channel.send("ready", VERSION, self.at_once)
        try:
            while self.take(messages):
                messages = self.channel.receive()
        except EOFError:
            _gone()
        for _ in self.threads:
            self.work.put(None)
        for thread in self.threads:
            thread.join()
        self.channel.send("bye")


class _Batches(_Threads):
    """Threads of a sink that take several items at a time: those that are there. One that fails with others is tried alone."""

    def __init__(self, channel: _Channel, store: BatchHandler, batch: int, n: int, max_items: int) -> None:
        super().__init__(channel, lambda item: store([item]), channel.done, n, max_items, min(channel.hello.at_once, n * batch))
        self.store = store
        self.batch = batch

    def collect(self) -> List[Item]:
        """At least one; none: nothing more is to come."""
        item = self.work.get()
        items: List[Item] = []
        while item is not None:
            items.append(item)
            if len(items) == self.batch:
                return items
            try:
                item = self.work.get_nowait()
            except queue.Empty:
                return items
        if items:
            self.work.put(None)  # the end is for the next look
        return items

    def run_together(self, items: List[Item]) -> bool:
        if len(items) == 1 or any(item.cancelled for item in items):
            return False
        try:
            self.store(items)
        except BaseException as error:
            if not isinstance(error, Refuse):
                traceback.print_exception(type(error), error, error.__traceback__)
            return False
        for item in items:
            self.live.pop(item.id, None)
            self.channel.done(item, None)
        return True

    def run(self) -> None:
        while True:
            items = self.collect()
            if not items:
                return
            if not self.run_together(items):
                for item in items:
                    self.run_one(item)


# ---- asyncio ----


class _Loop:
    def __init__(self, channel: _Channel, handler: AsyncHandler, conclude: Conclude, n: int, max_items: int) -> None:
        self.channel = channel
        self.handler = handler
        self.conclude = conclude
        self.n = n
        self.left = max_items
        self.live: Dict[int, Item] = {}
        self.tasks: set[asyncio.Task[None]] = set()

    async def run(self, item: Item) -> None:
        item._begun = True
        try:
            if item.cancelled:
                raise Cancelled
            self.conclude(item, await self.handler(item))
        except (Exception, asyncio.CancelledError) as error:
            self.channel.fail(item, error)
        finally:
            self.live.pop(item.id, None)

    def begin(self, item: Item) -> None:
        self.live[item.id] = item
        item._task = asyncio.get_running_loop().create_task(self.run(item))
        self.tasks.add(item._task)
        item._task.add_done_callback(self.tasks.discard)
        self.left -= 1

    def take(self, messages: List[List[Any]]) -> bool:
        now = time.monotonic()
        for message in messages:
            if message[0] == "item":
                self.begin(Item(message[1], message[2], message[3], now))
                if self.left == 0:
                    return False
            elif message[0] == "cancel":
                found = self.live.get(message[1])
                if found is not None:
                    found._cancel(message[2])
            elif message[0] == "end":
                return False
        return True

    def on_readable(self, over: asyncio.Event) -> None:
        try:
            if not self.take(self.channel.receive()):
                over.set()
        except EOFError:
            _gone()

    async def serve(self, messages: List[List[Any]]) -> None:
        loop = asyncio.get_running_loop()
        over = asyncio.Event()
        self.channel.send("ready", VERSION, self.n)
        if self.take(messages):
            loop.add_reader(self.channel.in_fd, self.on_readable, over)
            await over.wait()
            loop.remove_reader(self.channel.in_fd)
        if self.tasks:
            await asyncio.wait(set(self.tasks))
        self.channel.send("bye")


def serve(
    handler: Union[Handler, AsyncHandler], *, threads: Optional[int] = None, max_items: int = 0, prepare: Optional[Callable[[Hello], Any]] = None
) -> None:
    """Answers items until weir says that none will come. Returns then; raises SystemExit if this program was not started by weir.

    handler    is called for each item. A plain function: in a thread. An async one: as a task of one event loop.
    threads    how many items are worked on at a time. Without it as many as the stage's in_flight, at most 256 threads.
    max_items  after so many the program says goodbye and ends, and weir starts a new one: for handlers that leak. 0: never.
    prepare    is called with the Hello before this program says that it is ready: what takes long to load is loaded here.
    """
    channel = _open()
    others = channel.take_hello("serve", ("operator", "sink"))
    if prepare is not None:
        prepare(channel.hello)
    _run(channel, others, handler, channel.answer, threads, max_items)


def _run(
    channel: _Channel, others: List[List[Any]], handler: Union[Handler, AsyncHandler], conclude: Conclude, threads: Optional[int], max_items: int
) -> None:
    at_once = channel.hello.at_once
    if inspect.iscoroutinefunction(handler):
        n = min(at_once, threads or at_once)
        asyncio.run(_Loop(channel, handler, conclude, n, max_items).serve(others))
    else:
        n = max(1, min(at_once, threads or min(at_once, THREADS_MAX)))
        _Threads(channel, handler, conclude, n, max_items).serve(others)


def sink(
    store: Union[Handler, AsyncHandler, BatchHandler],
    *,
    threads: Optional[int] = None,
    batch: int = 0,
    max_items: int = 0,
    prepare: Optional[Callable[[Hello], Any]] = None,
) -> None:
    """As serve(), for sink: exec. An item is delivered when `store` has returned; what it returns does not matter.

    batch      store is called with a list of up to so many items: those that are there. All are delivered when it returns. If it raises, each is
               given to it again alone, in a list of one, so that the one that is wrong is the only one that fails; so what is stored for a
               list must be stored as a whole or not at all, or known again by item.identity. Not for async functions.

    An item is given again if this program, or the worker, is killed between store()'s return and the commit: with the same item.identity.
    """
    if batch and inspect.iscoroutinefunction(store):
        raise TypeError("batch= is for plain functions")
    channel = _open()
    others = channel.take_hello("sink", ("sink",))
    if prepare is not None:
        prepare(channel.hello)
    if batch:
        _Batches(channel, store, batch, threads or 1, max_items).serve(others)
    else:
        _run(channel, others, store, channel.done, threads, max_items)


# ---- sources ----


class New(NamedTuple):
    """An item that a source gives."""

    data: Any  # bytes or str; with items: values, whatever msgpack can hold
    position: Any = None  # behind this item: what a program must know to go on there, up to 200 bytes as msgpack. None: it has none
    tag: Any = None  # your own, for accepted() and refused(); weir is not told
    baggage: Optional[Dict[str, Union[bytes, str]]] = None  # what the item brings along through all stages: a trace id, say; 488 bytes at most
    left: Optional[float] = None  # seconds until its run is over: no stage begins it after that


class Feed:
    """What a source's generator is told while it works. Its members may be looked at in any thread."""

    def __init__(self, hello: Hello) -> None:
        self.hello = hello
        self.position: Any = hello.position  # where to go on: behind the last item that was committed. None: at the beginning
        self.draining = False  # nothing is taken at the moment
        self.stopping = False  # nothing will be taken any more: return
        self._changed = threading.Condition()

    def wait(self, seconds: float) -> bool:
        """Sleeps, but not longer than until a stop. Returns feed.stopping."""
        with self._changed:
            self._changed.wait_for(lambda: self.stopping, seconds)
            return self.stopping


class _Source:
    """Items are sent by the main thread; another one hears what became of them."""

    def __init__(self, channel: _Channel, feed: Feed, accepted: Optional[Callable[[List[New]], Any]], refused: Optional[Callable[[New, str], Any]]) -> None:
        self.channel = channel
        self.feed = feed
        self.accepted = accepted
        self.refused = refused
        self.open: Dict[int, New] = {}  # under feed._changed, like the feed's own state
        self.next_id = 1

    def hear(self, message: List[Any]) -> None:
        name = message[0]
        if name == "accepted":
            with self.feed._changed:
                news = [self.open[id] for id in message[1]]
            if self.accepted is not None:
                self.accepted(news)
            self.close(message[1])
        elif name == "refused":
            if self.refused is not None:
                self.refused(self.open[message[1]], message[2])
            self.close([message[1]])
        elif name in ("drain", "resume", "cancel", "end"):
            with self.feed._changed:
                self.feed.draining = name == "drain"
                self.feed.stopping = self.feed.stopping or name in ("cancel", "end")
                self.feed._changed.notify_all()

    def close(self, ids: List[int]) -> None:
        with self.feed._changed:
            for id in ids:
                del self.open[id]
            self.feed._changed.notify_all()

    def listen(self, messages: List[List[Any]]) -> None:
        try:
            while True:
                for message in messages:
                    self.hear(message)
                messages = self.channel.receive()
        except EOFError:
            _gone()
        except BaseException as error:  # in accepted() or refused(): what they are for has not happened, so this program must not go on
            traceback.print_exception(type(error), error, error.__traceback__)
            os._exit(1)

    def give(self, new: New) -> bool:
        """False: it is not wanted any more."""
        feed = self.feed
        with feed._changed:
            feed._changed.wait_for(lambda: feed.stopping or (len(self.open) < feed.hello.at_once and not feed.draining))
            if feed.stopping:
                return False
            id = self.next_id
            self.next_id += 1
            self.open[id] = new
        if not feed.hello.values and not isinstance(new.data, (bytes, bytearray, memoryview, str)):
            raise TypeError("the stage has items: bytes, and the source gave %s" % type(new.data).__name__)
        about: Dict[str, Any] = {} if new.position is None else {"position": new.position}
        if new.baggage:
            about["baggage"] = new.baggage
        if new.left is not None:
            about["left_ns"] = max(0, int(new.left * 1e9))
        self.channel.send("item", id, new.data, about)
        return True

    def run(self, read: Callable[[Feed], Iterable[Any]], messages: List[List[Any]]) -> None:
        self.channel.send("ready", VERSION)
        threading.Thread(target=self.listen, args=(messages,), daemon=True).start()
        news = iter(read(self.feed))
        for new in news:
            if self.feed.stopping or (new is not None and not self.give(new if isinstance(new, New) else New(new))):
                break
        else:
            self.channel.send("end")
        close = getattr(news, "close", None)
        if close is not None:
            close()
        with self.feed._changed:  # until all is told, and weir says end: then what is left open is not taken
            self.feed._changed.wait_for(lambda: self.feed.stopping)


def source(
    read: Callable[[Feed], Iterable[Any]],
    *,
    accepted: Optional[Callable[[List[New]], Any]] = None,
    refused: Optional[Callable[[New, str], Any]] = None,
    prepare: Optional[Callable[[Hello], Any]] = None,
) -> None:
    """Gives the items of a generator to the pipeline: New, or plain data. Returns when all is committed, or nothing is wanted any more.

    read       is called once, with the Feed: a generator, begun at feed.position. It is not asked for more while in_flight items have not been accepted,
               nor while the pipeline drains. When it has nothing now it should yield None now and then (feed.wait() sleeps), and look at
               feed.stopping: it has `grace` to end, and is closed (GeneratorExit) at its next yield.
    accepted   is called in another thread, with those that are committed, in their order: they are the pipeline's, and may be acknowledged where
               they came from. If it raises, the program ends, and the next one goes on at the last position.
    refused    is called with one that is unfit, and why; it is a dead letter, and would be refused again. Acknowledge it, too.
    prepare    is called with the Hello before this program says that it is ready.

    Without positions a program is begun anew after each death, and must by itself give again what was not accepted.
    """
    channel = _open()
    others = channel.take_hello("source", ("source",))
    if prepare is not None:
        prepare(channel.hello)
    _Source(channel, Feed(channel.hello), accepted, refused).run(read, others)
