# SPDX-License-Identifier: MIT
"""handover.py PAGE: explores a model of how signal handlers are exchanged by lib/linux/guard.c, handover.c and lock.c.

One step is one system call, or one access to something that threads share. PAGE is doc/handover.md. This page has the
numbered properties, says which step of the model stands for which code, and lists what the model leaves out. In each
configuration, the threads take their steps in every order. Each seeded defect must break the property that the page
names for it.
"""

import collections
import dataclasses
import re
import sys
import typing

NO_THREAD = -1

# An action is a string if a thread of the program has installed it. A pair stands for a handler of the library: the
# copy of the library, and the number of the handler's variant. Each variant stands for one replaced action.
FIRST = 'first'


def is_ours(action):
    return isinstance(action, tuple)


@dataclasses.dataclass(frozen=True)
class Thread:
    """A thread: its kind, its position `at`, and its local variables."""

    kind: str
    at: str
    left: tuple = ()            # What is left to do, by `kind`: trials, faults, actions to install, or receivers of signals.
    expected: typing.Any = None
    put: typing.Any = None
    mine: typing.Any = None
    old: typing.Any = None
    blocked: bool = False       # The signal is now blocked in this thread.
    wants_blocked: bool = False  # The thread itself has blocked the signal, outside of the library.
    pending: int = 0            # The number of pending signals for this thread.
    parked: int = 0             # The number of signals that are held back (guard.parked).
    replaced: bool = False      # Another thread has replaced the handler during this trial.
    copy: int = 0               # The copy of the library with which this thread checks.


@dataclasses.dataclass(frozen=True)
class State:
    threads: tuple
    disposition: typing.Any = FIRST
    behind: tuple = ((), ())                  # For each copy: the actions that the variants replaced.
    lock: tuple = (NO_THREAD, NO_THREAD)
    foreign: int = NO_THREAD                  # The thread that holds the program's own lock.
    trying: tuple = (NO_THREAD, NO_THREAD)
    newest: str = FIRST                       # The program's last action, or the action behind it if it is ours.
    recent: frozenset = frozenset((FIRST,))   # All values of `newest` during the current exchange.
    exchanging: tuple = (False, False)
    role: tuple = ('exchanging', 'exchanging')   # Each copy's role: 'exchanging', 'owner' or 'waiting' (for another copy).
    beside: tuple = (None, None)                 # For a waiting copy: the other copy's handler that it replaced.
    received: int = 0


class Violated(Exception):
    """Raised with the number of a violated property and the reason. explore() adds the steps that led there."""


def holds(number, condition, words):
    if not condition:
        raise Violated(number, words)


