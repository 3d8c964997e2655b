package dev.multivisor.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.stream.IntStream;
import org.eclipse.jetty.io.Content;
import org.eclipse.jetty.util.Callback;
import org.junit.jupiter.api.Test;

class LineWriterTest {
    private final List<String> written = new ArrayList<>();
    private final Deque<Callback> unread = new ArrayDeque<>();
    private boolean reads = true;

    private final Content.Sink client = this::send;

    private synchronized void send(boolean last, ByteBuffer bytes, Callback callback) {
        written.add(StandardCharsets.UTF_8.decode(bytes).toString());
        if (reads) {
            callback.succeeded();
        } else {
            unread.add(callback);
        }
    }

    private static byte[] line(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    @Test
    void whatComesBeforeTheBeginningFollowsIt() throws Exception {
        LineWriter lines = new LineWriter(client);
        lines.write(line("a"));
        lines.write(line("b"));
        assertEquals(List.of(), written);
        lines.begin(line("first"));
        lines.write(line("c"));
        lines.end().get();
        assertEquals(List.of("first", "a", "b", "c"), written);
        assertEquals(0, lines.waiting());
    }

    @Test
    void nobodyWaitsForAClientThatDoesNotRead() throws Exception {
        reads = false;
        LineWriter lines = new LineWriter(client);
        lines.begin(line("first"));
        for (int n = 1; n < LineWriter.CAPACITY; n++) {
            assertTrue(lines.write(line("more")));
        }
        assertFalse(lines.write(line("too many")));
        assertEquals(List.of("first"), written);
        CompletableFuture<Void> end = lines.end();
        assertFalse(end.isDone());
        reads = true;
        unread.remove().succeeded();
        end.get();
        assertEquals(LineWriter.CAPACITY, written.size());
        assertFalse(written.contains("too many"));
    }

    @Test
    void linesOfSeveralThreadsStayWhole() throws Exception {
        LineWriter lines = new LineWriter(client);
        lines.begin(line("first"));
        List<Thread> threads = IntStream.range(0, 4)
                .mapToObj(thread -> Thread.ofPlatform().start(() -> {
                    for (int n = 0; n < 1000; n++) {
                        lines.write(line(thread + " " + n));
                    }
                }))
                .toList();
        for (Thread thread : threads) {
            thread.join();
        }
        lines.end().get();
        for (int thread = 0; thread < 4; thread++) {
            String own = thread + " ";
            assertEquals(
                    IntStream.range(0, 1000).mapToObj(n -> own + n).toList(),
                    written.stream().filter(text -> text.startsWith(own)).toList());
        }
        assertEquals(4001, written.size());
    }

    @Test
    void aClientThatIsGoneIsFoundOut() {
        reads = false;
        LineWriter lines = new LineWriter(client);
        lines.begin(line("first"));
        unread.remove().failed(new IOException("gone"));
        assertTrue(lines.isFailed());
        lines.write(line("more"));
        Throwable cause =
                assertThrows(ExecutionException.class, () -> lines.end().get()).getCause();
        assertEquals("gone", cause.getMessage());
    }
}
