# Power-off as ACPI describes it (ACPI 6.5, 5.2.9, 16.1.6): RSDP, XSDT, FADT, PM1a control block, \_S5 in the DSDT.
# expect: POWER_OFF
    .include "guest.inc"
test:
    # The RSDP: 16-byte aligned between 0xe0000 and 0xfffff.
    mov $0xe0000, %ebx
    movabs $0x2052545020445352, %rax       # "RSD PTR "
1:  cmp (%rbx), %rax
    je 2f
    add $16, %ebx
    cmp $0x100000, %ebx
    jb 1b
    mov $no_rsdp, %edi
    jmp fail
2:  mov $36, %ecx
    mov %rbx, %rsi
    call checksum
    mov 24(%rbx), %rbx                     # XSDT
    mov 4(%rbx), %ecx
    mov %rbx, %rsi
    call checksum
    cmpl $0x54445358, (%rbx)
    check e
    mov 4(%rbx), %r8d
    add %rbx, %r8
    lea 36(%rbx), %rdi
3:  cmp %r8, %rdi
    mov $no_fadt, %esi
    jae missing
    mov (%rdi), %rbx
    mov 4(%rbx), %ecx
    mov %rbx, %rsi
    call checksum                          # of every table
    add $8, %rdi
    cmpl $0x50434146, (%rbx)               # "FACP"
    jne 3b
    # \_S5 in the DSDT: the name, PackageOp, its length, the count, the first element.
    mov 140(%rbx), %rsi                    # X_DSDT
    test %rsi, %rsi
    jnz 4f
    mov 40(%rbx), %esi
4:  mov %rsi, %r9
    mov 4(%rsi), %ecx
    call checksum
    mov 4(%r9), %ecx
    mov %r9, %rsi
5:  cmpl $0x5f35535f, (%rsi)
    je 6f
    inc %rsi
    loop 5b
    mov $no_s5, %esi
    jmp missing
6:  cmpb $0x12, 4(%rsi)
    check e
    movzbl 7(%rsi), %eax                   # ZeroOp, OneOp, or BytePrefix and a value
    cmp $0x0a, %al
    jne 7f
    movzbl 8(%rsi), %eax
7:  and $7, %eax
    shl $10, %eax
    or $0x2000, %eax                       # SLP_EN
    mov 64(%rbx), %edx                     # PM1a_CNT_BLK
    test %edx, %edx
    check nz
    push %rax
    mov $1, %eax
    out %ax, (%dx)                         # SCI_EN
    pop %rax
    out %ax, (%dx)
    mov $still, %esi
missing:
    mov %esi, %edi
    jmp fail
# The bytes RSI, ECX sum up to 0.
checksum:
    xor %eax, %eax
8:  add (%rsi), %al
    inc %rsi
    loop 8b
    test %al, %al
    check z
    ret
    .section .rodata
no_rsdp: .asciz "no RSDP\n"
no_fadt: .asciz "no FADT\n"
no_s5: .asciz "no \\_S5\n"
still: .asciz "still powered\n"
    .text