class Model:
    """The steps of the threads, with the seeded defect that `defect` names, if any. With `limit`, includes a case that is
    a known limit and breaks a property."""

    def __init__(self, defect=None, limit=False):
        self.defect, self.limit = defect, limit

    # -- the kernel, and our handler --

    def deliver(self, state, who, kind):
        """Returns the state after thread `who` has received a signal. The kind is 'stub' for the fault of a trial, 'fault'
        for another fault, and 'sent' for a signal that a thread has sent."""
        action = state.disposition
        if is_ours(action):
            copy, variant = action
            trying = state.trying[copy]
            if kind == 'stub' and (trying == who or self.defect != "another copy's fault passed on"):
                return state
            if kind == 'sent' and (trying == who or (self.defect == 'the thread is not compared' and trying != NO_THREAD)):
                if self.defect == 'held-back signal dropped':
                    return state
                return change(state, trying, parked=state.threads[trying].parked + 1)
            if state.beside[copy] is not None:
                after = self.deliver(dataclasses.replace(state, disposition=state.beside[copy]), who, kind)
                return dataclasses.replace(after, disposition=action)
            if kind == 'fault':
                holds(1, not (self.defect == 'the thread is not compared' and trying != NO_THREAD) and
                      not (self.defect == 'the address is not compared' and trying == who),
                      'a fault that is none of the trial was taken for one')
            action = state.behind[copy][variant]
        elif kind == 'sent' and state.threads[who].wants_blocked:
            # Allowed only if a handler was installed during the trial: see "Limits" on the page.
            holds(3, state.threads[who].replaced, 'a signal that the thread blocks was delivered')
        if kind == 'stub':
            holds(1, state.threads[who].replaced, 'a fault of the trial reached an owner')
            return state
        holds(2, action in state.recent, f'a signal reached {action}, and not {sorted(state.recent)}')
        return dataclasses.replace(state, received=state.received + 1)

    # -- the library --

    def variant_for(self, state, copy, found):
        if is_ours(found) and found[0] == copy:
            return state, found
        known = state.behind[copy]
        if self.defect == 'one handler for all actions':
            known = (found,)
        elif found not in known:
            known = (*known, found)
        return dataclasses.replace(state, behind=put(state.behind, copy, known)), (copy, known.index(found))

    def knows(self, action, copy):
        """Whether `copy` detects that an action is the handler of another copy."""
        return is_ours(action) and action[0] != copy and self.defect != 'another copy is not detected'

    def checker(self, state, me):
        """The next step of a thread that runs one trial after the other by fsgs_guard_enter(), fsgs_guard_run() and
        fsgs_guard_leave()."""
        t = state.threads[me]
        if t.at == 'idle':
            if t.left and 'foreign lock' in t.left[0]:
                yield change(state, me, at='foreign lock')
            elif t.left:
                yield change(state, me, at='lock', blocked=True)
        elif t.at == 'foreign lock':
            if state.foreign == NO_THREAD:
                yield change(dataclasses.replace(state, foreign=me), me, at='lock', blocked=True)
        elif t.at == 'lock':
            owner = state.lock[t.copy]
            is_dead = owner != NO_THREAD and state.threads[owner].at in ('dead',) and self.defect != 'the owner is not checked'
            if owner == NO_THREAD or is_dead or self.defect == 'no lock':
                state = dataclasses.replace(state, lock=put(state.lock, t.copy, me),
                                            trying=put(state.trying, t.copy, me))
                yield change(state, me, at='look', parked=0, replaced=False)
        elif t.at == 'look':
            # While another copy runs a trial, this copy waits.
            if not self.knows(state.disposition, t.copy):
                yield change(self.exchanges(state, t.copy), me, at='install', expected=state.disposition,
                             put=state.disposition)
        elif t.at == 'install':
            state, mine = self.variant_for(state, t.copy, t.put)
            out = state.disposition
            state = dataclasses.replace(state, disposition=mine)
            if out == t.expected or self.defect == 'the replaced action is not compared' or (
                    self.knows(out, t.copy) and t.mine is not None):
                state = self.settled(state, t.copy, 'owner')
                yield change(state, me, at='trial', mine=mine, expected=None, put=None,
                             blocked=self.defect == 'trial with the signal blocked')
            elif self.knows(out, t.copy):
                yield change(state, me, at='too late', put=out)
            else:
                yield change(state, me, mine=mine, expected=mine, put=out)
        elif t.at == 'too late':
            state = dataclasses.replace(state, beside=put(state.beside, t.copy, t.put))
            yield change(self.settled(state, t.copy, 'waiting'), me, at='waiting', expected=None, put=None)
        elif t.at == 'waiting':
            if not is_ours(state.disposition):
                state = dataclasses.replace(state, beside=put(state.beside, t.copy, None))
                yield change(state, me, at='look')
        elif t.at == 'trial':
            holds(1, not t.blocked, 'the signal is blocked, so the fault of the trial kills')
            state = self.deliver(state, me, 'stub')
            if 'dies' in t.left[0]:
                yield change(state, me, at='dead', left=())
            yield change(state, me, at='own fault' if 'own fault' in t.left[0] else 'leave')
        elif t.at == 'own fault':
            yield change(self.deliver(state, me, 'fault'), me, at='leave')
        elif t.at == 'leave':
            # fsgs_guard_leave() blocks the signals before it exchanges the actions.
            yield change(state, me, at='read', blocked=True)
        elif t.at == 'read':
            now = state.disposition
            role = state.role[now[0]] if self.knows(now, t.copy) else None
            if role == 'exchanging':
                return  # The other copy will store its role in a moment.
            if role == 'waiting' and self.defect == "another copy's handler stays":
                role = 'owner'
            if role == 'owner' and self.defect == 'another copy is not asked':
                role = 'waiting'
            if (is_ours(now) and now[0] == t.copy) or role == 'waiting' or self.defect == 'restored without a look':
                # The installed variant may differ from the variant of this trial, because another thread may have restored
                # an earlier variant.
                found = now if is_ours(now) and now[0] == t.copy else t.mine
                yield change(self.exchanges(state, t.copy), me, at='restore', expected=now,
                             put=state.behind[t.copy][found[1]])
            else:
                yield change(self.settled(state, t.copy), me, at='unlock')
        elif t.at == 'restore':
            out = state.disposition
            if self.defect is None and not self.limit and self.has_become_owner(state, out, t.copy):
                return  # This case is a known limit: see "Limits" on the page.
            state = dataclasses.replace(state, disposition=t.put)
            if out == t.expected or self.knows(out, t.copy) or self.defect in (
                    'the replaced action is not compared', 'restored without a look'):
                yield change(self.settled(state, t.copy), me, at='unlock', expected=None, put=None)
            else:
                yield change(state, me, expected=t.put, put=out)
        elif t.at == 'unlock':
            state = change(state, me, at='send', mine=None, parked=0, old=t.parked)
            yield dataclasses.replace(state, trying=put(state.trying, t.copy, NO_THREAD),
                                      lock=put(state.lock, t.copy, NO_THREAD))
        elif t.at == 'send':
            if state.foreign == me:
                state = dataclasses.replace(state, foreign=NO_THREAD)
            yield change(state, me, at='idle', left=t.left[1:], pending=t.pending + t.old, old=None, replaced=False,
                         blocked=t.blocked if self.defect == 'mask not restored' else t.wants_blocked)

    def has_become_owner(self, state, action, copy):
        """Whether `action` is the handler of another copy that became the owner of the actions after this copy had read
        them. In between, a third thread has installed an action, and the other copy has replaced it."""
        if not self.knows(action, copy) or state.trying[action[0]] == NO_THREAD:
            return False
        return state.threads[state.trying[action[0]]].at not in ('too late', 'waiting')

    @staticmethod
    def exchanges(state, copy):
        recent = state.recent | {state.newest} if any(state.exchanging) else frozenset((state.newest,))
        return dataclasses.replace(state, exchanging=put(state.exchanging, copy, True), recent=recent)

    @staticmethod
    def settled(state, copy, role='exchanging'):
        exchanging = put(state.exchanging, copy, False)
        return dataclasses.replace(state, exchanging=exchanging, role=put(state.role, copy, role),
                                   recent=state.recent if any(exchanging) else frozenset((state.newest,)))

    def forker(self, state, me):
        """The steps of fork(). First, a handler of pthread_atfork() takes a lock of the program. In the child, the
        library's lock is free, because its page is filled with zeros."""
        t = state.threads[me]
        if t.at == 'idle' and t.left:
            if self.defect != 'a lock over fork':
                yield change(state, me, at='prepare')
            elif state.lock[0] == NO_THREAD:
                yield change(dataclasses.replace(state, lock=put(state.lock, 0, me)), me, at='prepare')
        elif t.at == 'prepare':
            if state.foreign == NO_THREAD:
                yield change(dataclasses.replace(state, foreign=me), me, at='copy actions')
        elif t.at == 'copy actions':
            # The kernel copies the actions before the memory.
            yield change(state, me, at='copy memory', put=state.disposition, old=state.recent | {state.newest})
        elif t.at == 'copy memory':
            action = t.put
            if is_ours(action):
                # The child inherits the library's handler, which passes signals on to this action.
                action = state.behind[action[0]][action[1]]
            holds(6, action in t.old | state.recent, "a child's signals do not reach their owner")
            lock = state.lock[0] if self.defect == 'the lock inherited' else NO_THREAD
            holds(6, lock == NO_THREAD, 'a child has a lock that is held by a thread of its parent')
            yield change(state, me, at='parent', put=None, old=None)
        elif t.at == 'parent':
            state = change(state, me, at='idle', left=t.left[1:])
            state = dataclasses.replace(state, foreign=NO_THREAD)
            yield dataclasses.replace(state, lock=put(state.lock, 0, NO_THREAD)) if state.lock[0] == me else state

    # -- the other threads --

    def behind(self, state, action):
        return state.behind[action[0]][action[1]] if is_ours(action) else action

    def owner_installs(self, state, action):
        newest = self.behind(state, action)
        state = dataclasses.replace(
            state, disposition=action, newest=newest,
            recent=(state.recent if any(state.exchanging) else frozenset()) | {newest})
        for who in state.trying:
            if who != NO_THREAD:
                state = change(state, who, replaced=True)
        return state

    def replacer(self, state, me):
        t = state.threads[me]
        if t.left:
            yield change(self.owner_installs(state, t.left[0]), me, left=t.left[1:])

    def saver(self, state, me):
        """Installs an action, and later restores the action that it has replaced. That may be a handler of the library."""
        t = state.threads[me]
        if t.at == 'idle' and t.left:
            found = state.disposition
            yield change(self.owner_installs(state, t.left[0]), me, at='put back', old=found,
                         expected=self.behind(state, found))
        elif t.at == 'put back':
            if is_ours(t.old):
                holds(5, self.behind(state, t.old) == t.expected, 'a saved handler leads to the wrong action')
            # If the saved action is not ours, waits while the library exchanges actions, because the library may have
            # installed an equal action for a moment: see "Limits" on the page.
            if not (any(state.exchanging) and not is_ours(t.old)):
                yield change(self.owner_installs(state, t.old), me, at='idle', left=(), old=None, expected=None)

    def bystander(self, state, me):
        t = state.threads[me]
        if t.left:
            yield change(self.deliver(state, me, 'fault'), me, left=t.left[1:])

    def sender(self, state, me):
        """Sends a signal by tgkill() to the thread that `left` names."""
        t = state.threads[me]
        if t.left:
            whom = t.left[0]
            yield change(change(state, whom, pending=state.threads[whom].pending + 1), me, left=t.left[1:])

    # -- all threads together --

    def steps(self, state):
        for me, t in enumerate(state.threads):
            for after in getattr(self, t.kind)(state, me):
                yield me, t.at, after
            if t.pending and not t.blocked:
                yield me, 'signal', self.deliver(change(state, me, pending=t.pending - 1), me, 'sent')

    def check(self, state):
        """Checks the properties that must hold in each state."""
        action = state.disposition
        if state.lock == (NO_THREAD, NO_THREAD):
            holds(4, self.behind(state, action) == state.newest,
                  f'no trial runs, but {action} is installed instead of {state.newest}')
            saved = any(t.kind == 'saver' for t in state.threads)
            holds(5, saved or not is_ours(action), 'a handler stays behind, and its copy may be unloaded')
        for t in state.threads:
            if t.kind == 'checker' and t.at == 'idle':
                holds(4, t.blocked == t.wants_blocked, 'the mask is not what it was')


