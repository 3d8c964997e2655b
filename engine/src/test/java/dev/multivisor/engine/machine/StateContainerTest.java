package dev.multivisor.engine.machine;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.multivisor.api.EngineException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.zip.CRC32C;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;

/** A container that is cut, damaged or from elsewhere is refused, and the message names what is wrong. */
class StateContainerTest {
    private record Inner(int a, long[] values) {}

    private record Outer(Inner inner, List<Inner> list, boolean flag) {}

    private static final Outer STATE =
            new Outer(new Inner(7, new long[] {1, -1, Long.MIN_VALUE}), List.of(new Inner(8, new long[0])), true);

    private static byte[] bytes() {
        return StateContainer.of("test 1", Set.of()).put("part", 3, STATE).toBytes();
    }

    private static String refused(byte[] bytes) {
        String message = assertThrows(EngineException.class, () -> StateContainer.parse(bytes))
                .getMessage();
        assertTrue(message.startsWith("state: ") && message.indexOf('\n') < 0, message);
        return message;
    }

    @Test
    void whatIsPutIsTaken() {
        StateContainer read = StateContainer.parse(bytes());
        assertEquals("test 1", read.producer());
        Outer outer = read.take("part", 3, Outer.class);
        read.finish();
        assertEquals(7, outer.inner.a);
        assertArrayEquals(STATE.inner.values, outer.inner.values);
        assertEquals(1, outer.list.size());
        assertTrue(outer.flag);
    }

    @Test
    void anyCutIsRefused() {
        byte[] bytes = bytes();
        for (int length = 0; length < bytes.length; length++) {
            String message = refused(Arrays.copyOf(bytes, length));
            assertTrue(message.contains(length < 20 ? "magic" : "length"), message);
        }
        assertTrue(refused(Arrays.copyOf(bytes, bytes.length + 1)).contains("length"));
    }

    @Test
    void anyFlippedBitIsRefused() {
        byte[] bytes = bytes();
        for (int bit = 0; bit < bytes.length * 8; bit++) {
            byte[] damaged = bytes.clone();
            damaged[bit / 8] ^= (byte) (1 << bit % 8);
            String message = refused(damaged);
            String expected = bit < 64 ? "magic" : bit < 96 ? "format" : bit < 128 ? "length" : "checksum";
            assertTrue(message.contains(expected), message);
        }
    }

    @Test
    void whatNobodyWantsOrHasIsNamed() {
        assertRefusal(
                "section 'other' is missing",
                () -> StateContainer.parse(bytes()).take("other", 3, Outer.class));
        assertRefusal(
                "unknown section 'part'", () -> StateContainer.parse(bytes()).finish());
        assertRefusal(
                "section 'part' has version 3, this engine takes 4",
                () -> StateContainer.parse(bytes()).take("part", 4, Outer.class));
    }

    /** Fields that the record does not have, or has and does not find. */
    @Test
    void fieldsAreNamed() {
        record Less(Inner inner, boolean flag) {}
        record More(Inner inner, List<Inner> list, boolean flag, int more) {}
        assertRefusal("list", () -> StateContainer.parse(bytes()).take("part", 3, Less.class));
        assertRefusal("more", () -> StateContainer.parse(bytes()).take("part", 3, More.class));
        record OtherType(Inner inner, long list, boolean flag) {}
        assertRefusal("part", () -> StateContainer.parse(bytes()).take("part", 3, OtherType.class));
        byte[] missing = StateContainer.of("test 1", Set.of())
                .put("part", 3, new Outer(null, List.of(), true))
                .toBytes();
        assertRefusal(
                "'part': inner: is missing", () -> StateContainer.parse(missing).take("part", 3, Outer.class));
        byte[] deep = StateContainer.of("test 1", Set.of())
                .put("part", 3, new Outer(STATE.inner, List.of(new Inner(1, null)), true))
                .toBytes();
        assertRefusal(
                "list[0].values: is missing", () -> StateContainer.parse(deep).take("part", 3, Outer.class));
    }

