# SPDX-License-Identifier: MIT
"""A model of how lib/linux/access.c stores a decision. Explores every order in which threads can take its steps.

One step is one access to something that threads share: the word `decided`, the counter `tickets`, the access that the
program has forced, an element of fsgs_base_limit, or the machine, which a restore from a checkpoint replaces. The model
has one segment instead of two, and the answer of fsgs_usable(). It has no fences, because all these accesses are
sequentially consistent.

The properties:

1. When a refresh or a force that began after a change has returned, the decision agrees with the state after the change.
2. When a function returns, the fields that its caller needs are decided.
3. A field that has been decided stays decided.
4. arch_prctl is trusted only if, since the decision, a base that it set on the present machine was read back.
5. When no thread is deciding, fsgs_base_limit agrees with the decision.

Each seeded defect leaves out or moves one step, and breaks one of these properties. So access.c needs all these steps.
"""

import collections
import dataclasses
import sys
import typing

INSTRUCTION, ARCH_PRCTL = 'instruction', 'arch_prctl'


@dataclasses.dataclass(frozen=True)
class Word:
    """The content of the word `decided`. A field that is None is undecided."""

    ticket: int = 0
    access: typing.Optional[str] = None
    usable: typing.Optional[bool] = None
    trusted: bool = False


@dataclasses.dataclass(frozen=True)
class Thread:
    """A thread: `left`, its remaining operations; `at`, its position in the first of them; and its local variables."""

    left: tuple
    at: str = 'idle'
    ticket: int = 0
    found: dict = dataclasses.field(default_factory=dict, hash=False)
    old: typing.Optional[Word] = None
    worked: typing.Any = None      # The machine on which this thread has verified a set.
    changed: bool = False          # The machine or the forced access has changed since this update began.


@dataclasses.dataclass(frozen=True)
class State:
    threads: tuple
    machine: str = INSTRUCTION     # The machine, named by the access that a check finds there.
    forced: typing.Optional[str] = None
    decided: Word = Word()
    tickets: int = 0
    limit: bool = False            # Whether the inline forms use the instruction.
    settled: bool = False          # An update that began after the last change has returned: properties 1 and 4 must hold.
    proof: typing.Any = None       # If `trusted` is set: the machine on which arch_prctl was verified.


class Violated(Exception):
    """Raised with the number of a violated property and the reason. explore() adds the steps that led there."""


def holds(number, condition, words):
    if not condition:
        raise Violated(number, words)


def truth(state):
    return state.forced or state.machine


def stepped(state, me, **what):
    threads = list(state.threads)
    threads[me] = dataclasses.replace(threads[me], **what)
    return dataclasses.replace(state, threads=tuple(threads))


def after_a_change(state, **what):
    """Returns the state after a change of the machine or of the forced access. A thread that is deciding may still store
    the decision from before the change. So property 1 need not hold until a later update has returned."""
    threads = tuple(dataclasses.replace(t, changed=True) for t in state.threads)
    return dataclasses.replace(state, threads=threads, settled=False, **what)


def survey(state, wanted):
    """Returns the fields that a survey finds. A forced access needs no check. If any other field is wanted, a check
    determines all fields that are not forced."""
    found = {'access': state.forced} if state.forced else {}
    if 'usable' in wanted or ('access' in wanted and not state.forced):
        found = {'access': truth(state), 'usable': state.machine == INSTRUCTION}
    return found


