#!/usr/bin/env python3
"""Looks at a page in headless Chromium: browse.py PAGE SHOTS-DIR

Light, dark and print, narrow and wide. Fails when the page asks the network for
anything, says anything on the console, is wider than the window, has text that is hard to read
(contrast below 4.5), or prints on a dark ground. Leaves a picture of each in SHOTS-DIR.
Speaks the DevTools protocol through a pipe; needs nothing but Chromium.
"""
# SPDX-License-Identifier: Apache-2.0
import base64
import json
import os
import pathlib
import subprocess
import sys
import tempfile

# Paper (A4 less its margins) is never narrower than 688.
WIDTHS = {"light": (360, 800, 1400), "dark": (360, 800, 1400), "print": (688, 1400)}

# Every text's contrast to the nearest opaque ground behind it: the worst, and of what.
CONTRAST = r"""(() => {
  const canvas = document.createElement('canvas').getContext('2d');
  const rgba = c => { canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = c; canvas.fillRect(0, 0, 1, 1);
    return canvas.getImageData(0, 0, 1, 1).data; };
  const part = v => { v /= 255; return v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; };
  const light = c => 0.2126 * part(c[0]) + 0.7152 * part(c[1]) + 0.0722 * part(c[2]);
  let worst = 99, of = '';
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const e = walk.currentNode.parentElement;
    if (!walk.currentNode.data.trim() || !e.checkVisibility() || e.closest('title,desc')) continue;
    const style = getComputedStyle(e);
    const ink = rgba(e.namespaceURI.endsWith('svg') ? style.fill : style.color);
    let ground = [255, 255, 255];
    for (let b = e; b; b = b.parentElement) {
      const g = rgba(getComputedStyle(b).backgroundColor);
      if (g[3] === 255) { ground = g; break; }
    }
    const a = light(ink), b = light(ground);
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < worst) { worst = ratio; of = walk.currentNode.data.trim().slice(0, 40); }
  }
  return {worst, of};
})()"""

OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
GROUND = "getComputedStyle(document.body).backgroundColor"
OPEN_ALL = "document.querySelectorAll('details').forEach(d => d.open = true)"


class Browser:
    def __init__(self, profile):
        self.down, ours_in = os.pipe()
        ours_out, self.up = os.pipe()
        argv = ["chromium", "--headless=new", "--disable-gpu", "--no-first-run", "--hide-scrollbars",
                "--remote-debugging-pipe", f"--user-data-dir={profile}", "about:blank"]
        if os.geteuid() == 0:
            argv.insert(1, "--no-sandbox")

        def fds():  # Chromium reads 3 and writes 4
            os.dup2(ours_out, 10)
            os.dup2(ours_in, 11)
            os.dup2(10, 3)
            os.dup2(11, 4)

        self.process = subprocess.Popen(argv, preexec_fn=fds, close_fds=False,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(ours_in)
        os.close(ours_out)
        self.n, self.rest, self.events, self.session = 0, b"", [], None

    def read(self):
        while b"\0" not in self.rest:
            more = os.read(self.down, 1 << 16)
            if not more:
                raise SystemExit("browse: Chromium went away")
            self.rest += more
        one, self.rest = self.rest.split(b"\0", 1)
        return json.loads(one)

    def call(self, method, **params):
        self.n += 1
        message = {"id": self.n, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.up, json.dumps(message).encode() + b"\0")
        while True:
            got = self.read()
            if got.get("id") == self.n:
                if "error" in got:
                    raise SystemExit(f"browse: {method}: {got['error']['message']}")
                return got["result"]
            self.events.append(got)

    def wait(self, method):
        while not any(e.get("method") == method for e in self.events):
            self.events.append(self.read())

    def value(self, expression):
        got = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        if "exceptionDetails" in got:
            raise SystemExit(f"browse: {got['exceptionDetails']}")
        return got["result"].get("value")

    def close(self):
        self.session = None
        self.call("Browser.close")
        self.process.wait(30)


def said(events, url):
    """What the page asked for or said that it should not have."""
    for e in events:
        params = e.get("params", {})
        if e.get("method") == "Network.requestWillBeSent" and params["request"]["url"] != url:
            yield "asks for " + params["request"]["url"][:120]
        if e.get("method") == "Log.entryAdded":
            yield "logs " + params["entry"]["text"][:200]
        if e.get("method") in ("Runtime.consoleAPICalled", "Runtime.exceptionThrown"):
            yield e["method"]


def look(b, url, shots, scheme, width):
    """One view; yields what is wrong with it."""
    name = f"{scheme}-{width}"
    b.call("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1,
           mobile=False)
    b.call("Emulation.setEmulatedMedia", media="print" if scheme == "print" else "screen",
           features=[{"name": "prefers-color-scheme", "value": "light" if scheme == "light" else "dark"}])
    b.events.clear()
    b.call("Page.navigate", url=url)
    b.wait("Page.loadEventFired")
    shot = b.call("Page.captureScreenshot", captureBeyondViewport=True)
    (shots / f"{name}.png").write_bytes(base64.b64decode(shot["data"]))
    for wrong in said(b.events, url):
        yield f"{name}: {wrong}"
    b.value(OPEN_ALL)
    over = b.value(OVERFLOW)
    if over > 0:
        yield f"{name}: {over} pixels too wide"
    contrast = b.value(CONTRAST)
    if contrast["worst"] < 4.5:
        yield f"{name}: contrast {contrast['worst']:.2f} of \"{contrast['of']}\""
    ground = b.value(GROUND)
    light = sum(int(v) for v in ground[4:-1].split(",")[:3]) > 3 * 128
    if light != (scheme != "dark"):
        yield f"{name}: stands on {ground}"
    if scheme == "print" and ground != "rgb(255, 255, 255)":
        yield f"{name}: paper is {ground}"


def main(page, shots):
    shots = pathlib.Path(shots)
    shots.mkdir(parents=True, exist_ok=True)
    url = pathlib.Path(page).resolve().as_uri()
    wrong = []
    with tempfile.TemporaryDirectory() as profile:
        b = Browser(profile)
        target = b.call("Target.createTarget", url="about:blank")["targetId"]
        b.session = b.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Network", "Log", "Runtime"):
            b.call(domain + ".enable")
        for scheme, widths in WIDTHS.items():
            for width in widths:
                wrong += look(b, url, shots, scheme, width)
        pdf = base64.b64decode(b.call("Page.printToPDF", printBackground=False)["data"])
        (shots / "print.pdf").write_bytes(pdf)
        if pdf[:5] != b"%PDF-":
            wrong.append("it does not print")
        b.close()
    for one in wrong:
        print("FAIL", one)
    print(f"{sum(map(len, WIDTHS.values()))} views, {len(wrong)} faults; pictures in {shots}")
    return 1 if wrong else 0


if __name__ == "__main__":
    if len(sys.argv) != 3:
        raise SystemExit(__doc__)
    sys.exit(main(sys.argv[1], sys.argv[2]))
