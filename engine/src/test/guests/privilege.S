# Ring 3: privileged instructions, I/O permission, interrupt gates' DPL, stacks (Intel SDM vol. 3, 5.9, 5.12, 6.12.1, 19.5).
    .include "guest.inc"

.macro privileged instruction:vararg
    faulting
    \instruction
    faulted 13, 0
.endm

test:
    movb $0x8e, idt + 0x31 * 16 + 5        # gate 0x31: DPL 0
    mov $0x31, %edi
    mov $to_ring0, %esi
    call set_gate
    movb $0x8e, idt + 0x31 * 16 + 5
    movb $0x6e, idt + 0x32 * 16 + 5        # gate 0x32: not present, DPL 3
    movw $0x68, tss + 102                  # no I/O permission bitmap
    enter_user
    mov %cs, %eax
    check_eq 0x23, %rax
    mov %ss, %eax
    check_eq 0x1b, %rax
    privileged hlt
    privileged mov %cr0, %rax
    privileged mov %rax, %cr3
    privileged mov %cr8, %rax
    privileged mov %dr7, %rax
    privileged lgdt gdt_pointer
    privileged lidt idt_pointer
    privileged ltr %ax
    privileged lldt %ax
    privileged lmsw %ax
    privileged clts
    privileged invlpg (%rax)
    privileged wbinvd
    privileged invd
    privileged rdmsr
    privileged wrmsr
    privileged swapgs
    # IRET to an inner ring.
    mov %rsp, %rbp
    pushq $0x10
    pushq $0
    pushq $2
    pushq $0x08
    pushq $0
    faulting
    iretq
    faulted 13, 8
    mov %rbp, %rsp
    # INT through a gate with DPL 0: error code vector * 8 + 2; of one that is not present: #NP.
    faulting
    int $0x31
    faulted 13, 0x31*8+2
    faulting
    int $0x32
    faulted 11, 0x32*8+2
    # A vector beyond the filled part: its type is 0.
    faulting
    int $0x77
    faulted 13, 0x77*8+2
    # POPF changes neither IOPL nor, without it, IF (vol. 2, POPF); IOPL is 3 now, so IF can be set.
    pushfq
    pop %rax
    and $0x3200, %eax
    check_eq 0x3000, %rax
    pushq $0x0202
    popfq
    pushfq
    pop %rax
    and $0x3200, %eax
    check_eq 0x3200, %rax
    cli
    # Ring 3 may not load a segment register with more privileged data, nor SS with another RPL.
    mov $0x10, %eax
    faulting
    mov %eax, %ds
    faulted 13, 0x10
    faulting
    mov %eax, %ss
    faulted 13, 0x10
    mov $0x18, %eax
    faulting
    mov %eax, %ss
    faulted 13, 0x18
    mov %eax, %ds
    mov %ds, %ecx
    check_eq 0x18, %rcx
    xor %eax, %eax
    mov %eax, %ds
    faulting
    mov %eax, %ss
    faulted 13, 0
    leave_user

    # IOPL 0: IN, OUT, CLI and STI fault without the bitmap; the bitmap opens single ports (19.5.2).
    pushq $0x1b
    pushq $user_top
    pushq $2
    pushq $0x23
    pushq $1f
    iretq
1:  privileged cli
    privileged sti
    privileged in $0xf4, %al
    privileged out %al, $0x80
    # POPF ignores IF now, without a fault.
    pushq $0x202
    popfq
    pushfq
    pop %rax
    check_eq 0x2, %rax
    leave_user
    # A bitmap that opens ports 0x80 and 0x81 only. The TSS's limit must take it in.
    movw $0x68, tss + 102
    movw $0x68 + 32 + 1, gdt_tss
    mov $tss + 0x68, %edi
    mov $0xff, %al
    mov $33, %ecx
    rep stosb
    movb $0xfc, tss + 0x68 + 0x80 / 8
    movb $0x89, gdt_tss + 5
    mov $0x28, %eax
    ltr %ax
    pushq $0x1b
    pushq $user_top
    pushq $2
    pushq $0x23
    pushq $2f
    iretq
2:  in $0x80, %al
    out %al, $0x80
    in $0x80, %ax
    privileged in $0x81, %ax               # half of it is closed
    privileged in $0x82, %al
    privileged in $0x80, %eax
    mov $0x108, %edx
    privileged in (%dx), %al               # beyond the limit
    # UMIP: SGDT, SIDT, SLDT, STR and SMSW are free while CR4.UMIP is clear.
    sgdt scratch
    smsw %eax
    str %eax
    check_eq 0x28, %rax
    leave_user
    # CR4.TSD: RDTSC is for ring 0 (vol. 2, RDTSC).
    mov %cr4, %rax
    or $4, %eax
    mov %rax, %cr4
    rdtsc
    enter_user
    privileged rdtsc
    leave_user
    jmp done
    .bss
scratch: .skip 16
    .text
