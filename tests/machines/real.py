# SPDX-License-Identifier: MIT
"""Runs the boot image, the command and the suite on real hypervisors and emulators from Debian packages.

Meson runs each class, or single methods of Bochs, as one test. If a program is not available, its test skips with
the reason.
"""

import gzip
import itertools
import json
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import time
import unittest

from support import SOURCE, aside, bochs, machine, output, parts

IMAGE = os.environ['IMAGE']
RING0 = os.environ['RING0']
COMMAND = os.environ['STATIC']
SUITE = os.environ['SUITE']
INIT = os.environ['INIT']
VMM = os.environ['VMM']
REPRODUCERS = SOURCE / 'doc/reproducers'
INNER = pathlib.Path(__file__).parent / 'inner' / 'init.sh'
GUARDED = INNER.with_name('guarded.sh')

# These cases fail on processors that QEMU's TCG emulates, and in virtual machines on them, because TCG does not check
# whether the operands of WRFSBASE, WRGSBASE and WRMSR are canonical.
TCG_RING0 = set(range(1050, 1059))
TCG_USER = set(range(201, 223)) | {805, 806}

# The exit status of vmm.c after a reset of its guest.
RESET = 72

# The processor that QEMU emulates for Xen. In TCG, MWAIT with interrupts as break events raises #GP, so MONITOR is off.
# RDTSCP is off, because TCG intercepts it as RDTSC. SMAP is off, because TCG's IRETQ to CPL 3 reads the stack with the
# supervisor's rights.
XEN_CPU = 'EPYC,-smap,-monitor,-rdtscp'


def last_line(run):
    """The verdict, the findings and the number of processors in the last line of the boot image."""
    found = re.search(r'^fsgscheck: verdict=(\S+) findings=(\S*) cpus=(\d+)\n?\Z', run.log, re.M)
    if not found:
        raise AssertionError(f'no last line:\n{run.log[-2000:]}\n{run.errors}')
    return found[1], found[2], int(found[3])


def failed(text):
    return {int(number) for number in re.findall(r'^not ok \d+ - (\d+) ', text, re.M)}


def passed(text):
    return {int(number) for number in re.findall(r'^ok \d+ - (\d+) \S+$', text, re.M)}


def guest(arguments):
    """A line of a job. It runs the monitor vmm.c, and prints a marker line before and after the monitor's output."""
    return f'echo "=== guest {arguments}"; /vmm {arguments}; echo "=== status $?"\n'


CPUS = (1, 2, 4)
# A job that runs the image with each number of CPUs, first with the feature and then without it.
IMAGES = ''.join(guest(f'{feature}-c {cpus} /image') for feature in ('', '-f 0 ') for cpus in CPUS)


def guests(run):
    """The output and the status of each guest."""
    return [(text, int(status)) for text, status in
            re.findall(r'^=== guest.*?\n(.*?)=== status (\d+)$', run.log, re.M | re.S)]


def about(text, number):
    """The diagnostic lines of a case that failed."""
    return re.search(rf'^not ok \d+ - {number} .*\n((?:#.*\n)*)', text, re.M)[1]


class Case(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))

    def available(self, what, *arguments, **keywords):
        try:
            return what(*arguments, **keywords)
        except machine.Unavailable as reason:
            self.skipTest(str(reason))

    def keep(self, name, text):
        """Stores the suite's output for conformance_table.py, if the environment variable RESULTS names a folder. `name` is
        a string, or a function that returns one."""
        if os.environ.get('RESULTS'):
            name = name() if callable(name) else name
            pathlib.Path(os.environ['RESULTS'], f'{name}.tap').write_text(text, encoding='utf-8')

    def timed(self, name, run):
        print(f'# {name}: {run.seconds:.1f} s', flush=True)
        self.assertFalse(run.timed_out, f'{name} did not end:\n{run.log[-2000:]}\n{run.errors}')
        return run

    def build(self, source, *options):
        """Builds a reproducer."""
        program = self.folder / source.stem
        subprocess.run(['gcc', '-O1', '-static', *options, '-o', program, source], check=True, timeout=60)
        return program

    def inner(self, job, files, modules=()):
        """Makes an initial file system. Its first process, inner/init.sh, loads the modules and runs `job`, a shell script."""
        tree, _ = self.available(aside.unpacked, 'busybox-static')
        (self.folder / 'job').write_text(job, encoding='ascii')
        (self.folder / 'list').write_text(''.join(f'{name}\n' for name, _ in modules), encoding='ascii')
        return machine.initrd(self.folder / 'initrd', [
            ('/init', INNER), ('/bin/busybox', tree / 'bin/busybox'), ('/job', self.folder / 'job'),
            ('/modules.list', self.folder / 'list'), *((f'/{name}', file) for name, file in (*modules, *files))])

    def check_images(self, images, findings):
        """Checks the output and the status of the image in six guests of KVM: with each number of CPUS, first with the
        feature and then without it. `findings` are those of the guests with the feature."""
        self.assertEqual(len(images), 6, images)
        for (text, status), (line, cpus) in zip(images, itertools.product(
                ((f'usable findings={findings}', 33), ('unsupported findings=', 35)), CPUS)):
            self.assertIn('# hypervisor: KVMKVMKVM', text)
            self.assertRegex(text, f'(?m)^fsgscheck: verdict={line[0]} cpus={cpus}$')
            self.assertEqual(status, line[1], text)


