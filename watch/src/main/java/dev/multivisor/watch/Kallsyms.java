package dev.multivisor.watch;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * The symbols that a Linux kernel has of itself, read from its image in memory (kernel/kallsyms.c, written by
 * scripts/kallsyms.c of the kernel's build). Nothing tells where the tables are, so they are looked for by what they are
 * like, and taken when all of them fit together: the tokens for the digits, the index of 256 tokens, a number
 * of symbols whose names end where a table of markers has the right offsets, and that number of addresses. Up to Linux
 * 6.3 the addresses come before the names, from then on after the tokens. The addresses are relative to one that
 * the kernel has relocated when it started, so with KASLR they are right too.
 */
final class Kallsyms {
    private static final VarHandle INT = MethodHandles.byteArrayViewVarHandle(int[].class, ByteOrder.LITTLE_ENDIAN);
    private static final VarHandle LONG = MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.LITTLE_ENDIAN);

    private static final int TOKENS = 256, MARK = 256;
    private static final int FEWEST = 1_000, MOST = 2_000_000;
    private static final byte[] DIGITS =
            "0\0001\0002\0003\0004\0005\0006\0007\0008\0009\000".getBytes(StandardCharsets.US_ASCII);

    /** Where the kernel's image is mapped at the lowest (__START_KERNEL_map). */
    static final long LOWEST = 0xffff_ffff_8000_0000L;

    private final byte[] names;
    private final int[] marks;
    private final String[] tokens;

    /** By number, ascending as unsigned numbers. */
    private final long[] addresses;

    private Kallsyms(byte[] names, int[] marks, String[] tokens, long[] addresses) {
        this.names = names;
        this.marks = marks;
        this.tokens = tokens;
        this.addresses = addresses;
    }

    /** The tables in a piece of memory, if they are there. Their places in it are multiples of 8. */
    static Optional<Kallsyms> find(byte[] image) {
        for (int at = 0; at + DIGITS.length < image.length; at++) {
            if (image[at] == '0' && matches(image, at)) {
                Optional<Kallsyms> found = new Search(image).around(at);
                if (found.isPresent()) {
                    return found;
                }
            }
        }
        return Optional.empty();
    }

    private static boolean matches(byte[] image, int at) {
        for (int n = 0; n < DIGITS.length; n++) {
            if (image[at + n] != DIGITS[n]) {
                return false;
            }
        }
        return true;
    }

    /** Fits the tables together. */
    private record Search(byte[] image) {
        Optional<Kallsyms> around(int digits) {
            int end = digits;
            for (int token = '0'; token < TOKENS; token++) {
                while (end < image.length && image[end] != 0) {
                    end++;
                }
                end++;
            }
            int index = align(end, 8);
            if (index + 2 * TOKENS > image.length) {
                return Optional.empty();
            }
            int start = digits - offset(index, '0');
            if (start < 8 || start % 8 != 0) {
                return Optional.empty();
            }
            String[] tokens = new String[TOKENS];
            int at = start;
            for (int token = 0; token < TOKENS; token++) {
                if (at - start != offset(index, token)) {
                    return Optional.empty();
                }
                int next = at;
                while (next < end && image[next] != 0) {
                    next++;
                }
                tokens[token] = new String(image, at, next - at, StandardCharsets.ISO_8859_1);
                at = next + 1;
            }
            for (int count = start - 8; count >= 0; count -= 8) {
                int symbols = (int) INT.get(image, count);
                if (symbols >= FEWEST && symbols <= MOST && (int) INT.get(image, count + 4) == 0) {
                    Optional<Kallsyms> found = with(symbols, count, start, index, tokens);
                    if (found.isPresent()) {
                        return found;
                    }
                }
            }
            return Optional.empty();
        }

        private int offset(int index, int token) {
            return image[index + 2 * token] & 0xff | (image[index + 2 * token + 1] & 0xff) << 8;
        }

        private Optional<Kallsyms> with(int symbols, int count, int limit, int index, String[] tokens) {
            int names = count + 8;
            int[] marks = new int[(symbols + MARK - 1) / MARK];
            int at = names;
            for (int n = 0; n < symbols; n++) {
                if (n % MARK == 0) {
                    marks[n / MARK] = at - names;
                }
                int length = length(image, at);
                at += length + (length > 0x7f ? 2 : 1);
                if (length == 0 || at >= limit) {
                    return Optional.empty();
                }
            }
            int table = align(at, 8);
            if (table + 4 * marks.length > limit) {
                return Optional.empty();
            }
            for (int n = 0; n < marks.length; n++) {
                if ((int) INT.get(image, table + 4 * n) != marks[n]) {
                    return Optional.empty();
                }
            }
            byte[] copy = java.util.Arrays.copyOfRange(image, names, at);
            int before = count - 8;
            int after = index + 2 * TOKENS;
            return addresses(symbols, before - align(4 * symbols, 8), before)
                    .or(() -> addresses(symbols, after, after + align(4 * symbols, 8)))
                    .map(all -> new Kallsyms(copy, marks, tokens, all));
        }

        /** Offsets and what they are relative to (CONFIG_KALLSYMS_BASE_RELATIVE, with absolute ones for per-CPU data). */
        private Optional<long[]> addresses(int symbols, int offsets, int base) {
            if (offsets < 0 || base + 8 > image.length) {
                return Optional.empty();
            }
            long relative = (long) LONG.get(image, base);
            if (Long.compareUnsigned(relative, LOWEST) < 0 || (relative & 0xfff) != 0) {
                return Optional.empty();
            }
            long[] addresses = new long[symbols];
            for (int n = 0; n < symbols; n++) {
                int offset = (int) INT.get(image, offsets + 4 * n);
                addresses[n] = offset >= 0 ? offset : relative - 1 - offset;
                if (n > 0 && Long.compareUnsigned(addresses[n], addresses[n - 1]) < 0) {
                    return Optional.empty();
                }
            }
            return Optional.of(addresses);
        }
    }

    private static int align(int value, int to) {
        return (value + to - 1) / to * to;
    }

    /** A name's number of tokens: one byte, or two for 128 and more. */
    private static int length(byte[] bytes, int at) {
        int first = bytes[at] & 0xff;
        return first < 0x80 || at + 1 == bytes.length ? first : first & 0x7f | (bytes[at + 1] & 0xff) << 7;
    }

    /** How many there are. */
    int count() {
        return addresses.length;
    }

    /** The addresses of the symbols of these names; a name that several have stands for the first. */
    Map<String, Long> addresses(Set<String> wanted) {
        Map<String, Long> found = new HashMap<>();
        int at = 0;
        for (long address : addresses) {
            String name = name(at);
            if (wanted.contains(name)) {
                found.putIfAbsent(name, address);
            }
            at = next(at);
        }
        return found;
    }

    /** The first address above one that has a symbol; the same if none has. */
    long next(long address) {
        int n = floor(address) + 1;
        return n < addresses.length ? addresses[n] : address;
    }

    /** What is at an address, as {@code name+0x10}; empty below the first symbol. */
    Optional<String> symbol(long address) {
        int n = floor(address);
        if (n < 0) {
            return Optional.empty();
        }
        while (n > 0 && addresses[n - 1] == addresses[n]) {
            n--;
        }
        int at = marks[n / MARK];
        for (int skipped = n / MARK * MARK; skipped < n; skipped++) {
            at = next(at);
        }
        long inside = address - addresses[n];
        return Optional.of(name(at) + (inside == 0 ? "" : "+0x" + Long.toHexString(inside)));
    }

    /** The last symbol at or below an address, or -1. */
    private int floor(long address) {
        int low = 0;
        int high = addresses.length;
        while (low < high) {
            int middle = low + high >>> 1;
            if (Long.compareUnsigned(addresses[middle], address) <= 0) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        return low - 1;
    }

    private int next(int at) {
        int length = length(names, at);
        return at + length + (length > 0x7f ? 2 : 1);
    }

    /** Without the first letter, which is the symbol's kind. */
    private String name(int at) {
        int length = length(names, at);
        int first = at + (length > 0x7f ? 2 : 1);
        StringBuilder name = new StringBuilder();
        for (int n = 0; n < length; n++) {
            name.append(tokens[names[first + n] & 0xff]);
        }
        return name.isEmpty() ? "" : name.substring(1);
    }
}