class Model:
    """The steps of the threads, with the seeded defect that `defect` names, if any."""

    def __init__(self, defect=None):
        self.defect = defect

    def newer(self, ticket, word):
        return ticket > word.ticket or self.defect == 'no ticket'

    def stored(self, state, t):
        kept = {'access': t.old.access, 'usable': t.old.usable, 'trusted': t.old.trusted}
        if self.defect == 'undetermined fields are dropped':
            kept = {}
        new = {**kept, **t.found}
        if 'access' in t.found:
            new['trusted'] = False
        return dataclasses.replace(state, decided=Word(ticket=t.ticket, **new))

    def step(self, state, me):
        """Yields the state after the next step of thread `me`; nothing if the thread has ended."""
        t = state.threads[me]
        if not t.left:
            return
        what, *wanted = t.left[0]
        if what == 'restore' and t.at == 'idle':
            yield stepped(after_a_change(state, machine=wanted[0]), me, left=t.left[1:])
        elif what == 'force' and t.at == 'idle':
            yield stepped(after_a_change(state, forced=wanted[0]), me, left=(('update', 'access'), *t.left[1:]))
        elif what == 'set':
            yield from self.set(state, me)
        elif t.at == 'idle':
            if what == 'use' and getattr(state.decided, wanted[0]) is not None:
                yield stepped(state, me, left=t.left[1:])
            else:
                yield stepped(state, me, at='ticket', changed=False)
        elif t.at == 'ticket':
            at = 'load' if self.defect == 'the ticket after the survey' and t.found else 'survey'
            yield stepped(dataclasses.replace(state, tickets=state.tickets + 1), me, at=at, ticket=state.tickets + 1)
        elif t.at == 'survey':
            at = 'ticket' if self.defect == 'the ticket after the survey' and not t.found else 'load'
            yield stepped(state, me, at=at, found=survey(state, wanted))
        elif t.at == 'load':
            yield stepped(state, me, at='exchange', old=state.decided)
        elif t.at == 'exchange':
            if self.newer(t.ticket, t.old):
                if state.decided == t.old:
                    yield stepped(self.stored(state, t), me, at='limit', old=None, found={})
                else:
                    yield stepped(state, me, old=state.decided)
            elif self.defect == 'no second survey':
                yield self.returned(state, me, t.old)
            else:
                yield stepped(state, me, at='ticket', old=None, found={})
        elif t.at == 'limit':
            yield stepped(state, me, at='store', old=state.decided)
        elif t.at == 'store':
            yield stepped(dataclasses.replace(state, limit=t.old.access == INSTRUCTION), me, at='look')
        elif t.at == 'look':
            if state.decided == t.old or self.defect == 'no second look':
                yield self.returned(state, me, state.decided)
            else:
                yield stepped(state, me, at='store', old=state.decided)

    def returned(self, state, me, word):
        t = state.threads[me]
        what, *wanted = t.left[0]
        holds(2, all(getattr(word, field) is not None for field in wanted), f'{what} got {word}')
        settled = state.settled or not t.changed
        return dataclasses.replace(
            stepped(state, me, at='idle', left=t.left[1:], old=None, found={}, ticket=0, changed=False), settled=settled)

    def set(self, state, me):
        """Yields the state after the next step of set_by_prctl(). The steps: loads the word; makes the system call and
        reads the base back; calls fsgs_trust()."""
        t = state.threads[me]
        if t.at == 'idle':
            if state.decided.access == ARCH_PRCTL and not state.decided.trusted:
                yield stepped(state, me, at='call', old=state.decided)
            else:
                yield stepped(state, me, left=t.left[1:])
        elif t.at == 'call':
            yield stepped(state, me, at='trust', worked=state.machine)
        elif t.at == 'trust':
            same = state.decided == t.old
            if self.defect == 'trusted without comparing tickets':
                same = dataclasses.replace(state.decided, ticket=t.old.ticket) == t.old
            if same:
                state = dataclasses.replace(state, proof=t.worked,
                                            decided=dataclasses.replace(state.decided, trusted=True))
            yield stepped(state, me, at='idle', left=t.left[1:], old=None, worked=None)

    @staticmethod
    def check(before, state):
        was, word = before.decided, state.decided
        holds(3, (was.access is None or word.access) and (was.usable is None or word.usable is not None),
              f'{was} became {word}')
        if state.settled and word.access:
            holds(1, word.access == truth(state), f'{word} is the decision from before the change')
        if state.settled and word.trusted:
            holds(4, state.proof == state.machine, f'{word} rests on a set on another machine')
        if all(t.at in ('idle', 'call', 'trust') for t in state.threads):
            holds(5, state.limit == (word.access == INSTRUCTION), f'the limit is {state.limit}, and {word} decided')