def guarded(text):
    """Returns the verdict, the number of CPUs and the decision from the boot guard's last line, then whether the kernel's
    command line ends with nofsgsbase, and fsgscheck's verdict under that kernel."""
    found = re.search(r'^fsgscheck: verdict=(\S+) findings=\S* cpus=(\d+) guard=(\S+) ms=\d+\n'
                      r'(?:.*\n)*?.*=== cmdline (.*)\n(?:.*\n)*?.*?FSGSBASE: (\w+)', text, re.M)
    if not found:
        raise AssertionError(f'not both the guard and user space:\n{text[-3000:]}')
    return (*found.groups()[:3], found[4].endswith(' nofsgsbase'), found[5])


class Kvm(Case):
    """KVM runs on an emulated processor with SVM. Its guests are the boot image and the ring-0 suite."""

    def kvm(self, job, append='', files=(('ring0', RING0),), timeout=150, memory=512):
        kernel, modules = self.available(aside.kernel, modules=('irqbypass', 'kvm', 'kvm-amd'))
        initrd = self.inner(job, [('vmm', VMM), ('image', IMAGE), *files], modules)
        # nohz=off and highres=off keep the periodic tick. Without the tick, QEMU 7.2 sometimes loses a local interrupt
        # around VMRUN, and the kernel never wakes up.
        return self.timed('KVM on SVM', machine.boot(
            kernel, initrd=initrd, timeout=timeout, memory=memory, until=r'^=== end\n',
            append=f'console=ttyS0 panic=-1 quiet no_timer_check nohz=off highres=off {append}'))

    def test_guests(self):
        run = self.kvm(IMAGES + guest('-c 2 /ring0'))
        *images, (ring0, status) = guests(run)
        self.keep('ring 0, KVM on SVM in QEMU, 2 CPUs', ring0)
        self.check_images(images, 'no-canonical-check')
        self.assertEqual(failed(ring0), TCG_RING0)
        self.assertEqual(status, 35)

    def test_refused(self):
        """If the host of KVM was booted with nofsgsbase, no guest can set CR4.FSGSBASE, even if its CPUID offers the
        feature. The image's advice must name nofsgsbase."""
        run = self.kvm(guest('-f 1 /image') + guest('-f 1 -c 2 /image'), append='nofsgsbase')
        for text, status in guests(run):
            self.assertRegex(text, r'(?m)^fsgscheck: verdict=broken findings=cr4-refused cpus=[12]$')
            self.assertEqual(status, 37)
            self.assertRegex(text, r'(?m)^# advice: .*nofsgsbase')
        self.assertEqual(len(guests(run)), 2, run.log)


