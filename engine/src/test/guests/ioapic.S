# I/O APIC with the PIT and the serial port: edge and level, masks, remote IRR and EOI; the 8259s' modes (82093AA; 8259A; Intel SDM
# vol. 3, 11.8).
    .include "guest.inc"
    .include "apic.inc"
.macro serial_out port, value
    mov $0x3f8 + \port, %edx
    mov $\value, %al
    out %al, (%dx)
.endm
# Lets interrupts in for a while.
.macro open
    sti
    nop
    nop
    cli
.endm
# Waits until the counter at LABEL is at least COUNT, in HLT.
.macro wait label, count
55: sti
    hlt
    cli
    cmpl $\count, \label
    jb 55b
.endm

test:
    mov $0x20, %edi
    mov $irq0_pic, %esi
    call set_gate
    mov $0x27, %edi
    mov $irq7, %esi
    call set_gate
    mov $0x24, %edi
    mov $irq4_pic, %esi
    call set_gate
    mov $0x50, %edi
    mov $pit, %esi
    call set_gate
    mov $0x60, %edi
    mov $serial, %esi
    call set_gate
    mov $0xff, %edi
    mov $spurious, %esi
    call set_gate
    # 8259: IMR can be read; an interrupt waits while masked, in IRR, and comes when unmasked.
    call pic_on
    in $0x21, %al
    cmp $0xff, %al
    check e
    mov $0x34, %al                         # channel 0, mode 2, 100 Hz
    out %al, $0x43
    mov $0x9c, %al
    out %al, $0x40
    mov $0x2e, %al
    out %al, $0x40
1:  mov $0x0a, %al                         # read IRR
    out %al, $0x20
    in $0x20, %al
    test $1, %al
    jz 1b
    open
    cmpl $0, pic_ticks
    check e
    mov $0xfe, %al
    out %al, $0x21
    wait pic_ticks, 3
    # In service until the EOI: the handler looked at ISR. With automatic EOI it is clear.
    cmpl $1, isr_seen
    check e
    # Serial transmitter empty interrupt, IRQ 4: level by nature, edge for the 8259.
    mov $0xef, %al
    out %al, $0x21
    serial_out 4, 0x0b                     # OUT2 lets interrupts out
    serial_out 1, 0x02                     # THRE
    wait serial_pic, 1
    cmpl $2, iir_seen
    check e
    # A spurious IRQ 7: the line goes away before acknowledgement. Mask while interrupts are off.
    serial_out 1, 0
    mov $0xff, %al
    out %al, $0x21

    # I/O APIC: version, number of entries, reset state is masked.
    call apic_on
    mov $1, %ecx
    call ioapic_read
    mov %eax, %ebx
    shr $16, %ebx
    and $0xff, %ebx
    check_eq 23, %rbx
    mov $0x10, %ecx
    call ioapic_read
    and $0x10000, %eax
    check_eq 0x10000, %rax
    # Registers keep what may be written: delivery status and remote IRR are read-only.
    mov $0x10 + 2 * 20, %ecx
    mov $0x1ffff, %eax
    call ioapic_write
    call ioapic_read
    and $0x15000, %eax
    check_eq 0x10000, %rax
    mov $0x10 + 2 * 20 + 1, %ecx
    mov $0xff000000, %eax
    call ioapic_write
    call ioapic_read
    mov %eax, %eax
    check_eq 0xff000000, %rax
    # The PIT is at input 2, edge triggered.
    mov $0x10 + 2 * 2 + 1, %ecx
    xor %eax, %eax
    call ioapic_write
    mov $0x10 + 2 * 2, %ecx
    mov $0x50, %eax
    call ioapic_write
    movl $0, pit_ticks
    wait pit_ticks, 5
    # Masked: nothing comes, however long.
    mov $0x10050, %eax
    call ioapic_write
    open
    movl $0, pit_ticks
    mov $3000000, %edi
2:  rdtsc
    shl $32, %rdx
    or %rdx, %rax
    mov %rax, %rsi
    sti
3:  rdtsc
    shl $32, %rdx
    or %rdx, %rax
    sub %rsi, %rax
    cmp $20000000, %rax
    jb 3b
    cli
    cmpl $0, pit_ticks
    check e
    # Level: the serial port at input 4. The interrupt comes again after each EOI while the line is high.
    mov $0x10 + 2 * 4 + 1, %ecx
    xor %eax, %eax
    call ioapic_write
    mov $0x10 + 2 * 4, %ecx
    mov $0x8060, %eax
    call ioapic_write
    movl $0, serial_ticks
    serial_out 1, 0x02
    wait serial_ticks, 3                   # the handler reads IIR, which ends it, at the third
    open
    mov serial_ticks, %eax
    check_eq 3, %rax
    mov remote_irr, %eax
    check_eq 0x4000, %rax
    mov $0x10 + 2 * 4, %ecx
    call ioapic_read
    and $0x4000, %eax
    check_eq 0, %rax
    # The TMR bit told the local APIC so: it was set in service, and is for this vector.
    mov $APIC + 0x1b0, %eax                # TMR 96 to 127 is at 0x1b0
    mov (%rax), %eax
    and $1, %eax
    check_eq 1, %rax
    jmp done

irq0_pic:
    push %rax
    incl pic_ticks
    mov $0x0b, %al
    out %al, $0x20
    in $0x20, %al
    and $1, %eax
    mov %eax, isr_seen
    mov $0x20, %al
    out %al, $0x20
    pop %rax
    iretq
irq4_pic:
    push %rax
    push %rdx
    incl serial_pic
    mov $0x3fa, %edx
    in (%dx), %al
    and $15, %eax
    mov %eax, iir_seen
    mov $0x20, %al
    out %al, $0x20
    pop %rdx
    pop %rax
    iretq
irq7:
    iretq
pit:
    push %rax
    incl pit_ticks
    mov $APIC + 0xb0, %eax
    movl $0, (%rax)
    pop %rax
    iretq
serial:
    push %rax
    push %rcx
    push %rdx
    incl serial_ticks
    mov $0x10 + 2 * 4, %ecx
    call ioapic_read
    and $0x4000, %eax
    mov %eax, remote_irr
    cmpl $3, serial_ticks
    jb 1f
    mov $0x3fa, %edx
    in (%dx), %al
1:  mov $APIC + 0xb0, %eax
    movl $0, (%rax)
    pop %rdx
    pop %rcx
    pop %rax
    iretq
spurious:
    iretq
    .bss
pic_ticks: .long 0
isr_seen: .long 0
serial_pic: .long 0
iir_seen: .long 0
pit_ticks: .long 0
serial_ticks: .long 0
remote_irr: .long 0
    .text
