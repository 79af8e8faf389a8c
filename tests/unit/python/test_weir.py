# SPDX-License-Identifier: Apache-2.0
"""python/weir.py: its msgpack, and that it, docs/frame.md and worker/exec/frame_messages.def speak of the same messages."""

import os
import random
import re
import subprocess
import sys
import unittest

sys.dont_write_bytecode = True
SOURCE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "..")
sys.path.insert(0, os.path.join(SOURCE, "python"))
import weir  # noqa: E402

# From the specification, one for each head; both ways.
BYTES = [
    (None, "c0"), (False, "c2"), (True, "c3"), (0, "00"), (127, "7f"), (128, "cc80"), (255, "ccff"), (256, "cd0100"), (65535, "cdffff"),
    (65536, "ce00010000"), (2**32, "cf0000000100000000"), (2**64 - 1, "cf" + "ff" * 8), (-1, "ff"), (-32, "e0"), (-33, "d0df"), (-128, "d080"),
    (-129, "d1ff7f"), (-32769, "d2ffff7fff"), (-(2**31) - 1, "d3ffffffff7fffffff"), (-(2**63), "d38000000000000000"), (1.5, "cb3ff8000000000000"),
    ("", "a0"), ("a" * 31, "bf" + "61" * 31), ("a" * 32, "d920" + "61" * 32), ("a" * 256, "da0100" + "61" * 256), ("a" * 65536, "db00010000" + "61" * 65536),
    (b"", "c400"), (b"x" * 255, "c4ff" + "78" * 255), (b"x" * 256, "c50100" + "78" * 256), (b"x" * 65536, "c600010000" + "78" * 65536),
    ([], "90"), ([1] * 15, "9f" + "01" * 15), ([1] * 16, "dc0010" + "01" * 16), ([1] * 65536, "dd00010000" + "01" * 65536),
    ({}, "80"), ({"a": [1, {"b": None}]}, "81a161920181a162c0"), ({i: 0 for i in range(16)}, "de0010" + "".join("%02x00" % i for i in range(16))),
    (weir.Ext(5, b"a"), "d40561"), (weir.Ext(-1, b"abcd"), "d6ff61626364"), (weir.Ext(1, b"abc"), "c70301616263"),
]  # fmt: skip

BAD = [
    "", "c1", "cc", "cd00", "ce000000", "cf00", "ca0000", "cb00", "a1", "d9", "d905", "da0001", "db00000001", "c401", "c7", "c70100", "d4", "91", "81", "8101",
    "dc0001", "ddffffffff", "dfffffffff", "0000", "a1ff", "8190c0", "91" * 200 + "c0",
]  # fmt: skip


def read(path):
    with open(os.path.join(SOURCE, path), encoding="utf-8") as file:
        return file.read()


class Msgpack(unittest.TestCase):
    def test_bytes(self):
        for value, expected in BYTES:
            self.assertEqual(weir.pack(value).hex(), expected)
            self.assertEqual(weir.unpack(bytes.fromhex(expected)), value)
        self.assertEqual(weir.unpack(bytes.fromhex("ca3fc00000")), 1.5)
        self.assertEqual(weir.pack((1, 2)), weir.pack([1, 2]))
        self.assertEqual(weir.pack(bytearray(b"x")), weir.pack(b"x"))

    def test_what_is_refused(self):
        for bad in BAD:
            with self.assertRaises(ValueError, msg=bad[:20]):
                weir.unpack(bytes.fromhex(bad))
        endless = []
        endless.append(endless)
        for value, error in ((2**64, OverflowError), (-(2**63) - 1, OverflowError), (object(), TypeError), ({1, 2}, TypeError), (endless, ValueError)):
            with self.assertRaises(error):
                weir.pack(value)

    def test_any_bytes(self):
        lot = random.Random(4711)
        for _ in range(20000):
            try:
                weir.unpack(bytes(lot.randrange(256) for _ in range(lot.randrange(1, 24))))
            except ValueError:
                pass


