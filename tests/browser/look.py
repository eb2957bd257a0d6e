#!/usr/bin/env python3
"""look.py PAGE FOLDER: open a page in Chromium, on a phone and on a desk, light and dark, and print what it looks like.

The result is one JSON object: `views`, what was measured in each of the four, with a screenshot as FOLDER/WIDTH-SCHEME.png; `dom`, what a
reader finds in the page; `requests` and `complaints`, of the browser. Exit 77: there is no browser. It is driven through its debugging
pipe, so nothing but Python is needed, and the page's own Content-Security-Policy stays in force.
"""

import base64
import collections
import json
import os
import pathlib
import shutil
import struct
import subprocess
import sys
import tempfile
import threading
import zlib

WIDTHS = {"phone": 360, "desk": 1280}
SCHEMES = ("light", "dark")
PATIENCE = 60  # seconds, for a busy machine

# Runs in the page. Colours as [r, g, b, a].
MEASURE = """(() => {
    const rgb = text => { const n = text.match(/[\\d.]+/g).map(Number); return n.length < 4 ? [...n, 1] : n; };
    const channel = c => (c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
    const light = c => 0.2126 * channel(c[0]) + 0.7152 * channel(c[1]) + 0.0722 * channel(c[2]);
    const paper = e => { for (; e; e = e.parentElement) { const c = rgb(getComputedStyle(e).backgroundColor); if (c[3] > 0) return c; }
        return [255, 255, 255, 1]; };
    const root = document.documentElement, weak = [], over = [];
    let least = 21;
    for (const e of document.body.querySelectorAll('*')) {
        if (![...e.childNodes].some(n => n.nodeType === 3 && n.data.trim()) || !e.getClientRects().length) continue;
        const style = getComputedStyle(e), a = light(rgb(e.closest('svg') ? style.fill : style.color)), b = light(paper(e));
        const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
        least = Math.min(least, contrast);
        if (contrast < 4.5) weak.push(e.textContent.slice(0, 40));
        const box = e.getBoundingClientRect();
        if (box.left < -0.5 || box.right > root.clientWidth + 0.5) over.push(e.textContent.slice(0, 40));
    }
    const labels = [...document.querySelectorAll('svg text')].map(e => [e.textContent, e.getBoundingClientRect()]), meet = [];
    for (const [i, [name, a]] of labels.entries())
        for (const [other, b] of labels.slice(i + 1))
            if (a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom) meet.push(name + ' / ' + other);
    const bars = [...document.querySelectorAll('svg rect')].map(e => e.getBoundingClientRect());
    return {width: root.clientWidth, scroll_width: root.scrollWidth, height: root.scrollHeight, contrast: least, weak, over,
        labels_meet: meet, bars: bars.map(b => ({width: b.width, height: b.height})), paper: rgb(getComputedStyle(root).backgroundColor)};
})()"""

READ = """(() => {
    const cells = row => [...row.querySelectorAll('th, td')].map(e => e.textContent.replace(/\\s+/g, ' ').trim());
    const table = name => [...document.querySelectorAll(name + ' tbody tr')].map(cells);
    return {lang: document.documentElement.lang, title: document.title,
        headings: [...document.querySelectorAll('h1, h2, h3')].map(e => [e.tagName, e.textContent]),
        figures: [...document.querySelectorAll('.figures li')].map(e => e.textContent.trim()), hops: table('#hops'),
        delays: table('#delays'), newest: [...document.querySelectorAll('.newest')].map(t => [...t.querySelectorAll('tbody tr')].map(cells)),
        scopeless: [...document.querySelectorAll('th:not([scope])')].length,
        scripts: document.scripts.length, text: document.body.textContent};
})()"""


class Browser:
    def __init__(self, program: str, profile: str):
        here, there = os.pipe(), os.pipe()
        command = [program, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
                   "--hide-scrollbars", "--disable-background-networking", "--remote-debugging-pipe", f"--user-data-dir={profile}",
                   "about:blank"]

        def place() -> None:  # the browser reads commands from descriptor 3 and answers on 4
            reading, writing = os.dup(there[0]), os.dup(here[1])
            os.dup2(reading, 3)
            os.dup2(writing, 4)

        self.process = subprocess.Popen(command, preexec_fn=place, close_fds=False, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL)
        os.close(there[0])
        os.close(here[1])
        self.to, self.answers = there[1], open(here[0], "rb")
        self.buffer, self.number, self.session, self.events = b"", 0, None, []

    def message(self) -> dict:
        while b"\0" not in self.buffer:
            more = os.read(self.answers.fileno(), 1 << 16)
            if not more:
                raise RuntimeError("the browser went away")
            self.buffer += more
        text, self.buffer = self.buffer.split(b"\0", 1)
        return json.loads(text)

    def call(self, method: str, **parameters: object) -> dict:
        self.number += 1
        command = {"id": self.number, "method": method, "params": parameters}
        if self.session:
            command["sessionId"] = self.session
        os.write(self.to, json.dumps(command).encode() + b"\0")
        while True:
            answer = self.message()
            if answer.get("id") == self.number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return answer["result"]
            self.events.append(answer)

    def wait(self, method: str) -> None:
        while not any(event.get("method") == method for event in self.events):
            self.events.append(self.message())

    def run(self, script: str) -> object:
        return self.call("Runtime.evaluate", expression=script, returnByValue=True)["result"]["value"]

    def open(self, address: str) -> None:
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Network", "Log", "Runtime", "Audits"):
            self.call(f"{domain}.enable")
        self.events.clear()
        self.call("Page.navigate", url=address)
        self.wait("Page.loadEventFired")


