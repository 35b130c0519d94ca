/* SPDX-License-Identifier: MIT */
/* QEMU: WRMSR accepts a base that is not canonical, here of FS; GS and KERNEL_GS_BASE likewise.
 * SDM vol. 2, WRMSR, Protected Mode Exceptions: #GP(0) if the source is not canonical.
 * gcc -m32 -nostdlib -static -Wl,-n,-Ttext=0x100000,--build-id=none -o qemu-wrmsr qemu-wrmsr.S
 * qemu-system-x86_64 -cpu max -display none -device isa-debug-exit,iobase=0xf4 -kernel qemu-wrmsr
 * The exit status is 1 (ok) if the handler at gp ran, and 3 (not ok) if WRMSR did not fault. */
	.text
	.globl _start
base:	.long 0x1badb002, 0, -0x1badb002	/* Multiboot; QEMU sets CS to 8 */
_start:	lidt idtr
	movl $0xc0000100, %ecx
	xorl %eax, %eax
	movl $0x80000000, %edx
	wrmsr
	movb $1, %al
	jmp end
gp:	movb $0, %al
end:	outb %al, $0xf4
	hlt
	.balign 8
idt:	.skip 13 * 8
	.word gp - base, 8, 0x8e00, 0x10	/* the text is linked to 1 MiB */
idtr:	.word . - idt - 1
	.long idt
	.section .note.GNU-stack, "", @progbits
