# A Multiboot 1 kernel of some bytes that ends the way that is chosen when it is assembled.
# Build: cc -m32 -nostdlib -static -Wl,-N,-Ttext=0x100000,--build-id=none -DEND_... -o end end.S

    .text
    .align 4
    .long 0x1badb002, 0, -0x1badb002

    .globl _start
_start:
    cli
    mov $stack, %esp
#if defined END_TRIPLE_FAULT
    lidt nothing
    int3
#elif defined END_DEBUG_EXIT
    mov $21, %al
    out %al, $0xf4
#elif defined END_POWER_OFF
    mov $0x604, %dx
    mov $0x3400, %ax
    out %ax, %dx
#elif defined END_RESET
    mov $0xcf9, %dx
    mov $6, %al
    out %al, %dx
#elif defined END_SERIAL
    mov $0x3f8, %dx
    mov $text, %esi
    mov $end - text, %ecx
    rep outsb
    mov $0, %al
    out %al, $0xf4
#elif defined END_NEVER
    jmp .
#endif
    hlt
    jmp . - 1

nothing:
    .word 0
    .long 0
text:
    .ascii "Hello from the serial port.\n"
end:
    .bss
    .skip 4096
stack:
