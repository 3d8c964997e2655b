# The clocks agree: TSC, ACPI PM timer, PIT channel 2 and kvmclock; the RTC's update (Intel SDM vol. 3, 18.17; ACPI 6.5, 4.8.3.3; 8254;
# Linux, Documentation/virt/kvm/x86/msr.rst).
    .include "guest.inc"
.macro read_tsc reg
    rdtsc
    shl $32, %rdx
    or %rdx, %rax
    mov %rax, \reg
.endm
# REG must be between LOW and HIGH.
.macro between low, high, reg
    cmp $\low, \reg
    check ae
    cmp $\high, \reg
    check be
.endm
    .set PM_TIMER, 0x608

test:
    # kvmclock: the system time page of this vCPU.
    mov $0x40000001, %eax
    cpuid
    test $1 << 3, %eax
    check nz
    mov $0x4b564d01, %ecx
    mov $clock + 1, %eax
    xor %edx, %edx
    wrmsr
    mov clock, %eax                        # version: even, not zero
    test $1, %eax
    check z
    cmpl $0, clock + 24                    # multiplier
    check nz
    call pm_timer
    mov $1000, %ebx
    xor %r12, %r12
1:  call kvmclock
    cmp %r12, %rax
    check ae
    mov %rax, %r12
    dec %ebx
    jnz 1b
    # The wall clock page: seconds since 1970 at boot.
    mov $0x4b564d00, %ecx
    mov $wall, %eax
    xor %edx, %edx
    wrmsr
    mov wall + 4, %eax
    cmp $1700000000, %eax
    check a
    cmpl $1000000000, wall + 8
    check b
    # PIT channel 2, gated by port 0x61: count 59659 in mode 0 is 50 ms. The other clocks measure it.
    in $0x61, %al
    and $0xfc, %al
    or $1, %al
    out %al, $0x61
    call clocks
    mov %r13, %r8
    mov %r12, %r9
    mov %r11, %r10
    mov $0xb0, %al
    out %al, $0x43
    mov $0x0b, %al
    out %al, $0x42
    mov $0xe9, %al
    out %al, $0x42
2:  in $0x61, %al
    test $0x20, %al
    jz 2b
    call clocks
    sub %r8, %r13
    sub %r9, %r12
    sub %r10, %r11
    and $0xffffff, %r11d
    # A host may stop us for long: bounds upwards are wide, but the clocks must agree within a few per cent.
    cmp $49900000, %r12
    check ae
    cmp $178900, %r11                       # 3.579545 MHz
    check ae
    # kvmclock's nanoseconds * 3.579545 / 1000 against the PM timer.
    mov %r12, %rax
    mov $3579545, %ecx
    mul %rcx
    mov $1000000000, %ecx
    div %rcx
    call within
    # The TSC rate that CPUID leaf 0x40000010 names, if it does: kHz.
    mov $0x40000000, %eax
    cpuid
    cmp $0x40000010, %eax
    jb 3f
    mov $0x40000010, %eax
    cpuid
    mov %eax, %ecx
    mov %r12, %rax
    mul %rcx
    mov $1000000, %ecx
    div %rcx
    mov %r13, %r11
    call within
3:  # Mode 2 counts down and reloads: latch it twice. Mode 3 by twos. The status byte holds mode and output.
    mov $0xb4, %al
    out %al, $0x43
    mov $0x10, %al
    out %al, $0x42
    mov $0x27, %al                         # 10000
    out %al, $0x42
    call pm_delay
    mov $100, %ebx
4:  mov $0x80, %al
    out %al, $0x43
    in $0x42, %al
    mov %al, %cl
    in $0x42, %al
    mov %al, %ch
    movzwl %cx, %ecx
    between 1, 10000, %ecx
    dec %ebx
    jnz 4b
    mov $0xe8, %al                         # read back status of channel 2
    out %al, $0x43
    in $0x42, %al
    and $0x3f, %al
    cmp $0x34, %al
    check e
    # With the gate low it stands still.
    in $0x61, %al
    and $0xfe, %al
    out %al, $0x61
    mov $0x80, %al
    out %al, $0x43
    in $0x42, %al
    mov %al, %cl
    in $0x42, %al
    mov %al, %ch
    call pm_delay
    mov $0x80, %al
    out %al, $0x43
    in $0x42, %al
    cmp %al, %cl
    check e
    in $0x42, %al
    cmp %al, %ch
    check e
    # Mode 0 again, one byte only: the output is low until the end.
    in $0x61, %al
    or $1, %al
    out %al, $0x61
    mov $0x90, %al
    out %al, $0x43
    in $0x61, %al
    test $0x20, %al
    check z
    mov $10, %al
    out %al, $0x42
    call pm_delay
    in $0x61, %al
    test $0x20, %al
    check nz
    # RTC: UIP clears, seconds are BCD and below 60, register D says that it is valid; memory size in CMOS.
    mov $0x0d, %al
    call cmos
    test $0x80, %al
    check nz
5:  mov $0x0a, %al
    call cmos
    test $0x80, %al
    jnz 5b
    mov $0, %al
    call cmos
    cmp $0x59, %al
    check be
    mov $0x0b, %al
    call cmos
    test $2, %al                           # 24 hours
    check nz
    # A scratch byte keeps what is written.
    mov $0x50, %al
    out %al, $0x70
    mov $0xa6, %al
    out %al, $0x71
    mov $0x50, %al
    call cmos
    cmp $0xa6, %al
    check e
    jmp done
cmos:
    out %al, $0x70
    in $0x71, %al
    ret
# R13 := TSC, R12 := kvmclock, R11 := PM timer, read at once: read again when the host stopped us for more than a millisecond
# of the TSC between them.
clocks:
    read_tsc %r13
    call kvmclock
    mov %rax, %r12
    call pm_timer
    mov %rax, %r11
    read_tsc %rax
    sub %r13, %rax
    cmp $1000000, %rax
    ja clocks
    ret
# RAX and R11 must agree within 1/16.
within:
    mov %rax, %rcx
    shr $4, %rcx
    sub %r11, %rax
    jns 6f
    neg %rax
6:  cmp %rcx, %rax
    check be
    ret
pm_timer:
    mov $PM_TIMER, %edx
    in (%dx), %eax
    and $0xffffff, %eax
    ret
# About 100 microseconds.
pm_delay:
    push %rax
    push %rbx
    push %rdx
    call pm_timer
    mov %eax, %ebx
7:  call pm_timer
    sub %ebx, %eax
    and $0xffffff, %eax
    cmp $358, %eax
    jb 7b
    pop %rdx
    pop %rbx
    pop %rax
    ret
# RAX := nanoseconds by the page: ((tsc - timestamp) << or >> shift) * multiplier >> 32 + system time.
kvmclock:
    push %rbx
8:  mov clock, %ebx
    test $1, %ebx
    jnz 8b
    lfence
    rdtsc
    shl $32, %rdx
    or %rdx, %rax
    sub clock + 8, %rax
    movsbl clock + 28, %ecx
    test %ecx, %ecx
    js 9f
    shl %cl, %rax
    jmp 10f
9:  neg %ecx
    shr %cl, %rax
10: mov clock + 24, %edx
    mul %rdx
    shrd $32, %rdx, %rax
    add clock + 16, %rax
    cmp clock, %ebx
    jne 8b
    pop %rbx
    ret
    .bss
    .balign 64
clock: .skip 64
wall: .skip 16
    .text
