package dev.multivisor.watch;

import java.nio.charset.StandardCharsets;
import java.util.Optional;
import java.util.OptionalLong;

/**
 * The modules of a Linux kernel, as far as is needed to say whose code an address is in. The list and the name have been
 * at the same place in struct module for long (include/linux/module.h); where a module's memory is noted depends on version
 * and configuration, so a pointer to a page followed by a size that takes the address in is taken for it.
 */
final class GuestModules {
    private static final int LIST = 8, NAME = 24, NAME_BYTES = 56, STRUCT = 0x380;
    private static final int MOST = 4096, LARGEST = 64 << 20;

    private final AddressSpace space;
    private final long head;

    /** @param head linear address of the list's head, the symbol {@code modules} */
    GuestModules(AddressSpace space, long head) {
        this.space = space;
        this.head = head;
    }

    /** The name of the module that has this address. */
    Optional<String> of(long address) {
        byte[] module = new byte[STRUCT];
        OptionalLong node = space.load(head);
        for (int n = 0; n < MOST && node.isPresent() && node.getAsLong() != head; n++) {
            if (!space.load(node.getAsLong() - LIST, module)) {
                return Optional.empty();
            }
            if (has(module, address)) {
                return Optional.of(name(module));
            }
            node = OptionalLong.of(GuestKernel.word(module, LIST));
        }
        return Optional.empty();
    }

    private static boolean has(byte[] module, long address) {
        for (int at = NAME + NAME_BYTES; at + 24 <= STRUCT; at += 8) {
            long inside = address - GuestKernel.word(module, at);
            if ((GuestKernel.word(module, at) & 0xfff) == 0 && inside >= 0 && inside < LARGEST) {
                int size = (int) GuestKernel.word(module, at + 8);
                if (inside < size && size <= LARGEST) {
                    return true;
                }
            }
        }
        return false;
    }

    private static String name(byte[] module) {
        int end = NAME;
        while (end < NAME + NAME_BYTES && module[end] > ' ' && module[end] < 0x7f) {
            end++;
        }
        return new String(module, NAME, end - NAME, StandardCharsets.US_ASCII);
    }
}
