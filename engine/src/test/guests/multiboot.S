# What a Multiboot kernel is given: magic, flags, memory map, command line, modules (Multiboot specification 0.6.96, 3.3); fw_cfg's
# signature and memory size; ports and addresses that nobody claims.
# command line: first second=3
# module: the first module
# module: another one
    .include "guest.inc"
test:
    mov multiboot_magic, %eax
    check_eq 0x2badb002, %rax
    mov multiboot_info, %ebx
    mov (%rbx), %eax                       # flags: memory, command line, modules, map
    and $0x4d, %eax
    check_eq 0x4d, %rax
    mov 4(%rbx), %eax                      # lower memory, KiB
    cmp $640, %eax
    check be
    mov 8(%rbx), %eax                      # upper memory: 63 MiB
    check_eq 63*1024, %rax
    # The command line ends with what was given; a boot loader may put the kernel's name before.
    mov 16(%rbx), %esi
    xor %eax, %eax
    mov %esi, %edi
    mov $4096, %ecx
    repne scasb
    lea -15(%rdi), %esi
    mov $command_line, %edi
    mov $15, %ecx
    repe cmpsb
    check e
    # Modules: two, page-aligned, with content.
    mov 20(%rbx), %eax
    check_eq 2, %rax
    mov 24(%rbx), %ebp
    mov (%rbp), %esi
    test $0xfff, %esi
    check z
    mov 4(%rbp), %ecx
    sub %esi, %ecx
    check_eq 16, %rcx
    mov $first, %edi
    repe cmpsb
    check e
    mov 16(%rbp), %esi
    mov 20(%rbp), %ecx
    sub %esi, %ecx
    check_eq 11, %rcx
    mov $second, %edi
    repe cmpsb
    check e
    # No module lies in the kernel.
    mov (%rbp), %eax
    cmp $user_top, %eax
    check a
    # The memory map: entries are ordered and do not overlap; RAM adds up to 64 MiB but for holes below 1 MiB.
    mov 48(%rbx), %esi
    mov 44(%rbx), %r8d
    add %rsi, %r8
    xor %r9, %r9                           # RAM
    xor %r10, %r10                         # end of the last one
1:  mov 4(%rsi), %rax
    cmp %r10, %rax
    check ae
    mov 12(%rsi), %rcx
    lea (%rax, %rcx), %r10
    cmpl $1, 20(%rsi)
    jne 2f
    add %rcx, %r9
2:  mov (%rsi), %eax
    lea 4(%rsi, %rax), %rsi
    cmp %r8, %rsi
    jb 1b
    cmp $0x4000000, %r9
    check be
    cmp $0x3f00000, %r9
    check ae

    # fw_cfg: selector at 0x510, data at 0x511: "QEMU"; key 3 is the RAM size.
    xor %eax, %eax
    call select
    call byte
    cmp $'Q', %al
    check e
    call byte
    cmp $'E', %al
    check e
    call byte
    cmp $'M', %al
    check e
    call byte
    cmp $'U', %al
    check e
    mov $3, %eax
    call select
    xor %ebx, %ebx
    mov $8, %ecx
3:  call byte
    movzbl %al, %eax
    or %rax, %rbx
    ror $8, %rbx
    loop 3b
    check_eq 0x4000000, %rbx
    mov $5, %eax                           # number of processors
    call select
    call byte
    cmp $1, %al
    check e
    # An unknown key reads zeros.
    mov $0x7fff, %eax
    call select
    call byte
    test %al, %al
    check z

    # Nobody is there: all ones, in each size; writes vanish.
    mov $0x2f0, %edx
    in (%dx), %al
    cmp $0xff, %al
    check e
    in (%dx), %ax
    cmp $0xffff, %ax
    check e
    in (%dx), %eax
    check_eq 0xffffffff, %rax
    out %eax, (%dx)
    # An access that begins on one device and ends beyond it.
    mov $0xffff, %edx
    in (%dx), %al
    cmp $0xff, %al
    check e
    movq $extra_pd + 3, pdpt + 8 * 3
    movabs $0xd000009b, %rax               # 0xd0000000
    mov %rax, extra_pd + 8 * (0xd0000000 >> 21 & 511)
    mov $0xd0000000, %ebx
    movzbl (%rbx), %eax
    check_eq 0xff, %rax
    movzwl 2(%rbx), %eax
    check_eq 0xffff, %rax
    mov 4(%rbx), %eax
    check_eq 0xffffffff, %rax
    mov 8(%rbx), %rax
    check_eq -1, %rax
    movups 0x10(%rbx), %xmm0
    movq %xmm0, %rax
    check_eq -1, %rax
    movl $0, (%rbx)
    mov (%rbx), %eax
    check_eq 0xffffffff, %rax
    lock incl (%rbx)
    mov $1, %eax
    lock xadd %eax, (%rbx)
    check_eq 0xffffffff, %rax
    # Just above the memory.
    movq $0x4000000 + 0x83, pd + 8 * 32
    mov 0x4000000, %eax
    check_eq 0xffffffff, %rax
    # A read across the end of memory: the part in RAM is RAM's.
    movl $0x44332211, 0x3fffffc
    mov 0x3fffffe, %eax
    check_eq 0xffff4433, %rax
    # Code there: 0xff 0xff is no instruction.
    mov $0xd0000000, %eax
    mov %rsp, %rbp
    faulting
    call *%rax
    faulted 6
    mov %rbp, %rsp
    ret
select:
    mov $0x510, %edx
    out %ax, (%dx)
    ret
byte:
    mov $0x511, %edx
    in (%dx), %al
    ret
    .section .rodata
command_line: .asciz "first second=3"
first: .ascii "the first module"
second: .ascii "another one"
    .bss
    .balign 4096
extra_pd: .skip 4096
    .text
