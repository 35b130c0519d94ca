# SPDX-License-Identifier: MIT
"""More tests on real hypervisors, which are run by hand: Linux as Xen's dom0, the ELF image and the ISO in guests of KVM and
Xen and on Bochs, and newer versions of Bochs."""

import json
import os
import pathlib

from real import (COMMAND, CPUS, IMAGE, SUITE, TCG_USER, XEN_CPU, Bochs, Case, Kvm, Xen, XenGuard, failed, guests, last_line,
                  passed)
from support import aside, machine, parts

ISO = os.environ['ISO']
LIBRARIES = '/usr/lib/x86_64-linux-gnu'


class XenLinux(Case):
    """Linux is Xen's first guest, dom0, and runs the command and the ring-3 half of the suite."""

    package, release, hypervisor = Xen.package, Xen.release, Xen.hypervisor

    def dom0(self, name, xen='', **settings):
        file, version = self.hypervisor()
        kernel, _ = self.available(aside.kernel, machine.GENERIC)
        job = ('echo "=== begin command"; /fsgscheck --json; echo "=== end command status=$?"\n'
               'echo "=== begin suite"; /suite --tap --limit 200; echo "=== end suite status=$?"\n')
        initrd = self.inner(job, [('fsgscheck', COMMAND), ('suite', SUITE)])
        run = self.timed(f'Linux as the first guest of Xen {version}, {name}', machine.boot(
            file, append=f'console=com1 com1=115200,8n1 dom0_mem=640M {xen}', cpu=XEN_CPU, smp=2, memory=1280, timeout=420,
            modules=[(kernel, 'console=hvc0 panic=-1 quiet'), (initrd, '')], until=r'^=== end\n', **settings))
        report = json.loads(run.section('command')[0])
        text, _ = run.section('suite')
        self.keep(f'Linux, first guest ({name}) of Xen {version} in QEMU', text)
        self.assertEqual((report['verdict'], report['cpuid']['hypervisor']), ('usable', 'XenVMMXenVMM'), report)
        # These cases fail because QEMU does not check whether operands are canonical, and because it accepts a REX prefix
        # before F3 (case 43).
        self.assertEqual(failed(text), TCG_USER | {43}, text)
        self.assertGreater(len(passed(text)), 330)

    def test_paravirtual(self):
        self.dom0('PV')

    def test_pvh(self):
        self.dom0('PVH', 'dom0=pvh', machine='q35,kernel-irqchip=split', extra=['-device', 'amd-iommu'])


class XenForms(XenGuard):
    """Xen's tool xl starts guests: PVH guests boot the ELF image, and HVM guests boot the ISO by a BIOS."""

    test_guests = None

    def verdicts(self, names, kind, files, memory):
        """Starts guests with 1, 2 and 4 CPUs, with and without the feature, and checks what they print."""
        settings, expected = {}, []
        for name, verdict, hidden in (('offered', 'usable', ''), ('hidden', 'unsupported', 'cpuid="host,fsgsbase=0"')):
            for cpus in CPUS:
                settings[f'{name}{cpus}'] = f'vcpus={cpus}\n{hidden}\n{kind}'
                expected.append((verdict, cpus))
        run = self.guests_of_xen(f'the image, {names},', settings, files, memory, 800)
        texts = [text for text, _ in guests(run)]
        self.assertEqual(len(texts), len(expected), run.log)
        for text, (verdict, cpus) in zip(texts, expected):
            self.assertIn('# hypervisor: XenVMMXenVMM', text)
            self.assertRegex(text, rf'(?m)^fsgscheck: verdict={verdict} findings=\S* cpus={cpus}\n\Z')

    def test_pvh(self):
        self.verdicts('PVH guests', 'type="pvh"\nkernel="/image"\nmemory=64', [('image', IMAGE)], 640)

    def test_hvm(self):
        """An HVM guest needs a device model in dom0: Debian's QEMU for Xen."""
        tree, _ = self.available(aside.unpacked, 'qemu-system-xen', release='bookworm', libraries=True)
        model = tree / 'usr/libexec/xen-qemu-system-i386'
        firmware, _ = self.available(aside.unpacked, 'xen-utils-4.17', release='bookworm', only=['*/boot/hvmloader'])
        loader = next(firmware.glob('**/hvmloader'))
        data = [(f'usr/share/{file.relative_to(tree / "usr/share")}', file) for folder in ('qemu/keymaps', 'seabios')
                for file in (tree / 'usr/share' / folder).rglob('*') if file.is_file()]
        self.verdicts('HVM guests', 'type="hvm"\nmemory=96\nboot="d"\nserial="file:{log}"\nvga="none"\nusb=0\n'
                      'disk=["/iso,raw,hdc,ro,cdrom"]',
                      [('iso', ISO), (str(loader.relative_to(firmware)), loader),
                       *self.with_libraries(tree, [('usr/libexec/xen-qemu-system-i386', model)]), *data], 900)


class KvmForms(Kvm):
    """A QEMU inside the emulated machine starts the guests of KVM. They boot the ELF image by QEMU's own loader, and the ISO
    by a BIOS. UEFI is not tested, because the outer QEMU would abort: QEMU 7.2, 10.0 and 11.1 fail an assertion in
    cpu_interrupt() if a guest of SVM writes CR8."""

    test_guests = test_refused = None

    def test_image(self):
        emulator = pathlib.Path('/usr/bin/qemu-system-x86_64')
        if not emulator.exists():
            self.skipTest('qemu-system-x86 is not installed')
        job = ''.join(
            f'echo "=== guest"; timeout 100 {emulator} -accel kvm -M q35 -cpu EPYC{feature} -smp {cpus} -m 128 -nodefaults '
            f'-display none -serial stdio -no-reboot -device isa-debug-exit,iobase=0xf4,iosize=4 {form} </dev/null 2>/dev/null; '
            f'echo "=== status $?"\n'
            for form in ('-kernel /image', '-cdrom /iso') for feature in ('', ',-fsgsbase') for cpus in CPUS)
        data = [(f'usr/share/{folder}/{file.name}', file) for folder in ('qemu', 'seabios')
                for file in pathlib.Path('/usr/share', folder).glob('*.bin')]
        run = self.kvm(job, files=machine.with_libraries([(str(emulator), emulator)]) + [('iso', ISO), *data],
                       timeout=560, memory=1536)
        images = guests(run)
        self.check_images(images[:6], 'no-canonical-check')
        self.check_images(images[6:], 'no-canonical-check')


class BochsForms(Bochs):
    """Bochs boots the ELF image and the ISO on two processor models, one with FSGSBASE and one without it."""

    test_linux = test_kvm = test_guard = test_ring0_suite = None

    def test_image(self):
        for model, verdict in ((self.intel, 'usable'), ('corei7_sandy_bridge_2600k', 'unsupported')):
            for cpus in CPUS:
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
        self.version = lambda: version.partition('+')[0]
        self.program = (['env', f'LTDL_LIBRARY_PATH={tree}{LIBRARIES}/bochs/plugins',
                         *aside.command(tree, 'usr/bin/bochs-bin')], tree / 'usr/share/bochs')


class BochsNewest(BochsNewer):
    release = 'sid'


if __name__ == '__main__':
    parts.run()
