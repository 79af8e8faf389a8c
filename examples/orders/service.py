# SPDX-License-Identifier: Apache-2.0
"""The partners of a shop, made up: each answers after some time.

    service.py NAME [down=FIRST-LAST]     one of them, as many questions at a time as weir gives it
    service.py serial                     all of them one after the other, one order at a time

down: the payment channel `card` does not answer for orders with these numbers.
"""
import asyncio
import random
import sys

import weir

MS = {"risk": (80, 85), "stock": (85, 90), "discount": (85, 95), "notify": (90, 100), "pay": (10, 20)}
name = sys.argv[1]
first, last = next((map(int, word[5:].split("-")) for word in sys.argv[2:] if word.startswith("down=")), (0, -1))


def answer(service, order):
    if service == "risk":
        return {"ok": order["total"] < 950}
    if service == "stock":
        return {"reserved": order["n"] % 100 != 0}
    if service == "discount":
        return {"percent": 10 if order["total"] >= 500 else 0}
    if service == "pay":
        return dict(order, paid=True)
    return {"sent": True}


async def ask(service, order):
    await asyncio.sleep(random.uniform(*MS[service]) / 1000)
    return answer(service, order)


async def one(item):
    if name == "pay" and item.data["channel"] == "card" and first <= item.data["n"] <= last:
        await asyncio.sleep(1)  # nobody waits for that
    return await ask(name, item.data)


async def one_after_the_other(item):
    answers = {"split": item.data}
    for service in ("risk", "stock", "discount", "notify"):
        answers[service] = await ask(service, item.data)
    return {"answers": answers, "missing": []}


weir.serve(one_after_the_other if name == "serial" else one)
