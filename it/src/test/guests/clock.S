# A Multiboot 1 kernel that asks for kvmclock's pages, waits until it is told to go on, sets its time-stamp counter, which
# the page of the time has to follow, and ends.
# Build: cc -m32 -nostdlib -static -Wl,-N,-Ttext=0x100000,--build-id=none -o clock clock.S

    .set KVM_WALL_CLOCK, 0x4b564d00
    .set KVM_SYSTEM_TIME, 0x4b564d01
    .set IA32_TSC, 0x10
    .set PAGES, 0x200000                   # one with the time, one with the wall clock's, and one that is the test's

    .text
    .align 4
    .long 0x1badb002, 0, -0x1badb002

    .globl _start
_start:
    cli
    mov $KVM_SYSTEM_TIME, %ecx
    mov $PAGES + 0x40 + 1, %eax
    xor %edx, %edx
    wrmsr
    mov $KVM_WALL_CLOCK, %ecx
    mov $PAGES + 0x1040, %eax
    wrmsr
    movb $1, PAGES + 0x2000
1:  pause
    cmpb $0, PAGES + 0x2001
    je 1b
    mov $IA32_TSC, %ecx
    xor %eax, %eax
    mov $7, %edx
    wrmsr
    mov $0, %al
    out %al, $0xf4
    hlt
    jmp . - 1
