#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a program does to the files of one directory while it saves.

    trace.py DIR COMMAND...   runs the command in DIR under strace and prints a line for each change:
                              create, open to write, write (runs of writes as one), truncate, rename, unlink,
                              link, symlink, fsync, mode, times, xattr, shared mapping, copy, close of what was written.

Names of temporary files are printed as they were: how they are made up shows over several runs.
"""
import os
import re
import subprocess
import sys
import tempfile

CALLS = ("open,openat,openat2,creat,write,pwrite64,writev,pwritev,ftruncate,truncate,rename,renameat,renameat2,unlink,"
         "unlinkat,link,linkat,symlink,symlinkat,fsync,fdatasync,chmod,fchmod,fchmodat,utimensat,futimesat,setxattr,"
         "fsetxattr,lsetxattr,mmap,copy_file_range,sendfile,fallocate,ioctl,close,mkdir,rmdir,mknod")
LINE = re.compile(r"^(\d+) +(\w+)\((.*)\) += +(-?\d+)")
FD = re.compile(r"(\d+)<([^>]*)>")
STRING = re.compile(r'"((?:[^"\\]|\\.)*)"(\.\.\.)?')


class Story:
    def __init__(self, top):
        self.top = os.path.realpath(top)
        self.lines = []
        self.wrote = set()

    def name(self, path):
        """The name below the directory, or None."""
        path = os.path.normpath(path.replace(" (deleted)", ""))
        return path[len(self.top) + 1:] if path.startswith(self.top + "/") else None

    def say(self, text):
        if text.startswith("write ") and self.lines and self.lines[-1] == text:
            return
        self.lines.append(text)

    def paths(self, args):
        """Full paths of the call's strings, each below its directory descriptor."""
        out = []
        for m in STRING.finditer(args):
            p = m.group(1).encode().decode("unicode_escape").encode("latin-1").decode("utf-8", "replace")
            base = self.top
            before = re.search(r"(?:AT_FDCWD|\d+)<([^>]*)>, $", args[:m.start()])
            if before:
                base = before.group(1)
            out.append(os.path.join(base, p))
        return out

    def call(self, verb, args, ret):
        names = [self.name(p) for p in self.paths(args)]
        fd = FD.match(args)
        of = self.name(fd.group(2)) if fd else None
        if verb in ("open", "openat", "openat2", "creat"):
            if names and names[0] and re.search(r"O_WRONLY|O_RDWR|O_CREAT|O_TRUNC", args):
                how = [f for f in ("O_CREAT", "O_EXCL", "O_TRUNC", "O_APPEND", "O_RDWR") if f in args]
                self.say(f"open {names[0]} {' '.join(how) or 'O_WRONLY'}")
        elif verb.startswith(("rename", "link")) and len(names) == 2 and any(names):
            self.say(f"{verb.rstrip('at2')} {names[0]} -> {names[1]}" + (" EXCHANGE" if "EXCHANGE" in args else ""))
        elif verb.startswith("symlink") and names[-1]:
            self.say(f"symlink {names[-1]}")
        elif verb in ("unlink", "unlinkat", "truncate", "mkdir", "rmdir", "mknod") and names and names[0]:
            self.say(f"{verb.replace('at', '')} {names[0]}" if verb != "truncate" else f"truncate {names[0]}")
        elif verb in ("chmod", "fchmodat", "utimensat", "setxattr", "lsetxattr") and (of or any(names)):
            self.say(f"{verb} {names[0] if names and names[0] else of}")
        elif verb == "copy_file_range":
            to = [self.name(p) for _, p in FD.findall(args)]
            if len(to) == 2 and to[1]:
                self.wrote.add(to[1])
                self.say(f"write {to[1]}")
        elif of and verb in ("write", "pwrite64", "writev", "pwritev", "sendfile"):
            self.wrote.add(of)
            self.say(f"write {of}")
        elif verb == "mmap" and "MAP_SHARED" in args and "PROT_WRITE" in args:
            for _, p in FD.findall(args):
                if self.name(p):
                    self.say(f"map shared {self.name(p)}")
        elif of and verb in ("ftruncate", "fsync", "fdatasync", "fchmod", "fallocate", "fsetxattr"):
            self.say(f"{verb} {of}")
        elif of and verb == "close" and of in self.wrote:
            self.say(f"close {of}")


def main():
    top, command = sys.argv[1], sys.argv[2:]
    story = Story(top)
    with tempfile.TemporaryDirectory() as t:
        log = os.path.join(t, "log")
        rc = subprocess.run(["strace", "-f", "-y", "-qq", "-s", "4096", "-e", "signal=none", "-e", "trace=" + CALLS,
                             "-o", log, *command], cwd=top, check=False).returncode
        begun = {}
        with open(log, errors="replace") as f:
            for line in f:
                pid = line.split(" ", 1)[0]
                if line.rstrip().endswith("<unfinished ...>"):
                    begun[pid] = line.rstrip()[:-len("<unfinished ...>")]
                    continue
                m = re.match(r"\d+ +<\.\.\. \w+ resumed>(.*)", line)
                if m and pid in begun:
                    line = begun.pop(pid) + m.group(1)
                m = LINE.match(line)
                if m and int(m.group(4)) >= 0:
                    story.call(m.group(2), m.group(3), int(m.group(4)))
    print("\n".join(story.lines))
    return rc


if __name__ == "__main__":
    sys.exit(main())
