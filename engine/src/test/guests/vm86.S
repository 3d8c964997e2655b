# Virtual-8086 mode (Intel SDM vol. 3, 20.2, 20.3): entry by IRET, IOPL, interrupts and exceptions to the monitor and back,
# segments, port access, and the instructions that do not exist there.
    .include "guest32.inc"
    .set LOW, 0x8000
    .set SEGMENT, LOW >> 4

test:
    mov $low, %esi
    mov $LOW, %edi
    mov $low_end - low, %ecx
    rep movsb
    mov $0x0d, %edi
    mov $monitor, %esi
    call set_gate
    mov $0x06, %edi
    mov $invalid, %esi
    call set_gate
    mov $0x41, %edi
    mov $service, %esi
    call set_gate
    mov $3, %edi
    call set_gate
    movw $0xee00, idt + 0x41 * 8 + 4
    # IOPL 3: CLI, STI, PUSHF, POPF, IRET work; INT n goes through the IDT.
    mov $0x23000, %ebx                     # VM, IOPL 3
    call enter_v86
    cmpl $1, LOW + result - low
    mov $text, %edi
    jne fail
    # IOPL 0: they raise #GP(0).
    movl $0, LOW + result - low
    movl $0, counted
    movl $iopl0 - low, entry
    mov $0x20000, %ebx
    call enter_v86
    cmpl $2, LOW + result - low
    mov $text, %edi
    jne fail
    cmpl $7, counted
    check e
    # A task switch to a task with VM set enters virtual-8086 mode as well.
    movl $0, LOW + result - low
    mov $tss2, %edi
    movl $other_task - low, 0x20(%edi)
    movl $0x23002, 0x24(%edi)
    movl $0x7000, 0x38(%edi)
    movl $0, 0x48(%edi)
    movl $SEGMENT, 0x4c(%edi)
    movl $SEGMENT, 0x50(%edi)
    movl $SEGMENT, 0x54(%edi)
    movl $0, 0x58(%edi)
    movl $0, 0x5c(%edi)
    movl $ring0_top, 4(%edi)
    movl $0x10, 8(%edi)
    movw $0x68, 0x66(%edi)
    descriptor 0x50, 0x00008900, 0x00000067
    mov $tss2, %eax
    mov %ax, gdt + 0x52
    shr $16, %eax
    mov %al, gdt + 0x54
    movl $after_task, leaving
    ljmp $0x50, $0
after_task:
    cmpl $3, LOW + result - low
    mov $text, %edi
    jne fail
    jmp done

# EBX: flags. Runs the virtual-8086 program until its INT 0x41 with AX 0.
enter_v86:
    mov %esp, saved_esp
    movl $1f, leaving
    pushl $SEGMENT                         # GS
    pushl $SEGMENT                         # FS
    pushl $SEGMENT                         # DS
    pushl $0                               # ES
    pushl $SEGMENT                         # SS
    pushl $0x7000
    push %ebx
    pushl $SEGMENT
    pushl entry
    iret
1:  mov saved_esp, %esp
    ret

# INT 0x41: the frame holds ES, DS, FS, GS too, and the data segments are null.
service:
    mov %ds, %ecx
    mov %gs, %edx
    or %edx, %ecx
    mov $0x10, %edx
    mov %edx, %ds
    mov %edx, %es
    test %ecx, %ecx
    check z
    cmpl $ring0_top-36, %esp
    check e
    testl $0x20000, 8(%esp)
    check nz
    pushf
    pop %edx
    test $0x20000, %edx
    check z
    mov 24(%esp), %edx                     # DS
    check_eq SEGMENT, %edx
    mov 20(%esp), %edx                     # ES
    check_eq 0, %edx
    test %eax, %eax
    jz 1f
    movl $0x4141, %eax
    iret
1:  jmp *leaving

# #GP: an error code of 0; goes on at the guest's DX.
monitor:
    mov $0x10, %ecx
    mov %ecx, %ds
    mov %ecx, %es
    cmpl $0, (%esp)
    check e
    add $4, %esp
    incl counted
    movzwl %dx, %ecx
    mov %ecx, (%esp)
    iret
invalid:
    mov $0x10, %ecx
    mov %ecx, %ds
    mov %ecx, %es
    movl $6, LOW + seen - low
    movzwl %dx, %ecx
    mov %ecx, (%esp)
    iret

    .code16
low:
    mov %cs, %ax
    cmp $SEGMENT, %ax
    jne bad
    # IOPL and VM: PUSHF shows IOPL 3; POPF changes IF.
    sti
    pushf
    pop %ax
    and $0x3200, %ax
    cmp $0x3200, %ax
    jne bad
    cli
    pushfl
    pop %eax
    test $0x20000, %eax                    # VM is pushed as 0
    jnz bad
    test $0x200, %eax
    jnz bad
    mov $7, %ax
    int $0x41
    cmp $0x4141, %ax
    jne bad
    # Segments are paragraphs without protection; far calls work; limits hold.
    mov $0x2000, %ax
    mov %ax, %es
    movw $0x1234, %es:0
    mov $0x1fff, %ax
    mov %ax, %fs
    cmpw $0x1234, %fs:0x10
    jne bad
    lcall $SEGMENT, $far - low
    cmp $0x1616, %ax
    jne bad
    movl $0, seen - low
    mov $1f - low, %dx
    mov $0xffff, %bx
    mov (%bx), %ax
1:  # Protected-mode instructions: #UD. Privileged ones: #GP.
    mov $1f - low, %dx
    str %ax
1:  cmpw $6, seen - low
    jne bad
    movw $0, seen - low
    mov $1f - low, %dx
    lar %ax, %bx
1:  cmpw $6, seen - low
    jne bad
    mov $1f - low, %dx
    hlt
    jmp bad
1:  mov $1f - low, %dx
    mov %cr0, %eax
    jmp bad
1:  # IN needs the bitmap whatever IOPL is: there is none.
    mov $1f - low, %dx
    in $0x80, %al
    jmp bad
1:  mov $1f - low, %dx
    lgdt 0
    jmp bad
1:  # IRET within the guest.
    pushf
    push %cs
    push $2f - low
    iret
2:  xor %ax, %ax
    mov %ax, %es
    movw $1, result - low
    int $0x41

iopl0:
    mov $1f - low, %dx
    cli
    jmp bad
1:  mov $1f - low, %dx
    sti
    jmp bad
1:  mov $1f - low, %dx
    pushf
    jmp bad
1:  mov $1f - low, %dx
    popf
    jmp bad
1:  mov $1f - low, %dx
    iret
    jmp bad
1:  mov $1f - low, %dx
    int $0x41
    jmp bad
1:  mov $1f - low, %dx
    pushfl
    jmp bad
1:  movw $2, result - low
    xor %ax, %ax
    mov %ax, %es
    int3                                   # needs no IOPL: DPL 3

other_task:
    mov %cs, %ax
    cmp $SEGMENT, %ax
    jne bad
    movw $3, result - low
    xor %ax, %ax
    int $0x41
bad:
    mov %dx, result - low
    xor %ax, %ax
    mov %ax, %es
    int $0x41
far:
    mov $0x1616, %ax
    lret
    .balign 4
result: .long 0
seen: .long 0
low_end:
    .code32
    .data
text: .asciz "virtual-8086 program failed\n"
entry: .long 0
leaving: .long 0
counted: .long 0
saved_esp: .long 0
    .bss
    .balign 4096
tss2: .skip 256
    .text
