# External interrupts: the PIT through the 8259s, the local APIC's timer, self-IPIs, STI's shadow, HLT, priorities.
    .include "guest.inc"
    .set APIC, 0xfee00000
test:
    # The local APIC's page is beyond the identity map's first GiB.
    movq $apic_pd + 3, pdpt + 8 * 3
    movabs $0xfee00000 + 0x9b, %rax
    mov %rax, apic_pd + 8 * ((APIC >> 21) & 511)
    mov $0x20, %edi
    mov $irq0, %esi
    call set_gate
    mov $0x41, %edi
    mov $apic_timer, %esi
    call set_gate
    mov $0x42, %edi
    mov $low, %esi
    call set_gate
    mov $0x92, %edi
    mov $high, %esi
    call set_gate
    # 8259s: vectors 0x20 and 0x28, only IRQ 0 unmasked; the PIT's channel 0 in mode 2 at about 1 kHz.
    mov $0x11, %al
    out %al, $0x20
    out %al, $0xa0
    mov $0x20, %al
    out %al, $0x21
    mov $0x28, %al
    out %al, $0xa1
    mov $4, %al
    out %al, $0x21
    mov $2, %al
    out %al, $0xa1
    mov $1, %al
    out %al, $0x21
    out %al, $0xa1
    mov $0xfe, %al
    out %al, $0x21
    mov $0xff, %al
    out %al, $0xa1
    mov $0x34, %al
    out %al, $0x43
    mov $0xa9, %al
    out %al, $0x40
    mov $4, %al
    out %al, $0x40
    # Wait for 20 ticks in HLT.
1:  sti
    hlt
    cli
    cmpl $20, ticks
    jb 1b
    mov $0xff, %al
    out %al, $0x21
    # Local APIC: enabled, timer one-shot.
    mov $APIC, %ebx
    movl $0x1ff, 0xf0(%rbx)
    movl $0xb, 0x3e0(%rbx)
    movl $0x41, 0x320(%rbx)
    movl $100000, 0x380(%rbx)
2:  sti
    hlt
    cli
    cmpl $1, apic_ticks
    jb 2b
    # Periodic.
    movl $0x20041, 0x320(%rbx)
    movl $50000, 0x380(%rbx)
3:  sti
    hlt
    cli
    cmpl $10, apic_ticks
    jb 3b
    movl $0x10041, 0x320(%rbx)
    # Two self-IPIs while interrupts are off: the higher one is taken first.
    sti
    nop
    cli
    movl $0, order
    movl $0x44042, 0x300(%rbx)
    movl $0x44092, 0x300(%rbx)
    sti
    nop
    nop
    cli
    mov order, %eax
    check_eq 0x9242, %rax
    # STI holds interrupts for one instruction.
    movl $0, order
    movl $0x44042, 0x300(%rbx)
    sti
    mov order, %ecx
    mov order, %edx
    cli
    check_eq 0, %rcx
    check_eq 0x42, %rdx
    # TPR holds a class back.
    movl $0, order
    mov $5, %eax
    mov %rax, %cr8
    movl $0x44042, 0x300(%rbx)
    sti
    nop
    nop
    mov order, %ecx
    check_eq 0, %rcx
    xor %eax, %eax
    mov %rax, %cr8
    nop
    nop
    mov order, %ecx
    cli
    check_eq 0x42, %rcx
    ret
end_of_interrupt:
    push %rax
    mov $APIC + 0xb0, %eax
    movl $0, (%rax)
    pop %rax
    ret
irq0:
    push %rax
    incl ticks
    mov $0x20, %al
    out %al, $0x20
    pop %rax
    iretq
apic_timer:
    incl apic_ticks
    call end_of_interrupt
    iretq
low:
    push %rax
    mov order, %eax
    shl $8, %eax
    or $0x42, %eax
    mov %eax, order
    call end_of_interrupt
    pop %rax
    iretq
high:
    push %rax
    mov order, %eax
    shl $8, %eax
    or $0x92, %eax
    mov %eax, order
    call end_of_interrupt
    pop %rax
    iretq
    .bss
ticks: .long 0
apic_ticks: .long 0
order: .long 0
    .balign 4096
apic_pd: .skip 4096
    .text
