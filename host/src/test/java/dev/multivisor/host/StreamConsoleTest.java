package dev.multivisor.host;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(60)
class StreamConsoleTest {
    @Test
    void gathersBytesAndReachesEverySink() {
        AtomicInteger calls = new AtomicInteger();
        ByteArrayOutputStream counted = new ByteArrayOutputStream() {
            @Override
            public void write(byte[] bytes, int offset, int size) {
                calls.incrementAndGet();
                super.write(bytes, offset, size);
            }
        };
        ByteArrayOutputStream log = new ByteArrayOutputStream();
        byte[] sent = "0123456789abcdef".repeat(20_000).getBytes(StandardCharsets.US_ASCII);
        try (StreamConsole console = new StreamConsole(List.of(counted, log))) {
            for (byte value : sent) {
                console.write(value);
            }
        }
        assertArrayEquals(sent, counted.toByteArray());
        assertArrayEquals(sent, log.toByteArray());
        assertTrue(calls.get() < sent.length / 50, "system calls: " + calls);
    }

    @Test
    void aByteAppearsSoon() {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        try (StreamConsole console = new StreamConsole(List.of(out))) {
            console.write((byte) '$');
            console.flush(10_000);
            assertEquals("$", out.toString(StandardCharsets.US_ASCII));
        }
    }

    @Test
    void sinksComeAndGo() {
        ByteArrayOutputStream first = new ByteArrayOutputStream();
        ByteArrayOutputStream guest = new ByteArrayOutputStream();
        try (StreamConsole console = new StreamConsole(List.of(first))) {
            console.write((byte) 'a');
            console.flush(10_000);
            console.add(guest);
            console.write((byte) 'b');
            console.flush(10_000);
            console.remove(guest);
            console.write((byte) 'c');
            console.flush(10_000);
        }
        assertEquals("abc", first.toString(StandardCharsets.US_ASCII));
        assertEquals("b", guest.toString(StandardCharsets.US_ASCII));
    }

    @Test
    void theLastKeyboardIsHeardAlone() throws Exception {
        AtomicInteger displaced = new AtomicInteger();
        try (StreamConsole console = new StreamConsole(List.of());
                StreamConsole.Keyboard own = console.keyboard("me", false, displaced::incrementAndGet)) {
            HostException taken = assertThrows(HostException.class, () -> console.keyboard("you", false, () -> {}));
            assertEquals("console: is in use by me", taken.getMessage());
            assertEquals(0, displaced.get());
            try (StreamConsole.Keyboard other = console.keyboard("you", true, () -> {})) {
                assertEquals(1, displaced.get());
                assertTrue(other.feed(new byte[] {'y'}, 0, 1));
                assertFalse(own.feed(new byte[] {'x'}, 0, 1));
            }
            assertTrue(own.feed(new byte[] {'z'}, 0, 1));
            assertEquals('y', console.read());
            assertEquals('z', console.read());
            assertEquals(-1, console.read());
        }
    }

    @Test
    void aBrokenSinkIsLeftOut() {
        OutputStream broken = new OutputStream() {
            @Override
            public void write(int value) throws IOException {
                throw new IOException("Broken pipe");
            }
        };
        ByteArrayOutputStream log = new ByteArrayOutputStream();
        try (StreamConsole console = new StreamConsole(List.of(broken, log))) {
            console.write((byte) 'a');
            console.flush(10_000);
            console.write((byte) 'b');
            console.flush(10_000);
            assertEquals("Broken pipe", console.failure().orElseThrow().getMessage());
        }
        assertEquals("ab", log.toString(StandardCharsets.US_ASCII));
    }

    @Test
    void inputWaitsForTheGuest() throws Exception {
        byte[] sent = new byte[200_000];
        for (int n = 0; n < sent.length; n++) {
            sent[n] = (byte) (n * 31);
        }
        try (StreamConsole console = new StreamConsole(List.of())) {
            AtomicInteger calls = new AtomicInteger();
            console.onInput(calls::incrementAndGet);
            assertEquals(-1, console.read());
            Thread feeder = Thread.ofPlatform().start(() -> {
                try {
                    console.feed(sent, 0, sent.length);
                } catch (InterruptedException e) {
                    throw new IllegalStateException(e);
                }
            });
            for (byte expected : sent) {
                int value;
                while ((value = console.read()) < 0) {
                    Thread.onSpinWait();
                }
                assertEquals(expected & 0xff, value);
            }
            feeder.join();
            assertEquals(-1, console.read());
            assertTrue(calls.get() >= 4);
        }
    }

    @Test
    void aLateListenerHearsOfWaitingInput() throws Exception {
        try (StreamConsole console = new StreamConsole(List.of())) {
            console.feed(new byte[] {1}, 0, 1);
            AtomicInteger calls = new AtomicInteger();
            console.onInput(calls::incrementAndGet);
            assertEquals(1, calls.get());
        }
    }

    @Test
    void closingFreesWhoeverWaits() throws Exception {
        StreamConsole console = new StreamConsole(List.of());
        Thread feeder = Thread.ofPlatform().start(() -> {
            try {
                console.feed(new byte[100_000], 0, 100_000);
            } catch (InterruptedException e) {
                throw new IllegalStateException(e);
            }
        });
        console.close();
        console.write((byte) 0);
        feeder.join();
    }
}