class KvmGuard(Kvm):
    """The boot guard starts a Linux on KVM: on a KVM that offers the feature, and on a KVM that refuses it although CPUID's
    bit is forced on."""

    test_guests = test_refused = None
    # The guest's serial port can only send, so Linux prints through earlyprintk. The guest's ACPI tables list only its
    # processors, which is not enough for Linux, so ACPI is off.
    words = '-a "guard earlyprintk=ttyS0,keep quiet panic=-1 acpi=off nohz=off highres=off nokaslr mitigations=off"'

    def linux(self):
        """Makes the only module of a PVH guest, from which the guard boots: a kernel followed by its initial file system."""
        kernel, _ = self.available(aside.kernel)
        tree, _ = self.available(aside.unpacked, 'busybox-static')
        initrd = machine.initrd(self.folder / 'guarded', [('/init', GUARDED), ('/bin/busybox', tree / 'bin/busybox'),
                                                          ('/fsgscheck', COMMAND)])
        file = self.folder / 'linux'
        file.write_bytes(kernel.read_bytes() + initrd.read_bytes())
        return file

    def boot(self, arguments, append, expected):
        run = self.kvm(guest(f'{arguments} {self.words} /image /linux'), append, [('linux', self.linux())], timeout=560)
        (text, status), = guests(run)
        self.assertEqual(guarded(text), expected, text)
        self.assertRegex(text, r'=== over\n', 'the kernel panicked')
        self.assertEqual(status, RESET)

    def test_offered(self):
        self.boot('-c 2', '', ('usable', '2', 'passed', False, 'usable'))

    def test_refused_by_the_host(self):
        self.boot('-f 1', 'nofsgsbase', ('broken', '1', 'nofsgsbase', True, 'disabled'))


class Bochs(Case):
    """Bochs checks whether operands are canonical, as QEMU does not. No case of the suite may fail on Bochs."""

    intel, program = 'corei7_haswell_4770', None

    def version(self):
        return re.search(r'^Version: ([\d.]+)', output('dpkg', '--status', 'bochs'), re.M)[1]

    def cd(self, start, *files):
        return self.available(bochs.medium, self.folder / 'cd.iso', start, files)

    def boot(self, name, cd, **settings):
        return self.timed(f'Bochs, {name}', self.available(bochs.boot, cd, program=self.program, **settings))

    def image(self, name, file, until, **settings):
        return self.boot(name, self.cd('multiboot /image', ('image', file)), until=until, **settings)

    def test_image(self):
        for model, cpus, expected in ((self.intel, 1, 'usable'), (self.intel, 2, 'usable'), ('ryzen', 2, 'usable'),
                                      ('corei7_sandy_bridge_2600k', 1, 'unsupported')):
            run = self.image(f'image, {model}, {cpus} CPUs', IMAGE, r'^fsgscheck: verdict=.*\n', model=model, cpus=cpus)
            self.assertEqual(last_line(run)[::2], (expected, cpus))

    def test_guard(self):
        """A BIOS and GRUB start the boot guard, which starts a Linux."""
        kernel, _ = self.available(aside.kernel)
        initrd = self.inner('echo "=== cmdline $(cat /proc/cmdline)"\n/fsgscheck | head -n 1\n', [('fsgscheck', COMMAND)])
        cd = self.cd('multiboot /image image guard\nmodule --nounzip /kernel kernel console=ttyS0 panic=-1 quiet\n'
                     'module --nounzip /initrd initrd', ('image', IMAGE), ('kernel', kernel), ('initrd', initrd))
        run = self.boot('the boot guard and Linux', cd, model=self.intel, memory=512, until=r'^=== end\n', timeout=560)
        self.assertEqual(guarded(run.log), ('usable', '1', 'passed', False, 'usable'))

    def test_ring0_suite(self):
        run = self.image('ring-0 suite', RING0, r'^fsgs-conformance: .*\n', model=self.intel)
        self.keep(lambda: f'ring 0, Bochs {self.version()}', run.log)
        self.assertRegex(run.log, r'fsgs-conformance: passed=84 failed=0 skipped=0 cpus=1\n')

    def linux(self, name, initrd, kernel, words='', until=r'^=== end( \S+ status=\d+)?\n', timeout=800):
        cd = self.cd(f'linux /kernel console=ttyS0 panic=-1 quiet {words}\ninitrd /initrd',
                     ('kernel', kernel), ('initrd', initrd))
        return self.boot(name, cd, model=self.intel, memory=512, until=until, timeout=timeout)

    def test_linux(self):
        kernel, _ = self.available(aside.kernel)
        initrd = machine.initrd(self.folder / 'initrd', [('/init', INIT), ('/suite', SUITE)])
        run = self.linux('Linux and the suite', initrd, kernel, 'fsgs.run=/suite fsgs.args=--tap,--risky')
        text, status = run.section('suite')
        self.keep(lambda: f'Linux in Bochs {self.version()}', text)
        self.assertEqual((failed(text), status), (set(), 0), text)
        self.assertGreater(len(passed(text)), 380)

    def test_kvm(self):
        """Bochs emulates VMX, on which KVM runs. The images report no finding, and no case of the ring-0 suite fails."""
        kernel, modules = self.available(aside.kernel, modules=('irqbypass', 'kvm', 'kvm-intel'))
        initrd = self.inner(IMAGES + guest('/ring0'), [('vmm', VMM), ('image', IMAGE), ('ring0', RING0)], modules)
        run = self.linux('KVM on VMX', initrd, kernel)
        *images, (ring0, status) = guests(run)
        self.keep(lambda: f'ring 0, KVM on VMX in Bochs {self.version()}', ring0)
        self.check_images(images, '')
        self.assertRegex(ring0, r'(?m)^fsgs-conformance: passed=84 failed=0 skipped=0 cpus=1$')
        self.assertEqual(status, 33)