def put(values, at, value):
    return (*values[:at], value, *values[at + 1:])


def change(state, who, **what):
    threads = list(state.threads)
    threads[who] = dataclasses.replace(threads[who], **what)
    return dataclasses.replace(state, threads=tuple(threads))


def sent(threads):
    """Returns the number of signals and faults that must reach an action of the program."""
    return sum(len(t.left) for t in threads if t.kind in ('bystander', 'sender')) + sum(
        'own fault' in trial for t in threads if t.kind == 'checker' for trial in t.left)


def explore(threads, defect=None, limit=False):
    """Explores all reachable states. Returns their number, and the positions at which threads took a step. Raises
    Violated if a property does not hold."""
    model = Model(defect, limit)
    first = State(threads=threads)
    came_from = {first: None}
    todo = collections.deque((first,))
    places = set()

    def story(state, last=()):
        steps = list(last)
        while came_from[state]:
            state, who, at = came_from[state]
            steps.append(f'{threads[who].kind} {who}: {at}')
        return ', '.join(reversed(steps))

    while todo:
        state = todo.popleft()
        ended = True
        try:
            model.check(state)
            for who, at, after in model.steps(state):
                ended = False
                places.add((threads[who].kind, at))
                if after not in came_from:
                    came_from[after] = (state, who, at)
                    todo.append(after)
            if ended:
                waiting = [t for t in state.threads if t.at not in ('idle', 'dead') or (t.left and t.kind != 'saver')]
                holds(6, not waiting, f'{len(waiting)} threads wait for ever')
                kept = sum(t.pending for t in state.threads)
                holds(3 if any(t.wants_blocked for t in threads) else 2, state.received + kept == sent(threads),
                      f'{sent(threads)} signals, {state.received} received, {kept} pending')
        except Violated as found:
            raise Violated(*found.args, story(state)) from None
    return len(came_from), places