class Messages(unittest.TestCase):
    def test_the_document_has_what_the_table_has(self):
        table = read("worker/exec/frame_messages.def")
        document = read("docs/frame.md")
        rows = re.findall(r'^FRAME_(?:IN|OUT)\(\w+, \w+, "(\w+)", "([^"]*)", "([^"]*)"\)', table, re.M)
        self.assertEqual(len(rows), 17)
        for name, fields, summary in rows:
            self.assertIn("| `%s` | %s| %s |" % (name, fields + " " if fields else "", summary), document)

    def test_the_example_is_what_it_says(self):
        document = read("docs/frame.md")
        frames = re.findall(r"^(00 00 00 [0-9a-f ]+)$", document, re.M)
        values = []
        for frame in frames:
            data = bytes.fromhex(frame.replace(" ", ""))
            self.assertEqual(int.from_bytes(data[:4], "big"), len(data) - 4)
            values.append(weir.unpack(data[4:]))
        self.assertEqual(values, [["item", 7, b"hi", {}], ["answer", 7, [b"HI"]]])


# As weir tells it, but for the number of the descriptors.
HELLO = {"stage": "s", "worker": 0, "at_once": 8, "items": "bytes", "frame_max": 65536, "output_max": 1000}

WORDS = """
import weir

class Mute(Exception):
    def __str__(self):
        raise KeyError("nothing")

def handle(item):
    n = int(item.data)
    if n == 1:
        raise ValueError("caf\\udce9")
    if n == 2:
        raise weir.Refuse("x" * 300000)
    if n == 3:
        return b"y" * 70000
    if n == 4:
        raise Mute
    return item.data

weir.serve(handle, threads=1)
"""


def frame(*message):
    body = weir.pack(message)
    return len(body).to_bytes(4, "big") + body


def converse(program, items):
    """What it says to these items, by their ids."""
    (its_in, to), (back, its_out) = os.pipe(), os.pipe()
    env = dict(os.environ, WEIR_FRAME_IN=str(its_in), WEIR_FRAME_OUT=str(its_out), PYTHONPATH=os.path.join(SOURCE, "python"))
    with subprocess.Popen([sys.executable, "-B", "-c", program], pass_fds=(its_in, its_out), env=env, stderr=subprocess.DEVNULL) as process:
        os.close(its_in)
        os.close(its_out)
        os.write(to, frame("hello", 1, HELLO) + b"".join(frame("item", id, data, {}) for id, data in items) + frame("end"))
        with os.fdopen(back, "rb") as said:
            data = said.read()
        os.close(to)
    messages = []
    while data:
        end = 4 + int.from_bytes(data[:4], "big")
        messages.append(weir.unpack(data[4:end]))
        data = data[end:]
    return {message[1]: message for message in messages if message[0] not in ("ready", "bye")}


class Serve(unittest.TestCase):
    def test_each_item_gets_a_word(self):
        said = converse(WORDS, [(n, b"%d" % n) for n in range(1, 6)])
        self.assertEqual(said[1], ["error", 1, "ValueError: caf\\udce9"])
        self.assertEqual(said[2][0], "refuse")
        self.assertLessEqual(len(said[2][2]), 1000)
        self.assertEqual(said[3][0], "error")
        self.assertIn("where weir takes 65536 at most", said[3][2])
        self.assertEqual(said[4], ["error", 4, "Mute: it does not say why"])
        self.assertEqual(said[5], ["answer", 5, [b"5"]])

    def test_without_weir_it_says_what_to_do(self):
        program = "import sys; sys.path.insert(0, %r); import weir; weir.serve(lambda item: None)" % os.path.join(SOURCE, "python")
        environment = {name: value for name, value in os.environ.items() if not name.startswith("WEIR_")}
        ended = subprocess.run([sys.executable, "-B", "-c", program], stderr=subprocess.PIPE, env=environment, check=False)
        self.assertEqual(ended.returncode, 1)
        self.assertIn(b"mode: frame", ended.stderr)


if __name__ == "__main__":
    unittest.main()