class Gvisor(Case):
    """gVisor, a kernel in user space. It reserves some registers, so cases about them are skipped. No case may crash
    without a known reason."""

    # In the cases 219 and 220, a process returns to a stack pointer that is not canonical. The process dies if the processor
    # checks operands. The other deviations: a signal frame has no exception vector, PTRACE_ARCH_PRCTL is missing, a tracer
    # cannot remove a selector, GS belongs to gVisor, and AT_HWCAP2 does not advertise FSGSBASE.
    not_canonical_stack = {219, 220}
    deviations = {246, 507, 509, 511, 535, 543, 544, 553, 561, 702, 902}

    def sandbox(self):
        tree, _ = self.available(aside.unpacked, 'runsc', release='bookworm-backports')
        return tree / 'usr/bin/runsc'

    def run_in(self, platform, *program):
        if os.geteuid() != 0:
            self.skipTest('runsc needs root')
        started = time.monotonic()
        done = subprocess.run([self.sandbox(), '--ignore-cgroups', '--network=none', f'--root={self.folder}',
                               f'--platform={platform}', 'do', '--force-overlay=true', *program], text=True,
                              capture_output=True, stdin=subprocess.DEVNULL, timeout=200, check=False)
        print(f'# gVisor, {platform}: {time.monotonic() - started:.1f} s', flush=True)
        if not done.stdout:
            self.skipTest(f'runsc does not run here: {done.stderr.strip()[-200:]}')
        return done

    def test_command(self):
        for platform in ('systrap', 'ptrace'):
            report = json.loads(self.run_in(platform, COMMAND, '--json').stdout)
            self.assertEqual(report['verdict'], 'unadvertised')
            self.assertLessEqual({'sandboxed', 'arch-prctl-denied'}, set(report['findings']))
            self.assertEqual(report['access'], {'fs': 'arch_prctl', 'gs': 'none'})
            self.assertIn('never write GS', report['advice'])
            self.assertFalse(report['hwcap2']['present'])

    def test_nothing_dies(self):
        text = self.run_in('systrap', SUITE, '--tap', '--only', '[1-3]??').stdout
        dead = {number for number in failed(text) if 'did not finish' in about(text, number)}
        self.assertLessEqual(dead, self.not_canonical_stack, text)
        self.assertIn('SKIP the sandbox uses GS itself', text)
        text = self.run_in('systrap', SUITE, '--tap', '--only', '70[2-4]').stdout
        self.assertEqual(failed(text), {702})
        self.assertIn('a system call with a changed GS base: expected a return, seen the end of the process', text)
        self.assertIn('SKIP INT 80h ends the calling process', text)