    /** Every type of component, with values at the edges. */
    @Test
    void whatIsReadIsWhatWasWritten() {
        record All(
                int i, long l, boolean b, byte[] bytes, int[] ints, long[] longs, String s, Inner r, List<Inner> rs) {}
        int[] ints = new int[100];
        ints[16] = Integer.MIN_VALUE;
        All all = new All(
                Integer.MAX_VALUE,
                Long.MIN_VALUE,
                true,
                new byte[] {1, -1},
                ints,
                new long[] {0},
                "x",
                STATE.inner,
                List.of());
        All read = StateTravel.read(StateTravel.write(all), All.class);
        assertEquals(Optional.empty(), RecordCodec.of(All.class).difference(all, read));
        All other = new All(
                Integer.MIN_VALUE, 1L << 40, false, new byte[0], new int[0], new long[17], "", STATE.inner, STATE.list);
        read = StateTravel.read(StateTravel.write(other), All.class);
        assertEquals(Optional.empty(), RecordCodec.of(All.class).difference(other, read));
        assertEquals(
                Optional.of("i: -2147483648 instead of 2147483647"),
                RecordCodec.of(All.class).difference(all, other));
    }

    @Test
    void differencesAreNamed() {
        RecordCodec<Outer> codec = RecordCodec.of(Outer.class);
        Outer inside = new Outer(STATE.inner, List.of(new Inner(8, new long[] {5})), true);
        assertEquals(Optional.of("list[0].values[0]: differs"), codec.difference(STATE, inside));
        assertEquals(
                Optional.of("list: 0 elements instead of 1"),
                codec.difference(STATE, new Outer(STATE.inner, List.of(), true)));
        assertEquals(
                Optional.of("flag: false instead of true"),
                codec.difference(STATE, new Outer(STATE.inner, STATE.list, false)));
    }

    /** What is there twice would be dropped once. */
    @Test
    void duplicatesAreNamed() {
        byte[] good = bytes();
        byte[] content = Arrays.copyOfRange(good, 20, good.length);
        String text = new String(content, StandardCharsets.ISO_8859_1);
        byte[] field = text.replace("dflag", "dlist").getBytes(StandardCharsets.ISO_8859_1);
        assertRefusal(
                "section 'part': list: is there twice",
                () -> StateContainer.parse(framed(field)).take("part", 3, Outer.class));
        byte[] sections = StateContainer.of("test 1", Set.of())
                .put("part", 3, STATE)
                .put("port", 3, STATE)
                .toBytes();
        text = new String(sections, 20, sections.length - 20, StandardCharsets.ISO_8859_1);
        byte[] twice = text.replace("dport", "dpart").getBytes(StandardCharsets.ISO_8859_1);
        assertTrue(refused(framed(twice)).contains("sections.part: is there twice"));
        assertTrue(refused(framed((text + "\0").getBytes(StandardCharsets.ISO_8859_1)))
                .contains("behind its end"));
    }

    /** Content that is no CBOR, with a checksum that is right. */
    @Test
    void anyContentIsRefused() {
        SplittableRandom random = new SplittableRandom(1);
        byte[] good = bytes();
        for (int n = 0; n < 20_000; n++) {
            byte[] content = Arrays.copyOfRange(good, 20, good.length);
            if (n % 4 == 0) {
                content = new byte[random.nextInt(64)];
                random.nextBytes(content);
            } else if (n % 4 == 1) {
                content = Arrays.copyOf(content, random.nextInt(content.length));
            } else {
                for (int k = random.nextInt(3); k >= 0; k--) {
                    content[random.nextInt(content.length)] = (byte) random.nextInt();
                }
            }
            try {
                StateContainer.parse(framed(content)).take("part", 3, Outer.class);
            } catch (EngineException e) {
                assertTrue(e.getMessage().startsWith("state: "), e.getMessage());
            }
        }
        // Lengths that memory would not hold, and nesting that a stack would not.
        for (int type : new int[] {0x5a, 0x7a, 0x9a, 0xba}) {
            refused(framed(new byte[] {(byte) type, 0x7f, (byte) 0xff, (byte) 0xff, (byte) 0xff, 0}));
        }
        byte[] nested = new byte[1 << 20];
        Arrays.fill(nested, (byte) 0x81);
        refused(framed(nested));
    }

    /** A content with the header that belongs to it. */
    static byte[] framed(byte[] content) {
        CRC32C crc = new CRC32C();
        crc.update(content);
        return ByteBuffer.allocate(20 + content.length)
                .order(ByteOrder.LITTLE_ENDIAN)
                .put("MVSTATE\n".getBytes(StandardCharsets.US_ASCII))
                .putInt(1)
                .putInt(content.length)
                .putInt((int) crc.getValue())
                .put(content)
                .array();
    }

    private static void assertRefusal(String expected, Executable action) {
        String message = assertThrows(EngineException.class, action).getMessage();
        assertTrue(message.contains(expected), message);
    }
}
