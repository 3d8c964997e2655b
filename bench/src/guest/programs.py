"""Python at work, for bench/compare: records, calls, lists and strings as in Dhrystone, or JSON there and back."""

import sys


class Record:
    def __init__(self, following=None, kind=0, number=0, text=""):
        self.following = following
        self.kind = kind
        self.number = number
        self.text = text

    def copy(self):
        return Record(self.following, self.kind, self.number, self.text)


class Machine:
    def __init__(self):
        self.total = 0
        self.flag = False
        self.row = [0] * 51
        self.table = [self.row[:] for _ in range(51)]
        self.last = Record(text="DHRYSTONE PROGRAM, SOME STRING")
        self.first = Record(self.last, 2, 40, "DHRYSTONE PROGRAM, SOME STRING")

    def chase(self, record):
        following = record.following.copy()
        record.number = 5
        following.number = record.number
        following.following = record.following
        if following.kind == 0:
            following.number = 6
            following.kind = self.kind(record.kind)
            following.number = self.add(following.number, 10)
        else:
            record = following.copy()
        record.following = following.following
        return record

    def kind(self, kind):
        return 3 if kind == 2 else 0 if self.total > 100 else kind

    @staticmethod
    def add(a, b):
        return a + 2 + b

    def fill(self, row, table, a, b):
        at = a + 5
        row[at] = b
        row[at + 1] = row[at]
        row[at + 30] = at
        for n in range(at, at + 2):
            table[at][n] = at
        table[at][at - 1] += 1
        table[at + 20][at] = row[at]
        self.total = 5

    @staticmethod
    def differ(a, b):
        at = 2
        while at <= 2:
            if a[at] == b[at + 1]:
                at += 1
            else:
                break
        return a > b or at > 2

    def once(self, n):
        text = "DHRYSTONE PROGRAM, %d'ND STRING" % (n % 10)
        self.flag = not self.differ(self.first.text, text)
        a, b, c = 2, 3, 0
        while a < b:
            c = 5 * a - b
            c = self.add(a, b)
            a += 1
        self.fill(self.row, self.table, a, c)
        self.first = self.chase(self.first) or self.first
        for letter in "ABC":
            if self.kind(ord(letter) - 65) == 0:
                self.total += n
        b = b * a
        a = b // c
        self.total += 7 * (b - c) - a


def pystone(loops):
    machine = Machine()
    for n in range(loops):
        machine.once(n)
    print(machine.total, machine.flag, machine.row, machine.first.number)


def json_both_ways(loops):
    import json

    value = {
        "name%d" % n: {"id": n, "price": n * 1.25 + 0.1, "tags": ["a%d" % k for k in range(n % 7)], "on": n % 3 == 0,
                       "text": "line one\n\"line\" two \u00e9 %d" % n, "none": None}
        for n in range(200)
    }
    for _ in range(loops):
        text = json.dumps(value, indent=1, sort_keys=True)
        value = json.loads(json.dumps(json.loads(text)))
    print(text)


{"pystone": pystone, "json": json_both_ways}[sys.argv[1]](int(sys.argv[2]))
