# Self-modifying code (Intel SDM vol. 3, 8.1.3): a store into code ahead, into the current loop, through another linear address, and by
# a string instruction, takes effect at the next execution.
    .include "guest.inc"
test:
    # A function rewritten between calls.
    mov $1000, %ecx
    xor %ebx, %ebx
1:  incb patched + 1
    call patched
    add %eax, %ebx
    loop 1b
    # The low byte counts 1..255, 0, ... : the sum of (7 + k) & 255 for k = 1..1000.
    xor %edx, %edx
    mov $1, %ecx
2:  lea 7(%rcx), %eax
    movzbl %al, %eax
    add %eax, %edx
    inc %ecx
    cmp $1001, %ecx
    jb 2b
    cmp %edx, %ebx
    check e
    # The very next instruction of a straight run.
    xor %eax, %eax
    movb $0x7b, 3f + 1
    jmp 3f
3:  mov $0x10, %al
    check_eq 0x7b, %rax
    movb $0x55, 4f + 1(%rip)
4:  mov $0x10, %al
    check_eq 0x55, %rax
    # Through an alias: the page of `patched` at another linear address.
    mov $patched, %rdi
    mov %rdi, %rax
    and $~0xfff, %rax
    or $3, %rax
    mov %rax, alias_pt
    movq $alias_pt + 3, pd + 8 * 256
    and $0xfff, %edi
    movb $99, 0x20000001(%rdi)
    call patched
    check_eq 99, %rax
    # By REP MOVSB over the whole function.
    mov $replacement, %esi
    mov $patched, %edi
    mov $replacement_end - replacement, %ecx
    rep movsb
    call patched
    check_eq 0x1234, %rax
    # Data beside code, written in a loop that runs from the same page: must work, and quickly.
    mov $2000000, %ecx
5:  incl beside
    loop 5b
    mov beside, %eax
    check_eq 2000000, %rax
    ret
    .balign 16
patched:
    mov $7, %eax
    ret
    .balign 16
replacement:
    mov $0x1234, %eax
    ret
replacement_end:
    .balign 128
beside: .long 0
    .bss
    .balign 4096
alias_pt: .skip 4096
