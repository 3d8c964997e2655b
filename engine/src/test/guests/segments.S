# Segments in protected mode: limits, expand-down, types, null, conforming, LDT, LAR, LSL, VERR, VERW (Intel SDM vol. 3,
# 5.3 to 5.10; vol. 2, LAR, LSL, VERR, LDS).
    .include "guest32.inc"

# The instruction raises VECTOR with ERROR.
.macro raises vector, error, instruction:vararg
    faulting
    \instruction
    faulted \vector, \error
.endm

    .set BASE, 0x200000
test:
    # 50: data, base 2 MiB, limit 0xfff bytes.
    descriptor 0x50, 0x00409320, 0x00000fff
    mov $0x50, %eax
    mov %eax, %fs
    movl $0x12345678, BASE + 0xffc
    mov %fs:0xffc, %eax
    check_eq 0x12345678, %eax
    raises 13, 0, mov %fs:0xffd, %eax
    raises 13, 0, movb $1, %fs:0x1000
    raises 13, 0, mov %fs:-1, %al
    movb $1, %fs:0xfff
    raises 13, 0, movw $1, %fs:0xfff
    raises 13, 0, incl %fs:0xffe
    # Through SS: #SS(0).
    # 58: read-only data.
    descriptor 0x58, 0x00409120, 0x0000ffff
    mov $0x58, %eax
    mov %eax, %gs
    mov %gs:0, %eax
    raises 13, 0, movb $1, %gs:0
    raises 13, 0, lock incl %gs:0
    raises 13, 0x58, mov %cs:selector58, %ss
    # 60: expand-down, 32-bit: valid above the limit, up to 4 GiB.
    descriptor 0x60, 0x00409720, 0x00000fff
    mov $0x60, %eax
    mov %eax, %gs
    movl $1, %gs:0x1000
    cmpl $1, BASE + 0x1000
    check e
    raises 13, 0, mov %gs:0xfff, %al
    raises 13, 0, mov %gs:0, %eax
    # 16-bit expand-down: up to 0xffff.
    descriptor 0x60, 0x00009720, 0x00000fff
    mov %eax, %gs
    mov %gs:0xfffc, %eax
    raises 13, 0, mov %gs:0xfffd, %eax
    raises 13, 0, mov %gs:0x10000, %al
    # Accessed is set by loading.
    descriptor 0x60, 0x00409220, 0x00000fff
    mov $0x60, %eax
    mov %eax, %gs
    mov gdt + 0x64, %eax
    check_eq 0x00409320, %eax
    # Execute-only code cannot be read; readable code can, and never be written.
    descriptor 0x68, 0x00cf9900, 0x0000ffff
    mov $0x68, %eax
    raises 13, 0x68, mov %eax, %gs
    mov $0x08, %eax
    mov %eax, %gs
    mov %gs:test, %al
    raises 13, 0, movb $0, %gs:test
    ljmp $0x68, $1f
1:  raises 13, 0, mov %cs:test, %al
    # The handler came back to 0x68.
    ljmp $0x08, $1f
1:  # Null selectors: loading is free, using is not.
    xor %eax, %eax
    mov %eax, %gs
    raises 13, 0, mov %gs:0, %al
    mov $3, %eax
    mov %eax, %gs
    raises 13, 0, mov %eax, %ss
    # Beyond the GDT's limit, not present, system types.
    mov $0x1000, %eax
    raises 13, 0x1000, mov %eax, %gs
    descriptor 0x70, 0x00401320, 0x00000fff
    mov $0x70, %eax
    raises 11, 0x70, mov %eax, %gs
    raises 12, 0x70, mov %eax, %ss
    mov $0x28, %eax
    raises 13, 0x28, mov %eax, %gs
    # MOV to CS: #UD.
    faulting
    .byte 0x8e, 0xc8
    faulted 6
    # LDS and friends load a pointer; with a bad selector nothing changes.
    movl $0x1234, BASE
    movw $0x50, BASE + 4
    lfs BASE, %ecx
    check_eq 0x1234, %ecx
    mov %fs, %eax
    check_eq 0x50, %eax
    movl $0x5678, BASE
    movw $0x1000, BASE + 4
    raises 13, 0x1000, lfs BASE, %ecx
    check_eq 0x1234, %ecx
    # An LDT.
    descriptor 0x78, 0x00008200, 0x0000000f
    mov $ldt, %eax
    mov %ax, gdt + 0x7a
    shr $16, %eax
    mov %al, gdt + 0x7c
    mov $0x78, %eax
    lldt %ax
    sldt %ecx
    check_eq 0x78, %ecx
    mov $0x0c, %eax
    mov %eax, %fs
    mov %fs:0, %eax
    mov $0x14, %eax
    raises 13, 0x14, mov %eax, %fs
    mov $0x10, %eax
    raises 13, 0x10, lldt %ax
    mov $0x0c, %eax
    raises 13, 0xc, lldt %ax
    descriptor 0x80, 0x00000200, 0x0000000f
    mov $0x80, %eax
    raises 11, 0x80, lldt %ax
    xor %eax, %eax
    lldt %ax
    mov $0x0c, %eax
    raises 13, 0xc, mov %eax, %fs
    # LAR, LSL, VERR, VERW.
    descriptor 0x50, 0x00409320, 0x00000fff
    mov $0x50, %eax
    lar %eax, %ecx
    check e
    check_eq 0x00409300, %ecx
    lsl %eax, %ecx
    check e
    check_eq 0xfff, %ecx
    mov $0x10, %eax
    lsl %eax, %ecx
    check_eq 0xffffffff, %ecx
    lar %ax, %cx
    check_eq 0xffff9300, %ecx
    verr %ax
    check e
    verw %ax
    check e
    mov $0x58, %eax
    verw %ax
    check ne
    verr %ax
    check e
    mov $0x68, %eax
    verr %ax
    check ne
    mov $0x08, %eax
    verw %ax
    check ne
    mov $0x28, %eax
    lar %eax, %ecx
    check e
    check_eq 0x00008b00, %ecx
    lsl %eax, %ecx
    check e
    verr %ax
    check ne
    # Gates have access rights but no limit; interrupt gates have neither.
    gate 0x88, 0x08, test, 0x8c00
    mov $0x88, %eax
    lar %eax, %ecx
    check e
    lsl %eax, %ecx
    check ne
    gate 0x88, 0x08, test, 0x8e00
    mov $0x88, %eax
    lar %eax, %ecx
    check ne
    xor %eax, %eax
    lar %eax, %ecx
    check ne
    mov $0x1000, %eax
    lsl %eax, %ecx
    check ne
    # ARPL raises the RPL.
    mov $0x10, %eax
    mov $3, %ecx
    arpl %cx, %ax
    check e
    check_eq 0x13, %eax
    arpl %cx, %ax
    check ne

    # Ring 3: data of ring 0 is invisible to LAR and VERR; conforming code is not, and can be called.
    movl $0x00cf9f00, gdt + 0x94          # 90: conforming, DPL 0
    movl $0x0000ffff, gdt + 0x90
    pushl $0x1b
    pushl $user_top
    pushl $0x3002
    pushl $0x23
    pushl $1f
    iret
