# SPDX-License-Identifier: Apache-2.0
# A headless Chromium for tests, and nothing of it left behind them.
import ctypes
import os
import signal

from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service


def open_browser():
    options = Options()
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-crash-reporter", "--disable-breakpad", "--no-zygote", "--hide-scrollbars", "--no-first-run", f"--user-data-dir={os.getcwd()}/profile"):
        options.add_argument(argument)
    options.binary_location = "/usr/bin/chromium"
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    return webdriver.Chrome(service=Service("/usr/bin/chromedriver"), options=options)


# What Chromium leaves behind (crash handlers, zygotes) becomes ours, and is ended and reaped here.
PR_SET_CHILD_SUBREAPER = 36


def adopt_orphans():
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def end_orphans():
    while True:
        with open(f"/proc/self/task/{os.getpid()}/children", encoding="ascii") as file:
            children = file.read().split()
        if not children:
            return
        for child in children:
            os.kill(int(child), signal.SIGKILL)
        for child in children:
            try:
                os.waitpid(int(child), 0)
            except ChildProcessError:
                pass
