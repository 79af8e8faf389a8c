# SPDX-License-Identifier: Apache-2.0
"""Asks somebody slow about each item. configs/frame.yaml runs it."""

import asyncio

import weir


async def ask(item: weir.Item) -> str:
    await asyncio.sleep(0.05)  # a database, a web service, a model
    return "%s: %d" % (item.data.decode(), len(item.data))


weir.serve(ask)
