# Repeated string instructions: faults in the middle and restart, interrupts in the middle, direction, overlap, address size
# (Intel SDM vol. 1, 7.3.9.3; vol. 2, REP).
    .include "guest.inc"
    .include "apic.inc"
    .set BUFFER, 0x1000000
    .set HOLE, 0x1200000                   # PD index 9
test:
    cld
    # REP MOVS into a page that is absent: registers tell how far it got, and it goes on from there.
    mov $BUFFER, %edi
    mov $0x1000, %ecx
    xor %eax, %eax
1:  stosb
    inc %eax
    loop 1b
    movq $0, pd + 8 * 9
    invlpg HOLE
    mov $BUFFER, %esi
    mov $HOLE - 0x123, %edi
    mov $0x1000, %ecx
    faulting
2:  rep movsb
    faulted 14, 2
    check_eq 0x1000-0x123, %rcx
    check_eq BUFFER+0x123, %rsi
    push %rdi
    mov $2b, %eax
    cmp caught_rip, %rax
    check e
    pop %rdi
    mov $HOLE, %edi                        # `faulted` uses EDI
    movq $HOLE + 0x87, pd + 8 * 9
    rep movsb
    check_eq 0, %rcx
    mov $BUFFER, %esi
    mov $HOLE - 0x123, %edi
    mov $0x1000, %ecx
    repe cmpsb
    check e
    # A source that is absent, by quadwords, backwards, misaligned across the border.
    movq $0, pd + 8 * 9
    invlpg HOLE
    std
    mov $HOLE + 5, %esi
    mov $BUFFER + 0x2000, %edi
    mov $10, %ecx
    faulting
    rep movsq
    faulted 14, 0
    check_eq 10, %rcx
    cld
    # STOS from below into the hole: the last whole element is done, of the one across the border nothing.
    mov $HOLE - 12, %edi
    movl $0x77777777, HOLE - 4
    mov $-1, %rax
    mov $5, %ecx
    faulting
    rep stosq
    faulted 14, 2
    check_eq 4, %rcx
    mov HOLE - 4, %eax
    check_eq 0x77777777, %rax
    mov HOLE - 12, %rax
    check_eq -1, %rax
    movq $HOLE + 0x87, pd + 8 * 9
    # Overlap: a forward copy by one byte spreads the first byte.
    movb $0x5a, BUFFER
    mov $BUFFER, %esi
    mov $BUFFER + 1, %edi
    mov $5000, %ecx
    rep movsb
    mov $BUFFER, %edi
    mov $5001, %ecx
    mov $0x5a, %al
    repe scasb
    check e
    # Backwards it keeps them.
    mov $BUFFER, %edi
    xor %eax, %eax
    mov $5000, %ecx
3:  stosb
    inc %eax
    loop 3b
    std
    mov $BUFFER + 4999, %esi
    mov $BUFFER + 5000, %edi
    mov $5000, %ecx
    rep movsb
    cld
    mov $BUFFER + 1, %esi
    xor %eax, %eax
    mov $5000, %ecx
4:  cmp %al, (%rsi)
    jne bad
    inc %rsi
    inc %eax
    loop 4b
    # Comparison: the flags and where it stops. A count of 0 changes no flags.
    movb $1, BUFFER
    stc
    xor %ecx, %ecx
    mov $BUFFER, %edi
    stc
    repne scasb
    check c
    mov $BUFFER, %edi
    mov $100, %ecx
    mov $7, %al
    repne scasb
    check e
    movzbl -1(%rdi), %eax
    check_eq 7, %rax
    # 32-bit addresses: the upper halves are cleared when used, the count is ECX.
    movabs $0xffffffff00000000 + BUFFER, %rdi
    movabs $0x1200000010, %rcx
    mov $0x11, %al
    addr32 rep stosb
    check_eq BUFFER+0x10, %rdi
    check_eq 0, %rcx
    # LODS adds up; a segment override for the source.
    mov $0xc0000100, %ecx
    mov $BUFFER, %eax
    xor %edx, %edx
    wrmsr
    xor %esi, %esi
    xor %eax, %eax
    lodsb %fs:(%rsi), %al
    check_eq 0x11, %rax
    check_eq 1, %rsi
    # Interrupts in the middle of a long repetition: the handler sees the registers on their way, RIP at the instruction.
    mov $0x41, %edi
    mov $timer, %esi
    call set_gate
    call apic_on
    mov $APIC, %ebx
    movl $0xb, 0x3e0(%rbx)
    movl $0x20041, 0x320(%rbx)             # periodic, 100 microseconds
    movl $100000, 0x380(%rbx)
    mov $200, %ebp
    sti
5:  mov $BUFFER, %edi
    mov $0x200000, %ecx
    mov $0x22, %al
long_store:
    rep stosb
    cmpl $3, within
    jae 6f
    dec %ebp
    jnz 5b
6:  cli
    movl $0x10041, 0x320(%rbx)
    # A host that runs 200 of these without one interrupt inside is not believed.
    cmpl $3, within
    check ae
    mov $BUFFER, %edi
    mov $0x200000, %ecx
    mov $0x22, %al
    repe scasb
    check e
    mov wrong, %eax
    check_eq 0, %rax
    # INS and OUTS: memory is checked before the port is read.
    mov $0xe9, %edx
    mov $HOLE, %edi
    mov $3, %ecx
    rep insb
    check_eq HOLE+3, %rdi
    movq $0, pd + 8 * 9
    invlpg HOLE
    mov $HOLE, %edi
    faulting
    insl
    faulted 14, 2
    jmp done
bad:
    mov $text, %edi
    jmp fail
timer:
    push %rax
    mov 8(%rsp), %rax
    cmp $long_store, %rax
    jne 1f
    cmp $0x200000, %ecx
    je 1f
    incl within
    # Registers are consistent: EDI + ECX is the buffer's end.
    lea (%rdi, %rcx), %rax
    cmp $BUFFER + 0x200000, %rax
    je 1f
    incl wrong
1:  mov $APIC + 0xb0, %eax
    movl $0, (%rax)
    pop %rax
    iretq
    .section .rodata
text: .asciz "bytes are wrong\n"
    .bss
within: .long 0
wrong: .long 0
    .text
