# Command 0xfe of the keyboard controller pulses the reset line.
# expect: RESET
    .include "guest.inc"
test:
    mov $0x100000, %ecx
1:  in $0x64, %al                          # input buffer empty
    test $2, %al
    jz 2f
    loop 1b
    mov $text, %edi
    jmp fail
2:  mov $0xfe, %al
    out %al, $0x64
    mov $text, %edi
    jmp fail
    .section .rodata
text: .asciz "no reset\n"
    .text