class GvisorWhole(Gvisor):
    """The whole suite and the reproducers in gVisor, in an emulated machine with a kernel that advertises the instructions.
    This system's kernel may not advertise them."""

    test_command = test_nothing_dies = None

    def in_a_machine(self, jobs, files):
        """Runs programs in gVisor. `jobs` has (name, platform, command) triples."""
        kernel, _ = self.available(aside.kernel)
        job = 'ip link set lo up\ncd /tmp\n' + ''.join(
            f'echo "=== begin {name}"; /runsc --ignore-cgroups --network=none --root=/run/gv --platform={platform} '
            f'do --force-overlay=true {command}; echo "=== end {name} status=$?"\n' for name, platform, command in jobs)
        initrd = self.inner(job, [('runsc', self.sandbox()), *files])
        return self.timed('gVisor in Linux in QEMU', machine.boot(
            kernel, initrd=initrd, smp=2, memory=1536, timeout=850, until=r'^=== end\n',
            append='console=ttyS0 panic=-1 quiet'))

    def test_reproducers(self):
        """Each reproducer must print the expected line. With the argument gs, the second wait status differs from run to
        run, so only the first is checked."""
        expected = {('gvisor-fs-lost', 'ptrace', ''): r'not ok: the FS base is 0x[0-9a-f]+ after a system call',
                    ('gvisor-gs-call', 'systrap', ''): r'not ok: SIGSEGV at a system call',
                    ('gvisor-selector', 'systrap', ''): r'not ok: wait status 0x0, then 0x100',
                    ('gvisor-selector', 'systrap', ' gs'): r'not ok: wait status 0xb, then 0x\w+',
                    ('gvisor-selector', 'ptrace', ''): r'ok: wait status 0x0, then 0x0',
                    ('hwcap2', 'systrap', ''): r'not ok: runs, AT_HWCAP2 bit 1 is 0'}
        files = [(name, self.build(REPRODUCERS / f'{name}.c', '-fno-stack-protector'))
                 for name in sorted({name for name, _, _ in expected})]
        run = self.in_a_machine([(str(number), platform, f'/{name}{words}')
                                 for number, (name, platform, words) in enumerate(expected)], files)
        for number, (case, line) in enumerate(expected.items()):
            section = run.section(str(number))
            self.assertIsNotNone(section, run.log[-2000:])
            text = section[0]
            print(f'# {case[1]}, {case[0]}{case[2]}: {text.strip()}')
            self.assertRegex(text, rf'\A{line}\n\Z', case)

    def test_suite(self):
        run = self.in_a_machine([('suite', 'systrap', '/suite --tap --limit 200')], [('suite', SUITE)])
        text, status = run.section('suite')
        self.keep('gVisor, systrap, in Linux in QEMU', text)
        # Case 43 fails because QEMU 7.2 accepts a REX prefix before F3.
        self.assertEqual(failed(text) - TCG_USER - {43}, self.deviations, text)
        self.assertFalse([n for n in failed(text) - TCG_USER if 'did not finish' in about(text, n)])
        self.assertGreater(len(passed(text)), 150)
        self.assertEqual(status, 1)


class Xen(Case):
    """The images run as dom0, the first guest of a real Xen. A PVH dom0 needs neither Xen's tools nor Linux."""

    package, release = 'xen-hypervisor-4.17-amd64', None
    without = (1,)

    def hypervisor(self):
        tree, version = self.available(aside.unpacked, self.package, release=self.release)
        packed = next(tree.glob('boot/xen-4.??-amd64.gz'))
        file = self.folder / 'xen'
        file.write_bytes(gzip.decompress(packed.read_bytes()))
        return file, re.match(r'[\d.]*\d\.\d+', version)[0]

    def pvh(self, image, words='', xen='', cpus=1):
        file, version = self.hypervisor()
        return self.timed(f'Xen {version}, {pathlib.Path(image).name}, {cpus} CPUs', machine.boot(
            file, append=f'console=vga dom0=pvh dom0_mem=128M dom0_max_vcpus={cpus} {xen}', modules=[(image, words)],
            machine='q35,kernel-irqchip=split', cpu=XEN_CPU, smp=cpus, extra=['-device', 'amd-iommu'], timeout=90))

    def test_image(self):
        for cpus in (1, 2, 4):
            run = self.pvh(IMAGE, cpus=cpus)
            self.assertEqual(last_line(run), ('usable', 'no-canonical-check', cpus))
            self.assertEqual(run.status, 33)
            self.assertRegex(run.log, r'# hypervisor: XenVMMXenVMM, version 4\.\d+')

    def test_not_offered(self):
        for cpus in self.without:
            run = self.pvh(IMAGE, xen='cpuid=no-fsgsbase', cpus=cpus)
            self.assertEqual(last_line(run), ('unsupported', '', cpus))
            self.assertEqual(run.status, 35)

    def test_guard_is_dom0(self):
        """If the guard itself is dom0, it cannot start a kernel. It must stop and give this reason."""
        run = self.pvh(IMAGE, words='guard')
        self.assertRegex(run.log, r'(?m)^fsgscheck: guard stopped: this is dom0, .*\n\Z')
        self.assertEqual(run.status, 39)

    def test_ring0_suite(self):
        run = self.pvh(RING0, cpus=2)
        self.keep(lambda: f'ring 0, first guest (PVH) of Xen {self.hypervisor()[1]} in QEMU, 2 CPUs', run.log)
        self.assertEqual(failed(run.log), TCG_RING0)
        self.assertRegex(run.log, r'fsgs-conformance: passed=75 failed=9 skipped=0 cpus=2\n')


