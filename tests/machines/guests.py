# SPDX-License-Identifier: MIT
"""Tests like those of real.py, but only run by hand: Linux as Xen's dom0, all forms of the image on Bochs, and newer
versions of Bochs."""

import json
import os

from real import COMMAND, IMAGE, SUITE, TCG_USER, XEN_CPU, Bochs, Case, Xen, failed, guests, last_line, passed
from support import aside, machine, parts

ISO = os.environ['ISO']
LIBRARIES = '/usr/lib/x86_64-linux-gnu'


class XenLinux(Case):
    """Linux as Xen's first guest, which is paravirtual: runs the command, and the ring-3 half of the suite."""

    package, release, hypervisor = Xen.package, Xen.release, Xen.hypervisor

    def test_suite(self):
        file, version = self.hypervisor()
        kernel, _ = self.available(aside.kernel, machine.GENERIC)
        job = ('echo "=== begin command"; /fsgscheck --json; echo "=== end command status=$?"\n'
               'echo "=== begin suite"; /suite --tap --limit 200; echo "=== end suite status=$?"\n')
        initrd = self.inner(job, [('fsgscheck', COMMAND), ('suite', SUITE)])
        run = self.timed(f'Linux as the first guest of Xen {version}', machine.boot(
            file, append='console=com1 com1=115200,8n1 dom0_mem=640M', cpu=XEN_CPU, smp=2, memory=1280, timeout=850,
            modules=[(kernel, 'console=hvc0 panic=-1 quiet'), (initrd, '')], until=r'^=== end\n'))
        report = json.loads(run.section('command')[0])
        text, _ = run.section('suite')
        self.assertEqual((report['verdict'], report['cpuid']['hypervisor']), ('usable', 'XenVMMXenVMM'), report)
        # QEMU does not check whether operands are canonical, and accepts a REX prefix before F3 (case 43).
        self.assertEqual(failed(text), TCG_USER | {43}, text)
        self.assertGreater(len(passed(text)), 330)


class BochsForms(Bochs):
    """The forms of the boot image that Bochs can boot, on two of Bochs's processor models."""

    test_linux = test_kvm = test_guard = test_ring0_suite = None

    def test_image(self):
        for model, verdict in ((self.intel, 'usable'), ('corei7_sandy_bridge_2600k', 'unsupported')):
            for cpus in (1, 2, 4):
                until = r'^fsgscheck: verdict=.*\n'
                for run in (self.image(f'image, {model}, {cpus} CPUs', IMAGE, until, model=model, cpus=cpus),
                            self.boot(f'ISO, {model}, {cpus} CPUs', ISO, until=until, model=model, cpus=cpus)):
                    self.assertEqual(last_line(run), (verdict, '', cpus))


class BochsNewer(Bochs):
    test_linux = test_kvm = test_guard = None
    release = 'trixie'

    def setUp(self):
        super().setUp()
        tree, version = self.available(aside.unpacked, 'bochs', 'bochs-term', 'bochsbios', 'vgabios', release=self.release,
                                       libraries=True)
        print(f'# Bochs {version}', flush=True)
        self.program = (['env', f'LTDL_LIBRARY_PATH={tree}{LIBRARIES}/bochs/plugins',
                         *aside.command(tree, 'usr/bin/bochs-bin')], tree / 'usr/share/bochs')


class BochsNewest(BochsNewer):
    release = 'sid'


if __name__ == '__main__':
    parts.run()
