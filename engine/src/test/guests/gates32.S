# 32-bit call gates: privileges, stack switch with parameter copy, far returns to an outer ring (Intel SDM vol. 3, 5.8.3 to
# 5.8.6; vol. 2, CALL, RET).
    .include "guest32.inc"
.macro raises vector, error, instruction:vararg
    faulting
    \instruction
    faulted \vector, \error
.endm

test:
    # 50: code of ring 1; 58: stack of ring 1.
    descriptor 0x50, 0x00cfbb00, 0x0000ffff
    descriptor 0x58, 0x00cfb300, 0x0000ffff
    movl $user_top - 4096, tss + 12
    movl $0x59, tss + 16
    gate 0x60, 0x08, inner, 0xec03         # to ring 0, three parameters, DPL 3
    gate 0x68, 0x50, ring1, 0xec00         # to ring 1
    gate 0x70, 0x08, inner, 0x8c00         # DPL 0
    gate 0x78, 0x08, inner, 0x6c00         # not present
    gate 0x80, 0x10, inner, 0xec00         # to data
    gate 0x88, 0x00, inner, 0xec00         # to null
    gate 0x90, 0x20, outer, 0xec00         # to ring 3
    descriptor 0x98, 0x00cf9f00, 0x0000ffff
    gate 0xa0, 0x98, conforming, 0xec1f    # to conforming code of ring 0
    # b0: code at 1 MiB; a8: a 16-bit gate to it with two words of parameters.
    descriptor 0xb0, 0x00cf9b10, 0x0000ffff
    descriptor 0xb8, 0x00cffb10, 0x0000ffff
    descriptor 0xc0, 0x00cff310, 0x0000ffff
    gate 0xa8, 0xb0, inner16-0x100000, 0xe402
    # Within ring 0 a gate copies nothing.
    mov %esp, %ebp
    lcall $0x70, $0
    check_eq 0, %eax
    cmp %esp, %ebp
    check e
    # From ring 0 to outer code: #GP(code).
    raises 13, 0x20, lcall $0x90, $0
    raises 13, 0x20, ljmp $0x20, $outer
    pushl $0x1b
    pushl $user_top
    pushl $0x3002
    pushl $0x23
    pushl $1f
    iret
1:  mov $0x1b, %eax
    mov %eax, %ds
    mov %eax, %es
    mov %eax, %fs
    pushl $0x33333333
    pushl $0x22222222
    pushl $0x11111111
    mov %esp, %ebp
    std
    lcall $0x60, $0x12345678               # the offset is ignored
after:
    cld
    check_eq 3, %eax
    mov %esp, %eax
    check_eq user_top, %eax                # the parameters were taken off
    mov %cs, %eax
    check_eq 0x23, %eax
    mov %ss, %eax
    check_eq 0x1b, %eax
    mov %fs, %eax
    check_eq 0x1b, %eax
    mov %gs, %eax
    check_eq 0, %eax                       # held ring 0 data
    lcall $0x68, $0
    check_eq 0x51, %eax
    check_eq 0x59, %ecx
    lcall $0xa3, $0                        # RPL 3
    check_eq 0x9b, %eax
    lcall $0x90, $0
    check_eq 0x23, %eax
    # Through the 16-bit gate, from code and a stack at 1 MiB, so that SP and IP say it all.
    mov $0xc3, %eax
    mov %eax, %ss
    mov $user_top - 0x100000, %esp
    pushw $0x2222
    pushw $0x1111
    ljmp $0xbb, $1f - 0x100000
1:  lcall $0xa8, $0
    mov %cs, %edx
    check_eq 0xbb, %edx
    mov %esp, %edx
    check_eq user_top-0x100000, %edx
    mov $0x1b, %edx
    mov %edx, %ss
    mov $user_top, %esp
    ljmp $0x23, $1f
1:  check_eq 0x1111, %eax
    check_eq 0x2222, %ecx
    raises 13, 0x70, lcall $0x70, $0
    raises 11, 0x78, lcall $0x78, $0
    raises 13, 0x10, lcall $0x80, $0
    raises 13, 0, lcall $0x88, $0
    # JMP through a gate goes to the same privilege only.
    raises 13, 0x08, ljmp $0x60, $0
    raises 13, 0x50, ljmp $0x68, $0
    mov $0x98, %eax
    push %cs
    pushl $jumped
    ljmp $0xa0, $0                         # comes back by LRET
jumped:
    check_eq 0x9b, %eax
    # A far return to an inner ring: #GP(code).
    pushl $0x08
    pushl $0
    raises 13, 0x08, lret
    add $8, %esp
    # Bad stacks in the TSS: #TS(SS), the caller's stack untouched.
    mov %esp, %ebp
    int $0x30
    movl $0x19, tss + 16                   # RPL 1, but DPL 3
    call user
    raises 10, 0x18, lcall $0x68, $0
    int $0x30
    movl $0x51, tss + 16                   # code
    call user
    raises 10, 0x50, lcall $0x68, $0
    int $0x30
    movl $0, tss + 16
    call user
    raises 10, 0, lcall $0x68, $0
    int $0x30
    movl $0x59, tss + 16
    descriptor 0x58, 0x00cf3300, 0x0000ffff
    call user
    raises 12, 0x58, lcall $0x68, $0
    int $0x30
    # Not enough room on the new stack: #SS(SS), on the ring 0 stack.
    descriptor 0x58, 0x0040b300, 0x0000000f
    movl $8, tss + 12
    call user
    raises 12, 0x58, lcall $0x68, $0
    # The TSS too short for the stack of ring 1: #TS(TSS).
    int $0x30
    descriptor 0x58, 0x00cfb300, 0x0000ffff
    movl $user_top - 4096, tss + 12
    movb $0x89, gdt + 0x2d
    movw $15, gdt + 0x28
    mov $0x28, %eax
    ltr %ax
    call user
    raises 10, 0x28, lcall $0x68, $0
    jmp done

user:
    pop %eax
    mov $0x1b, %ecx
    mov %ecx, %ds
    mov %ecx, %es
    pushl $0x1b
    pushl $user_top
    pushl $0x3002
    pushl $0x23
    push %eax
    iret

inner:
    mov %cs, %ecx
    check_eq 0x08, %ecx
    cmp %esp, %ebp                         # within ring 0?
    ja 1f
    cmpl $stack_top, %esp
    jb 1f
    # From ring 3: SS, ESP, three parameters, CS, EIP on the ring 0 stack.
    mov %esp, %eax
    check_eq ring0_top-28, %eax
    mov (%esp), %eax
    check_eq after, %eax
    mov 4(%esp), %eax
    check_eq 0x23, %eax
    mov 8(%esp), %eax
    check_eq 0x11111111, %eax
    mov 12(%esp), %eax
    check_eq 0x22222222, %eax
    mov 16(%esp), %eax
    check_eq 0x33333333, %eax
    cmp 20(%esp), %ebp
    check e
    mov 24(%esp), %eax
    check_eq 0x1b, %eax
    mov $0x10, %eax
    mov %eax, %gs
    mov $3, %eax
    lret $12
1:  xor %eax, %eax
    lret
ring1:
    mov %cs, %eax
    mov %ss, %ecx
    lret
inner16:
    mov %esp, %edx
    check_eq ring0_top-12, %edx
    movzwl 4(%esp), %eax
    movzwl 6(%esp), %ecx
    lretw $4
conforming:
    mov %cs, %eax
    lret
outer:
    mov %cs, %eax
    lret
