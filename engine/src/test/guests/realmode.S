# Real-address mode and the ways there and back (Intel SDM vol. 3, 9.9, 20.1): 16-bit code, segments, the interrupt vector table,
# limits, unreal mode, 16-bit protected mode.
    .include "guest32.inc"
    .set LOW, 0x8000                       # where the 16-bit code runs
    .set SEGMENT, LOW >> 4

test:
    mov $low, %esi
    mov $LOW, %edi
    mov $low_end - low, %ecx
    rep movsb
    descriptor 0x50, 0x00009b00, 0x8000ffff        # code16 at LOW
    descriptor 0x58, 0x00009300, 0x8000ffff        # data16 at LOW
    mov %esp, saved_esp
    mov $0x58, %eax
    mov %eax, %ds
    mov %eax, %es
    mov %eax, %fs
    mov %eax, %gs
    mov %eax, %ss
    mov $0x7000, %esp
    ljmp $0x50, $protected16 - low
back:
    mov $0x10, %eax
    mov %eax, %ds
    mov %eax, %es
    mov %eax, %ss
    mov %eax, %fs
    mov %eax, %gs
    mov saved_esp, %esp
    lidt idt_pointer
    mov LOW + result - low, %eax
    add $'0', %eax
    mov %al, text_end-2
    cmpl $99, LOW + result - low
    mov $text, %edi
    jne fail
    # Protected mode works as before.
    faulting
    ud2
    faulted 6
    jmp done

    .code16
low:
protected16:
    # 16-bit protected mode: pushes are words, addresses wrap at 16 bits, prefixes give 32 bits.
    movw $1, result - low
    mov %esp, %ebp
    push %ax
    pushl %eax
    mov %esp, %ecx
    sub %ecx, %ebp
    cmp $6, %ebp
    jne bad
    add $6, %sp
    movw $2, result - low
    mov $0xffff, %bx
    mov $variable - low + 1, %si
    movw $0x4321, (%bx, %si)
    cmpw $0x4321, variable - low
    jne bad
    mov $variable - low, %eax
    cmpw $0x4321, (%eax)
    jne bad
    # To real mode: PE off, then a far jump.
    lidt ivt_pointer - low
    mov %cr0, %eax
    and $~1, %al
    mov %eax, %cr0
    ljmp $SEGMENT, $real - low
real:
    mov %cs, %ax
    cmp $SEGMENT, %ax
    jne bad
    mov $SEGMENT, %ax
    mov %ax, %ds
    mov %ax, %ss
    mov $0x7000, %sp
    xor %ax, %ax
    mov %ax, %es
    movw $3, result - low
    # The IVT: INT 0x40, pushing FLAGS, CS, IP; the handler sees IF clear.
    movl $(SEGMENT << 16) + handler - low, %es:0x40 * 4
    mov %sp, %bp
    stc
    sti
    int $0x40
    jnc bad                                # flags come back
    pushf
    pop %ax
    testw $0x200, %ax
    jz bad
    cli
    cmp %sp, %bp
    jne bad
    cmpw $0x4040, seen - low
    jne bad
    movw $4, result - low
    # Faults have no error code: a word at 0xffff through DS is #GP; through SS it is #SS.
    movl $(SEGMENT << 16) + fault13 - low, %es:13 * 4
    movl $(SEGMENT << 16) + fault12 - low, %es:12 * 4
    movl $(SEGMENT << 16) + fault6 - low, %es:6 * 4
    movl $(SEGMENT << 16) + fault0 - low, %es:0 * 4
    movw $0, seen - low
    mov $1f - low, %dx
    mov $0xffff, %bx
    movw (%bx), %ax
1:  cmpw $13, seen - low
    jne bad
    movw $5, result - low
    mov $1f - low, %dx
    mov $0xffff, %bp
    mov (%bp), %ax
1:  cmpw $12, seen - low
    jne bad
    mov $1f - low, %dx
    mov $0x12345, %ebx
    mov (%ebx), %al                        # above 64 KiB
1:  cmpw $13, seen - low
    jne bad
    mov $1f - low, %dx
    lldt %ax                               # not recognised in real mode
1:  cmpw $6, seen - low
    jne bad
    mov $1f - low, %dx
    xor %cx, %cx
    div %cl