1:  mov $0x1b, %eax
    mov %eax, %ds
    mov %eax, %es
    mov $0x13, %eax
    lar %eax, %ecx
    check ne
    verr %ax
    check ne
    raises 13, 0x10, mov %eax, %fs
    mov $0x90, %eax
    lar %eax, %ecx
    check e
    verr %ax
    check e
    mov %eax, %fs                          # conforming code may be loaded at any privilege
    lcall $0x90, $conforming
    check_eq 0x93, %ecx                    # CPL stays 3
    raises 13, 0x08, lcall $0x08, $conforming
    raises 13, 0, hlt
    # Limits through SS: #SS(0), taken on the stack of ring 0. 98: stack of ring 3 with limit 0xfff.
    descriptor 0x98, 0x0040f320, 0x00000fff
    mov $0x9b, %eax
    mov %eax, %ss
    mov $0x1000, %esp
    push %eax
    pop %eax
    raises 12, 0, pop %eax
    raises 12, 0, mov (%esp), %al
    mov $0xffd, %ebp
    raises 12, 0, mov (%ebp), %eax
    raises 13, 0, mov %ds:-2, %eax         # wraps
    mov $2, %esp
    raises 12, 0, push %eax
    mov $2, %esp
    raises 12, 0, call conforming
    mov %esp, %eax
    check_eq 2, %eax
    # ENTER with a frame beyond.
    mov $0x20, %esp
    raises 12, 0, enter $0x100, $0
    mov $0x1b, %eax
    mov %eax, %ss
    mov $user_top, %esp
    # Loading null into SS, or another RPL: #GP.
    xor %eax, %eax
    raises 13, 0, mov %eax, %ss
    # Code limit: running past the end. a0: code with limit so that `last` is the last whole instruction.
    int $0x30
    descriptor 0xa0, 0x00409b10, 0     # base 1 MiB
    mov $past - 1 - 0x100000, %eax
    mov %ax, gdt + 0xa0
    shr $16, %eax
    or %al, gdt + 0xa6
    movl $2f, resume
    ljmp $0xa0, $last - 0x100000
last:
    nop
past:
    nop
    nop
    nop
    nop
    mov $text, %edi
    jmp fail
2:  cmpl $13, caught_vector
    check e
    cmpl $past - 0x100000, caught_eip
    check e
    cmpl $0xa0, caught_cs
    check e
    # An instruction that lies across the limit; a jump beyond it.
    mov $0xa0, %ecx
    movb $0x66, past                       # a prefix within the limit, the opcode beyond
    incl gdt + 0xa0
    movl $3f, resume
    ljmp $0xa0, $last - 0x100000
3:  cmpl $13, caught_vector
    check e
    cmpl $past - 0x100000, caught_eip
    check e
    raises 13, 0, ljmp $0xa0, $past+1-0x100000
    jmp done
conforming:
    mov %cs, %ecx
    lret
    .section .rodata
text: .asciz "ran past the limit\n"
selector58: .word 0x58
    .balign 8
ldt: .quad 0, 0x004093200000ffff
    .text