def explore(threads, machine, defect=None):
    """Explores all reachable states. Returns their number, and the positions at which threads took a step. Raises
    Violated if a property does not hold."""
    model, first = Model(defect), State(threads=threads, machine=machine)
    came_from, todo, places = {first: None}, collections.deque((first,)), set()

    def story(state):
        steps = []
        while came_from[state]:
            state, me = came_from[state]
            steps.append(f'{me}: {state.threads[me].left[0]} {state.threads[me].at}')
        return ', '.join(reversed(steps))

    while todo:
        state = todo.popleft()
        for me, t in enumerate(state.threads):
            try:
                for after in model.step(state, me):
                    places.add(t.at)
                    model.check(state, after)
                    if after not in came_from:
                        came_from[after] = (state, me)
                        todo.append(after)
            except Violated as found:
                raise Violated(*found.args, story(state)) from None
    return len(came_from), places


def thread(*left):
    return Thread(tuple(left))


USE, USABLE, REFRESH = ('use', 'access'), ('use', 'usable'), ('update', 'access', 'usable')
SET = ('set',)

# For each configuration: the access that a check finds at first, and the threads.
CONFIGURATIONS = {
    'three first uses': (INSTRUCTION, thread(USE), thread(USABLE), thread(USE, USABLE)),
    'a restore beside a first use': (INSTRUCTION, thread(USE), thread(('restore', ARCH_PRCTL), REFRESH)),
    'a restore beside a refresh': (INSTRUCTION, thread(USABLE, REFRESH), thread(('restore', ARCH_PRCTL), REFRESH)),
    'two restores': (INSTRUCTION, thread(REFRESH),
                     thread(('restore', ARCH_PRCTL), REFRESH, ('restore', INSTRUCTION), REFRESH)),
    'a force beside a first use': (INSTRUCTION, thread(USABLE), thread(('force', ARCH_PRCTL))),
    'two forces': (INSTRUCTION, thread(USE, ('force', ARCH_PRCTL)), thread(('force', INSTRUCTION))),
    'a set beside two restores': (ARCH_PRCTL, thread(USE, SET),
                                  thread(('restore', INSTRUCTION), REFRESH, ('restore', ARCH_PRCTL), REFRESH)),
}

# Each seeded defect, with the number of the property that it must break.
DEFECTS = {
    'no ticket': 1,
    'the ticket after the survey': 1,
    'no second survey': 2,
    'undetermined fields are dropped': 3,
    'trusted without comparing tickets': 4,
    'no second look': 5,
}


def main():
    lines, places, failed = 0, set(), False

    def tell(ok, words):
        nonlocal lines, failed
        lines, failed = lines + 1, failed or not ok
        print(f'{"ok" if ok else "not ok"} {lines} - {words}', flush=True)

    for name, (machine, *threads) in CONFIGURATIONS.items():
        try:
            count, seen = explore(tuple(threads), machine)
            places |= seen
            tell(True, f'{name}: {count} states')
        except Violated as violated:
            tell(False, f'{name}: property {violated.args}')
    never = {'idle', 'ticket', 'survey', 'load', 'exchange', 'limit', 'store', 'look', 'call', 'trust'} - places
    tell(not never, f'every step is taken {sorted(never) or ""}'.rstrip())
    for defect, number in DEFECTS.items():
        found = None
        for name, (machine, *threads) in CONFIGURATIONS.items():
            try:
                explore(tuple(threads), machine, defect)
            except Violated as violated:
                if violated.args[0] == number:
                    found = f'{name}: {violated.args[1]}'
                    break
        tell(found, f'{defect}: refuted by {number}; {found}')
    print(f'1..{lines}')
    return failed


if __name__ == '__main__':
    sys.exit(main())