1:  cmpw $0, seen - low
    jne bad
    movw $6, result - low
    # Segments are paragraphs; FFFF:0010 is 1 MiB with A20 on.
    mov $0x2000, %ax
    mov %ax, %fs
    movl $0x55667788, %fs:0x10
    mov $0x2001, %ax
    mov %ax, %gs
    cmpl $0x55667788, %gs:0
    jne bad
    mov $0xffff, %ax
    mov %ax, %fs
    movw %fs:0x10, %ax                     # the Multiboot header
    cmp $0xb002, %ax
    jne bad
    movw $7, result - low
    # Far call and return, 16- and 32-bit; LES.
    lcall $SEGMENT, $far16 - low
    cmp $0x1616, %ax
    jne bad
    lcalll $SEGMENT, $far32 - low
    cmp $0x3232, %ax
    jne bad
    movl $0x20000100, variable - low
    les variable - low, %di
    mov %es, %ax
    cmp $0x2000, %ax
    jne bad
    cmp $0x100, %di
    jne bad
    xor %ax, %ax
    mov %ax, %es
    movw $8, result - low
    # Unreal mode: a limit of 4 GiB survives the way back and a load of the segment register.
    lgdtl gdt_copy - low
    mov %cr0, %eax
    or $1, %al
    mov %eax, %cr0
    mov $0x10, %bx
    mov %bx, %fs
    and $~1, %al
    mov %eax, %cr0
    mov $0x100000, %ebx
    cmpw $0xb002, %fs:(%ebx)
    jne bad
    mov $0x1000, %ax
    mov %ax, %fs
    mov $0xf0000, %ebx
    cmpw $0xb002, %fs:(%ebx)
    jne bad
    movw $9, result - low
    # SMSW, LMSW: LMSW can set PE but not clear it. PUSHFD, IOPL and NT may be set.
    smsw %ax
    test $1, %al
    jnz bad
    pushfl
    pop %eax
    or $0x7000, %ax
    push %eax
    popfl
    pushf
    pop %ax
    and $0x7000, %ax
    cmp $0x7000, %ax
    jne bad
    pushw $2
    popf
    # String instructions wrap SI and DI at 64 KiB.
    movw $10, result - low
    mov $0x3000, %ax
    mov %ax, %es
    mov $0xfffe, %di
    mov $0xabcd, %ax
    mov $3, %cx
    rep stosw
    cmp $4, %di
    jne bad
    cmpw $0xabcd, %es:2
    jne bad
    # A jump beyond the limit: #GP at the jump. IP wraps otherwise only by the operand size.
    mov $1f - low, %dx
    xor %ax, %ax
    mov %ax, %es
    jmpl *far_offset - low
1:  cmpw $13, seen - low
    jne bad
    movw $11, result - low
    # PUSHA and POPA, ENTER and LEAVE, words.
    mov %sp, %bp
    pusha
    popal
    mov %bp, %sp
    movw $99, result - low
bad:
    # To protected mode by LMSW and a far jump with a 32-bit offset.
    lgdtl gdt_copy - low
    smsw %ax
    or $1, %al
    lmsw %ax
    ljmpl $0x08, $back

handler:
    pushf
    pop %ax
    test $0x200, %ax
    jnz bad
    mov %sp, %bx
    add $6, %bx
    cmp %bx, %bp
    jne bad
    mov %sp, %bx
    mov %ss:(%bx), %ax
    cmpw $SEGMENT, %ss:2(%bx)
    jne bad
    jne bad
    movw $0x4040, seen - low
    iret
fault13:
    movw $13, seen - low
    jmp fault
fault12:
    movw $12, seen - low
    jmp fault
fault6:
    movw $6, seen - low
    jmp fault
fault0:
    movw $0, seen - low
fault:
    push %bp
    mov %sp, %bp
    mov %dx, 2(%bp)
    pop %bp
    iret
far16:
    mov $0x1616, %ax
    lret
far32:
    mov $0x3232, %ax
    lretl
    .balign 4
result: .long 0
variable: .long 0
seen: .long 0
far_offset: .long 0x12345
ivt_pointer:
    .word 0x3ff
    .long 0
gdt_copy:
    .word 63 * 8
    .long gdt
low_end:
    .code32
    .data
text: .ascii "real mode: step ?\n"
text_end: .byte 0
saved_esp: .long 0
    .text