def colours(png: bytes) -> collections.Counter:
    """How often each colour is in an image of 8 bits per channel: what PNG says, without a library."""
    at, data = 8, b""
    while at < len(png):
        size, kind = struct.unpack(">I4s", png[at:at + 8])
        body = png[at + 8:at + 8 + size]
        if kind == b"IHDR":
            width, height, depth, colour, _, _, interlace = struct.unpack(">IIBBBBB", body)
        elif kind == b"IDAT":
            data += body
        at += size + 12
    if depth != 8 or colour not in (2, 6) or interlace:
        raise ValueError("not the kind of PNG that Chromium writes")
    step = 3 if colour == 2 else 4
    raw, above, seen = zlib.decompress(data), bytearray(width * step), collections.Counter()
    for y in range(height):
        start = y * (width * step + 1)
        how, line = raw[start], bytearray(raw[start + 1:start + 1 + width * step])
        for i in range(len(line)):
            left, up, corner = line[i - step] if i >= step else 0, above[i], above[i - step] if i >= step else 0
            if how == 1:
                line[i] = line[i] + left & 255
            elif how == 2:
                line[i] = line[i] + up & 255
            elif how == 3:
                line[i] = line[i] + (left + up) // 2 & 255
            elif how == 4:
                guess = left + up - corner
                line[i] = line[i] + min((left, up, corner), key=lambda c: abs(guess - c)) & 255
        seen.update(zip(line[0::step], line[1::step], line[2::step]))
        above = line
    return seen


def look(browser: Browser, folder: pathlib.Path) -> list[dict]:
    views = []
    for name, width in WIDTHS.items():
        for scheme in SCHEMES:
            browser.call("Emulation.setDeviceMetricsOverride", width=width, height=800, deviceScaleFactor=1, mobile=name == "phone")
            browser.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
            view = browser.run(MEASURE)
            clip = {"x": 0, "y": 0, "width": width, "height": min(view["height"], 900), "scale": 1}
            shot = browser.call("Page.captureScreenshot", format="png", captureBeyondViewport=True, clip=clip)
            png = base64.b64decode(shot["data"])
            (folder / f"{name}-{scheme}.png").write_bytes(png)
            seen = colours(png)
            paper = tuple(int(c) for c in view["paper"][:3])
            bar = browser.run("(e => e && getComputedStyle(e).fill)(document.querySelector('svg rect'))")
            ink = tuple(int(c) for c in bar[4:-1].split(",")) if bar else None
            views.append(view | {"view": name, "scheme": scheme, "colours": len(seen), "on_paper": seen[paper] / seen.total(),
                                 "bar_pixels": seen[ink] if ink else 0})
    return views


def main() -> int:
    page, folder = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2])
    program = shutil.which("chromium")
    if program is None:
        print("chromium is not installed (make browser installs it)")
        return 77
    folder.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        browser = Browser(program, profile)
        timer = threading.Timer(PATIENCE, browser.process.kill)
        timer.start()
        try:
            browser.open(page.as_uri())
            views, dom = look(browser, folder), browser.run(READ)
            images = [node for node in browser.call("Accessibility.getFullAXTree")["nodes"]
                      if node.get("role", {}).get("value") in ("image", "img") and not node["ignored"]]
        finally:
            timer.cancel()
            browser.process.kill()
            browser.process.wait()
    asked = [event["params"]["request"]["url"] for event in browser.events if event.get("method") == "Network.requestWillBeSent"]
    complaints = [event for event in browser.events
                  if event.get("method") in ("Log.entryAdded", "Runtime.exceptionThrown", "Audits.issueAdded")]
    dom["images"] = [[node.get("name", {}).get("value"), node.get("description", {}).get("value")] for node in images]
    print(json.dumps({"views": views, "dom": dom, "requests": [url for url in asked if url != page.as_uri()], "complaints": complaints}))
    return 0


sys.exit(main())
