# A Multiboot 1 kernel that writes memory as fast as it can, on two processors if there are two, each with a number that
# it raises by one from round to round: in a slot of its own, with LOCK, across the end of a page, and as a string.
# Build: cc -m32 -nostdlib -static -Wl,-N,-Ttext=0x100000,--build-id=none -o storm storm.S

    .set APIC, 0xfee00000
    .set TRAMPOLINE, 0x8000
    .set PAGES, 0x200000                   # three that are watched, and a fourth

    .text
    .align 4
    .long 0x1badb002, 0, -0x1badb002

    .globl _start
_start:
    cli
    lgdt gdt_pointer
    ljmp $8, $1f
1:  mov $trampoline, %esi
    mov $TRAMPOLINE, %edi
    mov $trampoline_end - trampoline, %ecx
    rep movsb
    mov $APIC, %ebp
    movl $0x1ff, 0xf0(%ebp)
    movl $1 << 24, 0x310(%ebp)
    movl $0xc500, 0x300(%ebp)              # INIT, level, assert
    movl $0x8500, 0x300(%ebp)              # de-assert
    mov $100000, %ecx
    loop .
    movl $0x600 + (TRAMPOLINE >> 12), 0x300(%ebp)
    xor %ebx, %ebx
    mov $PAGES + 0xffe, %edx
    jmp work

second:
    mov $0x10, %eax
    mov %eax, %ds
    mov %eax, %es
    mov %eax, %ss
    mov $64, %ebx
    mov $PAGES + 0x1ffe, %edx
work:
    xor %eax, %eax
    cld
2:  inc %eax
    mov %eax, PAGES + 0x100(%ebx)
    lock incl PAGES + 0x104(%ebx)
    mov %eax, (%edx)
    lea PAGES + 0x1200(%ebx), %edi
    mov $2, %ecx
    rep stosl
    mov %eax, PAGES + 0x3000(%ebx)
    jmp 2b

    .code16
trampoline:
    cli
    mov %cs, %ax
    mov %ax, %ds
    lgdtl gdt_copy - trampoline
    mov $0x11, %eax
    mov %eax, %cr0
    ljmpl $8, $second
    .balign 4
gdt_copy:
    .word 23
    .long gdt
trampoline_end:

    .balign 8
gdt:
    .quad 0, 0x00cf9b000000ffff, 0x00cf93000000ffff
gdt_pointer:
    .word 23
    .long gdt
