# A Multiboot 1 kernel like the driver of a GPU: on two processors, it changes a tree of page tables of three levels as
# fast as it can and at random. Entries name tables, pages, pages that are tables already (also of another level, or
# themselves), and nothing; tables are moved, that is copied and named anew; and freed pages are written with anything.
# Build: cc -m32 -nostdlib -static -Wl,-N,-Ttext=0x100000,--build-id=none -o gtt gtt.S

    .set APIC, 0xfee00000
    .set TRAMPOLINE, 0x8000
    .set ROUNDS, 0x1ff000                  # how often each processor has been through its loop
    .set TABLES, 0x200000                  # the root, and 15 pages more that may become tables

    .text
    .align 4
    .long 0x1badb002, 0, -0x1badb002

    .globl _start
_start:
    cli
    lgdt gdt_pointer
    ljmp $8, $1f
1:  mov $trampoline, %esi
    mov $TRAMPOLINE, %edi
    mov $trampoline_end - trampoline, %ecx
    rep movsb
    mov $APIC, %ebp
    movl $0x1ff, 0xf0(%ebp)
    movl $1 << 24, 0x310(%ebp)
    movl $0xc500, 0x300(%ebp)              # INIT, level, assert
    movl $0x8500, 0x300(%ebp)              # de-assert
    mov $100000, %ecx
    loop .
    movl $0x600 + (TRAMPOLINE >> 12), 0x300(%ebp)
    mov $0x12345678, %ebp                  # the random number
    mov $ROUNDS, %esp
    jmp work

second:
    mov $0x10, %eax
    mov %eax, %ds
    mov %eax, %es
    mov %eax, %ss
    mov $0x9abcdef1, %ebp
    mov $ROUNDS + 8, %esp
work:
    cld
2:  incl (%esp)
    imul $1664525, %ebp, %ebp
    add $1013904223, %ebp
    mov %ebp, %eax                         # where: one of 16 pages, one of 8 entries
    shr $8, %eax
    mov %eax, %edi
    and $0xf, %edi
    shl $12, %edi
    mov %eax, %ebx
    shr $4, %ebx
    and $7, %ebx
    lea TABLES(%edi, %ebx, 8), %edi
    mov %eax, %ebx                         # what: a page, of the tables in three of four cases
    shr $7, %ebx
    and $0x3f, %ebx
    cmp $48, %ebx
    jae 3f
    and $0xf, %ebx
3:  shl $12, %ebx
    add $TABLES + 1, %ebx
    shr $13, %eax
    and $0x1f, %eax
    jz move
    cmp $12, %eax
    jae 4f
    xor %ebx, %ebx                         # nothing
4:  cmp $31, %eax
    je 5f
    mov %ebx, (%edi)
    jmp 2b
5:  movl $0x100, 4(%edi)                   # far beyond memory
    mov %ebx, (%edi)
    movl $0, 4(%edi)
    jmp 2b

move:                                      # the table that the entry names, to the page it would name next
    mov (%edi), %esi
    and $0xffff000, %esi
    cmp $TABLES, %esi
    jb 2b
    cmp $TABLES + 0xf000, %esi
    ja 2b
    and $0xf000, %ebx
    add $TABLES, %ebx
    mov %edi, %edx
    mov %ebx, %edi
    mov $16, %ecx
    rep movsl
    or $1, %ebx
    lock xchg %ebx, (%edx)
    and $0xffff000, %ebx                   # the old one gets other content
    mov %ebx, %edi
    mov %ebp, %eax
    mov $16, %ecx
    rep stosl
    jmp 2b

    .code16
trampoline:
    cli
    mov %cs, %ax
    mov %ax, %ds
    lgdtl gdt_copy - trampoline
    mov $0x11, %eax
    mov %eax, %cr0
    ljmpl $8, $second
    .balign 4
gdt_copy:
    .word 23
    .long gdt
trampoline_end:

    .balign 8
gdt:
    .quad 0, 0x00cf9b000000ffff, 0x00cf93000000ffff
gdt_pointer:
    .word 23
    .long gdt
