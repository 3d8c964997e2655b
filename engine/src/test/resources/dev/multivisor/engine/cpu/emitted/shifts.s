# Shifts, a rotation, a multiplication and bits, as hashes have them.
1:  movslq %edi, %rax
    shl $5, %rax
    shr $3, %edx
    ror $7, %ecx
    imul $0x1e3779b1, %rax, %rbx
    xor %rbx, %rdi
    and $0xff, %edx
    or %dl, %ah
    bswap %eax
    jmp 1b
