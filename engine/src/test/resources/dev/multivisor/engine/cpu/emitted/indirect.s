# A jump through a register, to where nothing is known of, and one through a table.
    test %rdi, %rdi
    je 1f
    jmp *%rdi
1:  jmp *(%rsi,%rax,8)
