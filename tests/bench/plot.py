"""Draw the rates as an SVG that reads well on light and dark pages."""

from html import escape

from engine import shown

OURS = "dedup-lda"
PANELS = [("new", 1, "new, one at a time"), ("new", 8, "new, 8 in parallel"), ("dup", 1, "duplicate, one at a time"),
          ("dup", 8, "duplicate, 8 in parallel")]
LEFT, RIGHT_TEXT, BAR, STEP, TOP = 128, 116, 15, 22, 64
PANEL_WIDTH, GAP = 430, 24
STYLE = """
text { font: 13px system-ui, sans-serif; fill: #1f2328 }
.title { font-weight: 600; font-size: 15px }
.small { font-size: 11px; fill: #59636e }
.bar { fill: #8c959f } .ours { fill: #0969da } .floor { fill: none; stroke: #8c959f; stroke-dasharray: 3 2 } .wrong { fill: #bc4c00 }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3 } .small { fill: #9198a1 }
  .bar { fill: #6e7681 } .ours { fill: #4493f8 } .floor { stroke: #9198a1 } .wrong { fill: #db6d28 }
}
"""


def text(x, y, content, kind="", anchor="start"):
    return f'<text x="{x:.1f}" y="{y:.1f}" class="{kind}" text-anchor="{anchor}">{escape(content)}</text>'


def is_wrong(agent):
    return agent.get("lost", 0) + agent.get("doubled", 0) > 0


def kind_of(name, agent):
    if name == "floor":
        return "floor"
    if is_wrong(agent):
        return "wrong"
    return "ours" if name.startswith(OURS) else "bar"


def label_of(agent, syncs):
    """Who waits for the disk less often is faster: that belongs beside the rate."""
    label = f"{shown(agent['rate'])}/s"
    if syncs is not None:
        label += f", {syncs:g} syncs" if syncs != 1 else ", 1 sync"
    return label + (", lost or doubled" if is_wrong(agent) else "")


def panel(x, y, title, agents, syncs):
    parts = [text(x, y, title, "title")]
    order = sorted(agents.items(), key=lambda item: -item[1]["rate"])
    most = order[0][1]["rate"]
    room = PANEL_WIDTH - LEFT - RIGHT_TEXT
    for i, (name, agent) in enumerate(order):
        top = y + 14 + i * STEP
        width = max(1.0, agent["rate"] / most * room)
        parts.append(text(x + LEFT - 8, top + 12, name, anchor="end"))
        parts.append(f'<rect x="{x + LEFT}" y="{top}" width="{width:.1f}" height="{BAR}" rx="2" class="{kind_of(name, agent)}"/>')
        parts.append(text(x + LEFT + width + 6, top + 12, label_of(agent, syncs.get(name)), "small"))
    return parts


def draw(result):
    found = {(c["kind"], c["parallel"]): c["agents"] for c in result["cells"] if c["mailbox"] == "maildir" and c["bytes"] == 4096}
    syncs = {(c["kind"], c["agent"]): c["syncs"] for c in result["system calls"] if c["mailbox"] == "maildir"}
    panels = [(found[kind, n], title, {a: v for (k, a), v in syncs.items() if k == kind}) for kind, n, title in PANELS if (kind, n) in found]
    rows = max((len(agents) for agents, _, _ in panels), default=0)
    height = rows * STEP + 48
    parts = [text(GAP, 30, "Messages of 4 KiB into a Maildir, per second", "title")]
    for i, (agents, title, seen) in enumerate(panels):
        parts += panel(GAP + i % 2 * (PANEL_WIDTH + GAP), TOP + i // 2 * height, title, agents, seen)
    bottom = TOP + (len(panels) + 1) // 2 * height
    machine = result["machine"]
    note = f"{machine['cpu']}, {machine['cores']} cores, {machine['file system']}, fsync {machine['fsync ms']['median']:.2f} ms, " \
        f"{machine['date'][:10]}. floor: write, fsync, synced log, rename, fsync; no duplicate is found."
    parts.append(text(GAP, bottom, note, "small"))
    width = 2 * PANEL_WIDTH + 3 * GAP
    return f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {bottom + 16}" width="{width}" role="img" ' \
        f'aria-label="Messages per second"><style>{STYLE}</style>\n' + "\n".join(parts) + "\n</svg>\n"