class XenNewer(Xen):
    package, release = 'xen-hypervisor-4.20-amd64', 'trixie'
    without = (1, 2, 4)


class XenGuard(Xen):
    """The boot guard starts a Linux in a PVH guest of Xen. Xen's tools run in the Linux that is dom0."""

    test_image = test_not_offered = test_guard_is_dom0 = test_ring0_suite = None
    modules = ('xen-privcmd', 'xen-evtchn', 'xen-gntdev', 'xen-gntalloc', 'xenfs')
    programs = ('xl', 'xenstored', 'xenconsoled', 'xen-init-dom0')
    start = """
export PATH=$PATH:/xen
mkdir -p /dev/pts /etc/xen /run/lock /run/xen /run/xenstored /var/lib/xen /var/lib/xenstored /var/log/xen
ln -s /run /var/run
ln -s /run/lock /var/lock
mount -t devpts pts /dev/pts
mount -t xenfs xenfs /proc/xen
echo 'autoballoon="off"' >/etc/xen/xl.conf
xenstored
sleep 1
xen-init-dom0
xenconsoled --log=guest --log-dir=/var/log/xen
"""

    def with_libraries(self, tree, programs):
        """Returns unpacked programs and their libraries as (path, file) pairs for an initial file system."""
        folders = [tree / 'usr/lib/x86_64-linux-gnu', tree / 'lib/x86_64-linux-gnu']
        listed = output('env', f'LD_LIBRARY_PATH={":".join(map(str, folders))}', 'ldd', *(file for _, file in programs))
        # The C library loads libgcc_s only when a thread is cancelled, so ldd does not list it.
        needed = {*map(pathlib.Path, re.findall(r'=> (/\S+)', listed)), folders[1] / 'libgcc_s.so.1'}
        return [('lib64/ld-linux-x86-64.so.2', folders[1] / 'ld-linux-x86-64.so.2'), *programs,
                *((f'lib/x86_64-linux-gnu/{file.name}', file) for file in sorted(needed))]

    def tools(self):
        tree, _ = self.available(aside.unpacked, 'xen-utils-4.17', release='bookworm', libraries=True,
                                 only=['./usr/lib/xen-4.17/bin/*', '*/lib*.so*', '*/ld-linux*'])
        return self.with_libraries(tree, [(f'xen/{name}', tree / 'usr/lib/xen-4.17/bin' / name) for name in self.programs])

    def guests_of_xen(self, what, settings, files, memory=640, timeout=560):
        """Runs guests of Xen one after another. `settings` has lines for xl's configuration file, by the guest's name. In
        them, {log} stands for the file of the guest's console. Returns the Run. Its log has these files between marker
        lines."""
        xen, version = self.hypervisor()
        first, modules = self.available(aside.kernel, machine.GENERIC, modules=self.modules)
        job = self.start
        for name, lines in settings.items():
            log = f'/var/log/xen/guest-{name}.log'
            (self.folder / name).write_text(f'name="{name}"\non_reboot="destroy"\non_crash="destroy"\n{lines}\n'.format(log=log),
                                            encoding='ascii')
            job += (f'echo "=== guest {name}"\nxl create -q /{name}\nwhile xl domid {name} >/dev/null 2>&1; do sleep 1; done\n'
                    f"tr -d '\\r' <{log}\necho \"=== status $?\"\n")
        files = [*files, *((name, self.folder / name) for name in settings), *self.tools()]
        return self.timed(f'{what} in guests of Xen {version}', machine.boot(
            xen, append=f'console=com1 com1=115200,8n1 dom0_mem={memory}M',
            modules=[(first, 'console=hvc0 panic=-1 quiet'), (self.inner(job, files, modules), '')],
            cpu=XEN_CPU, memory=2 * memory, timeout=timeout, until=r'^=== end\n'))

    def test_guests(self):
        kernel, _ = self.available(aside.kernel)
        initrd = machine.initrd(self.folder / 'guarded', [('/init', INIT), ('/fsgscheck', COMMAND)])
        (self.folder / 'linux').write_bytes(kernel.read_bytes() + initrd.read_bytes())
        common = 'type="pvh"\nkernel="/image"\nramdisk="/linux"\nmemory=256\ncmdline="guard console=hvc0 panic=-1 quiet"\n'
        run = self.guests_of_xen('the boot guard', {'offered': common + 'vcpus=2', 'hidden': common + 'cpuid="host,fsgsbase=0"'},
                                 [('image', IMAGE), ('linux', self.folder / 'linux')])
        self.assertEqual([guarded(text) for text, _ in guests(run)],
                         [('usable', '2', 'passed', False, 'usable'), ('unsupported', '1', 'passed', False, 'unsupported')],
                         run.log)


