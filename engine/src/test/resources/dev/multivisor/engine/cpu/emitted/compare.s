# Comparisons and branches, signed, unsigned and of a bit, and a value chosen without a branch.
1:  cmp %rbx, %rax
    jl 2f
    cmp $0x1234, %edx
    ja 2f
    test $4, %cl
    jne 2f
    cmp %esi, %edi
    cmovb %edi, %esi
    sete %al
2:  inc %rax
    jmp 1b
