# Bits in registers and memory, a lock, a division, and numbers compared, which leave flags that are looked at or not.
1:  lock cmpxchg %ecx, (%rdi)
    jne 1b
    bts $5, %eax
    jc 1b
    bt %rdx, (%rsi)
    popcnt %rax, %rbx
    shl %cl, %rbx
    xor %edx, %edx
    div %rsi
    ucomisd %xmm1, %xmm0
    ja 1b
    pmovmskb %xmm0, %eax
    test %eax, %eax
    jne 1b