class Versions(Case):
    """Runs the reproducers of defects in QEMU, valgrind and user-mode Linux on newer versions. `mended` names, for a
    reproducer, the releases that do not have its defect. doc/conformance.md must say the same."""

    releases = ('trixie', 'sid')
    mended = {'qemu-rex': ('sid',), 'uml-fork-ldt': ('trixie', 'sid'), 'uml-fs-lost': ('trixie', 'sid'), 'uml-ptrace': ('sid',)}

    def check(self, source, release, *command, env=None):
        done = subprocess.run([*command, self.build(source)], capture_output=True, text=True, timeout=60,
                              check=False, env={**os.environ, **(env or {})})
        print(f'# {source.stem}, {release}: {done.stdout.strip()}', flush=True)
        fixed = release in self.mended.get(source.stem, ())
        self.assertTrue(done.stdout.startswith('ok: ' if fixed else 'not ok: '), done.stdout + done.stderr)

    def test_qemu_user(self):
        for release in self.releases:
            tree, version = self.available(aside.unpacked, 'qemu-user', release=release,
                                           only=['./usr/bin/qemu-x86_64'])
            print(f'# qemu-user {version}', flush=True)
            for source in sorted([*REPRODUCERS.glob('qemu-*.c'), REPRODUCERS / 'hwcap2.c']):
                self.check(source, release, tree / 'usr/bin/qemu-x86_64', '-cpu', 'max')

    def test_valgrind(self):
        for release in self.releases:
            tree, version = self.available(aside.unpacked, 'valgrind', release=release, libraries=True)
            print(f'# valgrind {version}', flush=True)
            self.check(REPRODUCERS / 'valgrind-code.c', release,
                       *aside.command(tree, 'usr/bin/valgrind.bin'), '-q', '--tool=none',
                       env={'VALGRIND_LIB': str(tree / 'usr/libexec/valgrind')})

    def uml(self, release):
        """Makes a root directory with user-mode Linux and its C library. The program needs its memory directly after itself
        in the address space. So it cannot be started as an argument of the dynamic linker, as aside.command() starts other
        programs. Returns the version, the directory, and a command that runs its arguments in the directory."""
        tree, version = self.available(aside.unpacked, 'user-mode-linux', release=release, libraries=True)
        root = self.folder / release
        for name in ('bin', 'proc', 'dev', 'lib64', 'tmp'):
            (root / name).mkdir(parents=True)
        library = next(tree.glob('**/libc.so.6'))
        for file, place in ((tree / 'usr/bin/linux.uml', 'bin'), (INIT, 'bin'), (library, 'lib64'),
                            (library.parent / 'ld-linux-x86-64.so.2', 'lib64')):
            shutil.copy(file, root / place)
        entered = ['unshare', '--map-root-user', '--mount', 'sh', '-c',
                   'mount --rbind /proc "$0/proc" && mount --rbind /dev "$0/dev" && exec chroot "$0" "$@"', root]
        done = subprocess.run([*entered, '/bin/linux.uml', '--version'], capture_output=True, text=True, check=False, timeout=60)
        if done.returncode:
            self.skipTest(f'no mount in a namespace here: {done.stderr.strip()}')
        return version, root, entered

    # The command line of user-mode Linux. The name of the program to run is appended.
    words = ('seccomp=off rootfstype=hostfs ro init=/bin/init uml_dir=/tmp/ con0=fd:0,fd:1 con=null mem=64M quiet fsgs.args= '
             'fsgs.end=off fsgs.run=/bin/')

    def uml_here(self, entered, program):
        done = subprocess.run([*entered, '/bin/linux.uml', *f'{self.words}{program.name}'.split()], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=120, check=False)
        return done.stdout + done.stderr

    def uml_in_a_machine(self, root, programs):
        """Runs user-mode Linux in an emulated machine, under a kernel that advertises the instructions. Only then can
        user-mode Linux preserve a base. Returns the log in parts, one for each program."""
        kernel, _ = self.available(aside.kernel)
        job = 'mount -o bind /proc /uml/proc\nmount -o bind /dev /uml/dev\n' + ''.join(
            f'echo "=== begin {program.name}"; chroot /uml /bin/linux.uml {self.words}{program.name} </dev/null 2>&1; '
            f'echo "=== end {program.name} status=$?"\n' for program in programs)
        initrd = self.inner('mkdir -p /uml/proc /uml/dev /uml/tmp\n' + job, [
            (f'uml/{file.relative_to(root)}', file) for file in root.rglob('*') if file.is_file()])
        run = self.timed(f'user-mode Linux in QEMU, {len(programs)} programs', machine.boot(
            kernel, initrd=initrd, memory=1024, timeout=800, until=r'^=== end\n',
            append='console=ttyS0 panic=-1 quiet no_timer_check'))
        return re.split('^=== begin ', run.log, flags=re.M)

    def test_user_mode_linux(self):
        for release in self.releases:
            version, root, entered = self.uml(release)
            outputs, apart = {}, []
            for source in sorted([*REPRODUCERS.glob('uml-*.c'), REPRODUCERS / 'hwcap2.c']):
                program = self.build(source)
                shutil.copy(program, root / 'bin')
                here = subprocess.run(program, capture_output=True, text=True, timeout=60, check=False)
                if source.stem == 'hwcap2' or here.stdout.startswith('ok: '):
                    outputs[program.name] = self.uml_here(entered, program)
                else:
                    apart.append(program)
            if apart:
                log = self.uml_in_a_machine(root, apart)
                outputs.update({program.name: next((part for part in log[::-1] if part.startswith(program.name)), '')
                                for program in apart})
            for name, text in outputs.items():
                line = re.search(r'^(not )?ok: .*$', text, re.M)
                self.assertTrue(line, f'{name}: {text[-2000:]}')
                print(f'# {name}, {version}: {line[0]}', flush=True)
                self.assertEqual(not line[1], release in self.mended.get(name, ()), line[0])

    def test_suite_in_user_mode_linux(self):
        """Checks only that enough cases pass. doc/conformance.md describes most of the failures."""
        version, root, _ = self.uml('bookworm')
        program = root / 'bin/suite'
        shutil.copy(SUITE, program)
        self.words = self.words.replace('fsgs.args=', 'fsgs.args=--tap')
        # init.c prints such a line in user-mode Linux, too, so the last part has the suite's output.
        text = self.uml_in_a_machine(root, [program])[-1]
        self.keep(f'user-mode Linux {version.partition("um")[0]} in Linux in QEMU', text)
        self.assertGreater(len(passed(text)), 150)

    def test_x2apic(self):
        """The image works although the firmware leaves x2APIC mode on, as it does on machines with APIC IDs above 255."""
        version, emulator = self.available(aside.qemu_system, 'trixie')
        run = self.timed(f'QEMU {version}, 288 CPUs',
                         machine.boot(IMAGE, emulator=emulator, cpu='max', memory=256, smp=288, timeout=240))
        self.assertEqual(last_line(run), ('usable', 'emulated,no-canonical-check', 288))

    def test_qemu_system(self):
        for release in self.releases:
            version, emulator = self.available(aside.qemu_system, release)
            for image in (IMAGE, RING0):
                run = self.timed(f'QEMU {version}, {pathlib.Path(image).name}',
                                 machine.boot(image, emulator=emulator, memory=64, smp=2, timeout=90))
                if image == IMAGE:
                    self.assertEqual(last_line(run), ('usable', 'emulated,no-canonical-check', 2))
                else:
                    self.keep(f'ring 0, QEMU {version.partition(":")[2].partition("+")[0]}, 2 CPUs', run.log)
                    self.assertEqual(failed(run.log), TCG_RING0)


if __name__ == '__main__':
    parts.run()
