# The reset control register, port 0xcf9 (ACPI 6.5, 4.8.3.6).
# expect: RESET
    .include "guest.inc"
test:
    mov $0xcf9, %edx
    mov $0x02, %al
    out %al, (%dx)                         # the kind of reset only
    mov $0x06, %al
    out %al, (%dx)
    mov $text, %edi
    jmp fail
    .section .rodata
text: .asciz "went on after a reset\n"
    .text
