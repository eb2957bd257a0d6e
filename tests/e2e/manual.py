#!/usr/bin/env python3
"""manual.py FACT PAGE...: what manual pages say, one fact a line, with tabs, for manual.t. The pages keep to this markup:

options     -x --xyz, all names of one option, with    .It Fl in a list, but for those in an item of COMMANDS
            = if it takes a value
synopsis    an option                                  Fl in SYNOPSIS
commands    name                                       .It Cm or .It Xo Cm in COMMANDS
command     command, option                            Fl anywhere in that command's item
keys        key, default as a file has it              .It Cm KEY No = DEFAULT
values      key, what -o takes                         Cm in the key's item, with what follows after Ns
settings    key, value                                 .Cm KEY = VALUE anywhere, or Cm KEY No = VALUE
exits       code                                       .It NUMBER in EXIT STATUS
log         field                                      .It Cm FIELD , FIELD in LOG or Ss Log; of a list in an item not
actions     value                                      the list in the item of action
"""
import re
import sys

ESCAPES = {r"\(dq": '"', r"\(aq": "'", r"\&": "", r"\e": "\\", r"\-": "-"}


def plain(text):
    return re.sub(r"\\\((?:dq|aq)|\\[&e-]", lambda m: ESCAPES[m.group()], text)


def words(line):
    """The words of a macro line; "two words" in quotes is one."""
    return [a or b for a, b in re.findall(r'"([^"]*)"|(\S+)', line)]


class Page:
    """The lines of a page, each with its section, subsection, and the heads of the items of lists that it is in."""

    def __init__(self, path):
        self.lines = []
        section = subsection = ""
        items, open_item = [], None
        for line in open(path, encoding="utf-8"):
            line = line.rstrip("\n")
            macro = words(line[1:]) if line.startswith(".") else []
            if macro[:1] == ["Sh"]:
                section, subsection = " ".join(macro[1:]), ""
            elif macro[:1] == ["Ss"]:
                subsection = " ".join(macro[1:])
            elif macro[:1] == ["Bl"]:
                items.append([])
            elif macro[:1] == ["El"]:
                items.pop()
            elif macro[:1] == ["It"] and items:
                items[-1] = macro[1:]
                open_item = items[-1] if "Xo" in macro else None
            elif open_item is not None and macro:   # .It Xo ... .Xc is one head
                open_item.extend(macro)
                if macro[0] == "Xc":
                    open_item = None
            self.lines.append((section, subsection, [list(i) for i in items], macro, line))
        assert not items, f"{path}: a list does not end"

    def heads(self, *sections):
        """(depth, outer heads, head) of each item of these sections, or of all."""
        for section, subsection, items, macro, _ in self.lines:
            if macro[:1] in (["It"], ["Xc"]) and items and (not sections or section in sections or subsection in sections):
                if macro[0] == "It" and "Xo" in macro:
                    continue                        # comes again with its Xc
                yield len(items), items[:-1], items[-1]


def flags(tokens):
    """The options among the words of a line: Fl a Ar address is -a=."""
    found = []
    for i, word in enumerate(tokens):
        if word != "Fl":
            continue
        rest = tokens[i + 1:]
        name = plain(rest[0])
        value = rest[1:2] == ["Ar"] or rest[1:4] == ["Ns", "=", "Ns"] or rest[1:3] == ["Ns", "="]
        if name.startswith("-"):
            found.append("-" + name + ("=" if value else ""))
        else:
            found += ["-" + letter for letter in name[:-1]] + ["-" + name[-1] + ("=" if value else "")]
    return found


def is_command(head):
    return head[:1] == ["Cm"] or head[:2] == ["Xo", "Cm"]


def options(page):
    for _, outer, head in page.heads():
        if head[:1] == ["Fl"] and not any(is_command(o) for o in outer):
            yield " ".join(flags(head))


def synopsis(page):
    for section, _, _, macro, _ in page.lines:
        if section == "SYNOPSIS":
            yield from flags(macro)


def command_name(head):
    return head[head.index("Cm") + 1]


def commands(page):
    for depth, _, head in page.heads("COMMANDS"):
        if depth == 1 and is_command(head):
            yield command_name(head)


def command(page):
    for section, subsection, items, macro, _ in page.lines:
        if section == "COMMANDS" and not subsection and items and is_command(items[0]):
            for option in flags(macro):
                yield f"{command_name(items[0])}\t{option}"


def joined(tokens):
    """Words as they are printed: Ns joins, No and macros vanish."""
    out, glue = "", True
    for word in tokens:
        if word == "Ns":
            glue = True
        elif word == "Qq":
            out, glue = out + ('' if glue else ' ') + '""', False
        elif word in ("No", "Cm", "Ar", "Li"):
            continue
        else:
            out, glue = out + ("" if glue else " ") + plain(word), False
    return out


def key_items(page):
    return ((depth, head) for depth, _, head in page.heads("KEYS", "Keys of dedup-lmtpd")
            if head[:1] == ["Cm"] and head[2:4] == ["No", "="])


def keys(page):
    for _, head in key_items(page):
        yield f"{head[1]}\t{joined(head[4:])}"


def cm_values(macro):
    """Each Cm of a line with what Ns joins to it, but for arguments: Cm maildir : Ns Ar path is maildir:."""
    i = 0
    while i < len(macro):
        if macro[i] != "Cm":
            i += 1
            continue
        i += 1
        while i < len(macro) and re.fullmatch(r"[a-z0-9+-][a-z0-9:+/-]*", macro[i]) and macro[i] not in ("No", "Ns"):
            value = macro[i]
            i += 1
            if macro[i:i + 1] in ([":"], ["://"]):
                value += macro[i]
                i += 1
            elif macro[i:i + 3] == ["Ns", ":", "Ns"]:
                value += ":"
                i += 3
            yield value
            while macro[i:i + 1] == [","]:
                i += 1


def values(page):
    for _, _, items, macro, _ in page.lines:
        heads = [i for i in items if i[:1] == ["Cm"] and i[2:4] == ["No", "="]]
        if heads and not (macro[:1] == ["It"] and macro[3:5] == ["No", "="]):
            for value in cm_values(macro):
                yield f"{heads[0][1]}\t{value}"


def settings(page):
    for _, _, items, macro, _ in page.lines:
        if macro[:1] == ["It"] and macro[3:5] == ["No", "="]:
            continue
        text = " ".join(w for w in macro if w not in ("No", "Ns"))
        for key, value in re.findall(r"Cm ([a-z-]+) = ([a-z-]+)", text):
            yield f"{key}\t{value}"


def exits(page):
    for _, _, head in page.heads("EXIT STATUS"):
        if head and head[0].isdigit():
            yield head[0]


def fields(head):
    return [w for w in head[1:] if w != ","]


def log(page):
    for depth, _, head in page.heads("LOG", "Log"):
        if depth == 1 and head[:1] == ["Cm"]:
            yield from fields(head)


def actions(page):
    for depth, outer, head in page.heads("LOG"):
        if depth == 2 and outer[0][:2] == ["Cm", "action"]:
            yield from fields(head)


if __name__ == "__main__":
    facts = {f.__name__: f for f in (options, synopsis, commands, command, keys, values, settings, exits, log, actions)}
    for path in sys.argv[2:]:
        for fact in facts[sys.argv[1]](Page(path)):
            print(fact)
