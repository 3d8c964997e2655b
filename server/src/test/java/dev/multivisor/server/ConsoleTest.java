package dev.multivisor.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.multivisor.host.StreamConsole;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.BooleanSupplier;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Attaching to a guest that says back what it reads. */
@Timeout(120)
class ConsoleTest {
    @TempDir
    Path work;

    private ServedMachine served;

    @BeforeEach
    void serve() throws Exception {
        served = new ServedMachine(work);
    }

    @AfterEach
    void close() {
        served.close();
    }

    /** Somebody attached, and what was shown. */
    private final class Terminal implements AutoCloseable {
        private final StringBuffer shown = new StringBuffer();
        private final ConsoleLink link;

        Terminal(boolean force) {
            link = served.client.console(
                    served.socket.path(),
                    "vm",
                    force,
                    bytes -> shown.append(new String(bytes, StandardCharsets.US_ASCII)));
        }

        void type(String text) throws InterruptedException {
            byte[] bytes = text.getBytes(StandardCharsets.US_ASCII);
            link.type(bytes, bytes.length);
        }

        void awaitShown(String text) throws InterruptedException {
            eventually(() -> shown.toString().endsWith(text), text);
        }

        @Override
        public void close() {
            link.close();
        }
    }

    private static void eventually(BooleanSupplier condition, String what) throws InterruptedException {
        long end = System.nanoTime() + 60_000_000_000L;
        while (!condition.getAsBoolean()) {
            assertTrue(System.nanoTime() < end, "never came: " + what);
            Thread.sleep(5);
        }
    }

    @Test
    void whatIsTypedReachesTheGuestAndItsWordsEverybody() throws Exception {
        try (Terminal terminal = new Terminal(false)) {
            terminal.type("hello");
            terminal.awaitShown("hello");
            eventually(() -> served.printed().equals("hello"), "the first sink's copy");
            String much = "0123456789".repeat(20_000);
            terminal.type(much);
            terminal.awaitShown("hello" + much);
            assertEquals("hello".length() + much.length(), terminal.shown.length());
        }
    }

    @Test
    void onlyOneTypesUnlessForced() throws Exception {
        try (Terminal first = new Terminal(false)) {
            ControlException refused = assertThrows(ControlException.class, () -> new Terminal(false));
            assertEquals("machine vm: console: is in use by another console", refused.getMessage());
            assertEquals(409, refused.status());
            first.type("a");
            first.awaitShown("a");
            try (Terminal second = new Terminal(true)) {
                assertTrue(first.link.awaitClosed(60_000));
                assertEquals("another console has taken over", first.link.reason());
                second.type("b");
                second.awaitShown("b");
            }
        }
        eventually(() -> free(), "the input is free again");
    }

    private boolean free() {
        try {
            new Terminal(false).close();
            return true;
        } catch (ControlException e) {
            return false;
        }
    }

    @Test
    void theTerminalOfRunIsHeardAgainAfterwards() throws Exception {
        AtomicInteger displaced = new AtomicInteger();
        StreamConsole.Keyboard own =
                served.console.keyboard("the terminal of \"run\"", false, displaced::incrementAndGet);
        ControlException refused = assertThrows(ControlException.class, () -> new Terminal(false));
        assertTrue(refused.getMessage().contains("is in use by the terminal of \"run\""), refused.getMessage());
        try (Terminal terminal = new Terminal(true)) {
            assertEquals(1, displaced.get());
            assertFalse(own.feed(new byte[] {'x'}, 0, 1));
            terminal.type("y");
            terminal.awaitShown("y");
        }
        eventually(
                () -> {
                    try {
                        return own.feed(new byte[] {'z'}, 0, 1);
                    } catch (InterruptedException e) {
                        throw new AssertionError(e);
                    }
                },
                "the terminal is heard again");
        eventually(() -> served.printed().equals("yz"), "yz");
    }

    @Test
    void theEndIsTold() throws Exception {
        try (Terminal terminal = new Terminal(false)) {
            terminal.type("bye!");
            terminal.awaitShown("bye");
            served.machine.await();
            served.console.flush(10_000);
            served.server.close();
            assertTrue(terminal.link.awaitClosed(60_000));
            assertEquals("the machine has ended", terminal.link.reason());
        }
    }

    @Test
    void aClientThatDoesNotReadHoldsUpNobody() throws Exception {
        Object gate = new Object();
        ConsoleLink link;
        synchronized (gate) {
            link = served.client.console(served.socket.path(), "vm", false, bytes -> {
                synchronized (gate) {
                    gate.notifyAll();
                }
            });
            byte[] line = new byte[1 << 16];
            java.util.Arrays.fill(line, (byte) 'x');
            int lines = 64;
            for (int n = 0; n < lines; n++) {
                served.console.feed(line, 0, line.length);
            }
            eventually(() -> served.printed.size() == lines * line.length, "all of the guest's output");
        }
        assertTrue(link.awaitClosed(60_000));
        assertEquals("too much output waits for this client", link.reason());
        link.close();
    }
}
