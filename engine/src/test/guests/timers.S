# Interrupts of the PIT in modes 0, 2 and 3, and of the RTC (periodic, update-ended, alarm) through the slave 8259 (8254;
# MC146818A).
    .include "guest.inc"
    .include "apic.inc"
# Waits in HLT until the counter at LABEL is at least COUNT.
.macro wait label, count
55: sti
    hlt
    cli
    cmpl $\count, \label
    jb 55b
.endm
.macro cmos_write index, value
    mov $\index, %al
    out %al, $0x70
    mov $\value, %al
    out %al, $0x71
.endm
.macro cmos_read index
    mov $\index, %al
    out %al, $0x70
    in $0x71, %al
.endm
.macro pit control, low, high
    mov $\control, %al
    out %al, $0x43
    mov $\low, %al
    out %al, $0x40
    mov $\high, %al
    out %al, $0x40
.endm
# RAX := TSC, in nanoseconds here.
.macro now
    rdtsc
    shl $32, %rdx
    or %rdx, %rax
.endm

test:
    mov $0x20, %edi
    mov $irq0, %esi
    call set_gate
    mov $0x28, %edi
    mov $irq8, %esi
    call set_gate
    call pic_on
    mov $0xfa, %al                         # IRQ 0 and the slave
    out %al, $0x21
    mov $0xfe, %al                         # IRQ 8
    out %al, $0xa1
    # Mode 0: once, 10 ms after the count was written.
    now
    mov %rax, %rbx
    pit 0x30, 0x9c, 0x2e
    wait ticks, 1
    now
    sub %rbx, %rax
    cmp $9900000, %rax
    check ae
    # Mode 3: a square wave, one interrupt a period of 1 ms.
    movl $0, ticks
    now
    mov %rax, %rbx
    pit 0x36, 0xa9, 0x04
    wait ticks, 20
    now
    sub %rbx, %rax
    cmp $18900000, %rax
    check ae
    # Mode 2, and back to silence by mode 0 without a count.
    movl $0, ticks
    pit 0x34, 0xa9, 0x04
    wait ticks, 5
    mov $0x30, %al
    out %al, $0x43
    sti
    nop
    cli
    movl $0, ticks

    # RTC: periodic at 1,024 Hz; register C must be read for the next one.
    cmos_write 0x0a, 0x26
    cmos_write 0x0b, 0x42
    cmos_read 0x0c
    movl $0, rtc_ticks
    now
    mov %rax, %rbx
    wait rtc_ticks, 16
    now
    sub %rbx, %rax
    cmp $14000000, %rax                    # the first may come at once
    check ae
    mov ticks, %eax
    check_eq 0, %rax                       # the PIT was silent
    mov register_c, %al
    and $0xc0, %al
    cmp $0xc0, %al                         # IRQF and PF
    check e
    # Not read: it does not come again.
    movl $1, keep_c
    wait rtc_ticks, 17
    movl $0, rtc_ticks
    now
    mov %rax, %rbx
    sti
1:  now
    sub %rbx, %rax
    cmp $5000000, %rax
    jb 1b
    cli
    mov rtc_ticks, %eax
    check_eq 0, %rax
    cmos_read 0x0c
    movl $0, keep_c
    wait rtc_ticks, 1
    # Update-ended: once a second, and the seconds have moved then.
    cmos_write 0x0b, 0x12
    cmos_read 0x0c
    sti                                     # a periodic one may still wait in the PIC
    nop
    cli
    movl $0, rtc_ticks
    wait rtc_ticks, 1
    mov register_c, %al
    and $0x90, %al
    cmp $0x90, %al
    check e
    cmos_read 0
    mov %al, %bl
    wait rtc_ticks, 2
    cmos_read 0
    cmp %al, %bl
    check ne
    # An alarm at any second (don't care: 0xc0 and above) comes with the next update.
    cmos_write 0x01, 0xff
    cmos_write 0x03, 0xff
    cmos_write 0x05, 0xff
    cmos_write 0x0b, 0x22
    cmos_read 0x0c
    sti                                     # an update-ended one may still wait in the PIC
    nop
    cli
    movl $0, rtc_ticks
    wait rtc_ticks, 1
    mov register_c, %al
    and $0xa0, %al
    cmp $0xa0, %al
    check e
    # SET stops the clock; the time written is read back.
    cmos_write 0x0b, 0x82
    cmos_write 0x00, 0x30
    cmos_write 0x02, 0x59
    cmos_write 0x04, 0x23
    cmos_read 0x00
    cmp $0x30, %al
    check e
    cmos_read 0x02
    cmp $0x59, %al
    check e
    cmos_write 0x0b, 0x02
    cmos_read 0x04
    cmp $0x23, %al
    check e
    cmos_read 0x0c

    jmp done
irq0:
    push %rax
    incl ticks
    mov $0x20, %al
    out %al, $0x20
    pop %rax
    iretq
irq8:
    push %rax
    incl rtc_ticks
    cmpl $1, keep_c
    je 1f
    mov $0x0c, %al
    out %al, $0x70
    in $0x71, %al
    mov %al, register_c
1:  mov $0x20, %al
    out %al, $0xa0
    out %al, $0x20
    pop %rax
    iretq
    .bss
ticks: .long 0
rtc_ticks: .long 0
register_c: .long 0
keep_c: .long 0
    .text