def checker(*trials, blocked=False, copy=0):
    return Thread('checker', 'idle', trials, blocked=blocked, wants_blocked=blocked, copy=copy)


def other(kind, *left):
    return Thread(kind, 'idle', left)


TRIAL, OWN_FAULT, UNDER_LOCK, DIES = ('trial',), ('trial', 'own fault'), ('trial', 'foreign lock'), ('trial', 'dies')

CONFIGURATIONS = {
    'two checkers and a replacer': (checker(TRIAL, TRIAL), checker(TRIAL), other('replacer', 'second', 'third')),
    'a fault elsewhere': (checker(TRIAL), checker(TRIAL), other('replacer', 'second', 'third'), other('bystander', 1, 2)),
    'its own fault': (checker(OWN_FAULT, OWN_FAULT), other('replacer', 'second'), other('bystander', 1)),
    'a signal for the trying thread': (checker(TRIAL, TRIAL), other('sender', 0, 0), other('replacer', 'second')),
    'a signal that it has blocked': (checker(TRIAL, TRIAL, blocked=True), other('sender', 0), other('replacer', 'second')),
    'a thread that saves and restores': (checker(TRIAL, TRIAL), other('saver', 'saver'), other('bystander', 1, 2)),
    'a fork': (checker(TRIAL, TRIAL), checker(TRIAL), other('forker', 1, 2), other('replacer', 'second')),
    'an owner that dies': (checker(DIES), checker(TRIAL, TRIAL), other('replacer', 'second')),
    'two copies': (checker(TRIAL, TRIAL), checker(TRIAL, TRIAL, copy=1)),
    'two copies and two threads of one': (checker(TRIAL), checker(TRIAL), checker(TRIAL, TRIAL, copy=1)),
    'two copies and a fault elsewhere': (checker(TRIAL, TRIAL), checker(TRIAL, copy=1), other('bystander', 1, 2)),
    'two copies and a signal for a trying thread': (checker(TRIAL), checker(TRIAL, copy=1), other('sender', 0, 1)),
    'two copies and a replacer': (checker(TRIAL), checker(TRIAL, copy=1), other('replacer', 'second')),
    'a fork that takes a lock': (checker(UNDER_LOCK, TRIAL), checker(TRIAL), other('forker', 1, 2)),
}

