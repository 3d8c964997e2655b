# A loop with a counter.
1:  add %rcx, %rax
    dec %ecx
    jnz 1b
