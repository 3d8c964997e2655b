package dev.multivisor.watch;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.Set;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Tables as scripts/kallsyms.c writes them, among other data. */
class KallsymsTest {
    private static final int COUNT = 3000;

    /** Symbols as a kernel has them: per-CPU ones below all others, and two at one address now and then. */
    private static long address(int n, long base) {
        return n < 10 ? n * 8L : base + (n - 10L) / 2 * 0x20;
    }

    private static String name(int n) {
        return n == 700 ? "long_name_" + "x1".repeat(80) : "function_" + n;
    }

    /** One token for each character that is used, and {@code function_} as one. */
    private static List<String> tokens() {
        return IntStream.range(0, 256)
                .mapToObj(n -> n == 1 ? "function_" : n < '0' ? "T" + (char) ('a' + n % 26) : Character.toString(n))
                .toList();
    }

    private static byte[] names(int[] marks) {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        for (int n = 0; n < COUNT; n++) {
            if (n % 256 == 0) {
                marks[n / 256] = out.size();
            }
            byte[] name = ("T" + name(n).replace("function_", "\001")).getBytes(StandardCharsets.ISO_8859_1);
            if (name.length > 0x7f) {
                out.write(name.length & 0x7f | 0x80);
                out.write(name.length >> 7);
            } else {
                out.write(name.length);
            }
            out.writeBytes(name);
        }
        return out.toByteArray();
    }

    private static void align(ByteBuffer to) {
        to.position((to.position() + 7) / 8 * 8);
    }

    private static void offsets(ByteBuffer to, long base) {
        align(to);
        for (int n = 0; n < COUNT; n++) {
            long address = address(n, base);
            to.putInt(n < 10 ? (int) address : (int) (base - 1 - address));
        }
        align(to);
        to.putLong(base);
    }

    private static byte[] image(boolean old, long base) {
        Random random = new Random(7);
        byte[] bytes = new byte[1 << 18];
        random.nextBytes(bytes);
        ByteBuffer to = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).position(0x4008);
        Arrays.fill(bytes, 0x4000, 0x20000, (byte) 0);
        if (old) {
            offsets(to, base);
        }
        to.putLong(COUNT);
        int[] marks = new int[(COUNT + 255) / 256];
        to.put(names(marks));
        align(to);
        Arrays.stream(marks).forEach(to::putInt);
        align(to);
        short[] index = new short[256];
        int start = to.position();
        for (int n = 0; n < 256; n++) {
            index[n] = (short) (to.position() - start);
            to.put((tokens().get(n) + "\0").getBytes(StandardCharsets.ISO_8859_1));
        }
        align(to);
        for (short one : index) {
            to.putShort(one);
        }
        if (!old) {
            offsets(to, base);
        }
        return Arrays.copyOf(bytes, to.position());
    }

    @ParameterizedTest
    @CsvSource({"true, ffffffff81000000", "false, ffffffff81000000", "true, ffffffffa7e00000", "false, ffffffff9b400000"
    })
    void bothOrdersAndAnyBase(boolean old, String hexadecimal) {
        long base = Long.parseUnsignedLong(hexadecimal, 16);
        Kallsyms symbols = Kallsyms.find(image(old, base)).orElseThrow();
        assertEquals(COUNT, symbols.count());
        Set<String> wanted = Set.of("function_10", "function_2999", name(700), "function_3", "absent");
        assertEquals(
                Map.of(
                        "function_10",
                        base,
                        "function_2999",
                        address(2999, base),
                        name(700),
                        address(700, base),
                        "function_3",
                        24L),
                symbols.addresses(wanted));
        assertEquals(Optional.of("function_10"), symbols.symbol(base));
        assertEquals(Optional.of("function_10+0x1f"), symbols.symbol(base + 0x1f));
        assertEquals(Optional.of(name(700) + "+0x3"), symbols.symbol(address(700, base) + 3));
        assertEquals(Optional.of("function_2998+0x1000"), symbols.symbol(address(2999, base) + 0x1000));
        assertEquals(base + 0x20, symbols.next(base));
        assertEquals(address(2999, base), symbols.next(address(2999, base)));
    }

    /** A base that the kernel has not relocated, and tables that do not fit together, are none. */
    @Test
    void whatDoesNotFitIsNotTaken() {
        assertEquals(Optional.empty(), Kallsyms.find(new byte[0]));
        assertEquals(Optional.empty(), Kallsyms.find(image(true, 0x1000)));
        byte[] good = image(false, 0xffff_ffff_8100_0000L);
        for (int cut : new int[] {0x4100, 0x8000, good.length - COUNT, good.length - 1}) {
            assertEquals(Optional.empty(), Kallsyms.find(Arrays.copyOf(good, cut)), "cut at " + cut);
        }
        // No damage to any byte of what is not names makes it fail in another way than by not being found.
        Random random = new Random(3);
        for (int n = 0; n < 300; n++) {
            byte[] damaged = good.clone();
            damaged[0x4000 + random.nextInt(good.length - 0x4000)] ^= (byte) (1 + random.nextInt(255));
            Kallsyms.find(damaged).ifPresent(symbols -> assertEquals(COUNT, symbols.count()));
        }
    }
}