# Each seeded defect, with the number of the property that it must break.
DEFECTS = {
    'no lock': 1,
    'the replaced action is not compared': 4,
    'restored without a look': 4,
    'one handler for all actions': 5,
    'the thread is not compared': 1,
    'the address is not compared': 1,
    'trial with the signal blocked': 1,
    'held-back signal dropped': 3,
    'mask not restored': 4,
    'the lock inherited': 6,
    'the owner is not checked': 6,
    'another copy is not detected': 1,
    "another copy's fault passed on": 1,
    "another copy's handler stays": 6,
    'another copy is not asked': 1,
    'a lock over fork': 6,
}

# Known limits of the exchange, described on the page, with the number of the property that each breaks. The test shows
# that these limits still exist.
LIMITS = {
    'an action that equals an older one': (4, (checker(TRIAL), other('replacer', 'second', FIRST))),
    'an action and another copy between two steps': (
        1, (checker(TRIAL), checker(TRIAL, copy=1), other('replacer', 'second'))),
}


def refuted(defect, number):
    """Returns the first configuration in which the defect breaks the property `number`, and how; None if there is no such
    configuration."""
    for name, threads in CONFIGURATIONS.items():
        try:
            explore(threads, defect)
        except Violated as violated:
            if violated.args[0] == number:
                return f'{name}: {violated.args[1]} ({violated.args[2]})'
    return None


def main():
    page = open(sys.argv[1], encoding='utf-8').read()
    lines, places, failed = [], set(), False

    def tell(ok, words):
        nonlocal failed
        failed |= not ok
        lines.append(f'{"ok" if ok else "not ok"} {len(lines) + 1} - {words}')
        print(lines[-1], flush=True)

    for name, threads in CONFIGURATIONS.items():
        try:
            count, seen = explore(threads)
            places |= seen
            tell(True, f'{name}: {count} states')
        except Violated as violated:
            tell(False, f'{name}: property {violated.args}')
    model_source = open(__file__, encoding='utf-8').read()
    never = {at for at in re.findall(r"at == '([\w ]+)'", model_source)} - {at for _, at in places}
    tell(not never, f'every step is taken {sorted(never) or ""}'.rstrip())
    for defect, number in DEFECTS.items():
        found = refuted(defect, number)
        tell(found, f'{defect}: refuted by {number}; {found}')
        tell(re.search(rf'^\| {defect} \| {number} \|', page, re.M) is not None, f'{defect}: the page names {number}')
    for name, (number, threads) in LIMITS.items():
        try:
            explore(threads, limit=True)
            tell(False, f'{name}: the limit is gone, and the page out of date')
        except Violated as violated:
            tell(violated.args[0] == number, f'{name}: the limit that the page names: {violated.args[1:]}')
    print(f'1..{len(lines)}')
    return failed


if __name__ == '__main__':
    sys.exit(main())
